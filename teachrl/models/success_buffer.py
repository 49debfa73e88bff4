"""A buffer of tasks that went well, which first gets better and then spreads over the target.

As in CURROT (Klink et al., 2022, "Curriculum reinforcement learning via constrained optimal
transport", and 2023, arXiv 2309.14091).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachrl.models.transport import assign

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_REDRAWS = 10  # of points that noise has moved out of the cube
_WIDEST = 0.25  # standard deviation around a point of value 0, as a share of the range


class SuccessBuffer:
    """At most ``size`` points of the unit cube with their values, of which 0 is the lowest.

    Until their median exceeds ``threshold``, each batch replaces the worse half by what is better
    than the median. From then on only values of at least the threshold enter; they first replace
    what is worse, and then those points remain that are the cheapest to move to the target.

    >>> buffer = SuccessBuffer(size=4, threshold=0.5, dimensions=1)
    >>> buffer.add(np.array([[0.1], [0.9]]), np.array([0.6, 0.0]), target=lambda n: np.ones((n, 1)))
    array([ True,  True])
    >>> buffer.add(np.array([[0.2]]), np.array([0.7]), target=lambda n: np.ones((n, 1)))
    array([ True])
    >>> buffer.points.ravel(), buffer.is_good
    (array([0.1, 0.2]), True)
    """

    def __init__(self, size: int, threshold: float, dimensions: int) -> None:
        if size < 1 or not threshold > 0:
            raise ValueError(f"expected size >= 1 and threshold > 0, got {size} and {threshold}")
        self.size, self.threshold = size, threshold
        self.points: Array = np.zeros((0, dimensions))
        self.values: Array = np.zeros(0)
        self.is_good = False  # whether the median has exceeded the threshold

    def __len__(self) -> int:
        """Number of points."""
        return len(self.values)

    def add(self, points: Array, values: Array, target: Callable[[int], Array]) -> Mask:
        """Take what is worth it, and tell what of it is in the buffer now (m,).

        Args:
            points: (m, d), fewer than ``size``.
            values: (m,).
            target: draws a number of points of the target; asked only when the buffer is full.
        """
        if not len(points) < self.size:
            raise ValueError(
                f"a buffer of {self.size} takes fewer points than that at once, got {len(points)}"
            )
        if not self.is_good:
            taken = self._improve(points, values)
            self.is_good = bool(np.median(self.values) > self.threshold)
            return taken
        taken = values >= self.threshold
        order = np.argsort(self.values, kind="stable")
        n_worse = int(np.count_nonzero(self.values < self.threshold))
        self._replace(order[: min(n_worse, int(taken.sum()))], points[taken], values[taken])
        if len(self) > self.size:  # so nothing in it is below the threshold any more
            return self._keep(np.sort(assign(target(self.size), self.points)), taken)
        return taken

    def explore(self, n: int, rng: np.random.Generator, spread: float) -> Array:
        """Draw ``n`` points (n, d) near those in the buffer: the worse their value, the farther.

        Args:
            n: at least as many as there are in the buffer.
            rng: to draw from.
            spread: standard deviation around points of at least the threshold.
        """
        if self.is_good:  # each of them, and some of them more often
            more = rng.integers(len(self), size=n - len(self))
            chosen = np.concatenate([np.arange(len(self)), more])
        else:
            chosen = rng.choice(len(self), n, p=self._merits())
        shortfall = np.clip(1.0 - self.values[chosen] / self.threshold, 0.0, 1.0)
        deviations = (spread + _WIDEST * shortfall)[:, None]
        centres = self.points[chosen]
        drawn: Array = centres + deviations * rng.standard_normal(centres.shape)
        for _ in range(_REDRAWS):
            outside = ((drawn < 0) | (drawn > 1)).any(axis=1)
            if not outside.any():
                return drawn
            normal = rng.standard_normal((int(outside.sum()), centres.shape[1]))
            drawn[outside] = centres[outside] + deviations[outside] * normal
        return np.clip(drawn, 0.0, 1.0)

    def state(self) -> dict[str, Any]:
        """Return points, values, and whether they are good."""
        return {"points": self.points, "values": self.values, "is_good": self.is_good}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        points, values = (np.array(state[name], np.float64) for name in ("points", "values"))
        if points.shape != (len(values), self.points.shape[1]) or len(values) > self.size:
            raise ValueError(
                f"expected at most {self.size} points of {self.points.shape[1]} dimensions and as "
                f"many values, got shapes {points.shape} and {values.shape}"
            )
        self.points, self.values, self.is_good = points, values, bool(state["is_good"])

    def _improve(self, points: Array, values: Array) -> Mask:
        """Replace the worse half by what is not worse than the median; never shrink."""
        if not len(self):
            self.points, self.values = points.copy(), values.copy()
            return np.ones(len(values), bool)
        taken: Mask = values >= np.median(self.values)
        order = np.argsort(self.values, kind="stable")
        n_replaced = min(len(self) // 2, int(taken.sum()))
        self._replace(order[:n_replaced], points[taken], values[taken])
        best = np.argsort(-self.values, kind="stable")[: self.size]
        return self._keep(np.sort(best), taken)

    def _replace(self, places: NDArray[np.int64], points: Array, values: Array) -> None:
        self.points = np.concatenate([np.delete(self.points, places, axis=0), points])
        self.values = np.concatenate([np.delete(self.values, places), values])

    def _keep(self, places: NDArray[np.int64], taken: Mask) -> Mask:
        """Keep some points, and tell which of those just taken, the last ones, are among them."""
        is_kept = np.isin(np.arange(len(self)), places)
        kept = taken.copy()
        kept[taken] = is_kept[len(self) - int(taken.sum()) :]
        self.points, self.values = self.points[places], self.values[places]
        return kept

    def _merits(self) -> Array:
        """Return how likely each point is: by how much it exceeds the median."""
        median = np.median(self.values)
        merits = np.maximum(self.values - median, 0.0)
        if not merits.any():  # the upper half is equal
            merits = (self.values >= median).astype(np.float64)
        shares: Array = merits / merits.sum()
        return shares
