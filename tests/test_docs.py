"""What the documents say is so."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from teachrl.envs import ENVS
from teachrl.envs.bodies import BODIES
from teachrl.envs.box2d.parameters import PARAMETERS
from teachrl.runs.folder import _OWN
from teachrl.students.presets import (
    A2CPreset,
    DQNPreset,
    PPOPreset,
    Preset,
    SACPreset,
    TD3Preset,
)
from teachrl.teachers import TEACHERS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "experiments" / "README.md",
    ROOT / "notebooks" / "README.md",
]
README = (ROOT / "README.md").read_text()
WORLDS = (ROOT / "docs" / "worlds.md").read_text()
STUDENTS = (ROOT / "docs" / "students.md").read_text()
PRESETS = {
    "All": Preset,
    "PPO": PPOPreset,
    "SAC, and TQC": SACPreset,
    "TD3": TD3Preset,
    "A2C": A2CPreset,
    "DQN": DQNPreset,
}


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            yield page, target


def python_blocks() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
            yield page, block


def short(value: Path | str) -> str:
    """Return a name for a page, or for a link or a block on it."""
    return value.stem if isinstance(value, Path) else value.partition("\n")[0]


@pytest.mark.parametrize(("page", "target"), list(links()), ids=short)
def test_links_lead_somewhere(page: Path, target: str) -> None:
    path, _, anchor = target.partition("#")
    if not path.startswith("https://"):
        assert (page.parent / path).exists()
        assert not anchor or f"# {anchor}" in page.read_text().lower()


def test_each_file_of_a_run_is_told_of_once() -> None:
    table = (ROOT / "docs" / "how_it_works.md").read_text().partition("## A run is a folder")[2]
    rows = re.findall(r"^\| (.*?) \|", table.partition("\n## ")[0], re.MULTILINE)
    told = re.findall(r"`([^`]+)`", " ".join(rows))
    assert sorted(told) == sorted(set(told))
    assert set(told) >= {*_OWN, "beliefs/", "checkpoint/"}


@pytest.mark.parametrize(("page", "block"), list(python_blocks()), ids=short)
def test_imports_on_the_pages_exist(page: Path, block: str) -> None:
    lines = [
        node for node in ast.parse(block).body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    exec("\n".join(map(ast.unparse, lines)), {})


@pytest.mark.parametrize("title", PRESETS)
def test_every_value_of_a_preset_has_its_reason(title: str) -> None:
    preset = PRESETS[title]()
    shared = {f.name for f in fields(Preset)} if title != "All" else set()
    used = {f.name: getattr(preset, f.name) for f in fields(preset) if f.name not in shared}
    [section] = re.findall(rf"^## {title}\n(.*?)(?=^## )", STUDENTS, re.DOTALL | re.MULTILINE)
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| .+ \|$", section, re.MULTILINE)
    assert {name: ast.literal_eval(value) for name, value in rows} == used


@pytest.mark.parametrize("name", TEACHERS)
def test_the_readme_lists_every_teacher(name: str) -> None:
    assert f"(`{name}`)" in README


@pytest.mark.parametrize("name", ENVS)
def test_the_readme_lists_every_world(name: str) -> None:
    assert f"(`{name}`)" in README


@pytest.mark.parametrize("name", [*BODIES, *PARAMETERS])
def test_bodies_and_parameters_of_the_tracks_are_explained(name: str) -> None:
    assert f"| `{name}`" in WORLDS
