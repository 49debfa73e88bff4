"""Estimates are what they are defined to be, and their intervals cover what they claim to."""

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from teachrl.evaluation import statistics
from teachrl.evaluation.statistics import (
    estimate,
    holm,
    interquartile_mean,
    mean,
    optimality_gap,
    performance_band,
    performance_profile,
    probability_of_improvement,
    welch_test,
)

STATISTICS = (interquartile_mean, mean, optimality_gap)


def scores(runs=6, tasks=4, seed=0, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, (runs, tasks))


def test_the_interquartile_mean_leaves_a_quarter_out_at_either_end():
    assert interquartile_mean([[1, 2], [3, 4], [5, 600], [-700, 8]]) == (2 + 3 + 4 + 5) / 4
    assert interquartile_mean([5, 1, 3]) == 3  # a quarter of three is none


def test_the_optimality_gap_counts_what_is_above_the_target_as_met():
    assert optimality_gap([[0.5, 2.0], [1.0, 0.25]]) == pytest.approx((0.5 + 0 + 0 + 0.75) / 4)
    assert optimality_gap([30.0, 10.0], target=20) == 5


def test_the_profile_is_the_share_above_each_threshold():
    profile = performance_profile([[1, 2], [3, 4]], [0, 1, 2.5, 4])
    assert profile.tolist() == [1.0, 0.75, 0.5, 0.0]


def test_the_probability_of_improvement_averages_over_tasks_and_splits_ties():
    # Task 0: 3 and 1 against 2 and 2: one win of two, twice. Task 1: all equal.
    assert probability_of_improvement([[3, 5], [1, 5]], [[2, 5], [2, 5]]) == 0.5
    # Task 0 always won, task 1 never, with other numbers of runs on either side.
    assert probability_of_improvement([[9, 0]], [[1, 1], [2, 2], [3, 3]]) == 0.5
    assert probability_of_improvement([2, 3], [1]) == 1
    with pytest.raises(ValueError, match=r"same tasks, got shapes \(2, 2\) and \(3, 1\)"):
        probability_of_improvement(np.zeros((2, 2)), np.zeros(3))


def test_the_probability_of_improvement_is_that_of_mann_and_whitney():
    x, y = scores(7, 1, seed=1), scores(9, 1, seed=2)
    u = stats.mannwhitneyu(x.ravel(), y.ravel()).statistic
    assert probability_of_improvement(x, y) == pytest.approx(u / 63)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_batch_of_matrices_gives_what_they_give_one_by_one(statistic):
    batch = np.stack([scores(seed=i) for i in range(3)])
    np.testing.assert_allclose(statistic(batch), [statistic(table) for table in batch])


@pytest.mark.parametrize("statistic", STATISTICS)
def test_the_interval_is_that_of_scipys_stratified_bootstrap(statistic):
    table = scores(8, 3)
    found = estimate(table, statistic=statistic, resamples=20_000)
    theirs = stats.bootstrap(
        list(table.T),
        lambda *columns, axis=-1: statistic(np.stack(columns, axis=-1)),
        vectorized=True,
        n_resamples=20_000,
        method="percentile",
        rng=1,
    ).confidence_interval
    assert found.value == statistic(table)
    assert found.low == pytest.approx(theirs.low, abs=0.02)
    assert found.high == pytest.approx(theirs.high, abs=0.02)


def test_runs_are_resampled_within_their_task():
    # Constant columns, far apart: only a bootstrap that mixes tasks has an interval.
    table = np.array([[0.0, 100.0]] * 5)
    assert estimate(table, statistic=mean) == (50, 50, 50)


def test_the_same_scores_have_the_same_interval_whatever_the_global_state():
    first = estimate(scores())
    np.random.seed(5)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    assert estimate(scores()) == first
    assert estimate(scores(), seed=1) != first
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_intervals_cover_the_truth_about_as_often_as_they_claim():
    covered = 0
    for i in range(200):
        found = estimate(scores(12, 4, seed=i), statistic=mean, resamples=500)
        covered += found.low <= 0 <= found.high
    # Twelve runs: the bootstrap is a little too narrow. 0.95 has a standard error of 0.015.
    assert 0.88 <= covered / 200 <= 0.99


