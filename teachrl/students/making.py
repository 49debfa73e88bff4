"""Making environments that wait for tasks."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

import gymnasium as gym
from stable_baselines3.common.vec_env import VecEnv

from teachrl.envs import ENVS
from teachrl.registry import to_config
from teachrl.students.batched_vec_env import in_one_process
from teachrl.students.task_slot import TaskSlot
from teachrl.students.workers import TIMEOUT, WorkerVecEnv

EnvFactory = Callable[..., gym.Env[Any, Any]]


def make_task_vec_env(
    env: EnvFactory | str,
    n: int = 1,
    processes: bool = False,
    *,
    worker_timeout: float | None = TIMEOUT,
    **options: Any,
) -> VecEnv:
    """Make ``n`` copies of ``env`` that wait for tasks, in this process or in one process each.

    Args:
        env: a class, function or registered name that makes a Gymnasium environment which declares
            ``task_space`` and reads ``options["task"]`` in ``reset``.
        n: number of copies.
        processes: one process per copy. Worth it when a step takes longer than a millisecond; a
            script that uses it needs the ``if __name__ == "__main__":`` guard.
        worker_timeout: seconds after which a process that does not answer is killed, with an error
            that names its task; None: never. In one process there is nobody to notice.
        **options: passed to ``env``.
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"the number of environments must be a positive int, got {n!r}")
    return _make(_SlotFactory(resolve_env(env), options), n, processes, worker_timeout)


def make_another(venv: VecEnv) -> VecEnv:
    """Make as many environments of the same kind again, in processes if those are.

    Raises:
        ValueError: they were not made by :func:`make_task_vec_env`.
    """
    make = getattr(venv, "make_slot", None)
    if make is None:
        raise ValueError(
            "a second student needs environments of its own: make those of the first with "
            "make_task_vec_env"
        )
    timeout = venv.timeout if isinstance(venv, WorkerVecEnv) else None
    return _make(make, venv.num_envs, isinstance(venv, WorkerVecEnv), timeout)


def _make(make: "_SlotFactory", n: int, processes: bool, timeout: float | None) -> VecEnv:
    venv: Any = WorkerVecEnv([make] * n, timeout) if processes else in_one_process(make, n)
    venv.make_slot = make  # for spare ones
    return cast(VecEnv, venv)


def resolve_env(env: EnvFactory | str) -> EnvFactory:
    """Return the factory behind a registered name (``stump-tracks``) or a Gymnasium id."""
    if not isinstance(env, str):
        if not callable(env):
            raise TypeError(
                "an environment is given as its class or as a function that makes it, since "
                f"several are needed; got {env!r}: pass {type(env).__name__}, or "
                f"functools.partial({type(env).__name__}, ...) with its arguments"
            )
        return env
    return partial(gym.make, env) if env in gym.registry else cast(EnvFactory, ENVS[env])


def made_env(env: gym.Env[Any, Any] | str, options: Mapping[str, Any]) -> gym.Env[Any, Any]:
    """Return ``env``, or make it by its name: so that a wrapper can be made from JSON alone."""
    if isinstance(env, str):
        return resolve_env(env)(**options)
    if options:
        raise TypeError(
            f"unknown arguments {', '.join(options)}: options of an environment go with its name, "
            f"and this is one that was made already, {env}"
        )
    return env


class _SlotFactory:
    """A picklable thunk, so that it reaches sub-processes under every start method."""

    def __init__(self, env: EnvFactory, options: dict[str, Any]) -> None:
        self.env, self.options = env, options

    def __call__(self) -> TaskSlot:
        return TaskSlot(self.env(**self.options), source=to_config(self.env, self.options))
