"""A made-up student, to see what a teacher does with one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachrl.checks.contract import ContractError
from teachrl.core import Episode, Task, Teacher
from teachrl.rollouts import Segment, Transitions
from teachrl.spaces import Floats

REWARDS = (-150.0, 350.0)  # not [0, 1], so that a forgotten scaling shows
_LENGTH = 100  # steps of an episode


class Lesson:
    """A made-up student who is better at low coordinates, and gets better everywhere."""

    def __init__(self, teacher: Teacher, in_flight: int = 1, lost: int | None = None) -> None:
        self.teacher, self.in_flight, self.lost = teacher, in_flight, lost
        self.waiting: list[Task] = []
        self.counterparts: dict[int, Task] = {}  # by the id of the student's own task
        self.sampled = self.returned = 0

    def play(self, episodes: int) -> list[Task]:
        """Return the tasks that were sampled meanwhile; out of order if several are in flight."""
        tasks: list[Task] = []
        for _ in range(episodes):
            while len(self.waiting) < self.in_flight:
                tasks.append(self._sample())
                self.waiting.append(tasks[-1])
            task = self.waiting.pop(7 * self.returned % len(self.waiting))
            self.returned += 1
            lost = self.lost is not None and not self.returned % self.lost
            other = self.counterparts.pop(task.id, None)
            if not lost:
                self.teacher.update(self.episode(task))
                self._play_beside(other)
            if self.teacher.needs:
                self.teacher.study(_Rollout(self, None if lost else task, other))
        return tasks

    def episode(self, task: Task, reward: float | None = None) -> Episode:
        """Return how ``task`` went, or pretend that it earned ``reward``."""
        share = float(self.known(task.params[None])[0])
        low, high = REWARDS
        return Episode(
            task,
            seed=self.returned,
            reward=low + (high - low) * share if reward is None else reward,
            length=_LENGTH,
            success=share > 0.5,
            first_observation=self.observe(task.params[None])[0],
            start_step=self.returned * _LENGTH,
        )

    def known(self, params: Floats) -> NDArray[np.float64]:
        """Return how well each task (n, d) is known, from 0 to 1."""
        ease = 1.0 - self.teacher.space.normalize(params).mean(axis=-1)
        return np.asarray(np.minimum(1.0, ease * (0.2 + self.returned / 500)))

    def observe(self, params: Floats) -> Floats:
        """Return first observations: the task in unit coordinates, and how well it is known."""
        known = self.known(params)[:, None]
        return np.hstack([self.teacher.space.normalize(params), known]).astype(np.float32)

    def _sample(self) -> Task:
        task = self.teacher.sample()
        if not isinstance(task, Task) or not self.teacher.space.contains(task.params):
            raise ContractError(f"sample() returned {task}, which does not lie in the space")
        self.sampled += 1
        task = replace(task, id=self.sampled - 1)
        if "antagonist" in self.teacher.needs:
            other = self.teacher.counterpart(task)
            self.sampled += other is not task
            beside = task if other is task else replace(other, id=self.sampled - 1)
            self.counterparts[task.id] = beside
        return task

    def _play_beside(self, task: Task | None) -> None:
        """Let a second student play, who is as good as the first will be later."""
        if task is not None:
            self.returned += 200
            episode = replace(self.episode(task), student="antagonist")
            self.returned -= 200
            self.teacher.update(episode)


class _Rollout:
    """What the made-up student thinks: a :class:`teachrl.rollouts.Rollout`."""

    discount = 0.99

    def __init__(self, lesson: Lesson, task: Task | None, other: Task | None = None) -> None:
        self._lesson, self._task, self._other = lesson, task, other
        self.steps = lesson.returned * _LENGTH

    @property
    def antagonist(self) -> "_Rollout":
        return _Rollout(self._lesson, None if self._task is None else self._other)

    def running(self) -> list[Mapping[str, Any]]:
        lesson = self._lesson
        return [task.meta for task in [*lesson.waiting, *lesson.counterparts.values()]]

    def values(self, observations: Any) -> NDArray[np.float64]:
        low, high = REWARDS
        return np.asarray(low + (high - low) * observations[:, -1], np.float64)

    def actions(self, observations: Any) -> NDArray[Any]:
        return np.zeros((len(observations), 1), np.float32)

    def normalize(self, observations: Any) -> Any:
        return observations

    def first_observations(self, params: Floats) -> Any:
        return self._lesson.observe(params)

    def segments(self) -> list[Segment]:
        if self._task is None:
            return []
        task, rng = self._task, np.random.default_rng(self._lesson.returned)
        low, high = REWARDS
        values = low + (high - low) * float(self._lesson.known(task.params[None])[0]) * np.ones(5)
        return [
            Segment(
                task_id=task.id,
                params=task.params,
                seed=self._lesson.returned if task.seed is None else task.seed,
                meta=task.meta,
                env_index=0,
                rewards=rng.normal(size=5),
                values=values,
                advantages=rng.normal(size=5),
                next_value=0.0,
                discount=self.discount,
                is_start=True,
                is_complete=True,
                probabilities=lambda: [rng.dirichlet(np.ones(3), size=5)],
            )
        ]

    def success_rates(
        self, params: Floats, seeds: NDArray[np.int64], episodes: int
    ) -> NDArray[np.float64]:
        rng = np.random.default_rng(seeds)
        known = self._lesson.known(params)[:, None]
        return np.asarray((rng.random((len(params), episodes)) < known).mean(axis=1))

    def transitions(self) -> Transitions:
        easiest = np.array(self._lesson.teacher.space.low, np.float32)
        task = Task(easiest) if self._task is None else self._task
        seen = self._lesson.observe(task.params[None])
        return Transitions(
            observations=seen,
            actions=np.zeros((1, 1), np.float32),
            rewards=np.array([self._lesson.episode(task).reward]),
            next_observations=seen,
            terminated=np.array([True]),
            env_index=np.array([0]),
        )
