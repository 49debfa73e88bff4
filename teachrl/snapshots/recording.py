"""What happened in an episode so far, kept so that it can be played again."""

import copy
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from teachrl.pasts import has_past
from teachrl.seeding import draw_seed, stream

Env = gym.Env[Any, Any]


class SnapshotError(RuntimeError):
    """A state that could not be saved, or did not come back as it was."""


class Recorder(gym.Wrapper[Any, Any, Any, Any]):
    """Remembers seed, task, actions and last observation: what taking a snapshot needs.

    It is the outermost wrapper of an environment that snapshots are taken of. Every reset has a
    seed, drawn where none is given, and what Box2D keeps between episodes is thrown away before it,
    so that the same seed and actions lead to the same state again.

    >>> env = Recorder(gym.make("CartPole-v1"))
    >>> observation, _ = env.reset(seed=3)
    >>> step = env.step(1)
    >>> env.seed, env.actions
    (3, [1])
    """

    def __init__(self, env: Env, seed: int = 0) -> None:
        super().__init__(env)
        self.seed: int | None = None  # of the running episode
        self.task: NDArray[Any] | None = None  # that its reset was given
        self.past: Any = None  # what outlives episodes, as it was before this one
        self.actions: list[Any] | None = None  # None: it began from a state, not from a reset
        self.length = 0  # steps of the episode, also those before a state that was loaded
        self.observation: Any = None
        self._seeds = stream(seed, "recorder")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode, with a seed in any case."""
        self.seed = draw_seed(self._seeds) if seed is None else seed
        self.past = (
            copy.deepcopy(self.env.get_wrapper_attr("state")()) if has_past(self.env) else None
        )
        self.actions, self.length = [], 0
        renew(self.env)
        self.observation, info = self.env.reset(seed=self.seed, options=options)
        self.task = played_task(self.env, options)
        return self.observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step, and remember the action."""
        if self.actions is not None:
            self.actions.append(copy.deepcopy(action))
        self.length += 1
        result = self.env.step(action)
        self.observation = result[0]
        return result

    def go_on(self, observation: Any, length: int, actions: list[Any] | None) -> None:
        """Note that the environment was put into a state of an earlier episode."""
        self.observation, self.length, self.actions = observation, length, actions


def played_task(env: Env, options: Mapping[str, Any] | None) -> NDArray[Any] | None:
    """Return the task that a reset has begun; None where the environment knows no tasks.

    Without one in the options it is the last one, or the first of all.
    """
    if options and "task" in options:
        return np.array(options["task"])
    if not env.has_wrapper_attr("task_space"):
        return None
    task = env.get_wrapper_attr("task") if env.has_wrapper_attr("task") else None
    if not env.get_wrapper_attr("task_space").contains(task):
        raise SnapshotError(
            f"the task that {env} plays is unknown, so it could not be played again: reset with "
            'options={"task": ...}, or let the environment keep it as its attribute task'
        )
    return np.array(task)


def recorder_of(env: Env) -> Recorder:
    """Return the recorder around ``env``, or say that there is none."""
    inner: Any = env
    while isinstance(inner, gym.Wrapper):
        if isinstance(inner, Recorder):
            return inner
        inner = inner.env
    raise SnapshotError(
        f"expected an environment in a Recorder, got {env}: snapshots are taken of "
        "Recorder(env), which must see the episode from its reset"
    )


def begin_again(env: Env, seed: int | None, task: Any, past: Any = None) -> Any:
    """Reset ``env`` as an earlier episode was, and return its first observation."""
    if past is not None:
        env.get_wrapper_attr("restore")(copy.deepcopy(past))
    renew(env)
    options = None if task is None else {"task": np.asarray(task)}
    return env.reset(seed=seed, options=options)[0]


def renew(env: Env) -> None:
    """Give a Box2D environment an empty world, if it would keep the old one over a reset.

    What went on in a used world shows in the last digits of later episodes: Gymnasium's
    BipedalWalker keeps its world, its LunarLander makes a new one in every reset.
    """
    inner: Any = env.unwrapped
    world: Any = getattr(inner, "world", None)
    if type(world).__name__ != "b2World" or not hasattr(inner, "_destroy"):
        return
    inner._destroy()
    inner.world = type(world)(gravity=tuple(world.gravity))
