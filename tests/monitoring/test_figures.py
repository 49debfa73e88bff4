"""Pictures show what they are given, in task units, and touch nothing global."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import PolyCollection, QuadMesh

from teachrl.evaluation import TestSet
from teachrl.evaluation.statistics import estimate
from teachrl.monitoring.figures import (
    Curve,
    belief_figure,
    learning_curve_figure,
    mastered_figure,
    tasks_figure,
)
from teachrl.monitoring.layout import RETURNS, steps_text
from teachrl.spaces import TaskSpace
from tests.monitoring.pictures import (
    CUBE,
    LINE,
    PLANE,
    SPACES,
    colour_at,
    gaussians,
    is_blank,
    pixels,
    played,
)

RANGE = (-100.0, 300.0)
FLAT = TaskSpace(height=(0, 3), gap=(0, 6))


def is_like(pixel, colour):
    """Compare a pixel with a colour, through which the paper shines a little."""
    return np.abs(np.subtract(pixel, 255 * np.array(colour[:3]))).max() < 25


@pytest.mark.parametrize("space", SPACES)
def test_pictures_of_every_dimension_show_something(space):
    params, rewards = played(space)
    tests = TestSet.uniform(space, 40)
    returns = played(space, 40)[1]
    belief = gaussians(space)
    for figure in (
        tasks_figure(space, params, rewards, RANGE),
        belief_figure(space, belief, params, rewards),
        belief_figure(space, belief),
        mastered_figure(tests, returns, returns > 100, RANGE),
    ):
        assert not is_blank(pixels(figure))


@pytest.mark.parametrize("space", SPACES)
def test_a_run_that_has_just_begun_has_pictures(space):
    none = np.zeros((0, space.dimensions), np.float32), np.zeros(0)
    assert tasks_figure(space, *none).axes
    one = space.denormalize(np.full((1, space.dimensions), 0.5)), np.array([7.0])
    pixels(tasks_figure(space, *one))


@pytest.mark.parametrize(("reward", "share"), [(-100, 0.0), (100, 0.5), (300, 1.0), (999, 1.0)])
def test_a_task_stands_where_it_belongs_in_the_colour_of_its_return(reward, share):
    figure = tasks_figure(FLAT, np.float32([[1, 4]]), np.array([float(reward)]), RANGE)
    assert is_like(colour_at(figure, figure.axes[0], 1, 4), RETURNS(share))


def test_the_latest_tasks_are_on_top():
    params, rewards = np.float32([[1, 4], [1, 4]]), np.array([-100.0, 300.0])
    figure = tasks_figure(FLAT, params, rewards, RANGE)
    assert is_like(colour_at(figure, figure.axes[0], 1, 4), RETURNS(1.0))


def test_without_a_declared_range_colours_span_the_returns_that_were_seen():
    figure = tasks_figure(FLAT, np.float32([[1, 4], [2, 2]]), np.array([-3.0, 5.0]))
    assert figure.axes[0].collections[0].norm.vmin == -3
    assert figure.axes[0].collections[0].norm.vmax == 5


def test_panels_are_labelled_with_the_names_and_hold_the_whole_box():
    figure = tasks_figure(PLANE, *played(PLANE))
    ax = figure.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("height", "count")
    np.testing.assert_allclose(ax.get_xlim(), (-0.18, 3.18))
    np.testing.assert_allclose(ax.get_ylim(), (0.2, 5.8))  # whole numbers own a cell
    line = tasks_figure(LINE, *played(LINE)).axes[0]
    assert (line.get_xlabel(), line.get_ylabel(), line.get_xscale()) == ("rate", "return", "log")


def test_many_dimensions_have_a_plane_of_the_most_used_and_a_marginal_each():
    unit = np.random.default_rng(0).random((900, 13))
    unit[:, 4] *= 0.2
    unit[:, 6] *= 0.4
    figure = tasks_figure(CUBE, CUBE.denormalize(unit), unit[:, 4] * 100)
    main, *rest = figure.axes
    assert (main.get_xlabel(), main.get_ylabel()) == ("shape[3]", "shape[5]")
    marginals = {ax.get_xlabel(): ax for ax in rest if ax.patches}
    assert len(marginals) == 12
    heights = [bar.get_height() for bar in marginals["shape[3]"].patches]
    assert sum(heights) == pytest.approx(1)
    assert heights[2:] == [0] * 8
    assert marginals["shape[3]"].patches[0].get_width() == pytest.approx(0.4)


def test_a_belief_is_drawn_in_task_units():
    belief = {"low": np.array([[0, 0.5]]), "high": np.array([[0.5, 1]]), "values": np.array([2.0])}
    ax = belief_figure(FLAT, belief).axes[0]
    [boxes] = [c for c in ax.collections if isinstance(c, PolyCollection)]
    corners = boxes.get_paths()[0].vertices[:4]
    assert corners.tolist() == [[0, 3], [1.5, 3], [1.5, 6], [0, 6]]


def test_the_most_promising_shape_is_on_top():
    belief = {"low": np.zeros((2, 2)), "high": np.array([[1, 1], [0.5, 1]])}
    for progress, width in (([0, 1], 1.5), ([1, 0], 3.0)):
        ax = belief_figure(FLAT, belief | {"progress": np.array(progress)}).axes[0]
        [boxes] = [c for c in ax.collections if isinstance(c, PolyCollection)]
        assert boxes.get_paths()[-1].vertices[:, 0].max() == width


def test_a_belief_without_values_needs_no_scale():
    belief = gaussians(FLAT)
    assert len(belief_figure(FLAT, belief).axes) == 2
    assert len(belief_figure(FLAT, {k: belief[k] for k in ("means", "covariances")}).axes) == 1


def test_a_grid_of_tests_is_a_map_with_a_dot_on_what_is_mastered():
    tests = TestSet.grid(FLAT, (4, 3))
    rewards = np.linspace(-100, 300, 12)
    figure = mastered_figure(tests, rewards, rewards > 100, RANGE)
    ax = figure.axes[0]
    mesh, dots = ax.collections
    assert isinstance(mesh, QuadMesh)
    assert ax.get_title(loc="left").startswith("50%")
    np.testing.assert_allclose(dots.get_offsets(), tests.params[rewards > 100])
    for i in (1, 3):
        colour = colour_at(figure, ax, *tests.params[i])
        assert is_like(colour, RETURNS((rewards[i] + 100) / 400))


def test_other_tests_are_points_with_a_ring_around_what_is_mastered():
    tests = TestSet.uniform(FLAT, 9)
    mastered = np.arange(9) < 2
    [points] = mastered_figure(tests, np.zeros(9), mastered).axes[0].collections
    assert (points.get_edgecolors()[:, 3] > 0).tolist() == mastered.tolist()


def test_a_grid_over_a_logarithmic_axis_has_cells_of_equal_width():
    space = TaskSpace(rate=(1e-4, 1, "log"), gap=(0, 6))
    tests = TestSet.grid(space, (5, 2))
    mesh = mastered_figure(tests, np.zeros(10), np.zeros(10, bool)).axes[0].collections[0]
    borders = np.log10(mesh.get_coordinates()[0, :, 0])
    np.testing.assert_allclose(np.diff(borders), 1)


def test_repeated_tasks_are_no_grid():
    tests = TestSet(FLAT, np.float32([[0, 0], [0, 0], [1, 1], [1, 1]]), np.arange(4))
    [points] = mastered_figure(tests, np.zeros(4), np.zeros(4, bool)).axes[0].collections
    assert len(points.get_offsets()) == 4


def curve(runs, seed=0):
    values = np.random.default_rng(seed).random((runs, 6)).cumsum(axis=1) / 6
    return Curve(np.linspace(0, 1e6, 6), values)


def test_a_learning_curve_is_the_interquartile_mean_with_interval_and_single_runs():
    many = curve(5)
    ax = learning_curve_figure({"mastered test tasks (%)": {"ALP-GMM": many}}).axes[0]
    *single, middle = ax.lines
    np.testing.assert_array_equal([line.get_ydata() for line in single], many.values)
    expected = [estimate(values) for values in many.values.T]
    np.testing.assert_allclose(middle.get_ydata(), [e.value for e in expected])
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(max(e.high for e in expected))
    assert band.min() == pytest.approx(min(e.low for e in expected))
    assert ax.get_legend().get_texts()[0].get_text() == "ALP-GMM (5 seeds)"


def test_one_run_has_a_curve_without_band():
    figure = learning_curve_figure(
        {"a (%)": {"one": curve(1), "two": curve(1, 1)}, "b": {"c": curve(1)}}
    )
    assert [len(ax.lines) for ax in figure.axes] == [2, 1]
    assert not figure.axes[0].collections
    assert not is_blank(pixels(figure))


def test_shares_are_shown_as_percentages():
    figure = learning_curve_figure({"mastered (%)": {"x": Curve(np.arange(2), np.eye(2)[:1])}})
    pixels(figure)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert "100" in labels


def test_runs_with_other_steps_are_compared_where_both_were_evaluated():
    both = Curve.of_runs([([0, 100, 300], [0, 1, 3]), ([50, 200], [5, 8])])
    assert both.steps.tolist() == [50, 100, 200]
    np.testing.assert_allclose(both.values, [[0.5, 1, 2], [5, 6, 8]])


@pytest.mark.parametrize(
    ("steps", "text"), [(0, "0"), (999, "999"), (40_000, "40k"), (1.5e6, "1.5M"), (2e7, "20M")]
)
def test_steps_are_written_shortly(steps, text):
    assert steps_text(steps) == text


def test_drawing_leaves_matplotlib_and_its_windows_alone():
    before = dict(mpl.rcParams)
    pixels(tasks_figure(FLAT, *played(FLAT)))
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


def test_many_curves_are_told_apart_and_have_their_names_beside_them():
    runs = Curve(np.arange(3), np.random.default_rng(0).random((4, 3)))
    figure = learning_curve_figure({"mean return": {f"teacher {i}": runs for i in range(13)}})
    lines = figure.axes[0].get_lines()
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == len(lines) == 13
    assert figure.axes[0].get_legend() is None
    [legend] = figure.legends
    figure.canvas.draw()
    assert legend.get_window_extent().x0 >= figure.axes[0].get_window_extent().x1
