"""Pictures of a buffer of tasks."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgba

from teachrl.models.lineages import ORIGINS
from teachrl.monitoring.buffers import buffer_figure, is_buffer, scores_figure, summary_of
from teachrl.monitoring.layout import INK
from teachrl.spaces import TaskSpace
from tests.monitoring.pictures import LINE, PLANE, SPACES, is_blank, pixels


def buffer(space, n=40, seed=0):
    """Return the belief of a buffer in which the second half are children of the first."""
    rng = np.random.default_rng(seed)
    half = n // 2
    origins = np.where(np.arange(n) < half, rng.integers(0, 2, n), ORIGINS.index("mutation"))
    return {
        "points": rng.random((n, space.dimensions)),
        "values": rng.random(n),
        "origins": origins,
        "plays": rng.integers(1, 4, n),
        "generations": np.where(np.arange(n) < half, 0, 1),
        "edges": np.stack([np.arange(half), np.arange(half, 2 * half)], axis=1),
    }


def scatters(ax):
    return [c for c in ax.collections if isinstance(c, PathCollection)]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_every_task_is_drawn_once_with_the_marker_of_its_origin(space):
    belief = buffer(space)
    figure = buffer_figure(space, belief)
    assert not is_blank(pixels(figure))
    drawn = [len(c.get_offsets()) for c in scatters(figure.axes[0])]
    assert drawn == [n for n in np.bincount(belief["origins"]).tolist() if n]
    shapes = {c.get_paths()[0].vertices.tobytes() for c in scatters(figure.axes[0])}
    assert len(shapes) == len(drawn)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels[-1] == f"played again ({np.count_nonzero(belief['plays'] > 1)})"


def test_tasks_stand_where_they_are_and_those_played_again_have_a_dark_ring():
    belief = {
        "points": np.array([[0.25, 0.5], [0.75, 0.1]]),
        "values": np.array([2.0, 1.0]),
        "origins": np.array([0, 0]),
        "plays": np.array([3, 1]),
    }
    [dots] = scatters(buffer_figure(PLANE, belief).axes[0])
    at = PLANE.low - [0, 0.5] + belief["points"] * (PLANE.high - PLANE.low + [0, 1])
    np.testing.assert_allclose(dots.get_offsets(), at[::-1])  # the higher score on top
    assert [tuple(c) for c in dots.get_edgecolors()] == [(0, 0, 0, 0), to_rgba(INK)]


def test_higher_scores_are_darker():
    belief = buffer(PLANE) | {"origins": np.zeros(40, int), "values": np.linspace(0, 1, 40)}
    [dots] = scatters(buffer_figure(PLANE, belief).axes[0])
    light = dots.get_facecolors()[:, :3].sum(axis=1)
    assert (np.diff(light) < 0).mean() > 0.95


def test_a_line_goes_from_every_parent_to_its_child():
    belief = buffer(PLANE)
    panel = buffer_figure(PLANE, belief).axes[1]
    [lines] = [c for c in panel.collections if isinstance(c, LineCollection)]
    ends = np.array([path.vertices for path in lines.get_paths()])
    assert ends.shape == (20, 2, 2)
    unit = (ends[..., 0] - PLANE.low[0]) / (PLANE.high[0] - PLANE.low[0])
    np.testing.assert_allclose(unit, belief["points"][belief["edges"]][..., 0], atol=1e-6)


def test_without_children_there_is_one_panel_and_a_bar_of_colours():
    belief = buffer(PLANE) | {"edges": np.zeros((0, 2), int)}
    assert len(buffer_figure(PLANE, belief).axes) == 2
    few = {name: belief[name] for name in ("points", "values", "origins")}
    assert len(buffer_figure(PLANE, few).axes) == 2


def test_of_one_coordinate_the_score_is_the_height():
    belief = buffer(LINE, 6) | {"origins": np.zeros(6, int)}
    [dots] = scatters(buffer_figure(LINE, belief).axes[0])
    np.testing.assert_allclose(dots.get_offsets()[:, 1], np.sort(belief["values"]))


def test_what_has_no_origins_or_no_tasks_is_no_buffer():
    belief = buffer(PLANE)
    assert is_buffer(belief)
    assert not is_buffer({name: v for name, v in belief.items() if name != "origins"})
    assert not is_buffer({name: v[:0] for name, v in belief.items()})
    assert not is_buffer({})


def test_scores_over_time_are_those_of_the_moments():
    space = TaskSpace(a=(0, 1), b=(0, 1))
    history = {step: summary_of(buffer(space, 10 + step // 10, seed=step)) for step in (0, 50, 100)}
    figure = scores_figure(history)
    assert not is_blank(pixels(figure))
    highest, median = figure.axes[0].lines
    assert highest.get_xdata().tolist() == [0, 50, 100]
    best = [buffer(space, 10 + s // 10, seed=s)["values"].max() for s in (0, 50, 100)]
    np.testing.assert_allclose(highest.get_ydata(), best)
    middle = [np.median(buffer(space, 10 + s // 10, seed=s)["values"]) for s in (0, 50, 100)]
    np.testing.assert_allclose(median.get_ydata(), middle)
    labels = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert labels == ["random", "easy", "mutation"]
