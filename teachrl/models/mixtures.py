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
        points = _points(points)
        shares, densities = np.empty((len(points), len(self.weights))), np.empty(len(points))
        _expect(points, self.weights, self.means, self.covariances, shares, densities)
        return densities

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
    parameters = mixture.weights.copy(), mixture.means.copy(), mixture.covariances.copy()
    _iterate(_points(points), *parameters)
    return Mixture(*parameters)


def _points(points: ArrayLike) -> Array:
    values = np.ascontiguousarray(points, dtype=np.float64)
    if values.ndim != 2 or not len(values) or not np.isfinite(values).all():
        raise ValueError(f"expected finite points of shape (n, d), got {values}")
    return values


# The functions below are spelled out in loops, because that compiles several times faster than
# array expressions do.


@njit(cache=True)
def _fit(points: Array, draws: Array) -> tuple[Array, Array, Array]:
    """Return weights, means and covariances after a k-means++ start from uniform ``draws``."""
    (n, d), k = points.shape, len(draws)
    means = _spread_out(points, draws)
    labels = _k_means(points, means)
    responsibilities = np.zeros((n, k))
    for i in range(n):
        responsibilities[i, labels[i]] = 1.0
    weights, covariances = np.zeros(k), np.zeros((k, d, d))
    _maximise(points, responsibilities, weights, means, covariances)
    _iterate(points, weights, means, covariances)
    return weights, means, covariances


@njit(cache=True)
def _iterate(points: Array, weights: Array, means: Array, covariances: Array) -> None:
    """Alternate the two steps, in place, until the likelihood rises no more."""
    responsibilities, densities = np.empty((len(points), len(weights))), np.empty(len(points))
    before = -np.inf
    for _ in range(_ITERATIONS):
        likelihood = _expect(points, weights, means, covariances, responsibilities, densities)
        _maximise(points, responsibilities, weights, means, covariances)
        if abs(likelihood - before) < _TOLERANCE:
            break
        before = likelihood


@njit(cache=True)
def _expect(
    points: Array,
    weights: Array,
    means: Array,
    covariances: Array,
    responsibilities: Array,
    densities: Array,
) -> float:
    """Fill in how much of each point belongs to each Gaussian (n, k), and log-densities (n,)."""
    for c in range(len(weights)):
        _log_density(points, means[c], covariances[c], responsibilities[:, c])
    total = 0.0
    for i in range(len(points)):
        shares, top, rest = responsibilities[i], -np.inf, 0.0
        for c in range(len(weights)):
            shares[c] += np.log(weights[c])
            top = max(top, shares[c])
        for c in range(len(weights)):  # relative to the largest: the sum could underflow otherwise
            shares[c] = np.exp(shares[c] - top)
            rest += shares[c]
        for c in range(len(weights)):
            shares[c] /= rest
        densities[i] = top + np.log(rest)
        total += densities[i]
    return total / len(points)


@njit(cache=True)
def _log_density(points: Array, mean: Array, covariance: Array, densities: Array) -> None:
    """Fill in the log-density of a Gaussian at each point."""
    d = len(mean)
    factor, z = _factorise(covariance), np.empty(d)
    constant = -0.5 * d * _LOG_2_PI
    for j in range(d):
        constant -= np.log(factor[j, j])
    for i in range(len(points)):
        distance = 0.0
        for j in range(d):
            z[j] = points[i, j] - mean[j]
            for m in range(j):
                z[j] -= factor[j, m] * z[m]
            z[j] /= factor[j, j]
            distance += z[j] ** 2
        densities[i] = constant - 0.5 * distance


@njit(cache=True)
def _maximise(
    points: Array, responsibilities: Array, weights: Array, means: Array, covariances: Array
) -> None:
    """Set the parameters to what is likeliest, in place."""
    for c in range(len(weights)):
        mass = _move(points, responsibilities[:, c], means[c], covariances[c])
        weights[c] = mass / len(points)


@njit(cache=True)
def _move(points: Array, shares: Array, mean: Array, covariance: Array) -> float:
    """Fit a Gaussian to weighted points, in place; return their mass.

    Without any points it stays where it is and takes the least volume.
    """
    (n, d), mass = points.shape, 0.0
    for i in range(n):
        mass += shares[i]
    mass = max(mass, _EPSILON)
    covariance[:] = 0.0
    if mass > _EPSILON:
        mean[:] = 0.0
        for i in range(n):
            for j in range(d):
                mean[j] += shares[i] / mass * points[i, j]
        for i in range(n):
            for j in range(d):
                pull = shares[i] / mass * (points[i, j] - mean[j])
                for m in range(j + 1):
                    covariance[j, m] += pull * (points[i, m] - mean[m])
    for j in range(d):
        covariance[j, j] += _RIDGE
        for m in range(j):
            covariance[m, j] = covariance[j, m]
    return mass


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
def _spread_out(points: Array, draws: Array) -> Array:
    """Choose centres by greedy k-means++ (Arthur and Vassilvitskii, 2007); one per row of draws."""
    n, k = len(points), len(draws)
    centres = np.empty((k, points.shape[1]))
    nearest = np.full(n, np.inf)
    for c in range(k):
        best, lowest = 0, np.inf
        for draw in draws[c] if c else draws[c, :1]:
            candidate = _at_share(nearest, draw) if c else int(draw * n)
            cost = 0.0
            for i in range(n):
                cost += min(nearest[i], _squared_distance(points[i], points[candidate]))
            if cost < lowest:
                best, lowest = candidate, cost
        centres[c] = points[best]
        for i in range(n):
            nearest[i] = min(nearest[i], _squared_distance(points[i], centres[c]))
    return centres


@njit(cache=True)
def _at_share(masses: Array, share: float) -> int:
    """Return where the running sum of ``masses`` passes a share of the whole."""
    total = 0.0
    for mass in masses:
        total += mass
    running = 0.0
    for i in range(len(masses)):
        running += masses[i]
        if running > share * total:
            return i
    return len(masses) - 1


@njit(cache=True)
def _squared_distance(a: Array, b: Array) -> float:
    total = 0.0
    for j in range(len(a)):
        total += (a[j] - b[j]) ** 2
    return total


@njit(cache=True)
def _k_means(points: Array, centres: Array) -> Labels:
    """Move the centres, in place, to the middle of the points nearest to them; label the points."""
    labels, distances = np.full(len(points), -1), np.empty(len(points))
    for _ in range(_KMEANS_ITERATIONS):
        if not _assign(points, centres, labels, distances):
            break
        counts = np.zeros(len(centres))
        centres[:] = 0.0
        for i in range(len(points)):
            counts[labels[i]] += 1
            for j in range(points.shape[1]):
                centres[labels[i], j] += points[i, j]
        for c in range(len(centres)):
            if counts[c]:
                for j in range(points.shape[1]):
                    centres[c, j] /= counts[c]
            else:  # an empty cluster moves to the point that is served worst
                worst = np.argmax(distances)
                centres[c], distances[worst] = points[worst], 0.0
    return labels


@njit(cache=True)
def _assign(points: Array, centres: Array, labels: Labels, distances: Array) -> bool:
    """Give each point the label of the nearest centre; return whether any label changed."""
    changed = False
    for i in range(len(points)):
        label, distances[i] = 0, np.inf
        for c in range(len(centres)):
            distance = _squared_distance(points[i], centres[c])
            if distance < distances[i]:
                label, distances[i] = c, distance
        changed |= label != labels[i]
        labels[i] = label
    return changed
