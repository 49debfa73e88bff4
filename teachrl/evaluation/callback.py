"""Evaluations in the course of a run."""

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from teachrl.evaluation.evaluating import Evaluation, evaluate
from teachrl.evaluation.test_sets import TestSet
from teachrl.students.making import make_task_vec_env
from teachrl.students.vec_env import find_taught

_MOST_ENVS = 16  # played at the same time: more gain little from larger batches


class EvaluationCallback(BaseCallback):
    """Plays the test set at the start, every so many steps, and at the end of training.

    It plays between updates, on environments of its own, deterministically and with frozen
    normaliser statistics, so that a run is the same with and without it. Where a world's past
    outlives episodes, as the toy's does, every test episode begins from the past that the first of
    the taught environments has by then. Logs ``eval/mastered``, ``eval/mean_reward`` and
    ``eval/mean_ep_length``; its steps go to the ledger.

    Args:
        env: makes the environment.
        test_set: the tasks.
        every: training steps between evaluations; 0: never, not even at start and end.
        processes: give each environment a process of its own.
    """

    def __init__(
        self,
        env: Callable[..., gym.Env[Any, Any]],
        test_set: TestSet,
        every: int,
        processes: bool = False,
    ) -> None:
        super().__init__()
        self.env, self.test_set, self.every, self.processes = env, test_set, every, processes
        self.listeners: list[Callable[[Evaluation], None]] = []
        self.last: Evaluation | None = None
        self._venv: VecEnv | None = None
        self._next = 0
        self._evaluated_at = -1

    def state(self) -> dict[str, Any]:
        """Return when it evaluated last and will evaluate next."""
        return {"next": self._next, "evaluated_at": self._evaluated_at}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        self._next, self._evaluated_at = state["next"], state["evaluated_at"]

    def _on_rollout_start(self) -> None:
        if self.every and self.num_timesteps >= self._next:
            self._evaluate()
            self._next = self.num_timesteps - self.num_timesteps % self.every + self.every

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        if self.every and self._evaluated_at < self.num_timesteps:
            self._evaluate()
        self._close()

    def _evaluate(self) -> None:
        if self._venv is None:
            n = min(len(self.test_set), _MOST_ENVS)
            self._venv = make_task_vec_env(self.env, n, self.processes)
        taught = find_taught(self.training_env)
        [past] = taught.venv.env_method("world_past", indices=[0])
        if past is not None:
            self._venv.env_method("restore_world", past)
        normalizer = self.model.get_vec_normalize_env()
        self.last = evaluate(self.model, self._venv, self.test_set, normalizer=normalizer)
        if self._venv.get_attr("has_past", indices=[0])[0]:
            self._close()  # the next evaluation must not see what this one has left behind
        self._evaluated_at = self.num_timesteps
        taught.ledger.evaluation += self.last.steps
        self.logger.record("eval/mastered", float(self.last.share_mastered))
        self.logger.record("eval/mean_reward", float(self.last.mean_reward))
        self.logger.record("eval/mean_ep_length", float(np.mean(self.last.lengths)))
        self.logger.dump(self.num_timesteps)
        for listen in self.listeners:
            listen(self.last)

    def _close(self) -> None:
        if self._venv is not None:
            self._venv.close()
            self._venv = None
