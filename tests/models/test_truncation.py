"""Draws inside the cube, against SciPy's truncated normal distribution and against rejection."""

import numpy as np
import pytest
from scipy import stats

from teachrl.models import truncation
from teachrl.models.gaussians import Gaussian
from teachrl.models.truncation import draw_inside


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("dimensions", [1, 20])
@pytest.mark.parametrize(("mean", "std"), [(0.05, 0.1), (0.5, 0.01), (0.5, 1e6), (1.3, 0.05)])
def test_draws_without_correlation_are_those_of_a_truncated_normal(dimensions, mean, std, rng):
    gaussian = Gaussian(np.full(dimensions, mean), std * np.eye(dimensions))
    points = np.array([draw_inside(gaussian, rng) for _ in range(400 // dimensions)])
    expected = stats.truncnorm((0 - mean) / std, (1 - mean) / std, loc=mean, scale=std)
    assert points.min() >= 0
    assert points.max() <= 1
    assert stats.kstest(points.ravel(), expected.cdf).pvalue > 1e-3


def test_draws_keep_correlations_where_rejection_is_hopeless(rng, monkeypatch):
    gaussian = Gaussian.of([-0.1, 0.3], [[0.04, 0.03], [0.03, 0.04]])
    wide = rng.multivariate_normal(gaussian.mean, gaussian.covariance, 100_000)
    expected = wide[((wide >= 0) & (wide <= 1)).all(axis=1)]
    monkeypatch.setattr(truncation, "_is_inside", lambda points: np.full(points.shape[:-1], False))
    points = np.array([draw_inside(gaussian, rng) for _ in range(2000)])
    np.testing.assert_allclose(points.mean(axis=0), expected.mean(axis=0), atol=0.015)
    np.testing.assert_allclose(np.cov(points.T), np.cov(expected.T), atol=0.002)


def test_far_from_the_cube_draws_are_at_its_border(rng):
    gaussian = Gaussian(np.array([5.0, -8.0]), 0.01 * np.eye(2))
    points = np.array([draw_inside(gaussian, rng) for _ in range(20)])
    np.testing.assert_allclose(points, [[1.0, 0.0]] * 20, atol=1e-3)
