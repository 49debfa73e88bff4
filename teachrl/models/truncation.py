"""Draws from a Gaussian that is cut off at the faces of the unit cube."""

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

from teachrl.models.gaussians import Array, Gaussian

_TRIES = 100
_SWEEPS = 10


def draw_inside(gaussian: Gaussian, rng: np.random.Generator) -> Array:
    """Draw a point (d,) of the unit cube, with a density proportional to the Gaussian's.

    Points are drawn until one is inside; where a hundred are not, which is the rule at the corners
    of many dimensions, by Gibbs sampling (Geman and Geman, 1984): each coordinate in turn is drawn
    given the others. Without correlations a single sweep would be exact.
    """
    d = len(gaussian.mean)
    first = gaussian.mean + gaussian.factor @ rng.standard_normal(d)
    if _is_inside(first):
        return np.asarray(first)
    points = gaussian.mean + rng.standard_normal((_TRIES - 1, d)) @ gaussian.factor.T
    inside = np.flatnonzero(_is_inside(points))
    return np.asarray(points[inside[0]]) if len(inside) else _swept(gaussian, first, rng)


def _swept(gaussian: Gaussian, point: Array, rng: np.random.Generator) -> Array:
    """Return where Gibbs sampling from a point (d,), clipped to the cube, leads."""
    inverse = np.linalg.inv(gaussian.factor)
    precision = inverse.T @ inverse
    away = np.clip(point, 0.0, 1.0) - gaussian.mean
    for shares in rng.random((_SWEEPS, len(point))):
        for i, share in enumerate(shares):
            variance = 1 / precision[i, i]
            shift = away[i] - variance * (precision[i] @ away)  # of the mean, by the others
            std, centre = np.sqrt(variance), gaussian.mean[i] + shift
            normal = _cut_normal((0 - centre) / std, (1 - centre) / std, share)
            away[i] = shift + std * normal
    return np.asarray(np.clip(gaussian.mean + away, 0.0, 1.0))


def _cut_normal(low: float, high: float, share: float) -> float:
    """Return the quantile of a standard normal variable between two bounds."""
    if low > 0:  # the other tail: near 1, floats tell too few probabilities apart
        return -_cut_normal(-high, -low, 1 - share)
    logs = np.log(1 - share) + log_ndtr(low), np.log(share) + log_ndtr(high)
    return float(np.clip(ndtri_exp(min(np.logaddexp(*logs), 0.0)), low, high))


def _is_inside(points: Array) -> Array:
    return np.asarray(((points >= 0) & (points <= 1)).all(axis=-1))