def test_the_interval_of_an_improvement_covers_the_truth_as_well():
    truth = stats.norm.cdf(0.7 / np.sqrt(2))
    intervals = [
        estimate(
            scores(15, 2, seed=2 * i, shift=0.7),
            scores(10, 2, seed=2 * i + 1),
            statistic=probability_of_improvement,
            resamples=300,
        )
        for i in range(120)
    ]
    assert all(0 <= e.low <= e.value <= e.high <= 1 for e in intervals)
    assert 0.85 <= np.mean([e.low <= truth <= e.high for e in intervals]) <= 1.0


def test_more_confidence_makes_a_wider_interval():
    wide, narrow = (estimate(scores(), confidence=c) for c in (0.99, 0.5))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_a_whole_profile_has_a_band():
    thresholds = np.linspace(-2, 2, 9)
    band = estimate(scores(), statistic=lambda s: performance_profile(s, thresholds))
    assert band.value.shape == band.low.shape == (9,)
    assert (band.low <= band.value).all()
    assert (band.value <= band.high).all()


def test_one_run_has_a_value_but_no_interval():
    value, low, high = estimate([[0.5, 1.5]], statistic=mean)
    assert value == 1
    assert np.isnan([low, high]).all()


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_scores_that_are_not_numbers_are_refused_with_their_place(wrong):
    table = scores()
    table[2, 3] = wrong
    for statistic in (*STATISTICS, estimate, lambda s: performance_profile(s, [0])):
        with pytest.raises(ValueError, match="for run 2, task 3"):
            statistic(table)
    with pytest.raises(ValueError, match="for run 2, task 3"):
        probability_of_improvement(scores(), table)


@pytest.mark.parametrize("wrong", [0.5, [], np.zeros((3, 0)), np.zeros((2, 3, 4))])
def test_anything_but_a_matrix_has_no_estimate(wrong):
    with pytest.raises(ValueError, match=r"scores must be \(runs, tasks\) or \(runs,\)"):
        estimate(wrong)


def test_the_confidence_is_a_probability():
    with pytest.raises(ValueError, match="confidence must be between 0 and 1, got 95"):
        estimate(scores(), confidence=95)


def test_welch_is_as_scipy_computes_it_and_as_one_does_by_hand():
    x, y = [1.0, 2.0, 3.0], [2.0, 4.0, 6.0, 8.0]
    found = welch_test(x, y)
    assert found.difference == -3
    t = -3 / np.sqrt(1 / 3 + (20 / 3) / 4)
    v = (1 / 3 + 5 / 3) ** 2 / ((1 / 3) ** 2 / 2 + (5 / 3) ** 2 / 3)
    assert found.p_value == pytest.approx(2 * stats.t.cdf(-abs(t), v))
    half = stats.t.ppf(0.975, v) * np.sqrt(1 / 3 + 5 / 3)
    assert (found.low, found.high) == pytest.approx((-3 - half, -3 + half))


@pytest.mark.filterwarnings("ignore:Precision loss")  # of scipy, where there is no spread
def test_welch_is_scipys_also_where_one_side_has_no_spread():
    x, y = [0.5, 0.5, 0.5], [0.2, 0.3, 0.5, 0.1]
    for a, b in ((x, y), (scores(5, 1).ravel(), scores(9, 1, seed=1).ravel())):
        theirs = stats.ttest_ind(a, b, equal_var=False)
        found = welch_test(a, b, confidence=0.9)
        assert found.p_value == pytest.approx(theirs.pvalue)
        assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval(0.9)))


