"""Pictures of a buffer of tasks: what is in it, where that came from, and its scores over time.

A belief is one of a buffer if it says the ``origins`` of its ``points`` (see
:mod:`teachrl.models.lineages`) beside their ``values``. Also drawn, where they are given: how many
``plays`` each had, its ``generations``, and the ``edges`` from parents to children.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from teachrl.models.lineages import ORIGINS
from teachrl.monitoring.beliefs import Belief
from teachrl.monitoring.layout import (
    FAINT,
    INK,
    LINES,
    PROGRESS,
    RETURNS,
    colour_bar,
    sheet,
    steps_text,
    tidy,
)
from teachrl.monitoring.views import axes_of
from teachrl.spaces import TaskSpace

Array = NDArray[np.float64]

_MARKERS = dict(zip(ORIGINS, "osD^v", strict=True))
_SHARES = (0.1, 0.5, 0.9, 1.0)  # of the scores, over time


def is_buffer(belief: Belief) -> bool:
    """Tell whether a belief is one of a buffer of tasks that is not empty."""
    return belief.keys() >= {"points", "values", "origins"} and len(belief["points"]) > 0


def buffer_figure(space: TaskSpace, belief: Belief) -> Figure:
    """Draw the tasks of a buffer, coloured by score, with one marker per origin.

    A dark ring marks those that were played again. If the buffer knows of parents, a second panel
    looks closer, and shows who was made from whom, coloured by generation. Of more than two
    dimensions, both show the two in which the tasks differ most; of one, the score is the height.
    """
    has_lineage = len(belief.get("edges", ())) > 0
    figure = sheet(10.4 if has_lineage else 5.6, 4.6)
    panels = figure.subplots(1, 1 + has_lineage, squeeze=False)[0]
    places = _places(space, belief)
    titles = ("Buffer: score and origin", "Who was made from whom")
    for ax, title in zip(panels, titles, strict=False):
        tidy(ax, title)
        for side, axis in zip("xy", _axes(space, belief), strict=False):
            axis.prepare(ax, side)
        if space.dimensions == 1:
            ax.set_ylabel("score")
    scores = np.asarray(belief["values"], np.float64)
    colours = Normalize(min(0.0, scores.min()), max(scores.max(), 1e-9))
    _draw_tasks(panels[0], belief, places, PROGRESS(colours(scores)))
    colour_bar(figure, panels[0], colours, "score", PROGRESS)
    if has_lineage:
        generations = np.asarray(belief["generations"], np.float64)
        colours = Normalize(0.0, max(generations.max(), 1.0))
        _draw_lineage(panels[1], belief, places, RETURNS(colours(generations)))
        _look_closer(panels[1], space, belief)
        colour_bar(figure, panels[1], colours, "generation", RETURNS)
        figure.axes[-1].yaxis.set_major_locator(MaxNLocator(4, integer=True))
    return figure


def summary_of(belief: Belief) -> list[float]:
    """Return what :func:`scores_figure` needs of one moment.

    Quantiles of the scores at 10, 50, 90 and 100 %, then the number of tasks of each origin.

    >>> summary_of({"values": np.array([1.0, 3.0]), "origins": np.array([0, 2])})
    [1.2, 2.0, 2.8, 3.0, 1.0, 0.0, 1.0, 0.0, 0.0]
    """
    counts = np.bincount(belief["origins"], minlength=len(ORIGINS))
    quantiles = np.quantile(belief["values"], _SHARES).round(12)
    return [*quantiles.tolist(), *counts.astype(float).tolist()]


def scores_figure(history: Mapping[int, Sequence[float]]) -> Figure:
    """Draw scores and origins of the tasks in a buffer over time.

    Args:
        history: by environment step, what :func:`summary_of` returned.
    """
    steps = np.array(sorted(history), np.float64)
    rows = np.array([history[int(step)] for step in steps])
    low, middle, high, best = rows[:, : len(_SHARES)].T
    figure = sheet(9.6, 3.6)
    left, right = figure.subplots(1, 2)
    tidy(left, "Scores in the buffer")
    left.plot(steps, best, color=LINES[0], lw=1.0, ls="--", label="highest")
    left.plot(steps, middle, color=LINES[0], lw=2.0, label="median")
    left.fill_between(steps, low, high, color=LINES[0], alpha=0.18, lw=0, label="10 to 90 %")
    tidy(right, "Where its tasks came from")
    counts = rows[:, len(_SHARES) :]
    seen = np.flatnonzero(counts.any(axis=0))
    names = [ORIGINS[i] for i in seen]
    right.stackplot(steps, counts[:, seen].T, labels=names, colors=[LINES[i] for i in seen])
    right.set_ylabel("tasks")
    for ax in (left, right):
        ax.set_xlabel("environment steps (training)")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: steps_text(value)))
    style: dict[str, Any] = {"frameon": False, "fontsize": 8, "labelcolor": INK}
    left.legend(**style)
    right.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), **style)
    return figure


def _axes(space: TaskSpace, belief: Belief) -> list[Any]:
    everything = axes_of(space)
    return [everything[i] for i in _dims(belief)]


def _dims(belief: Belief) -> tuple[int, ...]:
    order = np.argsort(-np.std(belief["points"], axis=0), kind="stable")
    return tuple(sorted(int(i) for i in order[:2]))


def _places(space: TaskSpace, belief: Belief) -> Array:
    """Return where tasks are drawn, (n, 2)."""
    points = np.asarray(belief["points"], np.float64)
    dims = _dims(belief)
    columns = [axis.at(points[:, i]) for axis, i in zip(_axes(space, belief), dims, strict=True)]
    return np.stack([*columns, np.asarray(belief["values"], np.float64)][:2], axis=1)


def _draw_tasks(ax: Axes, belief: Belief, places: Array, colours: Array) -> None:
    plays = np.asarray(belief.get("plays", np.ones(len(places))))
    order = np.argsort(belief["values"], kind="stable")  # the highest scores on top
    size, handles = np.clip(4000 / len(places), 12, 40), []
    for code, (origin, marker) in enumerate(_MARKERS.items()):
        rows = order[np.asarray(belief["origins"])[order] == code]
        if len(rows):
            rings = [INK if n > 1 else "none" for n in plays[rows]]
            style: dict[str, Any] = {"marker": marker, "edgecolors": rings, "lw": 0.8}
            ax.scatter(places[rows, 0], places[rows, 1], size, colours[rows], **style)
            label = f"{origin} ({len(rows)})"
            handles.append(Line2D([], [], ls="", marker=marker, color=FAINT, label=label))
    if (plays > 1).any():
        label = f"played again ({np.count_nonzero(plays > 1)})"
        handles.append(Line2D([], [], ls="", marker="o", mfc="none", mec=INK, label=label))
    _add_legend(ax, handles)


def _draw_lineage(ax: Axes, belief: Belief, places: Array, colours: Array) -> None:
    edges = np.asarray(belief["edges"])
    style: dict[str, Any] = {"colors": colours[edges[:, 1]], "lw": 0.9, "alpha": 0.8}
    ax.add_collection(LineCollection([places[edge] for edge in edges], **style))
    alone = np.setdiff1d(np.arange(len(places)), edges)
    ax.scatter(places[alone, 0], places[alone, 1], 6, FAINT, lw=0)
    family = np.unique(edges)
    ax.scatter(places[family, 0], places[family, 1], 14, colours[family], lw=0, zorder=2.5)
    label = f"{len(edges)} children whose parent is here too"
    _add_legend(ax, [Line2D([], [], color=INK, lw=0.9, label=label)])


def _look_closer(ax: Axes, space: TaskSpace, belief: Belief) -> None:
    """Show the part of the task space in which the tasks are."""
    dims = _dims(belief)
    for side, axis, i in zip("xy", _axes(space, belief), dims, strict=False):
        unit = np.asarray(belief["points"], np.float64)[:, i]
        margin = 0.05 * max(np.ptp(unit), 0.02)
        getattr(ax, f"set_{side}lim")(*axis.at([unit.min() - margin, unit.max() + margin]))


def _add_legend(ax: Axes, handles: list[Line2D]) -> None:
    place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16), "ncols": 3}
    ax.legend(handles=handles, frameon=False, fontsize=8, labelcolor=INK, **place)
