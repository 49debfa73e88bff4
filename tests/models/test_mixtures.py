"""Mixtures against scikit-learn and closed forms."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture

from teachrl.models.mixtures import (
    Mixture,
    MixtureChoice,
    continue_fit,
    fit_mixture,
    information_criterion,
)


def clusters(n=150, seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [
            rng.normal((0.2, 0.3, 0.1), 0.05, (n // 3, 3)),
            rng.normal((0.7, 0.2, 0.5), (0.1, 0.02, 0.1), (n // 3, 3)),
            rng.random((n // 3, 3)),
        ]
    )


def as_sklearn(mixture):
    theirs = GaussianMixture(len(mixture.weights))
    theirs.weights_, theirs.means_ = mixture.weights, mixture.means
    theirs.covariances_ = mixture.covariances
    precisions = np.linalg.inv(mixture.covariances)
    theirs.precisions_cholesky_ = np.linalg.cholesky(precisions)
    return theirs


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_likelihoods_and_criteria_are_those_of_scikit_learn(size):
    points = clusters()
    mixture = fit_mixture(points, size, np.random.default_rng(0))
    theirs = as_sklearn(mixture)
    np.testing.assert_allclose(
        mixture.log_likelihood(points), theirs.score_samples(points), rtol=1e-8
    )
    assert information_criterion("aic", mixture, points) == pytest.approx(theirs.aic(points))
    assert information_criterion("bic", mixture, points) == pytest.approx(theirs.bic(points))


def test_the_corrected_criterion_is_larger_by_its_formula():
    points = clusters()
    mixture = fit_mixture(points, 3, np.random.default_rng(0))
    n, p = len(points), mixture.n_parameters
    extra = 2 * p * (p + 1) / (n - p - 1)
    aic = information_criterion("aic", mixture, points)
    assert information_criterion("aicc", mixture, points) == pytest.approx(aic + extra)
    assert information_criterion("aicc", mixture, points[: p + 1]) == np.inf


@pytest.mark.parametrize("size", [2, 4])
def test_em_from_the_same_start_reaches_the_same_parameters(size):
    points = clusters()
    start = fit_mixture(points[::3], size, np.random.default_rng(1))
    theirs = GaussianMixture(
        size,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=np.linalg.inv(start.covariances),
    ).fit(points)
    ours = continue_fit(start, points)
    assert ours.log_likelihood(points).mean() == pytest.approx(theirs.score(points), abs=2e-3)
    np.testing.assert_allclose(ours.means, theirs.means_, atol=5e-3)


def test_fits_are_as_likely_as_those_of_scikit_learn_on_average():
    ours, theirs = [], []
    for seed in range(12):
        points = clusters(seed=seed)
        for size in (3, 6):
            mixture = fit_mixture(points, size, np.random.default_rng(seed))
            ours.append(mixture.log_likelihood(points).mean())
            theirs.append(GaussianMixture(size, random_state=seed).fit(points).score(points))
    assert np.mean(ours) > np.mean(theirs) - 0.05


def test_more_starts_are_never_worse_on_average():
    points = clusters(60)
    one, many = (
        [
            fit_mixture(points, 5, np.random.default_rng(s), n).log_likelihood(points).sum()
            for s in range(8)
        ]
        for n in (1, 5)
    )
    assert np.mean(many) >= np.mean(one)


@pytest.mark.parametrize("size", [2, 9])
@pytest.mark.parametrize(
    "points", [np.zeros((20, 3)), np.ones((1, 2)), np.repeat(np.eye(3), 5, axis=0)]
)
def test_degenerate_points_give_finite_mixtures(size, points):
    mixture = fit_mixture(points, size, np.random.default_rng(0))
    for array in (mixture.weights, mixture.means, mixture.covariances):
        assert np.isfinite(array).all()
    assert mixture.weights.sum() == pytest.approx(1)
    assert np.isfinite(mixture.sample(np.random.default_rng(0), 10)).all()


def test_samples_follow_the_density():
    covariance = np.array([[[0.04, 0.03], [0.03, 0.09]]])
    mixture = Mixture(np.ones(1), np.array([[0.5, -1.0]]), covariance)
    drawn = mixture.sample(np.random.default_rng(0), 20_000)
    np.testing.assert_allclose(drawn.mean(axis=0), [0.5, -1.0], atol=0.01)
    np.testing.assert_allclose(np.cov(drawn.T), covariance[0], atol=0.004)
    density = multivariate_normal(mixture.means[0], covariance[0])
    np.testing.assert_allclose(mixture.log_likelihood(drawn[:50]), density.logpdf(drawn[:50]))


def test_the_criterion_finds_the_number_of_clusters():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(c, 0.1, (80, 2)) for c in ((0, 0), (5, 0), (0, 5))])
    assert len(MixtureChoice(range(1, 7), "bic").fit(points, rng).weights) == 3


def test_a_choice_is_restored_with_its_warm_start():
    points = clusters()
    ours, theirs = (MixtureChoice(range(2, 5), warm_start=True) for _ in range(2))
    ours.fit(points, np.random.default_rng(0))
    theirs.restore(ours.state())
    a = ours.fit(points + 0.01, np.random.default_rng(1))
    b = theirs.fit(points + 0.01, np.random.default_rng(2))  # a warm start draws nothing
    np.testing.assert_array_equal(a.means, b.means)


def test_points_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite points"):
        fit_mixture([[0.0, np.nan]], 1, np.random.default_rng(0))
