"""Results compare runs by what was written, and read nothing that they need not."""

import csv
import math

import numpy as np
import pytest

from teachrl.campaigns.record import Record
from teachrl.evaluation.statistics import estimate, holm, welch_test
from teachrl.results import AXES, Results
from tests.reporting.folders import write_benchmark, write_run

SHARES = {
    "random": (0.1, 0.2, 0.3, 0.0),
    "good": (0.6, 0.8, 0.7, 0.9),
    "fair": (0.4, 0.2, 0.3, 0.5),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_benchmark(tmp_path_factory.mktemp("benchmark"), SHARES)


@pytest.fixture(scope="module")
def results(folder):
    return Results.load(folder)


def test_random_comes_first_and_the_others_by_name(results):
    assert list(results.runs) == ["random", "fair", "good"]


def test_a_row_says_what_the_runs_reached(results):
    rows = {row.teacher: row for row in results.table(threshold=0.4)}
    good = rows["good"]
    assert good.value == estimate(SHARES["good"])
    assert good.improvement.value == 1
    assert rows["random"].improvement is None
    # Shares grow along straight lines from 0 at step 0: the mean height is half the last one.
    assert good.area.value == pytest.approx(0.375)
    assert good.time.value == pytest.approx(np.median([1000 * 0.4 / s for s in SHARES["good"]]))
    assert rows["random"].time == (math.inf, math.inf, math.inf)
    assert rows["fair"].time.high == math.inf


def test_pairs_are_corrected_for_their_number(results):
    pairs = {(pair.teacher, pair.other): pair for pair in results.pairs()}
    assert set(pairs) == {("fair", "random"), ("good", "random"), ("good", "fair")}
    tests = {key: welch_test(SHARES[key[0]], SHARES[key[1]]) for key in pairs}
    corrected = dict(zip(pairs, holm([test.p_value for test in tests.values()]), strict=True))
    for key, pair in pairs.items():
        assert pair.welch == pytest.approx(tests[key])
        assert pair.adjusted == pytest.approx(corrected[key])
        assert pair.adjusted >= pair.welch.p_value
        assert pair.improvement.low <= pair.improvement.value <= pair.improvement.high
    assert pairs["good", "random"].welch.difference == pytest.approx(0.6)


def test_a_single_run_has_no_test_and_no_part_in_the_correction(tmp_path):
    write_benchmark(tmp_path, {"a": (0.1,), "b": (0.2, 0.3), "c": (0.5, 0.6)})
    pairs = {(pair.teacher, pair.other): pair for pair in Results.load(tmp_path).pairs()}
    assert pairs["b", "a"].welch is pairs["b", "a"].adjusted is None
    assert pairs["c", "b"].adjusted == pairs["c", "b"].welch.p_value


def test_the_axis_counts_every_step_paid_for_or_says_that_it_does_not(results):
    train, everything = (results.curves(axis=axis)["good"].steps for axis in ("train", "all"))
    assert train.tolist() == [0, 500, 1000]
    assert everything.tolist() == [100, 700, 1300]  # a hundred steps per evaluation
    for axis, label in AXES.items():
        assert results.plot(axis=axis).axes[0].get_xlabel() == label
    with pytest.raises(ValueError, match="unknown axis 'clock'; known: train, all"):
        results.curves(axis="clock")


def test_no_episode_and_no_student_is_read(tmp_path):
    write_benchmark(tmp_path, SHARES)
    for name in ("monitor.csv", "summary.json", "test_set.csv"):
        for path in tmp_path.glob(f"*/*/{name}"):
            path.write_bytes(b"\xff not what it was")
    results = Results.load(tmp_path)
    assert len(results.table()) == 3
    assert len(results.pairs()) == 3
    results.save(tmp_path / "out")
    with pytest.raises(ValueError, match=r"monitor\.csv"):
        results.runs["random"][0].episodes  # noqa: B018


def test_unfinished_runs_are_left_out(tmp_path):
    write_benchmark(tmp_path, {"random": (0.1, 0.2, 0.3)})
    (tmp_path / "random" / "seed_1" / "status").write_text("running\n")
    assert [run.config["seed"] for run in Results.load(tmp_path).runs["random"]] == [0, 2]


def test_teachers_come_in_the_order_in_which_they_were_asked_for(tmp_path):
    record = Record()
    for number, path in enumerate(("zebra/seed_0", "good/seed_0", "absent/seed_0")):
        record.add(path, {"teacher": number, "seed": 0})
    record.save(tmp_path)
    write_benchmark(tmp_path, SHARES | {"zebra": (0.5, 0.6)})
    results = Results.load(tmp_path)
    assert list(results.runs) == ["zebra", "good", "random", "fair"]  # two that it does not know
    assert results.table()[0].improvement is None


def test_the_order_of_one_student_is_in_the_record_of_all(tmp_path, monkeypatch):
    record = Record()
    for path in ("sac/good/seed_0", "ppo/random/seed_0", "ppo/good/seed_0", "ppo/fair/seed_0"):
        record.add(path, {"seed": 0})
    record.save(tmp_path)
    write_benchmark(tmp_path / "ppo", SHARES)
    monkeypatch.chdir(tmp_path / "ppo")
    assert list(Results.load(".").runs) == ["random", "good", "fair"]


def test_teachers_are_compared_where_the_shortest_run_ends(tmp_path):
    write_run(tmp_path / "long" / "seed_0", (0.0, 0.4, 0.8, 1.0), steps=(0, 500, 1000, 2000))
    write_run(tmp_path / "short" / "seed_0", (0.0, 0.3, 0.4), steps=(0, 500, 750))
    results = Results.load(tmp_path)
    assert results.final()["long"] == pytest.approx([0.6])  # on its line at 750
    assert results.final()["short"] == pytest.approx([0.4])
    rows = {row.teacher: row for row in results.table()}
    assert rows["long"].area.value == pytest.approx((0.2 * 500 + 0.5 * 250) / 750)


def test_rows_are_one_line_of_pandas(results, tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(results.rows())
    assert len(frame) == 12 * 3
    assert list(frame) == ["teacher", "seed", "steps", "env_steps", "mastered", "reward", "success"]
    last = frame[frame.steps == 1000].groupby("teacher").mastered.mean()
    assert last["good"] == pytest.approx(0.75)
    assert frame.success.isna().all()  # this world says nothing about success
    saved = pandas.read_csv(results.save_rows(tmp_path / "rows.csv"))
    assert saved.mastered.tolist() == frame.mastered.tolist()
    assert saved.env_steps.tolist() == frame.env_steps.tolist()


def test_saved_rows_are_exact(results, tmp_path):
    with results.save_rows(tmp_path / "rows.csv").open() as file:
        saved = list(csv.DictReader(file))
    for row, text in zip(results.rows(), saved, strict=True):
        assert text["success"] == ""
        assert (float(text["mastered"]), int(text["steps"])) == (row["mastered"], row["steps"])


def test_a_metric_that_the_runs_lack_is_refused(results):
    with pytest.raises(ValueError, match="the runs of random have no 'success'"):
        results.table("success")
    with pytest.raises(ValueError, match="unknown metric 'speed'"):
        results.curves("speed")


def test_a_run_without_evaluations_is_named(tmp_path):
    folder = write_run(tmp_path / "random" / "seed_7", (), steps=(), seed=7)
    assert folder.is_dir()
    with pytest.raises(ValueError, match="seed 7 of random was never evaluated"):
        Results.load(tmp_path).table()


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no finished run of a benchmark"):
        Results.load(tmp_path)
