import numpy as np
import pytest
from numpy.typing import NDArray

from teachrl.models.neighbours import NeighbourTree

Array = NDArray[np.float64]


def messy_points(n: int, dimensions: int) -> Array:
    """Return points of which many coincide, share coordinates, or lie on the faces of the cube."""
    rng = np.random.default_rng(dimensions)
    points = rng.random((n, dimensions))
    rounded = rng.random(points.shape) < 0.4
    return np.where(rounded, np.clip(np.round(points * 1.2 - 0.1, 1), 0, 1), points)


def nearest_by_hand(points: Array, x: Array) -> int:
    """Return the last of the points that are nearest to ``x``."""
    squared = np.zeros(len(points))
    for j in range(len(x)):  # in the tree's own order, to the last bit
        squared += (x[j] - points[:, j]) ** 2
    return int(np.flatnonzero(squared == squared.min())[-1])


@pytest.mark.parametrize("dimensions", [1, 2, 3, 12])
def test_the_nearest_of_a_sliding_window_is_exact(dimensions: int) -> None:
    tree, points, window = NeighbourTree(dimensions), messy_points(3_000, dimensions), 400
    for label, point in enumerate(points):
        first = max(0, label - window)
        if label:
            expected = first + nearest_by_hand(points[first:label], point)
            assert tree.nearest(point) == expected
        if label >= window:
            tree.remove(points[first], first)
        tree.add(point, label)


def test_of_equally_near_points_the_latest_is_returned() -> None:
    tree = NeighbourTree(1)
    for label, x in enumerate([0.25, 0.75, 0.25]):
        tree.add(np.array([x]), label)
    assert tree.nearest(np.array([0.5])) == 2


def test_a_replaced_point_outlives_the_removal_of_the_one_before() -> None:
    tree, point = NeighbourTree(2), np.array([0.5, 0.5])
    tree.add(point, 0)
    tree.add(point, 1)
    tree.remove(point, 0)
    assert tree.nearest(point) == 1


def test_an_empty_tree_has_no_nearest_point() -> None:
    tree, point = NeighbourTree(2), np.array([0.5, 0.5])
    assert tree.nearest(point) == -1
    tree.add(point, 0)
    tree.remove(point, 0)
    assert tree.nearest(point) == -1


@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_points_that_arrive_sorted_leave_the_tree_shallow(scale: float) -> None:
    tree = NeighbourTree(1)
    for label in range(5_000):
        tree.add(np.array([scale * label / 5_000]), label)
    assert depth(tree) < 40  # a balanced tree has 9, of halved cells plus those around the points


def test_leaves_that_points_have_left_are_dropped() -> None:
    tree, rng = NeighbourTree(2), np.random.default_rng(0)
    points = rng.random((20_000, 2)) * 0.1 + np.linspace(0, 0.9, 20_000)[:, None]
    for label, point in enumerate(points):
        tree.add(point, label)
        if label >= 200:
            tree.remove(points[label - 200], label - 200)
    assert len(tree._arrays.counts) < 1_000


def depth(tree: NeighbourTree) -> int:
    deepest, todo = 0, [(0, 0)]
    while todo:
        node, above = todo.pop()
        deepest = max(deepest, above)
        if tree._arrays.dims[node] >= 0:
            child = int(tree._arrays.children[node])
            todo += [(child, above + 1), (child + 1, above + 1)]
    return deepest
