"""Making environments that wait for tasks."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import gymnasium as gym
from stable_baselines3.common.vec_env import VecEnv

from teachrl.envs import ENVS
from teachrl.registry import to_config
from teachrl.students.batched_vec_env import in_one_process
from teachrl.students.task_slot import TaskSlot
from teachrl.students.workers import WorkerVecEnv

EnvFactory = Callable[..., gym.Env[Any, Any]]


def make_task_vec_env(
    env: EnvFactory | str, n: int = 1, processes: bool = False, **options: Any
) -> VecEnv:
    """Make ``n`` copies of ``env`` that wait for tasks, in this process or in one process each.

    Args:
        env: a class, function or registered name that makes a Gymnasium environment which declares
            ``task_space`` and reads ``options["task"]`` in ``reset``.
        n: number of copies.
        processes: one process per copy. Worth it when a step takes longer than a millisecond; a
            script that uses it needs the ``if __name__ == "__main__":`` guard.
        **options: passed to ``env``.
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"the number of environments must be a positive int, got {n!r}")
    make = _SlotFactory(resolve_env(env), options)
    venv: Any = WorkerVecEnv([make] * n) if processes else in_one_process(make, n)
    venv.make_slot = make  # for a spare one
    return cast(VecEnv, venv)


def resolve_env(env: EnvFactory | str) -> EnvFactory:
    """Return the factory behind a registered name (``stump-tracks``) or a Gymnasium id."""
    if not isinstance(env, str):
        return env
    return partial(gym.make, env) if env in gym.registry else cast(EnvFactory, ENVS[env])


class _SlotFactory:
    """A picklable thunk, so that it reaches sub-processes under every start method."""

    def __init__(self, env: EnvFactory, options: dict[str, Any]) -> None:
        self.env, self.options = env, options

    def __call__(self) -> TaskSlot:
        return TaskSlot(self.env(**self.options), source=to_config(self.env, self.options))
