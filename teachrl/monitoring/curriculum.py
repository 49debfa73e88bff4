"""A whole run in one picture: what was taught when, and what had been mastered by then."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from teachrl.evaluation.test_sets import TestSet
from teachrl.monitoring.beliefs import Belief, is_drawable
from teachrl.monitoring.dimensions import most_telling, most_used
from teachrl.monitoring.figures import progress_colours
from teachrl.monitoring.layout import INK, Range, colour_bar, colours_of, sheet, steps_text
from teachrl.monitoring.views import View, view_of
from teachrl.runs.evaluations import Evaluations
from teachrl.spaces import Floats, TaskSpace

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class History:
    """What happened in a run, as far as a picture of it needs to know."""

    space: TaskSpace
    steps: NDArray[np.int64]  # (n,) steps of the whole run at the end of each episode, ascending
    params: Floats  # (n, d)
    rewards: Array  # (n,)
    reward_range: Range = None
    beliefs: Mapping[int, Belief] = field(default_factory=dict)  # by steps of the run
    test_set: TestSet | None = None
    evaluations: Evaluations | None = None

    @classmethod
    def of(cls, run: Any) -> Self:
        """Take it from a :class:`teachrl.runs.Run`."""
        return cls(
            space=run.space,
            steps=run.episodes["t"],
            params=run.episodes.params,
            rewards=run.episodes["r"],
            reward_range=run.reward_range,
            beliefs=run.beliefs,
            test_set=run.test_set,
            evaluations=run.evaluations,
        )

    @property
    def is_tested(self) -> bool:
        """Whether it knows of an evaluation."""
        return self.test_set is not None and bool(self.evaluations)

    def views(self, colours: Normalize) -> tuple[View, View]:
        """Return how to show what was taught, and how the test set: each in its own coordinates.

        A teacher may spend its time on coordinates in which all test tasks are one point.
        """
        used = most_used(self.space, self.params)
        told = used
        if self.test_set and self.evaluations:
            told = most_telling(self.test_set, self.evaluations.mastered.mean(axis=0))
        return view_of(self.space, used, colours), view_of(self.space, told, colours)


def curriculum_figure(history: History, slices: int = 5, title: str = "") -> Figure:
    """Draw a run as ``slices`` stretches of equal length, from left to right.

    Above: the sampled tasks coloured by return, the latest on top, with the outlines of what the
    teacher believed at the end of the stretch. Below, where the run was evaluated: the returns on
    the test set by then, mastered tasks marked. Of more than two dimensions, each row shows those
    in which it says most.
    """
    if slices < 1 or not len(history.steps):
        raise ValueError(f"a curriculum needs an episode and a slice, got {slices} slices of none")
    tested = history.is_tested
    colours = colours_of(history.rewards, history.reward_range)
    view, test_view = history.views(colours)
    figure = sheet(1.3 + 2.25 * slices, 5.3 if tested else 3.0)
    rows = figure.subplots(2 if tested else 1, slices, squeeze=False)
    edges = np.linspace(0, history.steps[-1], slices + 1)
    bounds = np.searchsorted(history.steps, edges, side="right")
    for i, (start, end) in enumerate(pairwise(edges)):
        view.prepare(rows[0, i], f"{steps_text(start)} to {steps_text(end)} steps")
        during, crowd = slice(bounds[i], bounds[i + 1]), int(np.diff(bounds).max())
        view.tasks(rows[0, i], history.params[during], history.rewards[during], crowd)
        draw_belief(rows[0, i], view, history.beliefs, end)
        if history.test_set and history.evaluations:
            draw_mastered(rows[1, i], test_view, history.test_set, history.evaluations, end)
    colour_bar(figure, list(rows.ravel()), colours, "return")
    _label_outside_only(rows, same_below=view.dims == test_view.dims)
    figure.suptitle(title, fontsize=12, color=INK)
    figure.supxlabel(_caption(history, tested), fontsize=8, color=INK)
    return figure


def draw_belief(ax: Axes, view: View, beliefs: Mapping[int, Belief], end: float) -> None:
    """Draw the last belief up to ``end``."""
    known = {step: b for step, b in beliefs.items() if step <= end and is_drawable(b)}
    if known:
        latest = known[max(known)]
        view.belief(ax, latest, progress_colours([latest]), filled=False)


def draw_mastered(
    ax: Axes, view: View, test_set: TestSet, evaluations: Evaluations, end: float
) -> None:
    """Draw the last evaluation up to ``end``."""
    e = int(np.searchsorted(evaluations.steps, end, side="right")) - 1
    if e < 0:
        view.prepare(ax, "not evaluated yet")
        return
    mastered = evaluations.mastered[e]
    at = steps_text(float(evaluations.steps[e]))
    view.prepare(ax, f"{mastered.mean():.0%} mastered at {at}")
    view.tests(ax, test_set.params, evaluations.rewards[e], mastered)


def _caption(history: History, tested: bool) -> str:
    outlines = (
        "Outlines: what the teacher believed, darker where it saw more to gain."
        if any(map(is_drawable, history.beliefs.values()))
        else ""
    )
    dots = "Dots and rings: mastered test tasks." if tested else ""
    return f"{outlines} {dots}".strip()


def _label_outside_only(rows: NDArray[Any], same_below: bool) -> None:
    for ax in rows[:, 1:].ravel():
        ax.set_ylabel("")
        ax.tick_params(labelleft=False)
    for ax in rows[:-1].ravel() if same_below else ():
        ax.set_xlabel("")
        ax.tick_params(labelbottom=False)
