"""Mixtures against scikit-learn, SciPy and closed forms."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture

from teachrl.models.mixtures import (
    Criterion,
    Mixture,
    MixtureChoice,
    continue_fit,
    fit_mixture,
    information_criterion,
)

Array = NDArray[np.float64]


def points_like_a_teachers(seed: int, n: int = 150) -> Array:
    """Return tasks in two dimensions, with a learning progress that depends on them."""
    rng = np.random.default_rng(seed)
    tasks = rng.random((n, 2))
    progress = np.abs(rng.normal(0, 0.02 + 0.2 * (tasks[:, 0] > 0.6)))
    return np.column_stack([tasks, progress])


def blobs(n: int = 100) -> Array:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(0, 1, (n, 2)), rng.normal(8, 1, (n, 2))])


def as_scikit_learn(mixture: Mixture) -> GaussianMixture:
    model = GaussianMixture(
        len(mixture.weights),
        weights_init=mixture.weights,
        means_init=mixture.means,
        precisions_init=np.linalg.inv(mixture.covariances),
    )
    model.weights_, model.means_ = mixture.weights, mixture.means
    model.covariances_ = mixture.covariances
    model.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(mixture.covariances))
    return model


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_likelihoods_are_scikit_learns(size: int) -> None:
    points = points_like_a_teachers(size)
    mixture = fit_mixture(points, size, np.random.default_rng(0))
    model = as_scikit_learn(mixture)
    np.testing.assert_allclose(mixture.log_likelihood(points), model.score_samples(points))
    assert information_criterion("aic", mixture, points) == pytest.approx(model.aic(points))
    assert information_criterion("bic", mixture, points) == pytest.approx(model.bic(points))


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_from_the_same_start_it_arrives_where_scikit_learn_does(size: int) -> None:
    start = fit_mixture(points_like_a_teachers(1), size, np.random.default_rng(0))
    points = points_like_a_teachers(2)
    ours, theirs = continue_fit(start, points), as_scikit_learn(start).fit(points)
    np.testing.assert_allclose(ours.weights, theirs.weights_, rtol=1e-6)
    np.testing.assert_allclose(ours.means, theirs.means_, rtol=1e-6)
    np.testing.assert_allclose(ours.covariances, theirs.covariances_, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("size", [2, 6])
def test_from_its_own_start_it_is_as_likely_as_scikit_learn(size: int) -> None:
    gains = []
    for seed in range(20):
        points = points_like_a_teachers(seed)
        ours = fit_mixture(points, size, np.random.default_rng(seed)).log_likelihood(points)
        theirs = GaussianMixture(size, random_state=seed).fit(points).score(points)
        gains.append(ours.mean() - theirs)
    error = np.std(gains, ddof=1) / np.sqrt(len(gains))
    assert abs(np.mean(gains)) < 3 * error


def test_the_same_stream_gives_the_same_fit() -> None:
    points = points_like_a_teachers(0)
    first, second = (fit_mixture(points, 4, np.random.default_rng(7)) for _ in range(2))
    assert first.means.tobytes() == second.means.tobytes()


def test_more_starts_never_make_it_less_likely() -> None:
    gains = []
    for seed in range(10):
        points = points_like_a_teachers(seed)
        one, five = (
            fit_mixture(points, 6, np.random.default_rng(seed), n_init).log_likelihood(points).sum()
            for n_init in (1, 5)  # the first of five starts is the one
        )
        gains.append(five - one)
    assert min(gains) >= 0
    assert max(gains) > 0


@pytest.mark.parametrize(
    "points",
    [
        np.full((20, 3), 0.5),
        np.array([[0.1, 0.2, 0.0], [0.3, 0.4, 0.0]]),
        np.array([[0.1, 0.2, 0.0]]),
        np.linspace(0, 1, 50)[:, None] * np.ones(3),
        np.column_stack([np.random.default_rng(0).random((50, 2)), np.zeros(50)]),
        points_like_a_teachers(0) * 1e9,
        points_like_a_teachers(0) + 1e6,
        np.linspace(0, 1, 50)[:, None] * [1, 1e9, -1e9] + 1e9,
    ],
    ids=["identical", "two", "one", "line", "flat", "huge", "far away", "huge line far away"],
)
@pytest.mark.parametrize("size", [1, 4])
def test_degenerate_points_give_finite_mixtures(points: Array, size: int) -> None:
    mixture = fit_mixture(points, size, np.random.default_rng(0))
    assert np.isfinite(mixture.log_likelihood(points)).all()
    assert np.isfinite(mixture.sample(np.random.default_rng(0), 10)).all()
    assert mixture.weights.sum() == pytest.approx(1)
    assert (mixture.covariances.diagonal(axis1=1, axis2=2) >= 1e-6).all()
    assert (mixture.means >= points.min(axis=0) - 1e-6 * np.abs(points).max()).all()


@pytest.mark.parametrize("points", [[[0.0, np.nan]], [[np.inf, 0.0]], [0.0, 1.0], np.zeros((0, 2))])
@pytest.mark.parametrize(
    "use",
    [
        lambda points: fit_mixture(points, 2, np.random.default_rng(0)),
        lambda points: MixtureChoice([1, 2]).fit(points, np.random.default_rng(0)),
        lambda points: fit_mixture(blobs(), 2, np.random.default_rng(0)).log_likelihood(points),
    ],
)
def test_points_that_are_none_are_refused(points: Any, use: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match="finite points of shape"):
        use(points)


def test_samples_follow_the_density() -> None:
    covariance = np.array([[0.04, 0.03], [0.03, 0.09]])
    mixture = Mixture(np.ones(1), np.array([[0.5, -1.0]]), covariance[None])
    drawn = mixture.sample(np.random.default_rng(0), 20_000)
    np.testing.assert_allclose(drawn.mean(axis=0), [0.5, -1.0], atol=0.01)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.004)
    density = multivariate_normal(mixture.means[0], covariance)
    np.testing.assert_allclose(mixture.log_likelihood(drawn[:50]), density.logpdf(drawn[:50]))


def test_samples_come_from_all_gaussians_by_weight() -> None:
    mixture = Mixture(np.array([0.2, 0.8]), np.array([[0.0], [9.0]]), np.ones((2, 1, 1)))
    drawn = mixture.sample(np.random.default_rng(0), 10_000)
    assert np.mean(drawn > 4.5) == pytest.approx(0.8, abs=0.02)


def test_a_draw_comes_from_the_gaussian_that_was_asked_for() -> None:
    covariances = np.array([np.eye(2), [[4.0, -1.5], [-1.5, 1.0]]])
    mixture = Mixture(np.array([0.5, 0.5]), np.array([[0.0, 0.0], [9.0, -9.0]]), covariances)
    rng = np.random.default_rng(0)
    draws = np.array([mixture.draw(1, rng) for _ in range(10_000)])
    np.testing.assert_allclose(draws.mean(axis=0), [9, -9], atol=0.1)
    np.testing.assert_allclose(np.cov(draws.T), covariances[1], atol=0.15)


@pytest.mark.parametrize("criterion", ["aic", "bic", "aicc"])
def test_two_blobs_are_found_to_be_two(criterion: Criterion) -> None:
    choice = MixtureChoice([1, 2, 3, 4], criterion)
    best = choice.fit(blobs(), np.random.default_rng(0))
    assert len(best.weights) == 2
    assert choice.best is best


def test_aicc_corrects_aic_for_few_points() -> None:
    mixture = fit_mixture(blobs(), 2, np.random.default_rng(0))
    p = mixture.n_parameters
    assert p == 11  # one weight, two means of 2 and two covariances of 3
    aic, aicc = (information_criterion(name, mixture, blobs(20)) for name in ("aic", "aicc"))
    assert aicc - aic == pytest.approx(2 * p * (p + 1) / (40 - p - 1))
    assert information_criterion("aicc", mixture, blobs(6)) == np.inf


def test_a_warm_start_goes_on_from_the_last_fit() -> None:
    points, rng = points_like_a_teachers(0), np.random.default_rng(0)
    choice = MixtureChoice([3], warm_start=True)
    cold = choice.fit(points, rng)
    untouched = rng.bit_generator.state
    warm = choice.fit(points, rng)
    assert rng.bit_generator.state == untouched
    np.testing.assert_array_equal(warm.means, continue_fit(cold, points).means)


@pytest.mark.parametrize("warm_start", [False, True])
def test_a_restored_choice_goes_on_alike(warm_start: bool) -> None:
    choice, twin = (MixtureChoice([2, 3, 4], warm_start=warm_start) for _ in range(2))
    twin.restore(choice.state())
    assert twin.best is None
    for seed in range(2):
        choice.fit(points_like_a_teachers(seed), np.random.default_rng(seed))
        twin.restore(choice.state())
    results = [c.fit(points_like_a_teachers(5), np.random.default_rng(9)) for c in (choice, twin)]
    assert results[0].covariances.tobytes() == results[1].covariances.tobytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": []}, "sizes"),
        ({"sizes": [0, 1]}, "sizes"),
        ({"sizes": [1], "n_init": 0}, "n_init"),
        ({"sizes": [1], "criterion": "aik"}, "aic, bic or aicc"),
    ],
)
def test_choices_that_cannot_work_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MixtureChoice(**arguments)
