"""The outlines of what a teacher believes, whichever teacher it is.

``Teacher.belief()`` returns arrays in unit coordinates, and their names say what they are:
``means`` (k, d) with ``covariances`` (k, d, d) are Gaussians, drawn at two standard deviations;
``low`` with ``high`` (k, d) are boxes; ``points`` (k, d) are particles. ``progress`` or ``values``
(k,) colour them. ``target_means`` with ``target_covariances`` are Gaussians that it wants to reach.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Belief = Mapping[str, NDArray[Any]]

_TURN = np.linspace(0, 2 * np.pi, 73)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)])
_PARTICLE = 0.012  # radius, as a share of the panel
_BELL = 0.4  # height, as a share of the panel


def is_drawable(belief: Belief) -> bool:
    """Tell whether a belief has anything that a picture can show."""
    return any(belief.keys() >= set(names) for names in _OUTLINES)


def shapes(belief: Belief, dims: tuple[int, ...]) -> Iterator[tuple[list[Array], Array]]:
    """Yield the outlines of each kind of shape, and the values (k,) that colour them.

    An outline is (n, 2) in the unit square; of one coordinate, the second column is a height.
    """
    if not is_drawable(belief):
        raise ValueError(
            f"a belief is drawn by {' or '.join(map(' with '.join, _OUTLINES))}; got the keys "
            f"{', '.join(belief) or 'of an empty one'}"
        )
    for names, outline in _OUTLINES.items():
        if belief.keys() >= set(names):
            rows = zip(*(np.asarray(belief[name], dtype=np.float64) for name in names), strict=True)
            outlines = [outline(list(dims), *row) for row in rows]
            yield outlines, values_of(belief, len(outlines))


def target_outlines(belief: Belief, dims: tuple[int, ...]) -> list[Array]:
    """Return the outlines of what a teacher wants to reach, if its belief says so."""
    if not belief.keys() >= {"target_means", "target_covariances"}:
        return []
    rows = zip(belief["target_means"], belief["target_covariances"], strict=True)
    return [_gaussian(list(dims), mean, covariance) for mean, covariance in rows]


def values_of(belief: Belief, n: int) -> Array:
    """Return the values that colour ``n`` shapes: ones, if the belief says nothing about them."""
    given = (belief[name] for name in ("progress", "values") if name in belief)
    fitting = (np.asarray(values, dtype=np.float64) for values in given if len(values) == n)
    return next(fitting, np.ones(n))


def _gaussian(dims: list[int], mean: Array, covariance: Array) -> Array:
    """Return the ellipse of the marginal distribution, or a bell of one coordinate."""
    if len(dims) == 1:
        deviation = np.sqrt(covariance[dims[0], dims[0]])
        z = np.linspace(-3, 3, 49)
        return np.stack([mean[dims[0]] + z * deviation, _BELL * np.exp(-(z**2) / 2)], axis=1)
    variances, directions = np.linalg.eigh(covariance[np.ix_(dims, dims)])
    radii = 2 * np.sqrt(np.maximum(variances, 0.0))  # rounding may leave a tiny negative one
    ellipse: Array = mean[dims] + ((directions * radii) @ _CIRCLE).T
    return ellipse


def _box(dims: list[int], low: Array, high: Array) -> Array:
    (left, bottom), (right, top) = (
        np.append(side[dims], height)[:2] for side, height in ((low, 0.0), (high, 1.0))
    )
    return np.array([[left, bottom], [right, bottom], [right, top], [left, top]])


def _particle(dims: list[int], point: Array) -> Array:
    centre = np.append(point[dims], _PARTICLE * 2)[:2]  # of one coordinate: on the lower edge
    disc: Array = centre + _PARTICLE * _CIRCLE.T
    return disc


_OUTLINES: dict[tuple[str, ...], Callable[..., Array]] = {
    ("means", "covariances"): _gaussian,
    ("low", "high"): _box,
    ("points",): _particle,
}
