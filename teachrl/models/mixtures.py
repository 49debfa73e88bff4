"""Gaussian mixtures fitted by expectation maximisation, of a size that a criterion chooses.

They mean what scikit-learn's ``GaussianMixture`` means (full covariances, k-means++ start, the same
constants and stopping rule). What differs is the speed on the few hundred points that a teacher
fits between two episodes, where scikit-learn spends its time on calls rather than on arithmetic.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Criterion = Literal["aic", "bic", "aicc"]

_RIDGE = 1e-6  # added to variances, so that Gaussians of a few points keep a volume
_TOLERANCE = 1e-3  # an iteration that gains less in mean log-likelihood is the last
_ITERATIONS = 100
_KMEANS_ITERATIONS = 300
_EPSILON = float(np.finfo(np.float64).eps)
_LOG_2_PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, eq=False)
class Mixture:
    """``k`` Gaussians in ``d`` dimensions.

    >>> mixture = Mixture(np.array([0.5, 0.5]), np.array([[0.0], [4.0]]), np.ones((2, 1, 1)))
    >>> mixture.log_likelihood([[0.0], [2.0]]).round(3)
    array([-1.612, -2.919])
    >>> mixture.sample(np.random.default_rng(0), 3).shape
    (3, 1)
    """

    weights: Array  # (k,), of sum 1
    means: Array  # (k, d)
    covariances: Array  # (k, d, d)

    @property
    def n_parameters(self) -> int:
        """Number of free parameters."""
        k, d = self.means.shape
        return int(k - 1 + k * d + k * d * (d + 1) // 2)

    def log_likelihood(self, points: ArrayLike) -> Array:
        """Return the log-density at each of the points (n, d)."""
        _, densities = _expect(_points(points), self.weights, self.means, self.covariances)
        return np.asarray(densities)

    def draw(self, gaussian: int, rng: np.random.Generator) -> Array:
        """Draw one point, (d,), from one of the Gaussians."""
        normal = rng.standard_normal(self.means.shape[1])
        return np.asarray(self.means[gaussian] + self._factors[gaussian] @ normal)

    def sample(self, rng: np.random.Generator, n: int) -> Array:
        """Draw ``n`` points, (n, d)."""
        chosen = rng.choice(len(self.weights), n, p=self.weights)
        normal = rng.standard_normal((n, self.means.shape[1], 1))
        return np.asarray(self.means[chosen] + (self._factors[chosen] @ normal)[:, :, 0])

    @cached_property
    def _factors(self) -> Array:
        return np.array([_factorise(covariance) for covariance in self.covariances])


class MixtureChoice:
    """Fits mixtures of several sizes, and keeps the one that an information criterion prefers.

    Args:
        sizes: numbers of Gaussians to try.
        criterion: ``aic``, ``bic`` or ``aicc``.
        n_init: k-means++ starts of each size, of which the likeliest result counts.
        warm_start: begin at the last fit of the same size instead of afresh.

    >>> rng = np.random.default_rng(0)
    >>> points = np.concatenate([rng.normal(0, 1, (99, 2)), rng.normal(9, 1, (99, 2))])
    >>> len(MixtureChoice(range(1, 6), criterion="bic").fit(points, rng).weights)
    2
    """

    def __init__(
        self,
        sizes: Sequence[int],
        criterion: Criterion = "aic",
        n_init: int = 1,
        warm_start: bool = False,
    ) -> None:
        if not sizes or min(sizes) < 1 or n_init < 1:
            raise ValueError(f"expected sizes and n_init of at least 1, got {sizes} and {n_init}")
        self.sizes, self.criterion, self.n_init = tuple(sizes), criterion, n_init
        self.warm_start = warm_start
        self.best: Mixture | None = None
        self._last: list[Mixture] = []  # of each size, if the next fit begins there

    def fit(self, points: ArrayLike, rng: np.random.Generator) -> Mixture:
        """Fit all sizes to points (n, d) and return the best; of equals, the smallest."""
        points = _points(points)
        if self._last:
            fitted = [continue_fit(mixture, points) for mixture in self._last]
        else:
            fitted = [fit_mixture(points, size, rng, self.n_init) for size in self.sizes]
        costs = [
            information_criterion(
                self.criterion,
                mixture.log_likelihood(points).sum(),
                mixture.n_parameters,
                len(points),
            )
            for mixture in fitted
        ]
        self._last = fitted if self.warm_start else []
        self.best = fitted[int(np.argmin(costs))]
        return self.best

    def state(self) -> dict[str, Any]:
        """Return what has been fitted."""
        best = None if self.best is None else asdict(self.best)
        return {"best": best, "last": [asdict(mixture) for mixture in self._last]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        self.best = None if state["best"] is None else Mixture(**state["best"])
        self._last = [Mixture(**fields) for fields in state["last"]]


def information_criterion(
    name: Criterion, log_likelihood: float, n_parameters: int, n_points: int
) -> float:
    """Return a criterion of which less is better; AICc is infinite where it is not defined.

    ``aic``: 2p − 2 log L (Akaike); ``bic``: p log n − 2 log L (Schwarz); ``aicc``: AIC plus
    2p(p + 1) / (n − p − 1), its correction for small samples (Hurvich and Tsai).
    """
    if name not in get_args(Criterion):
        raise ValueError(f"expected aic, bic or aicc as a criterion, got {name!r}")
    if name == "bic":
        return float(n_parameters * np.log(n_points) - 2 * log_likelihood)
    aic = float(2 * n_parameters - 2 * log_likelihood)
    if name == "aic":
        return aic
    spare = n_points - n_parameters - 1
    return aic + 2 * n_parameters * (n_parameters + 1) / spare if spare > 0 else float("inf")


def fit_mixture(points: ArrayLike, size: int, rng: np.random.Generator, n_init: int = 1) -> Mixture:
    """Fit ``size`` Gaussians to points (n, d): the likeliest result of ``n_init`` k-means++ starts.

    Points that coincide, or too few of them, leave Gaussians of the least volume on single points.
    """
    points = _points(points)
    trials = 2 + int(np.log(size))  # candidates for each k-means++ centre, as scikit-learn has it
    draws = rng.random((n_init, size, trials))
    fitted = [Mixture(*_fit(points, each)) for each in draws]
    return max(fitted, key=lambda mixture: float(mixture.log_likelihood(points).sum()))


def continue_fit(mixture: Mixture, points: ArrayLike) -> Mixture:
    """Fit a mixture to points (n, d), beginning at its present parameters."""
    start = mixture.weights.copy(), mixture.means.copy(), mixture.covariances.copy()
    return Mixture(*_iterate(_points(points), *start))


def _points(points: ArrayLike) -> Array:
    values = np.ascontiguousarray(points, dtype=np.float64)
    if values.ndim != 2 or not len(values) or not np.isfinite(values).all():
        raise ValueError(f"expected finite points of shape (n, d), got {values}")
    return values


@njit(cache=True)
def _fit(points: Array, draws: Array) -> tuple[Array, Array, Array]:
    """Return weights, means and covariances after a k-means++ start from uniform ``draws``."""
    (n, d), k = points.shape, len(draws)
    means = points[_spread_out(points, draws)]
    labels = _k_means(points, means)
    responsibilities = np.zeros((n, k))
    for i in range(n):
        responsibilities[i, labels[i]] = 1.0
    weights, covariances = np.zeros(k), np.zeros((k, d, d))
    _maximise(points, responsibilities, weights, means, covariances)
    return _iterate(points, weights, means, covariances)


@njit(cache=True)
def _iterate(
    points: Array, weights: Array, means: Array, covariances: Array
) -> tuple[Array, Array, Array]:
    """Alternate the two steps, in place, until the likelihood rises no more."""
    before = -np.inf
    for _ in range(_ITERATIONS):
        responsibilities, densities = _expect(points, weights, means, covariances)
        _maximise(points, responsibilities, weights, means, covariances)
        likelihood = densities.mean()
        if abs(likelihood - before) < _TOLERANCE:
            break
        before = likelihood
    return weights, means, covariances


@njit(cache=True)
def _expect(points: Array, weights: Array, means: Array, covariances: Array) -> tuple[Array, Array]:
    """Return how much of each point belongs to each Gaussian (n, k), and log-densities (n,)."""
    (n, d), k = points.shape, len(weights)
    joint, z = np.empty((n, k)), np.empty(d)
    for c in range(k):
        factor = _factorise(covariances[c])
        constant = np.log(weights[c]) - 0.5 * d * _LOG_2_PI
        for j in range(d):
            constant -= np.log(factor[j, j])
        for i in range(n):
            distance = 0.0
            for j in range(d):
                z[j] = points[i, j] - means[c, j]
                for m in range(j):
                    z[j] -= factor[j, m] * z[m]
                z[j] /= factor[j, j]
                distance += z[j] ** 2
            joint[i, c] = constant - 0.5 * distance
    densities = np.empty(n)
    for i in range(n):
        top = joint[i].max()  # taken out of the sum, which could underflow otherwise
        densities[i] = top + np.log(np.exp(joint[i] - top).sum())
        joint[i] = np.exp(joint[i] - densities[i])
    return joint, densities


@njit(cache=True)
def _maximise(
    points: Array, responsibilities: Array, weights: Array, means: Array, covariances: Array
) -> None:
    """Set the parameters to what is likeliest; a Gaussian without any point stays where it is."""
    n, d = points.shape
    for c in range(len(weights)):
        share = responsibilities[:, c]
        mass = share.sum() + 10 * _EPSILON
        weights[c] = mass / n
        if mass > 20 * _EPSILON:
            means[c] = share @ points / mass
        covariances[c] = 0.0
        for i in range(n):
            for j in range(d):
                pull = share[i] * (points[i, j] - means[c, j]) / mass
                for m in range(j + 1):
                    covariances[c, j, m] += pull * (points[i, m] - means[c, m])
        for j in range(d):
            covariances[c, j, j] += _RIDGE
            for m in range(j):
                covariances[c, m, j] = covariances[c, j, m]
    weights /= weights.sum()


@njit(cache=True)
def _factorise(covariance: Array) -> Array:
    """Return the lower Cholesky factor.

    A pivot below its own rounding error is raised to it: covariances of points on a line, far from
    zero, would have no factor otherwise.
    """
    d = len(covariance)
    factor = np.zeros((d, d))
    for j in range(d):
        for m in range(j + 1):
            rest = covariance[j, m]
            for i in range(m):
                rest -= factor[j, i] * factor[m, i]
            if m < j:
                factor[j, m] = rest / factor[m, m]
            else:
                factor[j, j] = np.sqrt(max(rest, d * _EPSILON * covariance[j, j]))
    return factor


@njit(cache=True)
def _spread_out(points: Array, draws: Array) -> Labels:
    """Choose points by greedy k-means++ (Arthur and Vassilvitskii, 2007); one per row of draws."""
    chosen = np.zeros(len(draws), np.int64)
    chosen[0] = int(draws[0, 0] * len(points))
    nearest = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    for c in range(1, len(draws)):
        cumulative = np.cumsum(nearest)
        best, smallest = nearest, np.inf
        for draw in draws[c]:
            candidate = np.searchsorted(cumulative, draw * cumulative[-1])
            distances = ((points - points[candidate]) ** 2).sum(axis=1)
            closer = np.minimum(nearest, distances)
            if closer.sum() < smallest:
                chosen[c], best, smallest = candidate, closer, closer.sum()
        nearest = best
    return chosen


@njit(cache=True)
def _k_means(points: Array, centres: Array) -> Labels:
    """Move the centres, in place, to the middle of the points nearest to them; label the points."""
    n, k = len(points), len(centres)
    labels = np.full(n, -1)
    for _ in range(_KMEANS_ITERATIONS):
        changed = False
        distances = np.full(n, np.inf)
        for i in range(n):
            label = labels[i]
            for c in range(k):
                distance = ((points[i] - centres[c]) ** 2).sum()
                if distance < distances[i]:
                    distances[i], label = distance, c
            changed |= label != labels[i]
            labels[i] = label
        if not changed:
            break
        for c in range(k):
            mine = labels == c
            if mine.any():
                for j in range(points.shape[1]):
                    centres[c, j] = points[mine, j].mean()
            else:  # an empty cluster moves to the point that is served worst
                worst = np.argmax(distances)
                centres[c], distances[worst] = points[worst], 0.0
    return labels
