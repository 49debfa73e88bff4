"""The best division of numbers into k groups."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


def k_means(values: Array, k: int) -> Ints:
    """Return the group (n,) of each number, 0 for the lowest; fewer than k if fewer differ.

    The sum of squared distances to the group's mean is the least there is. Groups of numbers are
    intervals, so that dynamic programming finds them, without a start that could be unlucky: the
    best division of the first j numbers into g groups ends in a last group from i to j, whose i
    never decreases with j (Wang and Song, 2011, Ckmeans.1d.dp).
    """
    values = np.asarray(values, np.float64)
    if k < 1:
        raise ValueError(f"expected one group or more, got k={k}")
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"expected finite numbers (n,), got shape {values.shape}")
    points, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    k = min(k, len(points))
    if k == 0:
        return np.zeros(0, np.int64)
    costs = _Costs(points, counts)
    best, firsts = costs.of(np.zeros(len(points), np.int64), np.arange(len(points))), []
    for _ in range(1, k):
        best, first = _next(best, costs)
        firsts.append(first)
    groups, end = np.zeros(len(points), np.int64), len(points) - 1
    for group in range(k - 1, 0, -1):
        begin = int(firsts[group - 1][end])
        groups[begin : end + 1] = group
        end = begin - 1
    return groups[places.reshape(-1)]


class _Costs:
    """Squared distances of an interval of points to its mean."""

    def __init__(self, points: Array, counts: Ints) -> None:
        centred = points - np.average(points, weights=counts)  # sums of squares cancel less
        self.n = np.append(0.0, np.cumsum(counts))
        self.sums = np.append(0.0, np.cumsum(counts * centred))
        self.squares = np.append(0.0, np.cumsum(counts * centred**2))

    def of(self, begin: Ints, end: Ints) -> Array:
        """Return the cost of points ``begin`` to ``end``, both included, broadcasting."""
        n = self.n[end + 1] - self.n[begin]
        total = self.sums[end + 1] - self.sums[begin]
        cost: Array = self.squares[end + 1] - self.squares[begin] - total**2 / n
        return np.maximum(cost, 0.0)


def _next(best: Array, costs: _Costs) -> tuple[Array, Ints]:
    """Add a group: return the cost of the first j points, and where the last group begins."""
    n = len(best)
    result, first = np.full(n, np.inf), np.zeros(n, np.int64)
    pending = [(0, n - 1, 0, n - 1)]
    while pending:
        low, high, earliest, latest = pending.pop()
        if low > high:
            continue
        middle = (low + high) // 2
        begins = np.arange(max(earliest, 1), min(latest, middle) + 1)
        if len(begins):
            totals = best[begins - 1] + costs.of(begins, np.full(len(begins), middle))
            where = int(totals.argmin())
            result[middle], first[middle] = totals[where], begins[where]
        at = int(first[middle]) if len(begins) else earliest
        pending += [(low, middle - 1, earliest, at), (middle + 1, high, at, latest)]
    return result, first
