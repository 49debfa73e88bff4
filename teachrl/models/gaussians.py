"""Gaussians with full covariance: densities, divergences, and their gradients in closed form.

Gradients are with respect to the *parameters* of a Gaussian: its mean (d,), then the lower triangle
of its Cholesky factor row by row, with logarithms on the diagonal, so that every vector of
d + d(d + 1)/2 numbers is a Gaussian.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg.lapack import dtrtrs
from scipy.special import logsumexp

Array = NDArray[np.float64]
Valued = tuple[float, Array]  # a number and its gradient

_LARGEST_LOG_RATIO = 50.0  # of densities; a search that strays farther must not overflow


@dataclass(eq=False)
class Gaussian:
    """A mean (d,) and the lower Cholesky factor (d, d) of a covariance.

    >>> gaussian = Gaussian.of([0.5, 0.5], [[0.04, 0.0], [0.0, 0.01]])
    >>> gaussian.stds, Gaussian.from_parameters(gaussian.parameters).mean
    (array([0.2, 0.1]), array([0.5, 0.5]))
    >>> gaussian.divergence(gaussian)
    0.0
    """

    mean: Array
    factor: Array

    @classmethod
    def of(cls, mean: ArrayLike, covariance: ArrayLike) -> Self:
        """Return the Gaussian with these moments."""
        return cls(np.array(mean, np.float64), np.linalg.cholesky(np.array(covariance, np.float64)))

    @classmethod
    def standard(cls, dimensions: int) -> Self:
        """Return the Gaussian of mean 0 and covariance 1."""
        return cls(np.zeros(dimensions), np.eye(dimensions))

    @classmethod
    def from_parameters(cls, parameters: Array) -> Self:
        """Return the Gaussian with these parameters, as the module describes them."""
        d = round(np.sqrt(2.25 + 2 * len(parameters)) - 1.5)  # solves d + d(d + 1)/2
        factor = np.zeros((d, d))
        factor[_triangle(d)] = parameters[d:]
        factor[np.diag_indices(d)] = np.exp(np.diagonal(factor))
        return cls(parameters[:d].copy(), factor)

    @property
    def parameters(self) -> Array:
        """Its parameters, as the module describes them."""
        logarithmic = self.factor.copy()
        np.fill_diagonal(logarithmic, np.log(np.diagonal(self.factor)))
        return np.concatenate([self.mean, logarithmic[_triangle(len(self.mean))]])

    @property
    def covariance(self) -> Array:
        """Its covariance (d, d)."""
        covariance: Array = self.factor @ self.factor.T
        return covariance

    @property
    def stds(self) -> Array:
        """Standard deviation of each coordinate (d,)."""
        return np.asarray(np.sqrt((self.factor**2).sum(axis=1)))

    def whiten(self, points: Array) -> Array:
        """Map points (n, d) to where this Gaussian is the standard one."""
        return _solve(self.factor, (points - self.mean).T).T

    def log_density(self, points: Array) -> Array:
        """Return the log-density (n,) at points (n, d)."""
        squares = (self.whiten(points) ** 2).sum(axis=1)
        return np.asarray(-0.5 * squares + self.log_peak)

    @property
    def log_peak(self) -> float:
        """The log-density at the mean."""
        logarithms = np.log(np.diagonal(self.factor)).sum()
        return -float(logarithms + 0.5 * len(self.mean) * np.log(2 * np.pi))

    def divergence(self, other: Self) -> float:
        """Return KL(self || other)."""
        return divergence(self, other)[0]

    def seen_from(self, origin: "Gaussian") -> "Gaussian":
        """Return this Gaussian in coordinates in which ``origin`` is the standard one."""
        factor = _solve(origin.factor, self.factor)
        return Gaussian(_solve(origin.factor, self.mean - origin.mean), factor)

    def placed_at(self, origin: "Gaussian") -> "Gaussian":
        """Undo :meth:`seen_from`."""
        return Gaussian(origin.mean + origin.factor @ self.mean, origin.factor @ self.factor)

    def at_least(self, stds: ArrayLike) -> "Gaussian":
        """Return it with deviations raised to ``stds`` where they are below, correlations kept."""
        raised = np.maximum(1.0, np.asarray(stds) / self.stds)
        return Gaussian(self.mean, raised[:, None] * self.factor)

    def state(self) -> dict[str, Any]:
        """Return its moments."""
        return {"mean": self.mean.copy(), "factor": self.factor.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Become what :meth:`state` described."""
        self.mean, self.factor = np.array(state["mean"]), np.array(state["factor"])


def log_likelihood(gaussian: Gaussian, points: Array, weights: Array) -> Valued:
    """Return Σ wᵢ log p(xᵢ) at points (n, d) with weights (n,), and its gradient."""
    white = gaussian.whiten(points)
    value = weights @ (gaussian.log_peak - 0.5 * (white**2).sum(axis=1))
    pull, moments = weights @ white, (weights * white.T) @ white
    return float(value), _gradient(gaussian, pull, moments, float(weights.sum()))


def divergence(gaussian: Gaussian, other: Gaussian) -> Valued:
    """Return KL(gaussian || other), and its gradient with respect to ``gaussian``."""
    seen = gaussian.seen_from(other)
    diagonal = np.diagonal(gaussian.factor)
    logarithms = np.log(np.diagonal(other.factor) / diagonal).sum()
    squares = (seen.factor**2).sum() + seen.mean @ seen.mean
    value = 0.5 * (squares - len(diagonal)) + logarithms
    factor = _solve_transposed(other.factor, seen.factor) - np.diag(1 / diagonal)
    return float(value), _packed(gaussian, _solve_transposed(other.factor, seen.mean), factor)


