"""A limited set of points that keep a distance from each other."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class SpreadPoints:
    """The latest points that were farther than ``distance`` from all there were when they came.

    Args:
        dimensions: of a point.
        distance: Euclidean.
        capacity: points remembered.

    >>> points = SpreadPoints(dimensions=1, distance=0.1, capacity=2)
    >>> [points.add(np.array([x])) for x in (0.0, 0.05, 0.5, 1.0)]
    [True, False, True, True]
    >>> sorted(points.all.ravel().tolist())
    [0.5, 1.0]
    """

    def __init__(self, dimensions: int, distance: float, capacity: int) -> None:
        self.distance, self.capacity = distance, capacity
        self._ring: Array = np.zeros((capacity, dimensions))
        self._count = 0  # points ever added

    def __len__(self) -> int:
        return min(self._count, self.capacity)

    @property
    def all(self) -> Array:
        """The points (n, dimensions), in no particular order."""
        return self._ring[: len(self)]

    def add(self, point: Array) -> bool:
        """Remember a point, in place of the oldest one if need be; False: it is too close."""
        if len(self) and self._squared_distance(point) <= self.distance**2:
            return False
        self._ring[self._count % self.capacity] = point
        self._count += 1
        return True

    def draw(self, rng: np.random.Generator) -> Array:
        """Return one of the points, each as likely as the others."""
        return np.array(self._ring[rng.integers(len(self))])

    def state(self) -> dict[str, Any]:
        """Return the points, and how many there have been."""
        return {"ring": self._ring.copy(), "count": self._count}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        ring = np.array(state["ring"], np.float64)
        if ring.shape != self._ring.shape:
            raise ValueError(
                f"expected points of shape {self._ring.shape}, got {ring.shape}: saved with "
                "another capacity?"
            )
        self._ring, self._count = ring, int(state["count"])

    def _squared_distance(self, point: Array) -> float:
        """Return the square of the distance to the nearest point."""
        away = self.all - point
        return float(np.einsum("nd,nd->n", away, away).min())
