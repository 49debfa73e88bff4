"""The notebooks run, are stored without outputs, and teach what they say they teach."""

import os
import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from teachrl import TaskSpace

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# What a test does of everything, as an assignment to each name of the cell tagged "parameters".
SMALL = {
    "BY_HAND": 1024,
    "EXPERT_STEPS": 2048,
    "GRID": 2,
    "PLAIN_EPISODES": 2,
    "STEPS": 2048,
    "TEST_TASKS": 2,
    "TOY_EPISODES": 1000,
}


def cells(notebook: Path, tag: str) -> list[Any]:
    """Return the cells of a notebook that carry ``tag``."""
    tagged = nbformat.read(notebook, as_version=4).cells
    return [cell for cell in tagged if tag in cell.metadata.get("tags", [])]


def lander_sources() -> dict[str, str]:
    """Return the code that defines ``WindyLander``, by the page that shows it."""
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    [shown] = [block for block in blocks if "class WindyLander" in block]
    [cell] = cells(ROOT / "notebooks" / "2_your_own_environment.ipynb", "environment")
    return {"README": shown, "notebook": cell.source.partition("\n\n\n")[0]}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda n: n.stem)
def test_no_output_is_stored(notebook: Path) -> None:
    for cell in nbformat.read(notebook, as_version=4).cells:
        assert not cell.get("outputs"), f"clear the outputs of cell {cell.id}"
        assert cell.get("execution_count") is None


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda n: n.stem)
def test_every_cell_runs(notebook: Path, tmp_path: Path) -> None:
    content = nbformat.read(notebook, as_version=4)
    [parameters] = [c for c in content.cells if "parameters" in c.metadata.get("tags", [])]
    parameters.source = smaller(parameters.source, tmp_path / "run")
    client = NotebookClient(
        content, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute(env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"})
    assert (tmp_path / "run" / "status").read_text() == "done\n"


def smaller(source: str, folder: Path) -> str:
    """Return assignments to the same names, of values that take seconds."""
    names = re.findall(r"^(\w+) =", source, re.MULTILINE)
    values = SMALL | {"FOLDER": str(folder)}
    return "\n".join(f"{name} = {values[name]!r}" for name in names)


@pytest.fixture(params=["README", "notebook"])
def lander(request: pytest.FixtureRequest) -> Any:
    """Make the environment of the README and of the second notebook from the code on the page."""
    page: dict[str, Any] = {"gym": gym, "TaskSpace": TaskSpace}
    exec(lander_sources()[request.param], page)
    env = page["WindyLander"]()
    yield env
    env.close()


def fall(env: Any, task: list[float]) -> Any:
    """Return the mean acceleration (x, y) of a lander whose engines are off."""
    env.reset(seed=0, options={"task": np.array(task, np.float32)})
    speeds = []
    for _ in range(20):
        env.step(np.zeros(2))
        speeds.append(tuple(env.unwrapped.lander.linearVelocity))
    return 50 * np.diff(speeds, axis=0).mean(axis=0)


@pytest.mark.parametrize("gravity", [-12.0, -7.0, -2.0])
def test_the_lander_falls_as_its_task_says(lander: Any, gravity: float) -> None:
    assert fall(lander, [gravity, 0.0])[1] == pytest.approx(gravity, rel=0.02)


def test_wind_moves_the_lander(lander: Any) -> None:
    calm, windy = fall(lander, [-10.0, 0.0]), fall(lander, [-10.0, 20.0])
    assert abs(calm[0]) < 0.05 < abs(windy[0])


def test_a_reset_without_a_task_keeps_the_last_one(lander: Any) -> None:
    fall(lander, [-2.0, 0.0])
    lander.reset(seed=0)
    assert lander.unwrapped.world.gravity[1] == -2.0


@pytest.mark.parametrize("page", ["README", "notebook"])
def test_the_wrapper_has_at_most_ten_lines(page: str) -> None:
    source = lander_sources()[page]
    body = source[source.index("class WindyLander") :]
    assert len([line for line in body.splitlines() if line.strip()]) <= 10


def test_both_pages_show_the_same_wrapper() -> None:
    sources = lander_sources()
    start = "class WindyLander"
    shown = {source[source.index(start) :].strip() for source in sources.values()}
    assert len(shown) == 1
