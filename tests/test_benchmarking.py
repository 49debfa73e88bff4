"""benchmark(): teachers × seeds, restartable."""

import numpy as np
import pytest

from teachrl import benchmark
from teachrl.evaluation import TestSet
from teachrl.results import Results
from teachrl.students.presets import PPOPreset
from teachrl.teachers import ALPGMM, Random
from tests.students.worlds import Broken, Reach

PRESET = PPOPreset(rollout=64, batch_size=64, n_epochs=1, net_arch=(8,))
TINY = {"steps": 128, "n_envs": 2, "test_set": TestSet.grid(Reach.task_space, 2)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    teachers = [Random(), ALPGMM(fit_every=10)]
    benchmark(PRESET, Reach, teachers, seeds=2, folder=folder, workers=1, **TINY)
    return folder


def test_every_run_has_a_folder_named_after_its_teacher(folder):
    assert {str(p.parent.relative_to(folder)) for p in folder.glob("*/*/status")} == {
        f"{teacher}/seed_{seed}"
        for teacher in ("random", "alp-gmm,fit_every-10")
        for seed in (0, 1)
    }


def test_calling_again_repeats_nothing_but_what_is_missing(folder):
    stamps = {p: p.stat().st_mtime_ns for p in folder.glob("*/*/model.zip")}
    results = benchmark(
        PRESET, Reach, [Random()], seeds=[0, 1, 2], folder=folder, workers=1, **TINY
    )
    assert {p: p.stat().st_mtime_ns for p in stamps} == stamps
    assert len(results.runs["random"]) == 3


def test_results_compare(folder):
    results = Results.load(folder)
    steps, values = results.curves("mastered")["random"]
    assert values.shape[1] == len(steps) >= 3
    rows = results.table("reward")
    assert {row.teacher for row in rows} == {"random", "alp-gmm,fit_every-10"}
    for row in rows:
        assert row.value.low <= row.value.value <= row.value.high
    with pytest.raises(ValueError, match="unknown metric"):
        results.plot("speed")


def test_results_are_saved(folder, tmp_path):
    paths = Results.load(folder).save(tmp_path / "out")
    assert [p.name for p in paths] == ["mastered.csv", "mastered_table.csv", "mastered.png"]
    lines = paths[0].read_text().splitlines()
    assert lines[0] == "teacher,seed,steps,mastered"
    assert len(lines) > 10


def test_processes_give_the_same_runs(folder, tmp_path):
    benchmark(PRESET, Reach, [Random()], seeds=[0, 1], folder=tmp_path, workers=2, **TINY)
    for seed in (0, 1):
        ours = Results.load(tmp_path).runs["random"][seed]
        theirs = Results.load(folder).runs["random"][seed]
        assert ours.episodes["r"].tobytes() == theirs.episodes["r"].tobytes()
        for a, b in zip(
            ours.student.policy.parameters(), theirs.student.policy.parameters(), strict=True
        ):
            np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


def test_a_failing_run_does_not_take_the_others_with_it(tmp_path):
    with pytest.raises(RuntimeError, match=r"2 of 2 runs failed.*\n.*NonFiniteError"):
        benchmark(PRESET, Broken, [Random()], seeds=2, folder=tmp_path, workers=1, **TINY)
    assert [p.read_text() for p in tmp_path.glob("*/*/status")] == ["failed\n"] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"teachers": []}, "at least one teacher"),
        ({"teachers": [Random(), Random()]}, "two teachers are the same"),
        ({"seeds": 0}, "seeds must be"),
        ({"seeds": [1, 1]}, "seeds must be"),
    ],
)
def test_bad_input_is_refused(arguments, message, tmp_path):
    arguments = {"teachers": [Random()], "seeds": 1} | arguments
    with pytest.raises(ValueError, match=message):
        benchmark(PRESET, Reach, **arguments, folder=tmp_path, **TINY)
