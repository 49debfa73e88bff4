"""The exact nearest neighbour in a set of points that changes with every query."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from teachrl.compiling import compiled

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

_BUCKET = 16  # points in a leaf before it is split
_LEAF = -1  # in place of the dimension that a node splits


class NeighbourTree:
    """A k-d tree over points of the unit cube, each added and removed singly under its own label.

    Queries are exact; among points at the same distance the one with the largest label wins, so
    the answer depends on the set alone, never on the order in which it came about. Full leaves are
    halved in the middle of their cell rather than among their points, which keeps the tree shallow
    even where points arrive sorted. Of points that coincide only the largest label is kept: the
    others could never win.

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
        self._arrays = _empty(dimensions, leaves=64)

    def add(self, point: Array, label: int) -> None:
        """Insert a point, shape (dimensions,), under a label larger than all before."""
        if not _insert(self._arrays, point, label):
            self._rebuild()
            _insert(self._arrays, point, label)

    def remove(self, point: Array, label: int) -> None:
        """Take a point out, unless a later one at the same place has replaced it already."""
        _remove(self._arrays, point, label)

    def nearest(self, point: Array) -> int:
        """Return the label of the nearest point; -1 if there is none."""
        _, label = _search(self._arrays, point, np.zeros_like(point), 0, (np.inf, -1))
        return int(label)

    def _rebuild(self) -> None:
        """Begin again with twice the room that the points need, which drops emptied leaves."""
        old = self._arrays
        filled = np.arange(_BUCKET) < old.counts[:, None]
        points, labels = old.points[filled], old.labels[filled]
        leaves = 64 + len(labels) // 4  # a leaf that was just split is half full
        while True:
            self._arrays = _empty(points.shape[1], leaves)
            inserted = _insert_all(self._arrays, points, labels)
            if inserted and 2 * self._arrays.used[1] <= leaves:
                return
            leaves *= 2


class _Tree(NamedTuple):
    """Nodes, of which the first is the root, and the leaves among them."""

    dims: Labels  # of an inner node: the dimension it splits; of a leaf: _LEAF
    splits: Array  # of an inner node: the coordinate at which its second child begins
    children: Labels  # of an inner node: its first child, which the second follows; of a leaf: its
    # place in the arrays below
    counts: Labels  # (leaves,) points in each
    labels: Labels  # (leaves, _BUCKET)
    points: Array  # (leaves, _BUCKET, dimensions)
    used: Labels  # (2,) nodes and leaves in use


def _empty(dimensions: int, leaves: int) -> _Tree:
    """Return a tree with room for ``leaves`` leaves, that consists of an empty one."""
    nodes = 2 * leaves
    return _Tree(
        dims=np.full(nodes, _LEAF),
        splits=np.zeros(nodes),
        children=np.zeros(nodes, np.int64),
        counts=np.zeros(leaves, np.int64),
        labels=np.zeros((leaves, _BUCKET), np.int64),
        points=np.zeros((leaves, _BUCKET, dimensions)),
        used=np.array([1, 1]),
    )


@compiled
def _search(
    tree: _Tree, x: Array, offsets: Array, node: int, best: tuple[float, int]
) -> tuple[float, int]:
    """Return squared distance and label of the best of ``node`` and of what was found before.

    ``offsets`` holds how far ``x`` is from the cell of ``node`` in each dimension. Their squares
    are summed in the order in which a point's are, so rounding cannot make a cell look farther
    than a point in it.
    """
    dim = tree.dims[node]
    if dim == _LEAF:
        return _search_leaf(tree, x, tree.children[node], best)
    beyond = int(x[dim] >= tree.splits[node])
    best = _search(tree, x, offsets, tree.children[node] + beyond, best)
    here, bound = offsets[dim], 0.0
    offsets[dim] = x[dim] - tree.splits[node]
    for offset in offsets:
        bound += offset**2
    if bound <= best[0]:
        best = _search(tree, x, offsets, tree.children[node] + 1 - beyond, best)
    offsets[dim] = here
    return best


