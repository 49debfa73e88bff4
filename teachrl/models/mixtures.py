"""Gaussian mixtures, of a size that an information criterion chooses.

They mean what scikit-learn's ``GaussianMixture`` means. What differs is the speed on the few
hundred points that a teacher fits between two episodes, where scikit-learn spends its time on calls
rather than on arithmetic.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from teachrl.models import em
from teachrl.models.em import Array

Criterion = Literal["aic", "bic", "aicc"]


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
        em.expect(points, (self.weights, self.means, self.covariances), shares, densities)
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
        return np.array([em.factorise(covariance) for covariance in self.covariances])


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
        if criterion not in get_args(Criterion):
            raise ValueError(f"expected aic, bic or aicc as the criterion, got {criterion!r}")
        self.sizes, self.criterion, self.n_init = tuple(sizes), criterion, n_init
        self.warm_start = warm_start
        self.best: Mixture | None = None
        self._last: list[Mixture] = []  # one of each size, where the next fit shall begin

    def fit(self, points: ArrayLike, rng: np.random.Generator) -> Mixture:
        """Fit all sizes to points (n, d) and return the best; of equals, the smallest."""
        points = _points(points)
        if self._last:
            fitted = [continue_fit(mixture, points) for mixture in self._last]
        else:
            fitted = [fit_mixture(points, size, rng, self.n_init) for size in self.sizes]
        costs = [information_criterion(self.criterion, mixture, points) for mixture in fitted]
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
        self._last = [Mixture(**parameters) for parameters in state["last"]]


def fit_mixture(points: ArrayLike, size: int, rng: np.random.Generator, n_init: int = 1) -> Mixture:
    """Fit ``size`` Gaussians to points (n, d): the likeliest result of ``n_init`` k-means++ starts.

    Points that coincide, or too few of them, leave Gaussians of the least volume on single points.
    """
    points = _points(points)
    candidates = 2 + int(np.log(size))  # for each centre, as in scikit-learn
    draws = rng.random((n_init, size, candidates))
    fitted = [Mixture(*em.fit(points, each)) for each in draws]
    return max(fitted, key=lambda mixture: float(mixture.log_likelihood(points).sum()))


def continue_fit(mixture: Mixture, points: ArrayLike) -> Mixture:
    """Fit a mixture to points (n, d), beginning at its present parameters."""
    parameters = mixture.weights.copy(), mixture.means.copy(), mixture.covariances.copy()
    em.iterate(_points(points), parameters)
    return Mixture(*parameters)


def information_criterion(name: Criterion, mixture: Mixture, points: ArrayLike) -> float:
    """Return how badly a mixture explains points (n, d) for its number p of parameters.

    ``aic`` is 2p − 2 log L (Akaike), ``bic`` is p log n − 2 log L (Schwarz), and ``aicc`` is AIC +
    2p(p + 1) / (n − p − 1), corrected for small samples (Hurvich and Tsai), or infinite if n is too
    small for that.
    """
    densities, p = mixture.log_likelihood(points), mixture.n_parameters
    n, fit = len(densities), -2 * float(densities.sum())
    if name == "bic":
        return fit + p * float(np.log(n))
    if name == "aic":
        return fit + 2 * p
    return fit + 2 * p + 2 * p * (p + 1) / (n - p - 1) if n > p + 1 else float("inf")


def _points(points: ArrayLike) -> Array:
    values = np.ascontiguousarray(points, dtype=np.float64)
    # Squares must not overflow. Written so that NaN is refused.
    if values.ndim != 2 or not len(values) or not np.abs(values).max() < 1e100:
        raise ValueError(f"expected finite points of shape (n, d), got {values}")
    return values
