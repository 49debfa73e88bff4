"""A student made of counters, which shows in seconds whether a teacher works.

The unit cube is cut into ten slices per dimension. Every small cube holds a competence from 0 to
100 that rises by one with each episode on it, provided a neighbour closer to the origin has reached
75: whoever wants to teach the far corner must find its way there, cube by cube. It is the toy
environment of Portelas et al. (2019, arXiv 1910.07224).
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teachrl.rollouts import Rollout, Segment, Transitions
from teachrl.spaces import Floats, TaskSpace

EXPERT = 100  # the highest competence
MASTERED = 75  # a cube is mastered above it, and unlocks its neighbours from it on
_SLICES = 10  # per dimension
_MOST_DIMENSIONS = 7  # 160 MB of counters; each further one would take eleven times as much


class ToyStudent:
    """A competence in each of 10^d cubes of the task space.

    Args:
        dimensions: those that matter, at most 7.
        irrelevant: further ones, which are ignored.

    >>> student = ToyStudent()
    >>> [student.play([0.05, 0.05]) for _ in range(3)], student.play([0.15, 0.05])
    ([0.01, 0.02, 0.03], 0.0)
    >>> for _ in range(80):
    ...     _ = student.play([0.05, 0.05])
    >>> student.play([0.15, 0.05]), student.mastered
    (0.01, 1.0)
    """

    def __init__(self, dimensions: int = 2, irrelevant: int = 0) -> None:
        if dimensions < 1 or irrelevant < 0:
            raise ValueError(
                f"expected dimensions >= 1 and irrelevant >= 0, got {dimensions} and {irrelevant}"
            )
        if dimensions > _MOST_DIMENSIONS:
            raise ValueError(
                f"expected at most {_MOST_DIMENSIONS} dimensions, got {dimensions}, which would "
                f"make 10^{dimensions} cubes to count in: let further ones be irrelevant"
            )
        self.dimensions, self.irrelevant = dimensions, irrelevant
        others: dict[str, Any] = {"irrelevant": (0, 1, "float", irrelevant)} if irrelevant else {}
        self.task_space = TaskSpace(position=(0, 1, "float", dimensions), **others)
        # A layer of zeros lies before the first slice of each dimension, so that every cube has all
        # its lower neighbours, and those outside never unlock anything.
        side = _SLICES + 1
        self._strides: list[int] = [side**i for i in reversed(range(dimensions))]
        self._competence = [0] * side**dimensions  # a list: single entries are read much faster
        self._origin = sum(self._strides)
        steps = product((0, 1), repeat=dimensions)
        below = [sum(s * n for s, n in zip(step, self._strides, strict=True)) for step in steps]
        self._below = below[1:]  # how far before a cube its lower neighbours lie
        self._n_mastered = 0

    @property
    def mastered(self) -> float:
        """Percentage of the cubes whose competence is above 75."""
        return float(100 * self._n_mastered / _SLICES**self.dimensions)

    @property
    def competence(self) -> NDArray[np.int64]:
        """Competence of every cube, one axis per dimension."""
        padded = np.array(self._competence).reshape((_SLICES + 1,) * self.dimensions)
        return padded[(slice(1, None),) * self.dimensions].copy()

    def play(self, params: ArrayLike) -> float:
        """Practise a task once, and return how well it is known, from 0 to 1."""
        cube = self._cube(params)
        if self._is_unlocked(cube) and self._competence[cube] < EXPERT:
            self._competence[cube] += 1
            self._n_mastered += self._competence[cube] == MASTERED + 1
        return self._competence[cube] / EXPERT

    def recall(self, params: ArrayLike) -> float:
        """Return how well a task is known, from 0 to 1, without practising it."""
        return self._competence[self._cube(params)] / EXPERT

    def state(self) -> dict[str, Any]:
        """Return what it has learnt."""
        return {"competence": self.competence}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        competence = np.asarray(state["competence"], np.int64)
        if competence.shape != (_SLICES,) * self.dimensions:
            raise ValueError(
                f"expected competences of {self.dimensions} dimensions, got {competence.shape}"
            )
        self._competence = np.pad(competence, [(1, 0)] * self.dimensions).ravel().tolist()
        self._n_mastered = int((competence > MASTERED).sum())

    def _cube(self, params: ArrayLike) -> int:
        """Return the place of a task's cube in the padded list."""
        values: list[float] = np.asarray(params).tolist()
        fits = len(values) == self.task_space.dimensions
        if not fits or not 0 <= min(values) <= max(values) <= 1:
            raise ValueError(f"expected a task of {self.task_space}, got {values}")
        place = self._origin
        for value, stride in zip(values, self._strides, strict=False):
            place += min(int(value * _SLICES), _SLICES - 1) * stride
        return place

    def _is_unlocked(self, cube: int) -> bool:
        if self._competence[cube] or cube == self._origin:  # it was unlocked before, and stays so
            return True
        return any(self._competence[cube - below] >= MASTERED for below in self._below)


class ToyThoughts:
    """What a :class:`ToyStudent` can tell its teacher: a :class:`teachrl.rollouts.Rollout`.

    >>> thoughts = ToyThoughts(ToyStudent())
    >>> thoughts.values(thoughts.first_observations(np.float32([[0.5, 0.5]])))
    array([0.])
    """

    def __init__(self, student: ToyStudent) -> None:
        self.student, self.steps, self.discount = student, 0, 1.0

    def values(self, observations: Any) -> NDArray[np.float64]:
        """Return how well the observed tasks are known by now, (n,)."""
        return np.array([self.student.recall(row[:-1]) for row in observations])

    def normalize(self, observations: Any) -> Any:
        """Return the observations, which are in the unit cube already."""
        return observations

    def first_observations(self, params: Floats) -> Floats:
        """Return tasks (n, d) with how well each is known, (n, d + 1)."""
        known = [[self.student.recall(task)] for task in params]
        return np.hstack([params, np.array(known, np.float32)])

    @property
    def antagonist(self) -> Rollout:
        """Refuse: it is alone."""
        raise NotImplementedError("a toy student is alone: teach a Stable-Baselines3 one")

    def running(self) -> list[Mapping[str, Any]]:
        """Return nothing: its episodes are over at once."""
        return []

    def actions(self, observations: Any) -> NDArray[Any]:
        """Refuse: it knows but one action."""
        raise NotImplementedError("a toy student chooses nothing: teach a Stable-Baselines3 one")

    def segments(self) -> list[Segment]:
        """Refuse: it has no critic."""
        raise NotImplementedError("a toy student has no critic: teach a Stable-Baselines3 one")

    def success_rates(
        self, params: Floats, seeds: NDArray[np.int64], episodes: int
    ) -> NDArray[np.float64]:
        """Return 1 for tasks that are mastered and 0 for others: it knows no chance."""
        del seeds, episodes
        known = self.values(self.first_observations(params))
        return (known > MASTERED / EXPERT).astype(np.float64)

    def transitions(self) -> Transitions:
        """Refuse: its episodes have no steps."""
        raise NotImplementedError("a toy student takes no steps: teach a Stable-Baselines3 one")
