"""Learning progress: how much a student's reward changed since it last played something similar."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teachrl.models.neighbours import NeighbourTree

Array = NDArray[np.float64]

_WARM_UP = 5  # episodes; up to here nothing is similar enough to be compared with


class NearestProgress:
    """Absolute learning progress against the most similar of the last ``memory`` episodes.

    As ALP-GMM measures it (Portelas et al., 2019, arXiv 1910.07224): the absolute difference to the
    reward of the nearest earlier task; of equally near ones, the most recent. The search is exact,
    and an episode costs the same after a million as after ten thousand.

    Args:
        dimensions: of a task.
        memory: episodes remembered; None remembers all.

    >>> progress = NearestProgress(dimensions=1)
    >>> [progress.measure([x], reward=0.25) for x in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    >>> progress.measure([0.21], reward=1.0), len(progress)
    (0.75, 7)
    """

    def __init__(self, dimensions: int, memory: int | None = 100_000) -> None:
        if dimensions < 1:
            raise ValueError(f"dimensions must be at least 1, got {dimensions}")
        if memory is not None and memory <= _WARM_UP:
            raise ValueError(f"memory must be more than {_WARM_UP} episodes or None, got {memory}")
        self.dimensions, self.memory = dimensions, memory
        self._forget(room=64)

    def __len__(self) -> int:
        """Number of episodes remembered."""
        return self._count if self.memory is None else min(self._count, self.memory)

    def measure(self, point: ArrayLike, reward: float) -> float:
        """Return the progress at a point of the unit cube, shape (dimensions,), and remember it.

        It is 0 until more than five episodes are there to compare with. Scale ``reward`` as
        :meth:`teachrl.core.Teacher.scale` does, so that progress is comparable with coordinates.
        """
        place, reward = self._in_cube(point), _finite(reward)
        progress = 0.0
        if len(self) > _WARM_UP:
            nearest = self._tree.nearest(place) % len(self._rewards)
            progress = abs(reward - float(self._rewards[nearest]))
        self._remember(place, reward)
        return progress

    def state(self) -> dict[str, Any]:
        """Return the episodes remembered, oldest first, and how many there have been."""
        slots = np.arange(self._count - len(self), self._count) % len(self._rewards)
        points, rewards = self._points[slots], self._rewards[slots]
        return {"points": points, "rewards": rewards, "count": self._count}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        points, rewards, count = state["points"], state["rewards"], int(state["count"])
        size = count if self.memory is None else min(count, self.memory)
        if np.shape(points) != (size, self.dimensions) or np.shape(rewards) != (size,):
            raise ValueError(
                f"expected {size} points of {self.dimensions} dimensions and as many rewards, got "
                f"shapes {np.shape(points)} and {np.shape(rewards)}: saved with another memory?"
            )
        self._forget(room=max(size, 64))
        self._count = count - size
        for point, reward in zip(points, rewards, strict=True):
            self._remember(self._in_cube(point), float(reward))

    def _forget(self, room: int) -> None:
        room = room if self.memory is None else min(room, self.memory)
        self._points, self._rewards = np.zeros((room, self.dimensions)), np.zeros(room)
        self._tree = NeighbourTree(self.dimensions)
        self._count = 0  # episodes ever seen: the label of the next one

    def _remember(self, point: Array, reward: float) -> None:
        """Write an episode in a ring, over the one that is too old by now."""
        room = len(self._rewards)
        if self._count == room and room != self.memory:
            more = room if self.memory is None else min(room, self.memory - room)
            self._points = np.concatenate([self._points, np.zeros((more, self.dimensions))])
            self._rewards = np.concatenate([self._rewards, np.zeros(more)])
            room += more
        slot = self._count % room
        if self._count >= room:
            self._tree.remove(self._points[slot], self._count - room)
        self._points[slot], self._rewards[slot] = point, reward
        self._tree.add(point, self._count)
        self._count += 1

    def _in_cube(self, point: ArrayLike) -> Array:
        place = np.ascontiguousarray(point, dtype=np.float64)
        if place.shape != (self.dimensions,):
            raise ValueError(f"expected a point of shape ({self.dimensions},), got {place.shape}")
        if not (place.min() >= 0.0 and place.max() <= 1.0):  # written so that NaN is refused
            raise ValueError(
                f"expected a point of the unit cube (TaskSpace.normalize), got {place}"
            )
        return place


class FastSlowProgress:
    """Learning progress of each task of a finite set: |fast average − slow average| of its rewards.

    After Kanitscheider et al. (2021, arXiv 2106.14876), who measure success rates and reweight both
    averages by f(p) = (1 − m)p / (p + m(1 − 2p)), which maps 0, m, 1 to 0, ½, 1: with m = 0.1, as
    there, a rise from 0 to 0.1 counts as much as one from 0.1 to 1. It needs rewards in [0, 1].

    Args:
        n_tasks: size of the set.
        fast: weight of the newest reward in the fast average.
        slow: the same in the slow one, smaller.
        midpoint: the m of the reweighting; 0.5 changes nothing.

    >>> progress = FastSlowProgress(n_tasks=3)
    >>> for reward in (0, 0, 1, 1):
    ...     _ = progress.measure(task=1, reward=reward)
    >>> progress.values.round(3).tolist(), progress.visits.tolist()
    ([0.0, 0.17, 0.0], [0, 4, 0])
    """

    def __init__(
        self, n_tasks: int, fast: float = 0.1, slow: float = 0.01, midpoint: float = 0.5
    ) -> None:
        if n_tasks < 1:
            raise ValueError(f"n_tasks must be at least 1, got {n_tasks}")
        if not 0 < slow < fast <= 1:
            raise ValueError(f"expected 0 < slow < fast <= 1, got slow {slow} and fast {fast}")
        if not 0 < midpoint < 1:
            raise ValueError(f"midpoint must lie between 0 and 1, got {midpoint}")
        self.n_tasks, self.fast, self.slow, self.midpoint = n_tasks, fast, slow, midpoint
        self.visits = np.zeros(n_tasks, np.int64)  # 0: nothing is known of that task's progress
        self._averages = np.zeros((2, n_tasks))

    @property
    def values(self) -> Array:
        """Progress of every task, (n_tasks,); 0 for those that ``visits`` says are unseen."""
        fast, slow = self._reweighted()
        return np.asarray(np.abs(fast - slow))

    def measure(self, task: int, reward: float) -> float:
        """Take in a reward of a task, and return the task's progress.

        The first reward of a task starts both averages, so that being met is no progress.
        """
        reward = _finite(reward)
        if not 0 <= task < self.n_tasks:
            raise ValueError(f"expected a task from 0 to {self.n_tasks - 1}, got {task}")
        if self.midpoint != 0.5 and not 0 <= reward <= 1:
            raise ValueError(f"reweighting needs rewards in [0, 1], got {reward}")
        weights = np.array([self.fast, self.slow]) if self.visits[task] else 1.0
        self._averages[:, task] += weights * (reward - self._averages[:, task])
        self.visits[task] += 1
        return float(self.values[task])

    def state(self) -> dict[str, Any]:
        """Return visits and averages."""
        return {"visits": self.visits.copy(), "averages": self._averages.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        visits, averages = np.array(state["visits"]), np.array(state["averages"])
        if visits.shape != (self.n_tasks,) or averages.shape != (2, self.n_tasks):
            raise ValueError(f"expected the state of {self.n_tasks} tasks, got {visits.shape}")
        self.visits, self._averages = visits, averages

    def _reweighted(self) -> Array:
        p, m = self._averages, self.midpoint
        return p if m == 0.5 else (1 - m) * p / (p + m * (1 - 2 * p))


def _finite(reward: float) -> float:
    if not isfinite(reward):
        raise ValueError(f"a reward must be finite, got {reward}: the environment returned it")
    return float(reward)
