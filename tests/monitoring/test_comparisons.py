"""Comparisons show every teacher, in its place and colour, with the interval of its estimate."""

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.patches import Rectangle

from teachrl.evaluation import TestSet
from teachrl.evaluation.statistics import Estimate, estimate, performance_profile
from teachrl.monitoring.comparisons import (
    bars_figure,
    difficulty_figure,
    profile_figure,
    radar_figure,
)
from teachrl.monitoring.layout import LINES, RETURNS
from tests.monitoring.pictures import CUBE, LINE, PLANE, SPACES, is_blank, pixels

SCORES = {"random": np.array([0.1, 0.2, 0.3, 0.15]), "good": np.array([0.6, 0.8, 0.7])}
LABEL = "mastered test tasks (%)"


def test_a_bar_ends_at_the_estimate_and_its_line_spans_the_interval():
    ax = bars_figure(SCORES, LABEL).axes[0]
    bars = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    for i, (bar, values) in enumerate(zip(bars, SCORES.values(), strict=True)):
        middle, low, high = estimate(values)
        assert bar.get_width() == pytest.approx(middle)
        assert same_color(bar.get_facecolor()[:3], LINES[i])
        assert ax.lines[i].get_xdata().tolist() == [low, high]
        assert ax.collections[i].get_offsets()[:, 0].tolist() == values.tolist()


def test_one_run_has_a_bar_and_no_interval():
    figure = bars_figure({"one": [0.4]}, "return")
    assert not is_blank(pixels(figure))
    assert np.isnan(figure.axes[0].lines[0].get_xdata()).all()


def test_a_profile_is_the_share_of_runs_above_each_threshold():
    ax = profile_figure(SCORES, LABEL).axes[0]
    for line, values in zip(ax.lines, SCORES.values(), strict=True):
        x, y = line.get_data()
        assert y.tolist() == performance_profile(values, x).tolist()
    assert [text.get_text() for text in ax.get_legend().texts] == list(SCORES)


def test_a_profile_over_the_tasks_of_one_test_set_draws_whole_runs():
    table = {"a": np.repeat([[0.0], [1.0], [1.0]], 50, axis=1)}
    widths = []
    for whole in (False, True):
        band = profile_figure(table, LABEL, whole_runs=whole).axes[0].collections[0]
        x, y = band.get_paths()[0].vertices.T
        widths.append(np.ptp(y[(x > 0.2) & (x < 0.8)]))
    assert widths[0] < widths[1]


def radar_rows(low, high):
    return {name: Estimate(v, v - 0.1, v + 0.1) for name, v in (("a", low), ("b", high))}


def test_a_radar_has_a_spoke_per_challenge_and_a_line_per_teacher():
    challenges = {
        "stumps": radar_rows(0.2, 0.5),
        "hexagons": radar_rows(0.3, 0.6),
        "parkour": {"b": Estimate(0.9, 0.8, 1.0)},
    }
    figure = radar_figure(challenges, LABEL)
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == list(challenges)
    a, b = (line.get_ydata() for line in ax.lines)
    assert b.tolist() == [0.5, 0.6, 0.9, 0.5]  # closed
    assert a[:2].tolist() == [0.2, 0.3]
    assert np.isnan(a[2])
    assert not is_blank(pixels(figure))
    with pytest.raises(ValueError, match="needs 3 challenges or more, got stumps"):
        radar_figure({"stumps": radar_rows(0.2, 0.5)}, LABEL)


@pytest.mark.parametrize("space", SPACES)
def test_difficulty_is_drawn_in_every_dimension(space):
    tests = TestSet.uniform(space, 30)
    mastered = {"a": np.zeros((3, 30), bool), "b": np.ones((2, 30), bool)}
    mastered["a"][0, :15] = True
    figure = difficulty_figure(tests, mastered)
    assert not is_blank(pixels(figure))
    assert [ax.get_title(loc="left") for ax in figure.axes[:2]] == ["a (3 runs)", "b (2 runs)"]


def test_the_height_of_a_line_of_tests_is_the_share_of_the_runs():
    figure = difficulty_figure(TestSet.uniform(LINE, 9), {"a": np.ones((2, 9), bool)})
    assert figure.axes[0].get_ylabel() == "share of the runs"


def test_difficulty_shows_where_the_few_hard_tasks_lie():
    tests = TestSet.uniform(CUBE, 300)
    unit = CUBE.normalize(tests.params)
    easy = (unit[:, 5] < 0.8) & (unit[:, 9] > 0.2)  # most of them: the median is 1
    ax = difficulty_figure(tests, {"a": easy[None]}).axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("shape[4]", "shape[8]")


def test_a_task_has_the_colour_of_the_share_that_master_it():
    tests = TestSet.grid(PLANE, (2, 5))
    mastered = {"a": np.arange(10) < np.array([[10], [5], [0], [5]])}
    figure = difficulty_figure(tests, mastered)
    figure.canvas.draw()
    [mesh] = figure.axes[0].collections[:1]
    shares = np.sort(np.ravel(mesh.get_array()))
    assert shares.tolist() == [0.25] * 5 + [0.75] * 5
    assert same_color(mesh.to_rgba(0.75), RETURNS(0.75))
