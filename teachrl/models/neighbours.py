"""The exact nearest neighbour in a set of points that changes with every query."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

_BUCKET = 16  # points in a leaf before it is split
_LEAF = -1  # in place of the dimension that a node splits


class NeighbourTree:
    """A k-d tree that grows and shrinks by single points, each under a label of its own.

    Queries are exact; among points at the same distance the one with the largest label wins, so
    the answer depends on the set alone, never on the order in which it came about. Cells are halved
    at binary fractions (the coarsest that separates the points of a full leaf), hence the depth is
    logarithmic even where points arrive sorted. Of points that coincide only the largest label is
    kept: the others could never win.

    >>> tree = NeighbourTree(dimensions=2)
    >>> for label, point in enumerate([(0.1, 0.1), (0.9, 0.5), (0.5, 0.5)]):
    ...     tree.add(np.array(point), label)
    >>> tree.nearest(np.array([0.7, 0.5]))
    2
    >>> tree.remove(np.array([0.5, 0.5]), 2)
    >>> tree.nearest(np.array([0.7, 0.5]))
    1
    """

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self._clear(leaves=64)

    def add(self, point: Array, label: int) -> None:
        """Insert a point, shape (dimensions,), under a label larger than all before."""
        if not _insert(*self._nodes, *self._leaves, self._used, point, label):
            self._rebuild()
            _insert(*self._nodes, *self._leaves, self._used, point, label)

    def remove(self, point: Array, label: int) -> None:
        """Take a point out, unless a later one at the same place has replaced it already."""
        _remove(*self._nodes, *self._leaves, point, label)

    def nearest(self, point: Array) -> int:
        """Return the label of the nearest point; -1 if there is none."""
        offsets = np.zeros(self.dimensions)
        return int(_search(*self._nodes, *self._leaves, point, offsets, 0, np.inf, -1)[1])

    def _clear(self, leaves: int) -> None:
        """Make room for ``leaves`` leaves, and begin with an empty one."""
        nodes = 2 * leaves
        # Of an inner node: the dimension and value it splits at, and its first child; the second
        # follows. Of a leaf: _LEAF, nothing, and its place in the arrays below.
        self._nodes = (np.full(nodes, _LEAF), np.zeros(nodes), np.zeros(nodes, np.int64))
        self._leaves = (
            np.zeros(leaves, np.int64),
            np.zeros((leaves, _BUCKET), np.int64),
            np.zeros((leaves, _BUCKET, self.dimensions)),
        )
        self._used = np.array([1, 1])  # nodes and leaves in use

    def _rebuild(self) -> None:
        """Begin again with twice the room that the points need, which drops emptied leaves."""
        counts, labels, points = self._leaves
        filled = np.arange(_BUCKET) < counts[:, None]
        in_order = np.argsort(labels[filled])
        labels, points = labels[filled][in_order], points[filled][in_order]
        leaves = 64 + len(labels) // 4  # a leaf that was just split is half full
        while True:
            self._clear(leaves)
            inserted = _insert_all(*self._nodes, *self._leaves, self._used, points, labels)
            if inserted and 2 * self._used[1] <= leaves:
                return
            leaves *= 2


@njit(cache=True)
def _search(
    dims: Labels,
    splits: Array,
    children: Labels,
    counts: Labels,
    labels: NDArray[np.int64],
    points: Array,
    x: Array,
    offsets: Array,
    node: int,
    distance: float,
    found: int,
) -> tuple[float, int]:
    """Return the squared distance and the label of the best of ``node`` and what was found before.

    ``offsets`` holds how far ``x`` is from the cell of ``node`` in each dimension. Their squares
    are summed in the order in which a point's are, so rounding cannot make a cell look farther
    than a point in it.
    """
    dim = dims[node]
    if dim == _LEAF:
        leaf = children[node]
        for i in range(counts[leaf]):
            squared, label = 0.0, labels[leaf, i]
            for j in range(len(x)):
                squared += (x[j] - points[leaf, i, j]) ** 2
            if squared < distance or (squared == distance and label > found):
                distance, found = squared, label
        return distance, found
    tree = (dims, splits, children, counts, labels, points, x, offsets)
    beyond = int(x[dim] >= splits[node])
    distance, found = _search(*tree, children[node] + beyond, distance, found)
    here = offsets[dim]
    offsets[dim] = x[dim] - splits[node]
    if np.sum(offsets**2) <= distance:
        distance, found = _search(*tree, children[node] + 1 - beyond, distance, found)
    offsets[dim] = here
    return distance, found


@njit(cache=True)
def _leaf_of(dims: Labels, splits: Array, children: Labels, x: Array) -> int:
    """Return the leaf's node whose cell ``x`` lies in."""
    node = 0
    while dims[node] != _LEAF:
        node = children[node] + int(x[dims[node]] >= splits[node])
    return node