@compiled
def _search_leaf(tree: _Tree, x: Array, leaf: int, best: tuple[float, int]) -> tuple[float, int]:
    distance, found = best
    for i in range(tree.counts[leaf]):
        squared, label = 0.0, tree.labels[leaf, i]
        for j in range(len(x)):
            squared += (x[j] - tree.points[leaf, i, j]) ** 2
        if squared < distance or (squared == distance and label > found):
            distance, found = squared, label
    return distance, found


@compiled
def _leaf_node(tree: _Tree, x: Array) -> int:
    """Return the node of the leaf whose cell ``x`` lies in."""
    node = 0
    while tree.dims[node] != _LEAF:
        node = tree.children[node] + int(x[tree.dims[node]] >= tree.splits[node])
    return node


@compiled
def _insert(tree: _Tree, x: Array, label: int) -> bool:
    """Insert a point; return False if it needs room that is not there."""
    while True:
        node = _leaf_node(tree, x)
        leaf = tree.children[node]
        place = _place(tree, x, leaf)
        if place < _BUCKET:
            _put(tree, leaf, place, x, label)
            tree.counts[leaf] = max(tree.counts[leaf], place + 1)
            return True
        if tree.used[0] + 2 > len(tree.dims) or tree.used[1] + 1 > len(tree.counts):
            return False
        _split(tree, node)


@compiled
def _insert_all(tree: _Tree, points: Array, labels: Labels) -> bool:
    done = 0
    while done < len(labels) and _insert(tree, points[done], labels[done]):
        done += 1
    return done == len(labels)


@compiled
def _place(tree: _Tree, x: Array, leaf: int) -> int:
    """Return where in a leaf ``x`` is, or else the first free place."""
    for i in range(tree.counts[leaf]):
        same = True
        for j in range(len(x)):
            same &= tree.points[leaf, i, j] == x[j]
        if same:
            return i
    return int(tree.counts[leaf])


@compiled
def _put(tree: _Tree, leaf: int, place: int, x: Array, label: int) -> None:
    tree.labels[leaf, place] = label
    for j in range(len(x)):
        tree.points[leaf, place, j] = x[j]


@compiled
def _split(tree: _Tree, node: int) -> None:
    """Split a leaf in two, across the dimension in which its points spread most."""
    leaf, (first, other) = tree.children[node], tree.used
    dim = _widest(tree, leaf)
    split = _middle(tree, node, tree.points[leaf, 0], dim)
    kept = 0
    for i in range(tree.counts[leaf]):
        if tree.points[leaf, i, dim] >= split:
            target, place = other, i - kept
        else:
            target, place = leaf, kept
            kept += 1
        _put(tree, target, place, tree.points[leaf, i], tree.labels[leaf, i])
    tree.counts[other], tree.counts[leaf] = tree.counts[leaf] - kept, kept
    tree.children[first], tree.children[first + 1] = leaf, other
    tree.dims[node], tree.splits[node], tree.children[node] = dim, split, first
    tree.used[0], tree.used[1] = first + 2, other + 1


@compiled
def _widest(tree: _Tree, leaf: int) -> int:
    """Return the dimension in which the points of a leaf spread most."""
    dim, widest = 0, -1.0
    for j in range(tree.points.shape[2]):
        low = high = tree.points[leaf, 0, j]
        for i in range(1, tree.counts[leaf]):
            low, high = min(low, tree.points[leaf, i, j]), max(high, tree.points[leaf, i, j])
        if high - low > widest:
            dim, widest = j, high - low
    return dim


@compiled
def _middle(tree: _Tree, node: int, x: Array, dim: int) -> float:
    """Return the middle of the cell of ``node``, which ``x`` lies in, along one dimension."""
    low, high, above = 0.0, 1.0, 0
    while above != node:
        split = tree.splits[above]
        beyond = int(x[tree.dims[above]] >= split)
        if tree.dims[above] == dim:
            low, high = (split, high) if beyond else (low, split)
        above = tree.children[above] + beyond
    return (low + high) / 2


@compiled
def _remove(tree: _Tree, x: Array, label: int) -> None:
    leaf = tree.children[_leaf_node(tree, x)]
    place, last = _place(tree, x, leaf), tree.counts[leaf] - 1
    if place <= last and tree.labels[leaf, place] == label:
        _put(tree, leaf, place, tree.points[leaf, last], tree.labels[leaf, last])
        tree.counts[leaf] = last