def divergence_from(origin: Gaussian, gaussian: Gaussian) -> Valued:
    """Return KL(origin || gaussian), and its gradient with respect to ``gaussian``."""
    seen = origin.seen_from(gaussian)
    logarithms = np.log(np.diagonal(gaussian.factor) / np.diagonal(origin.factor)).sum()
    squares = (seen.factor**2).sum() + seen.mean @ seen.mean
    value = 0.5 * (squares - len(seen.mean)) + logarithms
    moments = seen.factor @ seen.factor.T + np.outer(seen.mean, seen.mean)
    return float(value), -_gradient(gaussian, seen.mean, moments, 1.0)


def negative_entropy(gaussian: Gaussian) -> Valued:
    """Return E[log p] under the Gaussian itself, and its gradient."""
    d = len(gaussian.mean)
    factor = -np.diag(1 / np.diagonal(gaussian.factor))
    return gaussian.log_peak - 0.5 * d, _packed(gaussian, np.zeros(d), factor)


def reweighted_mean(gaussian: Gaussian, points: Array, drawn: Array, values: Array) -> Valued:
    """Return the mean that values (n,) would have under a Gaussian, and its gradient.

    Args:
        gaussian: that weighs the points by importance, p(x) over the density they were drawn from.
        points: where the values were observed (n, d).
        drawn: log-densities (n,) under which they were drawn.
        values: (n,).
    """
    ratios = np.minimum(gaussian.log_density(points) - drawn, _LARGEST_LOG_RATIO)
    weighted = np.exp(ratios) * values / len(values)
    return float(weighted.sum()), log_likelihood(gaussian, points, weighted)[1]


def self_normalised(gaussian: Gaussian, points: Array, drawn: Array) -> Array:
    """Return log-densities (n,) moved by a constant that gives ratios under a Gaussian mean 1.

    So a few points that are rare where they were drawn from cannot raise all that is estimated.
    """
    ratios = gaussian.log_density(points) - drawn
    return np.asarray(drawn + (logsumexp(ratios) - np.log(len(ratios))))


def mixture_density(points: Array, means: Array, stds: Array) -> tuple[Array, Array]:
    """Return log-densities (n,) and their slopes (n, d) under Gaussians of equal weight.

    Args:
        points: (n, d).
        means: of the Gaussians (k, d).
        stds: along the axes (k, d).
    """
    z = (points[:, None] - means) / stds
    logs = -0.5 * (z**2 + np.log(2 * np.pi)).sum(axis=2) - np.log(stds).sum(axis=1)
    density = logsumexp(logs, axis=1, keepdims=True)
    slopes = (np.exp(logs - density)[:, :, None] * -z / stds).sum(axis=1)
    return density[:, 0] - np.log(len(means)), slopes


def variances(gaussian: Gaussian, origin: Gaussian) -> tuple[Array, Array]:
    """Return variances (d,) of a Gaussian that is seen from ``origin``, and gradients (d, p)."""
    factor = origin.factor @ gaussian.factor
    nothing = np.zeros(len(factor))
    slopes = [
        _packed(gaussian, nothing, 2 * np.outer(row, combined))
        for row, combined in zip(origin.factor, factor, strict=True)
    ]
    return (factor**2).sum(axis=1), np.array(slopes)


def expectation(gaussian: Gaussian, normals: Array, slopes: Array) -> Array:
    """Return the gradient of E[f(x)], estimated at x = mean + factor z.

    Args:
        gaussian: of x.
        normals: standard normal z (n, d).
        slopes: ∇f(x) (n, d) there.
    """
    return _packed(gaussian, slopes.mean(axis=0), slopes.T @ normals / len(normals))


def fisher(dimensions: int) -> Array:
    """Return the diagonal of the standard Gaussian's Fisher information, which has only that.

    In any other coordinates it is a full matrix; seen from itself, every Gaussian is the standard
    one.
    """
    triangle = np.where(np.eye(dimensions) > 0, 2.0, 1.0)[_triangle(dimensions)]
    return np.concatenate([np.ones(dimensions), triangle])


def _gradient(gaussian: Gaussian, pull: Array, moments: Array, weight: float) -> Array:
    """Return the gradient of a log-likelihood from whitened first and second moments."""
    factor = _solve_transposed(gaussian.factor, moments)
    factor -= weight * np.diag(1 / np.diagonal(gaussian.factor))
    return _packed(gaussian, _solve_transposed(gaussian.factor, pull), factor)


def _packed(gaussian: Gaussian, mean: Array, factor: Array) -> Array:
    """Return gradients by mean and factor as one by parameters."""
    d = len(mean)
    factor[np.diag_indices(d)] *= np.diagonal(gaussian.factor)  # by the logarithms
    return np.concatenate([mean, factor[_triangle(d)]])


def _solve(factor: Array, values: Array, transposed: int = 0) -> Array:
    """Solve a triangular system for (d,) or (d, n); SciPy's own front takes ten times longer."""
    solved, _ = dtrtrs(factor, values, lower=1, trans=transposed)
    return np.asarray(solved).reshape(values.shape)


def _solve_transposed(factor: Array, values: Array) -> Array:
    return _solve(factor, values, transposed=1)


@cache
def _triangle(dimensions: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, columns = np.tril_indices(dimensions)
    return rows, columns