@njit(cache=True)
def _insert(
    dims: Labels,
    splits: Array,
    children: Labels,
    counts: Labels,
    labels: Labels,
    points: Array,
    used: Labels,
    x: Array,
    label: int,
) -> bool:
    """Insert a point; return False if it needs room that is not there."""
    while True:
        node = _leaf_of(dims, splits, children, x)
        leaf = children[node]
        size = counts[leaf]
        for i in range(size):
            if np.all(points[leaf, i] == x):
                labels[leaf, i] = label
                return True
        if size < _BUCKET:
            labels[leaf, size], points[leaf, size] = label, x
            counts[leaf] += 1
            return True
        if used[0] + 2 > len(dims) or used[1] + 1 > len(counts):
            return False
        _split(dims, splits, children, counts, labels, points, used, node)


@njit(cache=True)
def _insert_all(
    dims: Labels,
    splits: Array,
    children: Labels,
    counts: Labels,
    labels: Labels,
    points: Array,
    used: Labels,
    new_points: Array,
    new_labels: Labels,
) -> bool:
    tree = (dims, splits, children, counts, labels, points, used)
    for x, label in zip(new_points, new_labels):
        if not _insert(*tree, x, label):
            return False
    return True


@njit(cache=True)
def _split(
    dims: Labels,
    splits: Array,
    children: Labels,
    counts: Labels,
    labels: Labels,
    points: Array,
    used: Labels,
    node: int,
) -> None:
    """Split a leaf in two, across the dimension in which its points spread most."""
    leaf, other = children[node], used[1]
    low, high = points[leaf, 0].copy(), points[leaf, 0].copy()
    for i in range(1, counts[leaf]):
        low, high = np.minimum(low, points[leaf, i]), np.maximum(high, points[leaf, i])
    dim = int(np.argmax(high - low))
    split = _coarsest_between(low[dim], high[dim])
    kept = 0
    for i in range(counts[leaf]):
        target, place = leaf, kept
        if points[leaf, i, dim] >= split:
            target, place = other, i - kept
        else:
            kept += 1
        labels[target, place], points[target, place] = labels[leaf, i], points[leaf, i]
    counts[other], counts[leaf] = counts[leaf] - kept, kept
    first = used[0]
    children[first], children[first + 1] = leaf, other
    dims[node], splits[node], children[node] = dim, split, first
    used[0] += 2
    used[1] += 1


@njit(cache=True)
def _coarsest_between(low: float, high: float) -> float:
    """Return the multiple of the largest power of two that lies in (low, high]."""
    step = 2.0 ** np.ceil(np.log2(high - low))
    while np.floor(high / step) * step <= low:
        step /= 2
    return float(np.floor(high / step) * step)


@njit(cache=True)
def _remove(
    dims: Labels,
    splits: Array,
    children: Labels,
    counts: Labels,
    labels: Labels,
    points: Array,
    x: Array,
    label: int,
) -> None:
    leaf = children[_leaf_of(dims, splits, children, x)]
    for i in range(counts[leaf]):
        if labels[leaf, i] == label:
            last = counts[leaf] - 1
            labels[leaf, i], points[leaf, i] = labels[leaf, last], points[leaf, last]
            counts[leaf] = last
            return
