"""Areas and times are those of the straight lines between evaluations."""

import numpy as np
import pytest

from teachrl.evaluation.curves import area_under_curve, median_time, time_to_threshold

STEPS = [0, 100, 300]


def test_the_area_weighs_each_stretch_by_its_length():
    curves = [[0, 1, 1], [0, 0, 1], [0.4, 0.4, 0.4]]
    assert area_under_curve(STEPS, curves) == pytest.approx([250 / 300, 100 / 300, 0.4])
    assert area_under_curve(STEPS, [0, 1, 1]) == pytest.approx(250 / 300)
    assert area_under_curve([7], [[0.2], [0.3]]).tolist() == [0.2, 0.3]


def test_the_area_is_a_mean_height_wherever_the_steps_begin():
    assert area_under_curve([1000, 2000], [0, 1]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("curve", "time"),
    [
        ([0, 1, 1], 50),  # half way up the first stretch
        ([0, 0.5, 0], 100),  # reached exactly, lost again
        ([0, 0.25, 0.75], 200),
        ([0.5, 0, 0], 0),
        ([0, 0.4, 0.499], np.inf),
    ],
)
def test_the_time_is_where_the_line_crosses_first(curve, time):
    assert time_to_threshold(STEPS, curve, 0.5) == pytest.approx([time])


def test_runs_that_never_arrive_count_as_later_than_all_others():
    never = np.inf
    assert median_time([never, 5.0, 1.0, 2.0, 3.0]).value == 3
    assert median_time([never] * 3 + [1.0] * 2) == (never, 1.0, never)
    value, low, high = median_time([1.0, 2.0, never, never])
    assert (value, low, high) == (never, 1.0, never)
    assert median_time([never] * 4) == (never, never, never)


def test_the_interval_of_a_median_is_between_observed_times():
    times = np.random.default_rng(0).gamma(2, 1000, 40)
    value, low, high = median_time(times)
    assert times.min() < low < value == np.median(times) < high < times.max()


def test_one_run_has_a_time_and_no_interval():
    value, low, high = median_time([12.0])
    assert value == 12
    assert np.isnan([low, high]).all()
    assert median_time([np.inf]).value == np.inf


@pytest.mark.parametrize(
    ("steps", "values"),
    [
        ([0, 1], [0, np.nan]),
        ([0, np.inf], [0, 1]),
        ([0, 0], [0, 1]),
        ([1, 0], [0, 1]),
        ([], []),
        ([0, 1], [0]),
        ([0, 1], np.zeros((2, 2, 2))),
    ],
)
def test_what_is_not_a_curve_is_refused(steps, values):
    for measure in (area_under_curve, lambda x, y: time_to_threshold(x, y, 0.5)):
        with pytest.raises(ValueError, match="expected ascending steps"):
            measure(steps, values)


def test_times_that_are_not_times_are_refused():
    for wrong in ([], [1.0, np.nan], [[1.0]]):
        with pytest.raises(ValueError, match="expected one time per run"):
            median_time(wrong)
