"""Pictures that set teachers beside each other: bars, profiles, radars, difficulty."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.projections.polar import PolarAxes
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike, NDArray

from teachrl.evaluation.statistics import Estimate, estimate, performance_band
from teachrl.evaluation.test_sets import TestSet
from teachrl.monitoring.dimensions import most_telling
from teachrl.monitoring.layout import FAINT, INK, LINES, colour_bar, colours_of, sheet, tidy
from teachrl.monitoring.views import view_of

Array = NDArray[np.float64]

_THRESHOLDS = 101  # of a profile
_FEWEST_SPOKES = 3


def bars_figure(scores: Mapping[str, ArrayLike], label: str) -> Figure:
    """Draw the interquartile mean of each teacher's runs (runs,), its interval, and every run.

    Args:
        scores: by teacher.
        label: of the scores; those under one that ends in "(%)" are shares.
    """
    figure = sheet(7.0, 0.9 + 0.5 * len(scores))
    ax = figure.subplots()
    tidy(ax)
    for i, (name, values) in enumerate(scores.items()):
        _draw_bar(ax, i, np.asarray(values, dtype=np.float64), LINES[i % len(LINES)])
        ax.text(0.0, i - 0.36, name, fontsize=8, color=INK, transform=ax.get_yaxis_transform())
    ax.set_ylim(len(scores) - 0.5, -0.65)
    ax.set_yticks([])
    ax.grid(axis="x", color="white", lw=1.2)
    ax.set_xlabel(f"{label}: interquartile mean, 95 % interval, single runs")
    _shares(ax, label, "x")
    return figure


def profile_figure(scores: Mapping[str, ArrayLike], label: str, whole_runs: bool = False) -> Figure:
    """Draw performance profiles: which share of scores lies above each threshold, with bands.

    Args:
        scores: (runs,) or (runs, tasks) by teacher.
        label: of the scores; those under one that ends in "(%)" are shares.
        whole_runs: the tasks are those of one test set, which a student masters or not together.
    """
    tables = {name: np.asarray(values, dtype=np.float64) for name, values in scores.items()}
    everything = np.concatenate([table.ravel() for table in tables.values()])
    thresholds = np.linspace(everything.min(), everything.max(), _THRESHOLDS)
    figure = sheet(5.4, 3.6)
    ax = figure.subplots()
    tidy(ax)
    for i, (name, table) in enumerate(tables.items()):
        band = performance_band(table, thresholds, whole_runs=whole_runs)
        colour = LINES[i % len(LINES)]
        ax.fill_between(
            thresholds, band.low, band.high, color=colour, alpha=0.18, lw=0, step="post"
        )
        ax.plot(thresholds, band.value, color=colour, lw=2.0, drawstyle="steps-post", label=name)
    ax.grid(color="white", lw=1.2)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlabel(f"threshold: {label}")
    ax.set_ylabel("share of the runs above it (%)")
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=""))
    _shares(ax, label, "x")
    ax.legend(frameon=False, fontsize=8, labelcolor=INK)
    return figure


def radar_figure(
    challenges: Mapping[str, Mapping[str, Estimate]], label: str, most: float | None = None
) -> Figure:
    """Draw one spoke per challenge and one line per teacher, with its intervals along the spokes.

    Args:
        challenges: an estimate for each teacher, by challenge; a teacher who is missing from a
            challenge has no point there.
        label: of the values; those under one that ends in "(%)" are shares.
        most: where the spokes end; None: at the highest upper bound.
    """
    if len(challenges) < _FEWEST_SPOKES:
        raise ValueError(
            f"a radar needs 3 challenges or more, got {', '.join(challenges) or 'none'}"
        )
    names = list(dict.fromkeys(name for rows in challenges.values() for name in rows))
    angles = np.linspace(0, 2 * np.pi, len(challenges), endpoint=False)
    figure = sheet(6.2, 5.2)
    ax = figure.add_subplot(projection="polar")
    if not isinstance(ax, PolarAxes):
        raise TypeError(f"matplotlib has no polar panel but {type(ax).__name__}")
    tidy(ax)
    ax.set_theta_zero_location("N")
    ax.set_theta_direction(-1)
    ax.grid(color="white", lw=1.2)
    for i, name in enumerate(names):
        _draw_web(ax, angles, [rows.get(name) for rows in challenges.values()], name, i)
    ax.set_xticks(angles, list(challenges), fontsize=9)
    ax.set_ylim(0, most)
    if label.endswith("(%)"):
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=""))
    ax.set_title(f"{label}: interquartile mean, 95 % interval", fontsize=9, color=INK)
    figure.legend(frameon=False, fontsize=8, labelcolor=INK, loc="outside right upper")
    return figure


def difficulty_figure(test_set: TestSet, mastered: Mapping[str, NDArray[np.bool_]]) -> Figure:
    """Draw each test task in the colour of the share of runs that had mastered it in the end.

    Of more than two dimensions, the planes show the two that set apart what most runs master.

    Args:
        test_set: n tasks.
        mastered: (runs, n) by teacher.
    """
    shares = {name: np.asarray(table, bool).mean(axis=0) for name, table in mastered.items()}
    everyone = np.mean(list(shares.values()), axis=0)
    colours = colours_of([], (0.0, 1.0))
    view = view_of(test_set.space, most_telling(test_set, everyone), colours)
    figure = sheet(1.0 + 2.9 * len(shares), 3.4)
    panels = figure.subplots(1, len(shares), squeeze=False)[0]
    for ax, (name, share) in zip(panels, shares.items(), strict=True):
        view.prepare(ax, f"{name} ({len(mastered[name])} runs)")
        if len(view.dims) == 1:  # its height is what the colours say
            ax.set_ylabel("share of the runs")
        view.tests(ax, test_set.params, share, np.zeros(len(test_set), bool))
    colour_bar(figure, list(panels), colours, "share of the runs that master the task")
    return figure


def _shares(ax: Axes, label: str, side: str) -> None:
    if label.endswith("(%)"):
        getattr(ax, f"{side}axis").set_major_formatter(PercentFormatter(1.0, symbol=""))


def _draw_bar(ax: Axes, y: int, values: Array, colour: str) -> None:
    middle, low, high = estimate(values)
    ax.barh(y, middle, height=0.42, color=colour, alpha=0.55, lw=0)
    ax.plot([low, high], [y, y], color=INK, lw=1.6, solid_capstyle="butt")  # NaN: none for one run
    ax.scatter(values, np.full(len(values), y + 0.3), 14, color=colour, lw=0, clip_on=False)


def _draw_web(
    ax: PolarAxes, angles: Array, estimates: list[Estimate | None], name: str, i: int
) -> None:
    colour, nowhere = LINES[i % len(LINES)], Estimate(np.nan, np.nan, np.nan)
    middle, low, high = np.array([found or nowhere for found in estimates]).T
    ax.plot(
        np.append(angles, angles[0]), np.append(middle, middle[0]), color=colour, lw=2, label=name
    )
    ax.vlines(angles + 0.03 * i, low, high, color=colour, lw=1.6, alpha=0.8)
    ax.scatter(angles, middle, 16, color=colour, edgecolors=FAINT, lw=0.4, zorder=3)
