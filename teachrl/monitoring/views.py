"""How tasks, test results and beliefs are drawn into one panel, in task units.

A panel shows two coordinates of a task space as a plane, or one coordinate against the return.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize, to_rgb
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Transform
from numpy.typing import NDArray

from teachrl.monitoring.beliefs import Belief, shapes, target_outlines
from teachrl.monitoring.layout import FAINT, INK, PANEL, PROGRESS, RETURNS, tidy
from teachrl.spaces import Floats, TaskSpace

Array = NDArray[np.float64]

_MARGIN = 0.06  # of the box, so that tasks on its faces are seen whole
_MOST_TASKS = 2000  # in one panel; more would only cover one another


class Axis(NamedTuple):
    """One coordinate of a task space."""

    name: str
    low: float
    high: float
    kind: str

    def at(self, unit: Any) -> Array:
        """Map unit coordinates to task units, neither rounded nor clipped at the bounds."""
        u = np.asarray(unit, dtype=np.float64)
        if self.kind == "log":
            return np.asarray(self.low * (self.high / self.low) ** u)
        half = 0.5 if self.kind == "int" else 0.0  # each whole number owns a cell
        return np.asarray(self.low - half + u * (self.high - self.low + 2 * half))

    def prepare(self, ax: Axes, side: str) -> None:
        """Set the label, the limits and the scale of the ``"x"`` or ``"y"`` side of a panel."""
        getattr(ax, f"set_{side}label")(self.name)
        if self.kind == "log":
            getattr(ax, f"set_{side}scale")("log")
        else:
            locator = MaxNLocator(4, integer=self.kind == "int", steps=[1, 2, 5, 10])
            getattr(ax, f"{side}axis").set_major_locator(locator)
        getattr(ax, f"set_{side}lim")(*self.at([-_MARGIN, 1 + _MARGIN]))


def axes_of(space: TaskSpace) -> list[Axis]:
    """Return every coordinate of a task space."""
    kinds = [p.kind for p in space.parameters.values() for _ in range(p.size)]
    low, high = space.low.tolist(), space.high.tolist()
    return [Axis(*each) for each in zip(space.names, low, high, kinds, strict=True)]


@dataclass(frozen=True)
class View(ABC):
    """A panel that shows the coordinates ``dims``, with ``returns`` as its range of colours."""

    space: TaskSpace
    dims: tuple[int, ...]
    returns: Normalize

    @property
    def shown(self) -> list[Axis]:
        """The coordinates on show."""
        everything = axes_of(self.space)
        return [everything[i] for i in self.dims]

    @abstractmethod
    def prepare(self, ax: Axes, title: str = "") -> None:
        """Set look, limits, labels and scales."""

    def tasks(self, ax: Axes, params: Floats, rewards: Array, crowd: int | None = None) -> None:
        """Draw tasks coloured by return, the latest on top, smaller in a crowd (their number)."""
        size = np.clip(5000 / max(crowd or len(params), 1), 7, 24)
        params, rewards = params[-_MOST_TASKS:], rewards[-_MOST_TASKS:]
        style: dict[str, Any] = {"cmap": RETURNS, "norm": self.returns, "alpha": 0.9, "lw": 0}
        ax.scatter(*self._points(params, rewards), size, rewards, **style)

    def tests(self, ax: Axes, params: Floats, rewards: Array, mastered: NDArray[np.bool_]) -> None:
        """Draw test tasks coloured by return, those that are mastered in a dark ring."""
        style: dict[str, Any] = {"cmap": RETURNS, "norm": self.returns, "lw": 1.3}
        rings = np.where(mastered, INK, "none").tolist()
        ax.scatter(*self._points(params, rewards), 40, rewards, edgecolors=rings, **style)

    def cloud(self, ax: Axes, params: Floats, rewards: Array) -> None:
        """Draw tasks as a faint cloud, for something else to stand in front of."""
        ax.scatter(*self._points(params[-_MOST_TASKS:], rewards[-_MOST_TASKS:]), 6, FAINT, lw=0)

    def belief(self, ax: Axes, belief: Belief, colours: Normalize, filled: bool = True) -> None:
        """Draw what a teacher believes; not filled, it leaves what is behind it visible."""
        for outlines, values in shapes(belief, self.dims):
            order = np.argsort(values, kind="stable")  # the most promising on top
            polygons = [self._place(outlines[i]) for i in order]
            edges = PROGRESS(colours(values[order]))
            faces = edges * [1, 1, 1, 0.45 if filled else 0]
            if not filled:  # colours belong to the tasks behind; darkness says the same
                edges = np.array([[*to_rgb(INK), 0.2 + 0.8 * v] for v in colours(values[order])])
            style: dict[str, Any] = {"lw": 1.6 if filled else 1.3, "transform": self._frame(ax)}
            ax.add_collection(PolyCollection(polygons, facecolors=faces, edgecolors=edges, **style))
        if wanted := [self._place(outline) for outline in target_outlines(belief, self.dims)]:
            dashed: dict[str, Any] = {"lw": 1.2, "linestyle": "--", "transform": self._frame(ax)}
            ax.add_collection(PolyCollection(wanted, facecolors="none", edgecolors=INK, **dashed))

    @abstractmethod
    def _place(self, points: Array) -> Array:
        """Map points (n, 2) of the unit square to where they are drawn."""

    @abstractmethod
    def _frame(self, ax: Axes) -> Transform:
        """Return the transform of :meth:`_place`."""

    @abstractmethod
    def _points(self, params: Floats, rewards: Array) -> tuple[Array, Array]:
        """Return where tasks are drawn."""


class Plane(View):
    """Two coordinates."""

    def prepare(self, ax: Axes, title: str = "") -> None:
        """Set look, limits, labels and scales of both coordinates."""
        tidy(ax, title)
        ax.set_box_aspect(1)
        for side, axis in zip("xy", self.shown, strict=True):
            axis.prepare(ax, side)

    def tests(self, ax: Axes, params: Floats, rewards: Array, mastered: NDArray[np.bool_]) -> None:
        """Draw a grid of test tasks as cells, mastered ones dotted; others as points."""
        unit = self.space.normalize(params)[:, self.dims]
        columns, column = np.unique(unit[:, 0], return_inverse=True)
        rows, row = np.unique(unit[:, 1], return_inverse=True)
        cells = np.full((len(rows), len(columns)), np.nan)
        cells[row, column] = rewards
        if np.isnan(cells).any() or cells.size != len(params) or 1 in cells.shape:
            super().tests(ax, params, rewards, mastered)
            return
        x, y = self.shown
        style: dict[str, Any] = {"cmap": RETURNS, "norm": self.returns, "ec": PANEL, "lw": 0.5}
        ax.pcolormesh(x.at(_edges(columns)), y.at(_edges(rows)), cells, **style)
        size = 400 / max(cells.shape)
        dots = self._points(params[mastered], rewards[mastered])
        ax.scatter(*dots, size, "white", edgecolors=INK, lw=0.6)

    def _place(self, points: Array) -> Array:
        x, y = self.shown
        return np.stack([x.at(points[:, 0]), y.at(points[:, 1])], axis=1)

    def _frame(self, ax: Axes) -> Transform:
        return ax.transData

    def _points(self, params: Floats, rewards: Array) -> tuple[Array, Array]:  # noqa: ARG002 - a line needs them
        x, y = np.asarray(params, dtype=np.float64)[:, self.dims].T
        return x, y


class Line(View):
    """One coordinate, with the return as height."""

    def prepare(self, ax: Axes, title: str = "") -> None:
        """Set look, limits, labels and scales of the coordinate and of the returns."""
        tidy(ax, title)
        [axis] = self.shown
        axis.prepare(ax, "x")
        low, high = float(self.returns.vmin or 0), float(self.returns.vmax or 0)
        margin = _MARGIN * (high - low)
        ax.set_ylim(low - margin, high + margin)
        ax.set_ylabel("return")

    def _place(self, points: Array) -> Array:
        return np.stack([self.shown[0].at(points[:, 0]), points[:, 1]], axis=1)

    def _frame(self, ax: Axes) -> Transform:
        return ax.get_xaxis_transform()  # heights are shares of the panel

    def _points(self, params: Floats, rewards: Array) -> tuple[Array, Array]:
        return np.asarray(params, dtype=np.float64)[:, self.dims[0]], rewards


def view_of(space: TaskSpace, dims: tuple[int, ...], returns: Normalize) -> View:
    """Return the panel that shows these one or two coordinates."""
    return (Line if len(dims) == 1 else Plane)(space, dims, returns)


def _edges(centres: Array) -> Array:
    """Return the borders of cells around sorted centres, in unit coordinates."""
    between = (centres[1:] + centres[:-1]) / 2
    first, last = 2 * centres[0] - between[0], 2 * centres[-1] - between[-1]
    return np.concatenate([[first], between, [last]])
