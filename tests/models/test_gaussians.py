"""Gaussians against SciPy, closed forms and differences."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal

from teachrl.models import gaussians
from teachrl.models.gaussians import Gaussian
from teachrl.spaces import TaskSpace
from teachrl.targets import Target


def some(seed, d=3):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(d, d))
    return Gaussian.of(rng.normal(size=d), root @ root.T + 0.3 * np.eye(d))


def assert_gradient(function, at, rtol=1e-5):
    """Compare the gradient that a function of a Gaussian returns with central differences."""
    parameters, slope = at.parameters, function(at)[1]
    for i, step in enumerate(1e-5 * np.eye(len(parameters))):
        above, below = (
            function(Gaussian.from_parameters(parameters + sign * step))[0] for sign in (1, -1)
        )
        assert slope[..., i] == pytest.approx((above - below) / 2e-5, rel=rtol, abs=1e-6), i


@pytest.mark.parametrize("d", [1, 2, 5, 50])
def test_parameters_are_mean_and_logarithmic_cholesky_factor(d):
    gaussian = some(0, d)
    again = Gaussian.from_parameters(gaussian.parameters)
    assert gaussian.parameters.shape == (d + d * (d + 1) // 2,)
    np.testing.assert_allclose(again.mean, gaussian.mean)
    np.testing.assert_allclose(again.factor, gaussian.factor)
    np.testing.assert_array_equal(Gaussian.standard(d).parameters, 0)
    vector = np.random.default_rng(1).normal(size=d + d * (d + 1) // 2)
    np.testing.assert_allclose(Gaussian.from_parameters(vector).parameters, vector)


def test_densities_are_those_of_scipy():
    gaussian, points = some(0), np.random.default_rng(1).normal(size=(9, 3))
    expected = multivariate_normal(gaussian.mean, gaussian.covariance)
    np.testing.assert_allclose(gaussian.log_density(points), expected.logpdf(points))
    assert gaussian.log_peak == pytest.approx(expected.logpdf(gaussian.mean))
    np.testing.assert_allclose(gaussian.stds, np.sqrt(np.diag(gaussian.covariance)))
    assert gaussians.negative_entropy(gaussian)[0] == pytest.approx(-expected.entropy())


def test_the_divergence_is_an_expected_log_ratio():
    p, q = Gaussian.of([0.3], [[0.04]]), Gaussian.of([0.5], [[0.25]])

    def integrand(x):
        [log_p], [log_q] = p.log_density(np.array([[x]])), q.log_density(np.array([[x]]))
        return np.exp(log_p) * (log_p - log_q)

    expected = quad(integrand, -2, 3)[0]
    assert p.divergence(q) == pytest.approx(expected)
    assert gaussians.divergence_from(p, q)[0] == pytest.approx(expected)
    a, b = some(0), some(1)
    points = np.random.default_rng(0).multivariate_normal(a.mean, a.covariance, 200_000)
    estimate = (a.log_density(points) - b.log_density(points)).mean()
    assert a.divergence(b) == pytest.approx(estimate, rel=0.02)
    assert gaussians.divergence_from(a, b)[0] == pytest.approx(a.divergence(b))


@pytest.mark.parametrize("d", [1, 3])
def test_gradients_are_those_of_differences(d):
    at, other, rng = some(0, d), some(1, d), np.random.default_rng(2)
    points, weights, drawn = rng.normal(size=(7, d)), rng.normal(size=7), rng.normal(size=7)
    normals = rng.normal(size=(6, d))

    def expected_square(gaussian):  # of x² summed over coordinates
        x = gaussian.mean + normals @ gaussian.factor.T
        return (x**2).sum(axis=1).mean(), gaussians.expectation(gaussian, normals, 2 * x)

    for function in (
        lambda g: gaussians.log_likelihood(g, points, weights),
        lambda g: gaussians.divergence(g, other),
        lambda g: gaussians.divergence_from(other, g),
        lambda g: gaussians.reweighted_mean(g, points, drawn, weights),
        lambda g: gaussians.variances(g, other),
        gaussians.negative_entropy,
        expected_square,
    ):
        assert_gradient(function, at)


def test_the_fisher_information_of_the_standard_gaussian_is_diagonal():
    d, start = 3, Gaussian.standard(3)
    steps = 1e-4 * np.eye(d + d * (d + 1) // 2)
    hessian = [
        (
            gaussians.divergence_from(start, Gaussian.from_parameters(step))[1]
            - gaussians.divergence_from(start, Gaussian.from_parameters(-step))[1]
        )
        / 2e-4
        for step in steps
    ]
    np.testing.assert_allclose(hessian, np.diag(gaussians.fisher(d)), atol=1e-6)


def test_divergences_are_the_same_from_everywhere():
    a, b, origin = some(0), some(1), some(2)
    assert a.seen_from(origin).divergence(b.seen_from(origin)) == pytest.approx(a.divergence(b))
    there_and_back = a.seen_from(origin).placed_at(origin)
    np.testing.assert_allclose(there_and_back.mean, a.mean)
    np.testing.assert_allclose(there_and_back.factor, a.factor)
    np.testing.assert_allclose(origin.seen_from(origin).factor, np.eye(3), atol=1e-12)


def test_reweighted_values_have_the_mean_of_another_gaussian():
    old, new = Gaussian.of([0.0], [[1.0]]), Gaussian.of([0.5], [[0.6]])
    points = old.mean + np.random.default_rng(0).normal(size=(100_000, 1))
    drawn = old.log_density(points)
    mean = gaussians.reweighted_mean(new, points, drawn, points[:, 0] ** 2)[0]
    assert mean == pytest.approx(0.25 + 0.6, abs=0.02)


def test_self_normalised_weights_have_mean_one_and_the_same_ratios():
    old, new = Gaussian.of([0.0], [[1.0]]), Gaussian.of([3.0], [[0.1]])
    points = old.mean + np.random.default_rng(0).normal(size=(50, 1))
    drawn = old.log_density(points)
    for before in (drawn, drawn + 1e4):  # weights of nothing but zeros without it
        after = gaussians.self_normalised(new, points, before)
        assert np.exp(new.log_density(points) - after).mean() == pytest.approx(1.0)
        np.testing.assert_allclose(np.ptp(after - before), 0, atol=1e-9)
    np.testing.assert_allclose(gaussians.self_normalised(old, points, drawn), drawn, atol=1e-12)


def test_a_search_that_strays_does_not_overflow():
    far = Gaussian.of([50.0], [[1e-4]])
    value, slope = gaussians.reweighted_mean(far, np.array([[50.0]]), np.array([-1e4]), np.ones(1))
    assert np.isfinite(value)
    assert np.isfinite(slope).all()


def test_mixtures_have_the_density_of_targets_and_its_slope():
    space = TaskSpace(x=(0, 1), y=(0, 1))
    target = Target.gaussians([[0.2, 0.5], [0.7, 0.5], [0.9, 0.1]], (0.1, 0.3))
    points, stds = np.random.default_rng(0).random((20, 2)), np.array(target.stds)
    means = target.unit_means(space)
    logs, slopes = gaussians.mixture_density(points, means, stds)
    np.testing.assert_allclose(logs, target.log_density(space, points))
    for j, step in enumerate(1e-6 * np.eye(2)):
        above, below = (
            gaussians.mixture_density(points + sign * step, means, stds)[0] for sign in (1, -1)
        )
        np.testing.assert_allclose(slopes[:, j], (above - below) / 2e-6, rtol=1e-4, atol=1e-4)
    logs, slopes = gaussians.mixture_density(points, means, np.full((3, 2), 1e-4))  # far away
    assert np.isfinite(logs).all()
    assert np.isfinite(slopes).all()


def test_deviations_are_raised_where_they_are_small_and_correlations_kept():
    gaussian = Gaussian.of([0, 0], [[0.01, 0.015], [0.015, 0.09]])
    raised = gaussian.at_least(0.2)
    np.testing.assert_allclose(raised.stds, [0.2, 0.3])
    for each in (gaussian, raised):
        correlation = each.covariance[0, 1] / each.stds.prod()
        assert correlation == pytest.approx(0.5)


def test_a_state_is_a_copy():
    gaussian, other = some(0), some(1)
    state = gaussian.state()
    gaussian.mean += 1
    other.restore(state)
    np.testing.assert_allclose(other.mean + 1, gaussian.mean)
    np.testing.assert_array_equal(other.factor, gaussian.factor)
