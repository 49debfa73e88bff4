"""Assignments against SciPy's on the plain costs, and steps along projections."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from teachrl.models.transport import assign, draw_directions, sliced_step


def cost(sources, targets, chosen):
    return ((sources - targets[chosen]) ** 2).sum()


@pytest.mark.parametrize("d", [1, 2, 50])
@pytest.mark.parametrize("sizes", [(1, 1), (1, 9), (40, 40), (40, 44), (40, 90)], ids=str)
@pytest.mark.parametrize("widths", [(1.0, 1.0), (1e-3, 1.0), (1.0, 1e-3), (1.0, 0.0)], ids=str)
def test_an_assignment_costs_as_little_as_scipys(d, sizes, widths):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        sources, targets = (
            rng.random(d) + width * rng.random((n, d)) ** 3
            for n, width in zip(sizes, widths, strict=True)
        )
        chosen = assign(sources, targets)
        rows, best = linear_sum_assignment(cdist(sources, targets, "sqeuclidean"))
        assert len(set(chosen.tolist())) == len(sources)
        expected = cost(sources[rows], targets, best)
        assert cost(sources, targets, chosen) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_points_that_coincide_are_assigned_too():
    assert sorted(assign(np.zeros((5, 2)), np.zeros((5, 2))).tolist()) == [0, 1, 2, 3, 4]


def test_no_sources_need_no_targets():
    assert assign(np.zeros((0, 2)), np.ones((3, 2))).tolist() == []


def test_too_few_targets_are_refused():
    with pytest.raises(ValueError, match="3 sources need as many targets, got 2"):
        assign(np.zeros((3, 1)), np.zeros((2, 1)))
    with pytest.raises(ValueError, match=r"got shapes \(3, 1\) and \(3, 2\)"):
        assign(np.zeros((3, 1)), np.zeros((3, 2)))


def test_a_shift_is_found_in_one_sliced_step():
    rng = np.random.default_rng(0)
    points, shift = rng.random((30, 3)), np.array([0.3, -0.1, 0.2])
    np.testing.assert_allclose(sliced_step(points, points + shift, np.eye(3)), [shift] * 30)
    np.testing.assert_allclose(sliced_step(points, points, np.eye(3)), 0.0)


def test_sliced_steps_approach_the_targets():
    rng = np.random.default_rng(0)
    points, targets = rng.random((50, 2)), 0.2 * rng.random((50, 2)) + [0.7, 0.1]
    before = cost(points, targets, assign(points, targets))
    points = points + sliced_step(points, targets[::-1], draw_directions(100, 2, rng))
    assert cost(points, targets, assign(points, targets)) < 0.05 * before


def test_directions_are_units_and_none_is_preferred():
    directions = draw_directions(20_000, 3, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0)
    np.testing.assert_allclose(directions.mean(axis=0), 0.0, atol=0.02)
    np.testing.assert_allclose(directions.T @ directions / 20_000, np.eye(3) / 3, atol=0.02)
