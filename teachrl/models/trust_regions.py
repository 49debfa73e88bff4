"""Steps of a Gaussian that stay within a divergence of where it was.

Both searches see the Gaussian from itself, as the standard one: there the divergence is nearly half
the squared length of a step, whatever the scales and correlations of the coordinates.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from teachrl.models.gaussians import Array, Gaussian, Valued, divergence_from, fisher

Objective = Callable[[Gaussian], Valued]  # of a Gaussian as it is seen from the present one
Constraint = Callable[[Gaussian], tuple[Array, Array]]  # values (m,), at least 0; gradients (m, p)

_HALVINGS = 10
_BOUNDED = 250  # parameters up to which a search has bounds: they keep it from straying, but with
# many parameters they cost a hundredfold
_FARTHEST = 20.0  # parameters of a search without bounds


def natural_step(
    objective: Objective,
    present: Gaussian,
    max_kl: float,
    admit: Callable[[Gaussian], Gaussian] = lambda gaussian: gaussian,
) -> Gaussian | None:
    """Follow the natural gradient of an objective as far as a line search accepts it.

    The first step would reach ``max_kl`` if the divergence were quadratic; it is halved until
    KL(present || new) is at most ``max_kl`` *and* the objective is not worse (Schulman et al.,
    2015, arXiv 1502.05477, appendix C). The Fisher information is diagonal here, so its system is
    solved exactly rather than by conjugate gradients.

    Args:
        objective: to be maximised.
        present: where to start.
        max_kl: radius of the trust region.
        admit: maps each candidate to what may be accepted in its place.

    Returns:
        The new Gaussian, or None if no step was accepted.
    """
    start = Gaussian.standard(len(present.mean))
    value, gradient = objective(start)
    direction = gradient / fisher(len(start.mean))
    length = float(np.sqrt(direction @ gradient))
    if not 0 < length < np.inf:
        return None
    step = np.sqrt(2 * max_kl) / length * direction
    for halvings in range(_HALVINGS):
        candidate = admit(Gaussian.from_parameters(step * 0.5**halvings).placed_at(present))
        seen = candidate.seen_from(present)
        if start.divergence(seen) <= max_kl and objective(seen)[0] >= value:
            return candidate
    return None


def constrained_step(
    objective: Objective,
    constraints: list[Constraint],
    present: Gaussian,
    max_kl: float,
) -> Gaussian | None:
    """Minimise an objective within KL(present || new) <= ``max_kl`` and further constraints.

    Sequential quadratic programming (Kraft, 1988). The search ends somewhere even where nothing
    keeps the constraints, or where it strays until numbers overflow; so whether its result keeps
    them, and is better, is the caller's to check.

    Args:
        objective: to be minimised.
        constraints: further ones.
        present: where to start.
        max_kl: radius of the trust region.

    Returns:
        Where the search ended, or None if that is nowhere.
    """
    d = len(present.mean)
    start = Gaussian.standard(d).parameters
    first, gradient = objective(Gaussian.standard(d))
    scale = max(abs(first), float(np.abs(gradient).max()), 1e-12)

    def within(seen: Gaussian) -> tuple[Array, Array]:
        distance, slope = divergence_from(Gaussian.standard(d), seen)
        return np.array([max_kl - distance]), -slope[None]

    def scaled(parameters: Array) -> Valued:
        value, slope = objective(_gaussian(parameters))
        return value / scale, slope / scale

    # No mean of the region is farther, nor, while max_kl is at most 1, any entry of a factor.
    reach = 1 + np.sqrt(np.expm1(2 * max_kl))
    with np.errstate(all="ignore"):
        found = minimize(
            scaled,
            start,
            jac=True,
            method="SLSQP",
            bounds=[(-reach, reach)] * len(start) if len(start) <= _BOUNDED else None,
            constraints=[_as_scipy(constraint) for constraint in [within, *constraints]],
            options={"maxiter": 100, "ftol": 1e-8},
        )
    is_somewhere = bool(np.isfinite(found.x).all())
    return _gaussian(found.x).placed_at(present) if is_somewhere else None


def _gaussian(parameters: Array) -> Gaussian:
    """Return what the search looks at: where it strays too far, something that is finite."""
    return Gaussian.from_parameters(np.clip(parameters, -_FARTHEST, _FARTHEST))


def _as_scipy(constraint: Constraint) -> dict[str, object]:
    """Return a constraint as SciPy wants it: values and gradients apart, though made together."""
    seen: dict[bytes, tuple[Array, Array]] = {}

    def at(parameters: Array) -> tuple[Array, Array]:
        key = parameters.tobytes()
        if key not in seen:
            seen.clear()
            seen[key] = constraint(_gaussian(parameters))
        return seen[key]

    return {"type": "ineq", "fun": lambda x: at(x)[0], "jac": lambda x: at(x)[1]}