@pytest.mark.filterwarnings("error")
def test_welch_without_any_spread_is_certain():
    assert welch_test([1, 1], [1, 1]) == (0, 0, 0, 1)
    assert welch_test([1, 1], [2, 2]) == (-1, -1, -1, 0)


@pytest.mark.parametrize("wrong", [[1.0], [[1.0, 2.0], [3.0, 4.0]]])
def test_welch_compares_single_scores_of_several_runs(wrong):
    with pytest.raises(ValueError, match="one score for each of 2 runs or more"):
        welch_test(wrong, [1.0, 2.0])


def test_holm_multiplies_by_the_number_of_tests_that_are_left():
    assert holm([0.04, 0.01, 0.03, 0.005]) == pytest.approx([0.06, 0.03, 0.06, 0.02])
    assert holm([0.5, 0.9, 0.6]) == [1, 1, 1]
    assert holm([]) == []
    with pytest.raises(ValueError, match="p-values between 0 and 1"):
        holm([0.5, np.nan])


def test_estimates_agree_with_rliable():
    library = pytest.importorskip("rliable.library")
    metrics = pytest.importorskip("rliable.metrics")
    x, y = scores(8, 5), scores(6, 5, seed=1)
    assert interquartile_mean(x) == pytest.approx(metrics.aggregate_iqm(x))
    assert optimality_gap(x, 0.3) == pytest.approx(metrics.aggregate_optimality_gap(x, 0.3))
    theirs = metrics.probability_of_improvement(x, y)
    assert probability_of_improvement(x, y) == pytest.approx(theirs)
    thresholds = np.linspace(-1, 1, 5)
    profile = [library.run_score_deviation(x, threshold) for threshold in thresholds]
    assert performance_profile(x, thresholds) == pytest.approx(profile)
    np.random.seed(0)  # noqa: NPY002 - the only seed it listens to
    _, intervals = library.get_interval_estimates(
        {"x": x}, lambda s: np.array([metrics.aggregate_iqm(s)]), reps=5000
    )
    found = estimate(x, resamples=5000)
    assert [found.low, found.high] == pytest.approx(intervals["x"].ravel(), abs=0.03)


def test_tasks_of_one_student_are_drawn_together_when_asked():
    # Five students that know everything or nothing: their tasks say no more than one task would.
    table = np.repeat([[0.0], [0.0], [1.0], [1.0], [1.0]], 100, axis=1)
    apart, together = (estimate(table, statistic=mean, whole_runs=w) for w in (False, True))
    single = estimate(table[:, 0], statistic=mean)
    assert (together.low, together.high) == (single.low, single.high)
    assert apart.high - apart.low < 0.2 * (together.high - together.low)


def test_whole_runs_of_two_sides_are_drawn_each_on_their_own():
    x, y = scores(6, 3), scores(9, 3, seed=1)
    found = estimate(x, y, statistic=probability_of_improvement, whole_runs=True)
    assert found.low < found.value == probability_of_improvement(x, y) < found.high


def test_a_band_holds_the_profile():
    thresholds = np.linspace(-2, 2, 9)
    band = performance_band(scores(), thresholds, whole_runs=True)
    assert band.value.tolist() == performance_profile(scores(), thresholds).tolist()
    assert ((band.low <= band.value) & (band.value <= band.high)).all()


def test_thousands_of_runs_need_no_table_of_pairs():
    x, y = scores(3000, 1), scores(3000, 1, seed=1)
    tracemalloc.start()
    found = estimate(x, y, statistic=probability_of_improvement, resamples=100)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.4 < found.low < found.value < found.high < 0.6
    assert peak < 200e6  # the pairs of one resample alone are 9e6


def test_batches_of_resamples_do_not_change_the_interval(monkeypatch):
    whole = estimate(scores())
    monkeypatch.setattr(statistics, "_BATCH", 240)
    assert estimate(scores()).value == whole.value
    assert estimate(scores()).low == pytest.approx(whole.low, abs=0.03)
