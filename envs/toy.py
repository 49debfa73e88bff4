"""A student made of counters, which shows in seconds whether a teacher works.

The unit cube is cut into ten slices per dimension. Every small cube holds a competence from 0 to
100 that rises by one with each episode on it, provided a neighbour closer to the origin has reached
75: whoever wants to teach the far corner must find its way there, cube by cube. It is the toy
environment of Portelas et al. (2019, arXiv 1910.07224).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import ArrayLike, NDArray

from teachrl.core import Episode, Teacher
from teachrl.rollouts import Segment, Transitions
from teachrl.seeding import stream
from teachrl.spaces import Floats, TaskSpace
from teachrl.targets import Target

_SLICES = 10  # per dimension
_EXPERT = 100  # the highest competence
_MASTERED = 75  # a cube is mastered above it, and unlocks its neighbours from it on


class ToyStudent:
    """A competence in each of 10^d cubes of the task space.

    Args:
        dimensions: those that matter.
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
        if self._is_unlocked(cube) and self._competence[cube] < _EXPERT:
            self._competence[cube] += 1
            self._n_mastered += self._competence[cube] == _MASTERED + 1
        return self._competence[cube] / _EXPERT

    def recall(self, params: ArrayLike) -> float:
        """Return how well a task is known, from 0 to 1, without practising it."""
        return self._competence[self._cube(params)] / _EXPERT

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
        self._n_mastered = int((competence > _MASTERED).sum())

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
        return any(self._competence[cube - below] >= _MASTERED for below in self._below)


@dataclass(frozen=True)
class ToyRun:
    """What came of teaching a :class:`ToyStudent`."""

    student: ToyStudent
    every: int  # episodes between two entries of the curve
    curve: NDArray[np.float64]  # percentage of cubes mastered, after ``every`` episodes and so on

    @property
    def mastered(self) -> float:
        """Percentage of the cubes mastered in the end."""
        return self.student.mastered


def play(
    teacher: Teacher,
    episodes: int,
    seed: int = 0,
    *,
    dimensions: int = 2,
    irrelevant: int = 0,
    every: int = 1000,
    length: int = 1,
) -> ToyRun:
    """Let ``teacher`` teach a fresh :class:`ToyStudent`; it keeps what it learns of it.

    A teacher that asks for values is told the student's competence, and studies after every
    episode; one that asks for actions or transitions is refused, since there are none.

    Args:
        teacher: which one.
        episodes: to be played.
        seed: of the teacher; the student knows no chance.
        dimensions: of the task space that matter.
        irrelevant: dimensions of the task space that do not.
        every: episodes between two entries of the curve.
        length: environment steps that an episode counts for, with teachers who wait for those.

    >>> from teachrl.teachers import Random
    >>> play(Random(), episodes=3000, seed=0).curve.shape
    (3,)
    """
    if missing := teacher.needs - {"success", "values", "first_observations", "success_rates"}:
        raise ValueError(
            f"{type(teacher).__name__} needs {', '.join(sorted(missing))}; the toy student neither "
            "acts nor observes: teach a Stable-Baselines3 student instead"
        )
    student, curve = ToyStudent(dimensions, irrelevant), []
    rng = stream(seed, "teacher")
    teacher.start(student.task_space, rng, ToyEnv.reward_range, ToyEnv.target)
    thoughts = ToyThoughts(student)
    for i in range(episodes):
        task = replace(teacher.sample(), id=i)
        seen = thoughts.first_observations(task.params[None])[0] if teacher.needs else None
        reward = student.play(task.params)
        episode = Episode(
            task,
            seed,
            reward,
            length,
            success=reward > _MASTERED / _EXPERT,
            first_observation=seen,
            start_step=i * length,
        )
        teacher.update(episode)
        if teacher.needs - {"success"}:
            thoughts.steps = (i + 1) * length
            teacher.study(thoughts)
        if (i + 1) % every == 0:
            curve.append(student.mastered)
    return ToyRun(student, every, np.array(curve))


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
        return (known > _MASTERED / _EXPERT).astype(np.float64)

    def transitions(self) -> Transitions:
        """Refuse: its episodes have no steps."""
        raise NotImplementedError("a toy student takes no steps: teach a Stable-Baselines3 one")


class ToyEnv(gym.Env[Floats, np.int64]):
    """A :class:`ToyStudent` seen as an environment whose episodes last one step.

    Action 1 practises the task and action 0 rests, which earns what is known already. The
    observation holds the task and how well it is known. That knowledge outlives episodes: it
    belongs to this one object, and :meth:`state` and :meth:`restore` carry it elsewhere.

    >>> env = ToyEnv()
    >>> observation, _ = env.reset(seed=0, options={"task": [0.75, 0.25]})
    >>> observation.tolist(), env.step(1)[1:4]
    ([0.75, 0.25, 0.0], (0.0, True, False))
    """

    reward_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    mastery_threshold: ClassVar[float] = _MASTERED / _EXPERT
    target: ClassVar[Target] = Target.uniform()

    def __init__(self, dimensions: int = 2, irrelevant: int = 0) -> None:
        self.student = ToyStudent(dimensions, irrelevant)
        self.task_space = self.student.task_space
        self.default_task = self.task_space.denormalize(np.full(self.task_space.shape, 0.05))
        self.task = self.default_task
        self.action_space = Discrete(2)
        self.observation_space = Box(0.0, 1.0, (self.task_space.dimensions + 1,), np.float32)
        self._is_over = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Begin an episode on ``options["task"]``, or on the last task if there is none."""
        super().reset(seed=seed)
        if options is not None and "task" in options:
            self.task = self.task_space.require(options["task"])
        self._is_over = False
        return self._observe(), {}

    def step(self, action: np.int64 | int) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Practise (1) or rest (0), and end the episode.

        ``info`` says whether the task is mastered, under both names in use, and the percentage of
        ``mastered_cubes``.
        """
        if self._is_over:
            raise gym.error.ResetNeeded("this episode is over: call reset() before step()")
        if not self.action_space.contains(action):
            raise ValueError(f"expected 1 (practise) or 0 (rest), got {action!r}")
        self._is_over = True
        reward = self.student.play(self.task) if action else self.student.recall(self.task)
        mastered = reward > self.mastery_threshold
        info = {
            "is_success": mastered,
            "mastered": mastered,
            "mastered_cubes": self.student.mastered,
        }
        return self._observe(), reward, True, False, info

    def state(self) -> dict[str, Any]:
        """Return all that outlives an episode."""
        return {"student": self.student.state(), "task": self.task.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`, with the next ``reset``."""
        self.student.restore(state["student"])
        self.task = self.task_space.require(state["task"])

    def _observe(self) -> Floats:
        known = self.student.recall(self.task)
        return np.append(self.task, np.float32(known))
