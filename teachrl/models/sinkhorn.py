"""Sinkhorn divergences: entropic transport without its bias (Feydy et al., 2019, arXiv 1810.08278).

Between two sets of points of equal weight, at cost ½|x - y|² and with an entropic penalty of
blur². Of the limit without blur, the exact assignment is taken.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from teachrl.models.transport import assign

Array = NDArray[np.float64]

_SCALING = 0.95  # of the blur, from one iteration of annealing to the next
_TOLERANCE = 1e-4  # change of the potentials, as a share of the penalty, that is the last
_ROUGHLY = 1e-2  # the same where no more matters than how points move: a hundredth of the blur
_ITERATIONS = 300  # at the final blur
_MOVE = 1e-3  # mean length of a step of the barycentre that is the last
_STEP = 0.5  # of the barycentre, as a share of the way to where its gradient vanishes
_STEPS = 200


def sinkhorn_divergence(points: Array, targets: Array, blur: float) -> float:
    """Return the divergence of two sets (n, d) and (m, d): half a squared distance, 0 if equal.

    It is OT(x, y) - ½OT(x, x) - ½OT(y, y), where OT is the cost of transport plus blur² times its
    relative entropy to the independent plan. Without blur, sets must be equally large.

    >>> x = np.array([[0.0], [1.0]])
    >>> sinkhorn_divergence(x, x, blur=0.1), sinkhorn_divergence(x, x + 0.5, blur=0.0)
    (0.0, 0.125)
    """
    if _require(points, targets, blur):
        return 0.5 * float(((points - targets[_pairs(points, targets)]) ** 2).sum(1).mean())
    cross = _solve(points, targets, blur)
    own, theirs = _solve(points, points, blur), _solve(targets, targets, blur)
    gain = (cross.first - own.first).mean() + (cross.second - theirs.first).mean()
    return float(gain)


def divergence_gradient(points: Array, targets: Array, blur: float) -> Array:
    """Return the gradient (n, d) of :func:`sinkhorn_divergence` with respect to the points."""
    if _require(points, targets, blur):
        return (points - targets[_pairs(points, targets)]) / len(points)
    to_targets = _images(points, targets, _solve(points, targets, blur), blur)
    to_points = _images(points, points, _solve(points, points, blur), blur)
    gradient: Array = (to_points - to_targets) / len(points)
    return gradient


def barycentre(starts: Array, ends: Array, share: float, blur: float) -> Array:
    """Return the points (n, d) that lie between two sets (n, d), ``share`` of the way.

    They minimise (1 - share)·S(starts, x) + share·S(ends, x), where S is the divergence. Without
    blur that is each start on its straight way to its own end (McCann, 1997). With blur, the points
    begin there, and descend along the gradient until they hardly move.
    """
    exact = _require(starts, ends, blur)
    points = (1.0 - share) * starts + share * ends[_pairs(starts, ends)]
    if exact:
        return points
    problems: list[_Start | None] = [None, None, None]
    for _ in range(_STEPS):
        images = []
        for i, others in enumerate((starts, ends, points)):
            potentials = _solve(points, others, blur, problems[i], _ROUGHLY)
            images.append(_images(points, others, potentials, blur))
            problems[i] = _Start(potentials)
        move = _STEP * ((1.0 - share) * images[0] + share * images[1] - images[2])
        points = points + move
        lengths = np.linalg.norm(move, axis=1)
        if lengths.mean() < _MOVE:
            break
        # The potentials are as far off as the points have moved.
        problems = [problem and problem._replace(width=lengths.max()) for problem in problems]
    return points


class _Potentials(NamedTuple):
    """The solution of the dual problem."""

    first: Array  # (n,)
    second: Array  # (m,)


class _Start(NamedTuple):
    """Where to begin: the solution of a similar problem, and a blur that hides the difference."""

    potentials: _Potentials
    width: float = np.inf


def _solve(
    points: Array,
    targets: Array,
    blur: float,
    start: _Start | None = None,
    tolerance: float = _TOLERANCE,
) -> _Potentials:
    """Return the potentials, annealing the blur from the diameter, or from where to begin."""
    costs = 0.5 * cdist(points, targets, "sqeuclidean")
    width = float(np.sqrt(2.0 * costs.max()))
    first, second = np.zeros(len(points)), np.zeros(len(targets))
    if start is not None:
        (first, second), width = start.potentials, min(width, start.width)
    while width > blur:
        first, second = _averaged(costs, first, second, width)
        width *= _SCALING
    for _ in range(_ITERATIONS):
        before = first, second
        first, second = _averaged(costs, first, second, blur)
        change = max(np.abs(first - before[0]).max(), np.abs(second - before[1]).max())
        if change < tolerance * blur**2:
            break
    return _Potentials(_soft_min(costs, second, blur), _soft_min(costs.T, first, blur))


def _averaged(costs: Array, first: Array, second: Array, blur: float) -> tuple[Array, Array]:
    """Improve both potentials at once, half of the way: swapping the sets just swaps the result."""
    return (
        0.5 * (first + _soft_min(costs, second, blur)),
        0.5 * (second + _soft_min(costs.T, first, blur)),
    )


def _soft_min(costs: Array, potential: Array, blur: float) -> Array:
    """Return -ε log mean exp((potential - costs) / ε) over the columns, with ε = blur²."""
    exponents = potential - costs
    exponents /= blur**2
    highest = exponents.max(axis=1)
    exponents -= highest[:, None]
    np.exp(exponents, out=exponents)
    return np.asarray(-(blur**2) * (highest + np.log(exponents.mean(axis=1))))


def _images(points: Array, targets: Array, potentials: _Potentials, blur: float) -> Array:
    """Return where the plan sends each of the points on average, (n, d)."""
    exponents = (potentials.second - 0.5 * cdist(points, targets, "sqeuclidean")) / blur**2
    plan = np.exp(exponents - exponents.max(axis=1, keepdims=True))
    images: Array = plan @ targets / plan.sum(axis=1, keepdims=True)
    return images


def _pairs(points: Array, targets: Array) -> NDArray[np.int64]:
    if len(points) != len(targets):
        raise ValueError(
            f"without blur, sets must be equally large, got {len(points)} and {len(targets)} points"
        )
    return assign(points, targets)


def _require(points: Array, targets: Array, blur: float) -> bool:
    """Refuse what is no problem of transport; tell whether it is one without blur."""
    if not 0 <= blur < np.inf:
        raise ValueError(f"the blur must be 0 or a positive number, got {blur}")
    if points.ndim != 2 or targets.ndim != 2 or points.shape[1] != targets.shape[1]:
        raise ValueError(
            f"expected points (n, d) and (m, d), got shapes {points.shape} and {targets.shape}"
        )
    return blur == 0
