"""Our own runs come with the package, and only what compares is compared."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import teachrl.baselines
from teachrl.baselines import (
    baseline_names,
    extend_baselines,
    load_baselines,
    save_baselines,
)
from teachrl.envs import StumpTracks
from teachrl.evaluation.test_sets import default_test_set
from teachrl.results import Results
from tests.reporting.folders import write_benchmark, write_run

SHARES = {"random": (0.1, 0.2, 0.3), "mine": (0.6, 0.8, 0.7)}
HERE = Path(teachrl.baselines.__file__).parent


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return Results.load(write_benchmark(tmp_path_factory.mktemp("benchmark"), SHARES))


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A place for baselines instead of that of the package."""
    monkeypatch.setattr(teachrl.baselines, "_HERE", tmp_path / "shelf")
    return tmp_path / "shelf"


@pytest.mark.parametrize("name", baseline_names())
def test_every_set_that_ships_is_sound(name):
    results = load_baselines(name)
    assert all(len(outcomes) >= 5 for outcomes in results.outcomes.values())
    for curve in results.curves().values():
        assert ((curve.values >= 0) & (curve.values <= 1)).all()
    assert results.conditions["student"]["algorithm"]


def test_stump_tracks_are_those_of_the_experiment():
    root = Path(__file__).resolve().parents[1]
    with (root / "experiments/results/alp_gmm_against_random/mastered_table.csv").open() as file:
        written = {row["teacher"]: float(row["mastered_iqm"]) for row in csv.DictReader(file)}
    rows = load_baselines("stump-tracks").table()
    assert {row.teacher: row.value.value for row in rows} == pytest.approx(written)


def test_stump_tracks_were_made_on_todays_test_set():
    env = StumpTracks()
    conditions = load_baselines("stump-tracks").conditions
    assert conditions["test_set"]["fingerprint"] == default_test_set(env).fingerprint
    assert conditions["mastery_threshold"] == env.mastery_threshold


def test_baselines_are_small():
    assert sum(path.stat().st_size for path in HERE.rglob("*.*")) < 5e6


def test_what_is_saved_is_read(results, tmp_path):
    found = load_baselines(save_baselines(results, tmp_path / "set", "made for a test"))
    assert found.table() == results.table()
    assert list(found.rows()) == list(results.rows())
    assert found.conditions == results.conditions
    for name, outcomes in results.outcomes.items():
        for ours, theirs in zip(outcomes, found.outcomes[name], strict=True):
            np.testing.assert_array_equal(ours.final_mastered, theirs.final_mastered)
    described = json.loads((tmp_path / "set" / "baseline.json").read_text())
    assert described["about"] == "made for a test"
    assert described["teachers"]["mine"]["make"] == "teachrl.teachers.random:Random"


def test_a_set_grows_by_pieces(tmp_path):
    first = write_run(tmp_path / "a" / "mine" / "seed_0", (0.1, 0.2, 0.3), seed=0).parents[1]
    write_run(tmp_path / "b" / "mine" / "seed_0", (0.1, 0.2, 0.5), seed=0)
    write_run(tmp_path / "b" / "mine" / "seed_1", (0.6, 0.7, 0.8), seed=1)
    write_run(tmp_path / "b" / "other" / "seed_0", (0.0, 0.0, 0.1), seed=0)
    for folder in (first, tmp_path / "b"):
        extend_baselines(Results.load(folder), tmp_path / "set", "made for a test")
    found = load_baselines(tmp_path / "set")
    final = {name: values.tolist() for name, values in found.final().items()}
    assert final == {"mine": [0.5, 0.8], "other": [0.1]}
    assert [outcome.final_mastered.sum() for outcome in found.outcomes["mine"]] == [10, 16]
    described = json.loads((tmp_path / "set" / "baseline.json").read_text())
    assert described["teachers"].keys() == {"mine", "other"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"steps": 2000}, "other conditions: steps differ"),
        ({"teacher": "teachrl.teachers.alp_gmm:ALPGMM"}, "other mine, the teacher: make differ"),
    ],
)
def test_a_set_takes_no_runs_of_another_kind(tmp_path, change, reason):
    write_run(tmp_path / "a" / "mine" / "seed_0", (0.1, 0.2, 0.3), seed=0)
    folder = extend_baselines(Results.load(tmp_path / "a"), tmp_path / "set", "made for a test")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    config = {"teacher": "teachrl.teachers.random:Random"} | change
    steps = config.pop("steps", 1000)
    run = write_run(tmp_path / "b" / "mine" / "seed_1", (0.6, 0.7, 0.8), seed=1, **config)
    changed = json.loads((run / "config.json").read_text()) | {"steps": steps}
    (run / "config.json").write_text(json.dumps(changed))
    with pytest.raises(ValueError, match=reason):
        extend_baselines(Results.load(tmp_path / "b"), folder, "made for a test")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_set_that_fits_is_found(results, shelf):
    save_baselines(results, shelf / "reach", "made for a test")
    both = results.against(load_baselines("baselines", like=results))
    assert list(both.outcomes) == ["random", "mine", "random (baseline)", "mine (baseline)"]
    rows = both.table()
    assert [row.teacher for row in rows] == list(both.outcomes)
    assert rows[2].value == rows[0].value
    assert rows[3].improvement.value == 1  # against the first of ours
    assert len(both.pairs()) == 6


def test_without_a_fitting_set_the_names_are_said(results):
    with pytest.raises(
        ValueError, match=r"no baselines were made on tests\S+Reach .* stump-tracks"
    ):
        load_baselines("baselines", like=results)
    with pytest.raises(ValueError, match="which baselines"):
        load_baselines()
    with pytest.raises(KeyError, match="Did you mean 'stump-tracks'"):
        load_baselines("stump-track")


def test_another_test_set_or_world_is_refused(results, tmp_path):
    with pytest.raises(ValueError, match=r"do not compare \(env: "):
        results.against(load_baselines("stump-tracks"))
    other = write_benchmark(tmp_path, {"random": (0.1, 0.2)}, mastery_threshold=300.0)
    with pytest.raises(ValueError, match=r"mastery_threshold: 230\.0 here, 300\.0 there"):
        results.against(Results.load(other))


def test_a_benchmark_folder_is_a_baseline_too(results, tmp_path):
    folder = write_benchmark(tmp_path, {"other": (0.3, 0.4)})
    assert list(results.against(load_baselines(folder)).outcomes) == ["random", "mine", "other"]


def test_what_was_not_kept_is_not_made_up():
    results = load_baselines("stump-tracks")
    assert {row["env_steps"] for row in results.rows()} == {None}
    with pytest.raises(ValueError, match="count training steps only: use axis='train'"):
        results.curves(axis="all")
    with pytest.raises(ValueError, match="the runs of random have no 'reward'"):
        results.curves("reward")


def test_another_format_is_refused(results, tmp_path):
    folder = save_baselines(results, tmp_path, "made for a test")
    text = (folder / "baseline.json").read_text()
    (folder / "baseline.json").write_text(text.replace('"format": 1', '"format": 9'))
    with pytest.raises(ValueError, match="in format 9, and this teachrl reads 1"):
        load_baselines(folder)


def test_only_runs_that_are_here_become_baselines(tmp_path):
    with pytest.raises(ValueError, match="only runs whose folders are here"):
        save_baselines(load_baselines("stump-tracks"), tmp_path, "copied")
