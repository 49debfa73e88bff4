"""Episodes of random actions, for the checks of environments."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from teachrl.checks.contract import ContractError
from teachrl.pasts import has_past
from teachrl.seeding import stream
from teachrl.spaces import Floats, TaskSpace

Env = gym.Env[Any, Any]

_ENOUGH = 200  # steps in which different episodes have come to differ


class Step(NamedTuple):
    """What ``step`` returns; of ``reset`` without a reward."""

    observation: Any
    reward: Any
    terminated: Any
    truncated: Any
    info: dict[str, Any]

    def as_bytes(self) -> bytes:
        """Return all that a student learns from."""
        return as_bytes(self.observation) + as_bytes([self.reward, self.terminated, self.truncated])


class Stage:
    """A new environment, and episodes in it that all begin from its first state."""

    def __init__(self, make: Callable[[], Env], max_steps: int = 0) -> None:
        self.make, self.max_steps = make, max_steps
        self.env = make()
        self._first = copy.deepcopy(self._call("state")) if has_past(self.env) else None

    def declared(self, name: str) -> Any:
        """Return an attribute of the environment, or of a wrapper around it."""
        if not self.env.has_wrapper_attr(name):
            raise ContractError(f"it declares no {name}")
        return self.env.get_wrapper_attr(name)

    @property
    def space(self) -> TaskSpace:
        """The declared task space."""
        space = self.declared("task_space")
        if not isinstance(space, TaskSpace):
            raise ContractError(f"task_space must be a TaskSpace, got {space!r}")
        return space

    def tasks(self) -> list[Floats]:
        """Return both extreme corners of the task space, and some tasks inside."""
        return [self.space.low, self.space.high, *self.space.uniform(stream(0, "tasks"), 3)]

    def rewind(self) -> None:
        """Undo what outlives an episode."""
        if has_past(self.env):
            self._call("restore", copy.deepcopy(self._first))

    def episode(self, task: Any = None, seed: int = 0, steps: int = _ENOUGH) -> Iterator[Step]:
        """Play random actions, the same for the same seed; the first item is that of ``reset``."""
        actions = copy.deepcopy(self.env.action_space)
        actions.seed(seed)
        options = None if task is None else {"task": task}
        observation, info = self.env.reset(seed=seed, options=options)
        step = Step(observation, 0.0, False, False, info)
        yield step
        for _ in range(steps):
            if step.terminated or step.truncated:
                return
            step = Step(*self.env.step(actions.sample()))
            yield step

    def trace(self, task: Any = None, seed: int = 0) -> list[bytes]:
        """Return an episode as bytes; see :meth:`episode`."""
        return [step.as_bytes() for step in self.episode(task, seed)]

    def _call(self, name: str, *arguments: Any) -> Any:
        return self.declared(name)(*arguments)


def leaves(observation: Any) -> Iterator[np.ndarray[Any, Any]]:
    """Yield the arrays of an observation that may be nested."""
    if isinstance(observation, Mapping):
        observation = [observation[key] for key in sorted(observation)]
    if isinstance(observation, tuple | list):
        for inner in observation:
            yield from leaves(inner)
    else:
        yield np.asarray(observation)


def as_bytes(observation: Any) -> bytes:
    """Return all numbers of an observation, one after the other."""
    return b"".join(array.tobytes() for array in leaves(observation))
