"""A unit cube cut into boxes wherever learning progress differs (Baranes and Oudeyer, 2013)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]

_LEAF = -1  # in place of the dimension in which a region is cut
_ENOUGH = 3  # rewards from which progress can be told
_ROUNDING = 1e-9  # 0.3 - 0.2 is less than 0.1


@dataclass(frozen=True, kw_only=True)
class Cutting:
    """When and how a region is cut in two."""

    above: int = 200  # rewards in a leaf beyond which it is cut
    candidates: int = 50  # cuts compared, drawn at random
    min_size: float = 1 / 6  # side of a region
    max_leaves: int | None = None  # None: as many as it takes

    @property
    def least(self) -> int:
        """Points that each part of a cut must have: a twentieth."""
        return -(-self.above // 20)


class RegionTree:
    """A binary tree of boxes that fill the unit cube, each with its latest points and rewards.

    A region, inner ones and the whole cube included, remembers the last ``cutting.above + 1``
    points inside it. Its progress is the absolute difference between the mean rewards of the older
    and the newer half of the last ``window`` of them; of an odd number, the older half has one
    more. A leaf with too many points is cut in two; where no cut is possible, because the parts
    would be too thin or all points coincide, it forgets its oldest quarter. A dimension of a finite
    number of values is cut between their cells, which are of equal size.

    >>> tree, rng = RegionTree(1, Cutting(above=20, min_size=0.1)), np.random.default_rng(0)
    >>> for i in range(21):
    ...     tree.add(np.array([i % 10 / 10]), reward=float(i > 10 and i % 10 > 4), rng=rng)
    >>> tree.low[tree.is_leaf].round(1).tolist(), tree.progress[tree.is_leaf].round(1).tolist()
    ([[0.0], [0.5]], [0.0, 1.0])
    """

    def __init__(
        self,
        dimensions: int,
        cutting: Cutting,
        window: int | None = None,
        n_values: ArrayLike = np.inf,
    ) -> None:
        self.dimensions, self.cutting = dimensions, cutting
        self.n_values = np.broadcast_to(np.asarray(n_values, np.float64), (dimensions,))
        self.size = cutting.above + 1
        self.window = self.size if window is None else min(window, self.size)
        self._nodes = _empty(dimensions, self.size, room=1)
        self._nodes["high"][0] = 1.0
        self._n = 1

    def __len__(self) -> int:
        """Number of regions, inner ones included."""
        return self._n

    @property
    def low(self) -> Array:
        """Lower corner of every region, (n, d)."""
        return self._used("low")

    @property
    def high(self) -> Array:
        """Upper corner of every region, (n, d)."""
        return self._used("high")

    @property
    def progress(self) -> Array:
        """Absolute learning progress in every region, (n,)."""
        return self._used("progress")

    @property
    def is_leaf(self) -> Mask:
        """Whether a region is not cut any further, (n,)."""
        return np.asarray(self._used("dim") == _LEAF)

    def add(self, point: Array, reward: float, rng: np.random.Generator) -> None:
        """Remember a point (d,) of the cube in all regions around it, and cut the smallest."""
        path, nodes = self._path(point), self._nodes
        slots = (nodes["first"][path] + nodes["count"][path]) % self.size
        is_full = nodes["count"][path] == self.size
        nodes["points"][path, slots], nodes["rewards"][path, slots] = point, reward
        nodes["first"][path] = (nodes["first"][path] + is_full) % self.size
        nodes["count"][path] += ~is_full
        self._measure(path)
        if nodes["count"][leaf := int(path[-1])] > self.cutting.above:
            self._cut(leaf, rng)

    def worst(self, region: int) -> Array | None:
        """Return the point (d,) of the lowest reward in a region, None if there is no point."""
        points, rewards = self.episodes(region)
        return None if not len(rewards) else points[int(np.argmin(rewards))]

    def episodes(self, region: int) -> tuple[Array, Array]:
        """Return points (m, d) and rewards (m,) that a region remembers, oldest first."""
        nodes = self._nodes
        slots = (nodes["first"][region] + np.arange(nodes["count"][region])) % self.size
        return nodes["points"][region, slots], nodes["rewards"][region, slots]

    def state(self) -> dict[str, Any]:
        """Return all regions and what they remember."""
        return {name: self._used(name).copy() for name in self._nodes}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        n = len(state["count"])
        fresh = _empty(self.dimensions, self.size, room=max(n, 1))
        for name, array in fresh.items():
            if np.shape(state[name]) != array.shape:
                raise ValueError(
                    f"expected {name} of shape {array.shape}, got {np.shape(state[name])}: saved "
                    "in another space, or with regions of another size?"
                )
            array[:] = state[name]
        self._nodes, self._n = fresh, n

    def _used(self, name: str) -> NDArray[Any]:
        return self._nodes[name][: self._n]

    def _path(self, point: Array) -> Counts:
        """Return the regions around a point, from the cube to a leaf."""
        dims, cuts, children = (self._nodes[name] for name in ("dim", "cut", "child"))
        path, coordinates = [0], point.tolist()
        while (dim := dims[path[-1]]) != _LEAF:
            path.append(int(children[path[-1]] + (coordinates[dim] >= cuts[path[-1]])))
        return np.array(path)

    def _measure(self, regions: Counts) -> None:
        """Bring the progress of some regions up to date."""
        nodes, back = self._nodes, np.arange(self.window)
        count = nodes["count"][regions][:, None]
        slots = (nodes["first"][regions][:, None] + count - 1 - back) % self.size
        rewards = nodes["rewards"][regions[:, None], slots]  # newest first
        nodes["progress"][regions] = _progress(rewards, back < count, self.window)

    def _cut(self, leaf: int, rng: np.random.Generator) -> None:
        """Cut a leaf where the progress of its parts differs most, or let it forget a quarter."""
        points, rewards = self.episodes(leaf)
        is_room = self.cutting.max_leaves is None or len(self) // 2 + 1 < self.cutting.max_leaves
        best = self._best_cut(leaf, points, rewards, rng) if is_room else None
        if best is None:
            forgotten, nodes = max(1, len(rewards) // 4), self._nodes
            nodes["first"][leaf] = (nodes["first"][leaf] + forgotten) % self.size
            nodes["count"][leaf] -= forgotten
            self._measure(np.array([leaf]))
            return
        dim, cut = best
        self._grow()
        nodes, first = self._nodes, self._n
        nodes["dim"][leaf], nodes["cut"][leaf], nodes["child"][leaf] = dim, cut, first
        nodes["low"][first : first + 2] = nodes["low"][leaf]
        nodes["high"][first : first + 2] = nodes["high"][leaf]
        nodes["high"][first, dim] = nodes["low"][first + 1, dim] = cut
        is_beyond = points[:, dim] >= cut
        for child, mine in ((first, ~is_beyond), (first + 1, is_beyond)):
            n = nodes["count"][child] = np.count_nonzero(mine)
            nodes["points"][child, :n], nodes["rewards"][child, :n] = points[mine], rewards[mine]
        self._n += 2
        self._measure(np.array([first, first + 1]))

    def _best_cut(
        self, leaf: int, points: Array, rewards: Array, rng: np.random.Generator
    ) -> tuple[int, float] | None:
        """Return dimension and coordinate of the best of some random cuts, None if none will do.

        A cut is uniform among those that leave enough points on both sides, which is drawn
        directly rather than by trying until one does: points that coincide cannot stall it.
        """
        low, high = self._nodes["low"][leaf], self._nodes["high"][leaf]
        least, k = self.cutting.least, self.cutting.candidates
        ordered = np.sort(points, axis=0)
        first, last = ordered[least - 1], ordered[-least]
        room = np.cumsum(np.maximum(last - first, 0.0) / (high - low))
        if not room[-1] > 0:
            return None
        dims = np.searchsorted(room, room[-1] * rng.random(k), side="right")
        cuts = last[dims] - rng.random(k) * (last - first)[dims]
        n_values = self.n_values[dims]
        is_whole = np.isfinite(n_values)  # their points are centres of cells
        cuts[is_whole] = _between_cells(cuts[is_whole], n_values[is_whole])
        coordinates = points[::-1, dims].T  # (k, n), newest first
        is_low = coordinates < cuts[:, None]
        n_low = np.count_nonzero(is_low, axis=1)
        n_high = len(points) - n_low
        thinner = np.minimum(cuts - low[dims], high[dims] - cuts)
        is_thick = thinner >= self.cutting.min_size - _ROUNDING * is_whole
        fits = is_thick & (np.minimum(n_low, n_high) >= least)
        if not fits.any():
            return None
        values = np.broadcast_to(rewards[::-1], is_low.shape)
        difference = _progress(values, is_low, self.window) - _progress(
            values, ~is_low, self.window
        )
        scores = np.abs(difference) * n_low * n_high
        best = int(np.argmax(np.where(fits, scores, -1.0)))
        return int(dims[best]), float(cuts[best])

    def _grow(self) -> None:
        """Make room for two more regions."""
        if self._n + 2 > len(self._nodes["count"]):
            more = _empty(self.dimensions, self.size, room=self._n + 2)
            self._nodes = {
                name: np.concatenate([self._used(name), array]) for name, array in more.items()
            }


def _empty(dimensions: int, size: int, room: int) -> dict[str, NDArray[Any]]:
    """Return arrays for ``room`` regions that remember ``size`` points each."""
    return {
        "low": np.zeros((room, dimensions)),
        "high": np.zeros((room, dimensions)),
        "points": np.zeros((room, size, dimensions)),
        "rewards": np.zeros((room, size)),
        "first": np.zeros(room, np.int64),  # slot of the oldest point
        "count": np.zeros(room, np.int64),
        "progress": np.zeros(room),
        "dim": np.full(room, _LEAF),
        "cut": np.zeros(room),
        "child": np.zeros(room, np.int64),  # the first of two
    }


def _between_cells(cuts: Array, n_values: Array) -> Array:
    """Move cuts (k,) to where cells meet, past no centre of a cell."""
    moved: Array = np.ceil(cuts * n_values - 0.5) / n_values
    return moved


def _progress(rewards: Array, mine: Mask, window: int) -> Array:
    """Return the progress (k,) in rows of rewards (k, n), newest first, of which some count."""
    rank = np.cumsum(mine, axis=1)  # 1: the newest
    n = np.minimum(rank[:, -1:], window)
    is_newer = mine & (rank <= n // 2)
    is_older = mine & (rank > n // 2) & (rank <= n)
    older, newer = (
        np.where(half, rewards, 0.0).sum(axis=1) / np.maximum(np.count_nonzero(half, axis=1), 1)
        for half in (is_older, is_newer)
    )
    return np.where(n[:, 0] >= _ENOUGH, np.abs(older - newer), 0.0)
