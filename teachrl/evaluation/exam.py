"""A vectorised environment that hands out the tasks of a test set, each of them once."""

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from teachrl.core import Episode, Task
from teachrl.evaluation.test_sets import TestSet
from teachrl.students.failures import NonFiniteError, all_finite
from teachrl.students.observations import cast_rows, get_row, put_row
from teachrl.students.task_slot import TaskSlot
from teachrl.students.vec_env import TaughtVecEnv
from teachrl.students.whole_episodes import is_unasked
from teachrl.students.workers import reporting


class Exam(VecEnvWrapper):
    """Plays the tasks of ``test_set`` in their order, every environment taking the next one.

    An environment that finds no task left waits, which costs nothing. ``reset`` begins the exam
    anew. In a world whose past outlives episodes, all of them begin from the past that the first
    environment has at ``reset``, and what comes after the exam does so too. Wrappers that shape
    observations, such as ``VecFrameStack``, go outside of it.
    """

    def __init__(self, venv: VecEnv, test_set: TestSet) -> None:
        _require_waiting(venv)
        super().__init__(venv)
        self.test_set = test_set
        self.episodes: list[Episode | None] = []  # by test task, None while it is not finished
        self.rewards_so_far = np.zeros(self.num_envs)  # of the episode in each environment
        self._sources = venv.get_attr("source")  # now: a dead process would not tell
        self._tasks: list[int | None] = [None] * self.num_envs  # the one each environment plays
        self._actions: list[list[Any]] = [[] for _ in range(self.num_envs)]
        self._past: Any = None  # of the world, before each of the episodes

    @property
    def is_over(self) -> bool:
        """Whether every test task has been played."""
        return None not in self.episodes

    @property
    def playing(self) -> list[tuple[int, int]]:
        """The running episodes, as pairs (environment, test task)."""
        return [(i, task) for i, task in enumerate(self._tasks) if task is not None]

    @property
    def longest(self) -> int:
        """Steps that the longest of the running episodes has taken so far."""
        return max((len(self._actions[i]) for i, _ in self.playing), default=0)

    def reset(self) -> Any:
        """Begin the first tasks."""
        self.episodes = [None] * len(self.test_set)
        self._waiting = iter(range(len(self.test_set)))
        observations = self.venv.reset()
        [self._past] = self.venv.env_method("world_past", indices=[0])
        for i in range(self.num_envs):
            self._begin_next(i, observations)
        return cast_rows(observations, self.observation_space)

    def step_async(self, actions: Any) -> None:
        """Send the actions, after making sure that they are finite."""
        finite = all_finite(actions)
        for i, task in self.playing:
            self._actions[i].append(actions[i])
            if not finite:
                self._require_finite("action", actions[i], i, task)
        with self._reporting():
            self.venv.step_async(actions)

    def step_wait(self) -> Any:
        """Return the step; an environment that was done already shows its next task."""
        with self._reporting():
            observations, rewards, dones, infos = self.venv.step_wait()
        finite = all_finite(observations) and all_finite(rewards)
        for i, task in self.playing:
            if not finite:
                self._require_finite("observation", get_row(observations, i), i, task)
                self._require_finite("reward", rewards[i], i, task)
            self.rewards_so_far[i] += rewards[i]
            if dones[i]:
                _require_whole(infos[i])
                self.episodes[task] = replace(self._episode(task), **infos[i]["outcome"])
                self._begin_next(i, observations)
        return cast_rows(observations, self.observation_space), rewards, dones, infos

    def action_masks(self) -> Any:
        """Return which actions are legal, a row for each environment; where one waits, all are."""
        playing = [i for i, _ in self.playing]
        with self._reporting():
            rows = np.stack(self.venv.env_method("action_masks", indices=playing))
        masks = np.ones((self.num_envs, *rows.shape[1:]), bool)
        masks[playing] = rows
        return masks

    def _begin_next(self, i: int, observations: Any) -> None:
        """Begin the next task in environment ``i``, and show its first observation."""
        self._actions[i].clear()
        self.rewards_so_far[i] = 0.0
        self._tasks[i] = task = next(self._waiting, None)
        if self._past is not None:
            self.venv.env_method("restore_world", self._past, indices=[i])
        if task is None:
            return
        params, seed = self.test_set.params[task], int(self.test_set.seeds[task])
        with self._reporting():
            [(observation, _)] = self.venv.env_method("begin", params, seed, indices=[i])
        self._require_finite("first observation", observation, i, task)
        put_row(observations, i, observation)

    def _reporting(self) -> AbstractContextManager[None]:
        """Name the task on which a process dies inside."""
        return reporting(self._played, self.test_set.space, self._sources)

    def _played(self, i: int) -> tuple[Episode | None, list[Any]]:
        task = self._tasks[i]
        return (None if task is None else self._episode(task)), self._actions[i]

    def _episode(self, task: int) -> Episode:
        params, seed = self.test_set.params[task], int(self.test_set.seeds[task])
        return Episode(Task(params, seed, learn=False, origin="test", id=task), seed, 0.0, 0)

    def _require_finite(self, what: str, value: Any, i: int, task: int) -> None:
        if all_finite(value):
            return
        raise NonFiniteError(
            what,
            value,
            episode=replace(self._episode(task), env_index=i),
            actions=self._actions[i],
            space=self.test_set.space,
            source=self._sources[i],
        )


def _require_whole(info: dict[str, Any]) -> None:
    """Refuse an episode that began from a snapshot, unless the test task says so."""
    if is_unasked(info):
        raise ValueError(
            "a test episode began from a snapshot or after a guide, so its return says nothing: "
            "give evaluate() the environment without SnapshotResets or GuidedStarts, or as it was "
            "made, when all episodes are ordinary"
        )


def _require_waiting(venv: VecEnv) -> None:
    """Refuse an environment whose episodes belong to someone else."""
    inner: Any = venv
    while inner is not None:
        if isinstance(inner, TaughtVecEnv):
            raise TypeError(
                "this environment is taught: its episodes would go to the teacher. Test on the "
                "environment's class, or on a make_task_vec_env(env, n=16) of its own"
            )
        inner = vars(inner).get("venv")
    if isinstance(venv, VecEnvWrapper) or not all(venv.env_is_wrapped(TaskSlot)):
        raise TypeError(
            "a student is tested on make_task_vec_env(env, n=16), without further wrappers: give "
            "those as wrap=lambda venv: VecFrameStack(venv, 4), and statistics as normalizer="
        )
