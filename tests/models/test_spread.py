"""Points that keep their distance."""

import numpy as np
import pytest

from teachrl.models.spread import SpreadPoints


def test_no_two_points_are_close():
    points, rng = SpreadPoints(2, distance=0.1, capacity=500), np.random.default_rng(0)
    for point in rng.random((3000, 2)):
        points.add(point)
    away = np.linalg.norm(points.all[:, None] - points.all, axis=2) + np.eye(len(points))
    assert len(points) > 50
    assert away.min() > 0.1


def test_the_oldest_makes_room():
    points = SpreadPoints(1, distance=0.0, capacity=3)
    for x in range(5):
        assert points.add(np.array([float(x)]))
    assert sorted(points.all.ravel()) == [2, 3, 4]
    assert not points.add(np.array([3.0]))  # it is there already
    assert points.add(np.array([0.0]))  # forgotten, hence new


def test_every_point_is_drawn_as_often():
    points, rng = SpreadPoints(1, distance=0.0, capacity=10), np.random.default_rng(0)
    for x in range(4):
        points.add(np.array([float(x)]))
    drawn = np.array([points.draw(rng)[0] for _ in range(4000)])
    np.testing.assert_allclose(np.bincount(drawn.astype(int)) / 4000, 0.25, atol=0.03)
    points.draw(rng)[:] = 9  # a copy
    assert points.all.max() == 3


def test_restored_it_is_the_same():
    points, other = SpreadPoints(1, 0.1, capacity=3), SpreadPoints(1, 0.1, capacity=3)
    for x in range(5):
        points.add(np.array([float(x)]))
    other.restore(points.state())
    for each in (points, other):
        each.add(np.array([7.0]))
    np.testing.assert_array_equal(points.all, other.all)
    with pytest.raises(ValueError, match="another capacity"):
        SpreadPoints(1, 0.1, capacity=4).restore(points.state())
