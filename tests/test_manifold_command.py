"""``teachrl manifold`` learns, tells, draws and keeps."""

import json
from pathlib import Path

import pytest
from PIL import Image

from teachrl.cli import main
from teachrl.envs import HexagonTracks
from teachrl.models.manifolds import load_manifold


def teachrl(line: str) -> None:
    main(line.split())


@pytest.mark.parametrize(("env", "latents"), [("hexagon-tracks", 8), ("point-mass", 3)])
def test_it_keeps_a_manifold_with_its_numbers_and_its_picture(
    env: str,
    latents: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    teachrl(f"manifold --env {env} --steps 3 --out {tmp_path}")
    said = capsys.readouterr().out
    [path] = tmp_path.glob("*.npz")
    manifold = load_manifold(path)
    assert path.stem == manifold.id
    numbers = json.loads(path.with_suffix(".json").read_text())
    assert len(numbers["divergences"]) == latents
    with Image.open(path.with_suffix(".png")) as picture:
        assert picture.width > 500
    for word in (manifold.id, "explained", "KL (nats)", "diversity", str(path)):
        assert word in said


def test_an_impossible_folder_is_refused_before_anything_is_learnt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("teachrl.models.manifolds.learn_manifold", None)
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as stopped:
        teachrl(f"manifold --env point-mass --out {tmp_path / 'file'}")
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "--out must be a folder" in said
    assert str(tmp_path / "file") in said


def test_the_same_seed_gives_the_same_manifold_and_flags_change_it(tmp_path: Path) -> None:
    line = f"manifold --env hexagon-tracks --steps 3 --out {tmp_path}"
    teachrl(line)
    teachrl(line)
    [first] = tmp_path.glob("*.npz")
    for flags in ("--seed 1", "--kind sequence --latents 4", "--beta 0.5"):
        teachrl(f"{line} {flags}")
    assert len([*tmp_path.glob("*.npz")]) == 4
    load_manifold(first).require(HexagonTracks.task_space)
