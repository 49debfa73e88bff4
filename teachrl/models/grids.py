"""A task space divided into cells."""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teachrl.spaces import TaskSpace

Array = NDArray[np.float64]
Bins = int | dict[str, int] | None

_USUAL = 10  # bins of a coordinate
_MANY = 4_096  # cells that a grid of the usual bins may have
_MOST = 100_000  # cells that any grid may have


class Grid:
    """Cells of equal size that fill the unit cube, numbered with the last coordinate fastest.

    >>> grid = Grid((2, 5))
    >>> grid.n_cells, grid.cell([0.7, 0.1]), [side.tolist() for side in grid.boxes([5])]
    (10, 5, [[[0.5, 0.0]], [[1.0, 0.2]]])
    """

    def __init__(self, counts: tuple[int, ...]) -> None:
        self.counts, self.n_cells = counts, prod(counts)
        self._counts = np.array(counts)
        self._strides = np.array([prod(counts[i + 1 :]) for i in range(len(counts))])

    def cell(self, point: ArrayLike) -> int:
        """Return the cell that a point (d,) of the cube lies in."""
        places = np.minimum((np.asarray(point) * self._counts).astype(np.int64), self._counts - 1)
        return int(places @ self._strides)

    def boxes(self, cells: ArrayLike) -> tuple[Array, Array]:
        """Return the lower and upper corners, (n, d) each, of cells (n,)."""
        low = self._places(np.asarray(cells, np.int64)[:, None])
        return low / self._counts, (low + 1) / self._counts

    def draw(self, cell: int, rng: np.random.Generator) -> Array:
        """Draw a point (d,) uniformly from a cell."""
        point: Array = (self._places(cell) + rng.random(len(self.counts))) / self._counts
        return point

    def state(self) -> dict[str, Any]:
        """Return the number of bins along each coordinate."""
        return {"counts": list(self.counts)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Refuse what was learnt on another grid."""
        if tuple(state["counts"]) != self.counts:
            raise ValueError(f"expected a grid of {self.counts} bins, got {state['counts']}")

    def _places(self, cells: int | NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the place of each cell along each coordinate."""
        places: NDArray[np.int64] = cells // self._strides % self._counts
        return places


def divide(space: TaskSpace, bins: Bins) -> tuple[int, ...]:
    """Return the number of bins along each coordinate of ``space``.

    A whole-number parameter has one bin per value. The others have ``bins``; if that is None, 10,
    or as many as give at most 4,096 cells. A mapping gives the bins of each parameter that it
    names, and leaves the others undivided. A grid of one cell, or of more than 100,000, is refused.

    >>> divide(TaskSpace(height=(0, 3), steps=(1, 5, "int")), bins=20)
    (20, 5)
    >>> divide(TaskSpace(height=(0, 3), steps=(1, 5, "int")), bins={"height": 8})
    (8, 1)
    """
    counts = _named(space, bins) if isinstance(bins, Mapping) else _common(space, bins)
    n_cells = prod(counts)
    if not 1 < n_cells <= _MOST:
        shown = " x ".join(
            map(str, counts if len(counts) < 7 else (*counts[:3], "...", counts[-1]))
        )
        raise ValueError(
            f"bins must give from 2 to {_MOST:,} cells, got {n_cells:,} ({shown}) from {bins!r} "
            f"in {space}: name the parameters to divide, as {{{space.names[0]!r}: 10}}, or take a "
            "teacher without a grid, as ALPGMM"
        )
    return counts


def _named(space: TaskSpace, bins: Mapping[str, int]) -> tuple[int, ...]:
    if unknown := bins.keys() - space.parameters.keys():
        raise ValueError(
            f"bins names {', '.join(sorted(unknown))}; the parameters are "
            f"{', '.join(space.parameters)}"
        )
    return tuple(
        _count(bins.get(name, 1)) for name, p in space.parameters.items() for _ in range(p.size)
    )


def _common(space: TaskSpace, bins: int | None) -> tuple[int, ...]:
    kinds = [p for p in space.parameters.values() for _ in range(p.size)]
    values = [int(p.high - p.low) + 1 if p.kind == "int" else None for p in kinds]
    if bins is None:
        n_free, whole = values.count(None), prod(n for n in values if n is not None)
        fitting = (n for n in range(_USUAL, 0, -1) if whole * n**n_free <= _MANY)
        bins = next(fitting, 1) if n_free else 1
    return tuple(_count(bins) if n is None else n for n in values)


def _count(bins: object) -> int:
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise ValueError(f"bins must be whole numbers of at least 1, got {bins!r}")
    return bins
