"""Pictures of one moment of a run, and curves over all of it, as figures unknown to pyplot."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, PercentFormatter
from numpy.typing import ArrayLike, NDArray

from teachrl.evaluation.statistics import estimate
from teachrl.evaluation.test_sets import TestSet
from teachrl.monitoring.beliefs import Belief
from teachrl.monitoring.dimensions import BINS, most_telling, most_used
from teachrl.monitoring.layout import (
    INK,
    LINES,
    PANEL,
    PROGRESS,
    RETURNS,
    Range,
    colour_bar,
    colours_of,
    sheet,
    steps_text,
    tidy,
)
from teachrl.monitoring.views import View, axes_of, view_of
from teachrl.spaces import Floats, TaskSpace

Array = NDArray[np.float64]

_MOST_MARGINALS = 12
_FEW_CURVES = 6  # that single runs leave room for
_DASHES = ("-", "--", ":", "-.")
_MOST_MARKERS = 30


class Curve(NamedTuple):
    """One quantity in several runs: steps (n,) and values (runs, n)."""

    steps: Array
    values: Array

    @classmethod
    def of_runs(cls, runs: Sequence[tuple[ArrayLike, ArrayLike]]) -> "Curve":
        """Bring runs, each (steps, values), to common steps; between its own, a run is linear.

        >>> Curve.of_runs([([0, 10], [0, 1]), ([0, 5, 10], [0, 1, 1])]).values.tolist()
        [[0.0, 0.5, 1.0], [0.0, 1.0, 1.0]]
        """
        pairs = [(np.asarray(x, np.float64), np.asarray(y, np.float64)) for x, y in runs]
        first, last = max(x[0] for x, _ in pairs), min(x[-1] for x, _ in pairs)
        steps = np.unique(np.concatenate([x for x, _ in pairs]))
        steps = steps[(steps >= first) & (steps <= last)]
        return cls(steps, np.array([np.interp(steps, x, y) for x, y in pairs]))

    def until(self, end: float) -> "Curve":
        """Return the part up to ``end`` steps, where it ends on its line."""
        steps = np.append(self.steps[self.steps < end], end)
        return Curve(steps, np.array([np.interp(steps, self.steps, y) for y in self.values]))


def tasks_figure(
    space: TaskSpace,
    params: Floats,
    rewards: Array,
    reward_range: Range = None,
    title: str = "Sampled tasks",
) -> Figure:
    """Draw tasks (n, d) coloured by their returns (n,).

    Of more than two dimensions, the plane shows the two most used ones, and beside it every
    dimension has its marginal: how often its values were sampled, coloured by mean return.
    """
    colours = colours_of(rewards, reward_range)
    marginals = most_used(space, params, _MOST_MARGINALS) if space.dimensions > 2 else ()
    figure = sheet(9.6 if marginals else 5.4, 4.4)
    parts = figure.subfigures(1, 2 if marginals else 1, squeeze=False)[0]
    main = parts[0].subplots()
    view = view_of(space, most_used(space, params), colours)
    view.prepare(main, title)
    view.tasks(main, params, rewards)
    colour_bar(parts[0], main, colours, "return")
    if marginals:
        _draw_marginals(parts[1], view, marginals, params, rewards)
    return figure


def belief_figure(
    space: TaskSpace,
    belief: Belief,
    params: Floats | None = None,
    rewards: Array | None = None,
    title: str = "What the teacher believes",
) -> Figure:
    """Draw ``Teacher.belief()``, whose keys say how: see ``teachrl.monitoring.beliefs``.

    Tasks, if given, are a faint cloud behind it. Of more than two dimensions, the plane shows the
    two that they use most.
    """
    params = np.zeros((0, space.dimensions), np.float32) if params is None else params
    rewards = np.zeros(len(params)) if rewards is None else rewards
    figure = sheet(5.4, 4.4)
    main = figure.subplots()
    view = view_of(space, most_used(space, params), colours_of(rewards))
    view.prepare(main, title)
    view.cloud(main, params, rewards)
    colours = progress_colours([belief])
    view.belief(main, belief, colours)
    if label := next((name for name in ("progress", "values") if name in belief), None):
        colour_bar(figure, main, colours, label, PROGRESS)
    return figure


def mastered_figure(
    test_set: TestSet,
    rewards: Array,
    mastered: NDArray[np.bool_],
    reward_range: Range = None,
    title: str = "",
) -> Figure:
    """Draw the returns (n,) on a test set, and mark the mastered tasks (n,).

    Of more than two dimensions, the plane shows the two that set the mastered tasks apart most.
    """
    colours = colours_of(rewards, reward_range)
    figure = sheet(5.4, 4.4)
    main = figure.subplots()
    view = view_of(test_set.space, most_telling(test_set, mastered), colours)
    view.prepare(main, title or f"{np.mean(mastered):.0%} of the test tasks mastered (marked)")
    view.tests(main, test_set.params, rewards, mastered)
    colour_bar(figure, main, colours, "return")
    return figure


def learning_curve_figure(
    panels: Mapping[str, Mapping[str, Curve]], steps: str = "environment steps (training)"
) -> Figure:
    """Draw curves: interquartile mean over the runs, its 95 % interval, and every single run.

    More than six curves leave no room for the single runs.

    Args:
        panels: by the label of a panel's vertical axis, the curves in it by name. Values under a
            label that ends in "(%)" are shares.
        steps: label of the horizontal axes.
    """
    is_crowded = max(map(len, panels.values())) > _FEW_CURVES
    figure = sheet(1.0 + 4.4 * len(panels) + (2.6 if is_crowded else 0), 4.4 if is_crowded else 3.6)
    row = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (label, curves) in zip(row, panels.items(), strict=True):
        tidy(ax)
        for i, (name, curve) in enumerate(curves.items()):
            _draw_curve(ax, name, curve, i, is_crowded)
        ax.grid(color="white", lw=1.2)
        ax.set_xlabel(steps)
        ax.set_ylabel(label)
        ax.set_xlim(left=0)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: steps_text(value)))
        if label.endswith("(%)"):
            ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=""))
            ax.set_ylim(-0.01, max(0.1, ax.get_ylim()[1]))
        if not is_crowded:
            ax.legend(frameon=False, fontsize=8, labelcolor=INK)
    if is_crowded:
        known = row[0].get_legend_handles_labels()
        place: dict[str, Any] = {"loc": "outside right center", "frameon": False}
        figure.legend(*known, **place, fontsize=8, labelcolor=INK, handlelength=3)
    return figure


def progress_colours(beliefs: Sequence[Belief]) -> Normalize:
    """Return the common range of colours of beliefs, from nothing to the most."""
    seen = [belief[name] for belief in beliefs for name in ("progress", "values") if name in belief]
    values = np.concatenate([np.asarray(v, dtype=np.float64) for v in seen] or [np.ones(1)])
    return Normalize(min(0.0, float(values.min())), max(float(values.max()), 1e-9), clip=True)


def _draw_curve(ax: Axes, name: str, curve: Curve, place: int, is_crowded: bool) -> None:
    runs, colour = len(curve.values), LINES[place % len(LINES)]
    dashes = _DASHES[place // len(LINES) % len(_DASHES)]  # other ones where colours begin again
    if runs == 1:
        marker = "o" if len(curve.steps) <= _MOST_MARKERS else ""
        style: dict[str, Any] = {"color": colour, "lw": 1.8, "marker": marker, "ms": 3.5}
        ax.plot(curve.steps, curve.values[0], label=name, ls=dashes, **style)
        return
    points = [estimate(values) for values in curve.values.T]
    middle, low, high = np.array(points).T
    if not is_crowded:
        ax.plot(curve.steps, curve.values.T, color=colour, lw=0.6, alpha=0.35)
    ax.fill_between(curve.steps, low, high, color=colour, alpha=0.06 if is_crowded else 0.18, lw=0)
    ax.plot(curve.steps, middle, color=colour, lw=2.2, ls=dashes, label=f"{name} ({runs} seeds)")


def _draw_marginals(
    part: SubFigure, view: View, dims: tuple[int, ...], params: Floats, rewards: Array
) -> None:
    """Draw a histogram per dimension; its bars have the colour of their mean return."""
    columns = 3
    panels = part.subplots(-(-len(dims) // columns), columns, squeeze=False, sharey=True).ravel()
    unit = view.space.normalize(params)
    for ax, dim in zip(panels, dims, strict=False):
        tidy(ax)
        bins = np.minimum((unit[:, dim] * BINS).astype(int), BINS - 1)
        counts = np.bincount(bins, minlength=BINS)
        sums = np.bincount(bins, weights=rewards, minlength=BINS)
        axis = axes_of(view.space)[dim]
        edges = axis.at(np.linspace(0, 1, BINS + 1))
        shares = counts / max(counts.sum(), 1)
        means = RETURNS(view.returns(sums / np.maximum(counts, 1)))
        ax.bar(edges[:-1], shares, np.diff(edges), align="edge", color=means, ec=PANEL, lw=0.5)
        ax.axhline(1 / BINS, color=INK, lw=0.7, ls=":")
        axis.prepare(ax, "x")
        ax.set_yticks([])
    for ax in panels[len(dims) :]:
        ax.set_visible(False)
    part.suptitle("how often each value was sampled (dotted: uniform)", fontsize=9, color=INK)
