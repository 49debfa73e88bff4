"""What a learning curve comes to in one number: its area, and when it first gets somewhere."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teachrl.evaluation.statistics import Estimate, Score, estimate

Array = NDArray[np.float64]

_BEYOND = 1e12  # times the last step: where runs wait that have not got there


def area_under_curve(steps: ArrayLike, values: ArrayLike) -> Array:
    """Return the mean height of each curve over the steps, in the unit of its values.

    >>> area_under_curve([0, 10, 20], [[0, 0, 1], [1, 1, 1]]).tolist()
    [0.25, 1.0]

    Args:
        steps: (n,), ascending; a curve is linear between them.
        values: (runs, n), or (n,) for one run.
    """
    x, y = _checked(steps, values)
    if len(x) == 1:
        return np.asarray(y[..., 0])
    return np.asarray(np.trapezoid(y, x, axis=-1) / (x[-1] - x[0]))


def time_to_threshold(steps: ArrayLike, values: ArrayLike, threshold: float) -> Array:
    """Return the steps after which each curve first reaches ``threshold``; infinity if never.

    Between evaluations a curve is linear.

    >>> time_to_threshold([0, 10, 20], [[0, 0.5, 1], [0, 0, 0.1], [1, 0, 0]], 0.75).tolist()
    [15.0, inf, 0.0]

    Args:
        steps: (n,), ascending.
        values: (runs, n), or (n,) for one run.
        threshold: to be reached.
    """
    x, y = _checked(steps, values)
    return np.array([_first_time(x, row, threshold) for row in np.atleast_2d(y)])


def median_time(times: ArrayLike) -> Estimate:
    """Return the median of times (runs,) with its interval, runs that never arrive included.

    They count as later than all others, so infinity as a median says that half of the runs or more
    have not arrived, and as the upper end of the interval that as much cannot be ruled out.

    >>> median_time([10.0, 20.0, np.inf]).value, median_time([10.0, np.inf, np.inf]).value
    (20.0, inf)
    """
    found = np.asarray(times, dtype=np.float64)
    if found.ndim != 1 or not found.size or np.isnan(found).any():
        raise ValueError(
            f"expected one time per run, infinite where it never arrived, got {times!r}"
        )
    arrived = found[np.isfinite(found)]
    latest = max(float(arrived.max(initial=0.0)), 1.0)
    # A bootstrap needs numbers. A place far behind all times sorts as infinity does, and whatever
    # is interpolated with it lies far behind them as well.
    interval = estimate(np.where(np.isfinite(found), found, _BEYOND * latest), statistic=_median)
    return Estimate(*(_or_never(float(end), latest) for end in interval))


def _median(scores: ArrayLike) -> Score:
    table = np.asarray(scores)
    return np.median(table, axis=(-2, -1))


def _or_never(time: float, latest: float) -> float:
    return np.inf if time > latest else time


def _first_time(steps: Array, values: Array, threshold: float) -> float:
    reached = np.flatnonzero(values >= threshold)
    if not len(reached):
        return float(np.inf)
    i = int(reached[0])
    if i == 0:
        return float(steps[0])
    share = (threshold - values[i - 1]) / (values[i] - values[i - 1])
    return float(steps[i - 1] + share * (steps[i] - steps[i - 1]))


def _checked(steps: ArrayLike, values: ArrayLike) -> tuple[Array, Array]:
    x, y = np.asarray(steps, dtype=np.float64), np.asarray(values, dtype=np.float64)
    fits = x.ndim == 1 and len(x) and y.ndim in (1, 2) and y.shape[-1:] == x.shape
    if not fits or not (np.isfinite(x).all() and np.isfinite(y).all() and (np.diff(x) > 0).all()):
        raise ValueError(
            "expected ascending steps (n,) and finite values (runs, n) or (n,), got the shapes "
            f"{x.shape} and {y.shape}: leave evaluations without a value out"
        )
    return x, y
