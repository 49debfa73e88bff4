"""Environments beside those that are taught in, for whoever wants to look without playing there."""

from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from teachrl.spaces import Floats
from teachrl.students.observations import cast_rows
from teachrl.students.task_slot import TaskSlot

_SEED = 0  # of first observations, which are compared


class Spares:
    """Makes spare environments of the same kind, in this process, when they are asked for."""

    def __init__(self, venv: VecEnv, observation_space: gym.Space[Any]) -> None:
        self._venv, self._space = venv, observation_space
        self._made: list[TaskSlot] = []

    def take(self, n: int) -> list[TaskSlot]:
        """Return ``n`` of them, the same ones each time, in the state that the taught ones are in.

        That is the world's; wrappers around it are as they were made, so that episodes begin where
        the task says, also while those of training begin from snapshots.

        Raises:
            ValueError: the taught ones were not made by ``make_task_vec_env``.
        """
        make = getattr(self._venv, "make_slot", None)
        if make is None:
            raise ValueError(
                "the teacher asks for what takes a spare environment: make the environments with "
                "make_task_vec_env"
            )
        while len(self._made) < n:
            self._made.append(make())
        if self._made and self._made[0].has_past:
            [past] = self._venv.env_method("world_past", indices=[0])
            for slot in self._made[:n] if past is not None else ():
                slot.restore_world(past)
        return self._made[:n]

    def first_observations(self, params: Floats) -> Any:
        """Return the observation (n, …) that an episode of each task (n, d) begins with.

        All have the same seed, so that they differ by their tasks alone. No step is played.
        """
        [slot] = self.take(1)
        seen = [slot.begin(task, _SEED)[0] for task in params]
        if isinstance(seen[0], dict):
            rows = {key: np.stack([row[key] for row in seen]) for key in seen[0]}
            return cast_rows(rows, self._space)
        return cast_rows(np.stack(seen), self._space)

    def close(self) -> None:
        """Close them."""
        for slot in self._made:
            slot.close()
        self._made.clear()
