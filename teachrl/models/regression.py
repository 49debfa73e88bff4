"""Nadaraya-Watson regression: predictions are averages of nearby data (Nadaraya and Watson, 1964).

Only data within three bandwidths count, and of those at most the nearest half of all data, ties
included. Where there are none the ten nearest count, however far they are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachrl.compiling import compiled

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

_REACH = 3.0  # bandwidths
_FEW = 10  # data that count where none are in reach


@dataclass(frozen=True, eq=False)
class NadarayaWatson:
    """Averages of the values of nearby points, weighted by a Gaussian kernel.

    >>> model = NadarayaWatson(np.array([[0.0], [1.0], [9.0]]), np.array([0.0, 1.0, 5.0]), 1.0)
    >>> model.predict(np.array([[0.0], [9.0], [99.0]]))
    array([0., 5., 5.])
    """

    points: Array  # (n, d)
    values: Array  # (n,)
    bandwidth: float  # standard deviation of the kernel

    def __post_init__(self) -> None:
        if self.points.ndim != 2 or self.values.shape != self.points.shape[:1] or not len(self):
            raise ValueError(
                "expected points (n, d) and values (n,) of n > 0 data, got shapes "
                f"{self.points.shape} and {self.values.shape}"
            )
        if not self.bandwidth > 0:
            raise ValueError(f"the bandwidth must be positive, got {self.bandwidth}")

    def __len__(self) -> int:
        """Number of data."""
        return len(self.values)

    def predict(self, queries: Array) -> Array:
        """Return predictions (m,) at points (m, d)."""
        predictions = np.empty(len(queries))
        _predict(self._data(), queries, predictions)
        return predictions

    def first_above(self, candidates: Array, threshold: float) -> Labels:
        """Return the first of each row of candidates that is predicted above ``threshold``.

        Where there is none, the one that is predicted highest. Later candidates are not looked at,
        which makes this much cheaper than predicting all of them.

        Args:
            candidates: (m, k, d), each row in order of preference, and its points close together.
            threshold: of predictions.

        Returns:
            Places in the rows, (m,).
        """
        chosen = np.zeros(len(candidates), np.int64)
        _first_above(self._data(), candidates, threshold, chosen)
        return chosen

    def _data(self) -> "_Data":
        limit = max(1, len(self) // 2)
        return np.ascontiguousarray(self.points.T), self.values, (float(self.bandwidth), limit)


_Data = tuple[Array, Array, tuple[float, int]]
"""Points, one row per coordinate, values, and the rule: bandwidth, most data."""


@compiled
def _predict(data: _Data, queries: Array, predictions: Array) -> None:
    squared = np.empty(len(data[1]))
    for i in range(len(queries)):
        predictions[i] = _average(data, data, queries[i], squared)


@compiled
def _first_above(data: _Data, candidates: Array, threshold: float, chosen: Labels) -> None:
    squared = np.empty(len(data[1]))
    for i in range(len(candidates)):
        near = _near(data, candidates[i])
        best = -np.inf
        for j in range(candidates.shape[1]):
            value = _average(near, data, candidates[i, j], squared)
            if value > best:
                best, chosen[i] = value, j
            if value > threshold:
                break


@compiled
def _near(data: _Data, queries: Array) -> _Data:
    """Return the data that are within reach of the smallest box around all queries."""
    points, values, rule = data
    squared = np.zeros(len(values))
    for k in range(len(points)):
        low = high = queries[0, k]
        for i in range(1, len(queries)):
            low, high = min(low, queries[i, k]), max(high, queries[i, k])
        for p in range(len(values)):
            squared[p] += max(low - points[k, p], points[k, p] - high, 0.0) ** 2
    near = np.flatnonzero(squared <= (_REACH * rule[0]) ** 2)
    nearest = np.empty((len(points), len(near)))
    for k in range(len(points)):
        nearest[k] = points[k][near]
    return nearest, values[near], rule


@compiled
def _average(near: _Data, data: _Data, query: Array, squared: Array) -> float:
    """Return the prediction at a point, from data in reach; ``squared`` is room to work in."""
    bandwidth, limit = data[2]
    reach, nearest = (_REACH * bandwidth) ** 2, _measure(near[0], query, squared)
    if nearest > reach:
        near, nearest = data, _measure(data[0], query, squared)
        reach, limit = squared.max(), _FEW
    values = near[1]
    farthest = _farthest(squared[: len(values)], reach, limit)
    weights = total = 0.0
    for p in range(len(values)):
        if squared[p] <= farthest:
            # Beside the nearest, or far away all weights would vanish.
            weight = np.exp((nearest - squared[p]) / (2.0 * bandwidth * bandwidth))
            weights += weight
            total += weight * values[p]
    return total / weights


@compiled
def _measure(points: Array, query: Array, squared: Array) -> float:
    """Fill in the squared distances of points (d, n) from a query, and return the least."""
    n, nearest = points.shape[1], np.inf
    squared[:n] = 0.0
    for k in range(len(query)):
        for p in range(n):
            squared[p] += (points[k, p] - query[k]) ** 2
    for p in range(n):
        nearest = min(nearest, squared[p])
    return nearest


@compiled
def _farthest(squared: Array, reach: float, limit: int) -> float:
    """Return the largest distance, at most ``reach``, within which there are ``limit`` data.

    Data at the same distance are not told apart: all of them count. Looking at the number within a
    distance, and guessing a better one, is much faster than sorting.
    """
    low, high, below, above = 0.0, reach, 0, _count(squared, reach)
    if above <= limit:
        return reach
    for step in range(200):
        share = 0.5 if step % 2 else (limit - below) / (above - below)
        guess = low + share * (high - low)
        if not low < guess < high:
            guess = 0.5 * (low + high)
        if not low < guess < high:
            break
        found = _count(squared, guess)
        if found == limit:
            return guess
        if found < limit:
            low, below = guess, found
        else:
            high, above = guess, found
    return high


@compiled
def _count(squared: Array, most: float) -> int:
    found = 0
    for distance in squared:
        found += distance <= most
    return found
