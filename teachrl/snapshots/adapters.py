"""How the state of an environment is saved, and written back into one."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.utils.seeding import np_random

from teachrl.snapshots.graphs import UnsaveableError, pack, unpack
from teachrl.snapshots.recording import (
    Env,
    SnapshotError,
    begin_again,
    recorder_of,
)

State = dict[str, Any]

# Wrappers that remember something beside bookkeeping, and where.
_MEMORIES = {
    "TimeLimit": ("_elapsed_steps",),
    "TimeAwareObservation": ("timesteps",),
    "StickyAction": ("last_action", "is_sticky_actions", "sticky_actions_taken"),
    "FrameStackObservation": ("obs_queue",),
    "DelayObservation": ("delayed_obs", "obs_queue", "observation_queue"),
}

_TABLES = ("P", "initial_state_distrib", "desc")  # of toy text: all its transitions


class Adapter(ABC):
    """Saves the state of a kind of environment, and writes it back.

    Whether what comes back is the state that was saved, :func:`check_adapter` finds out by playing
    on. A state is a dictionary of arrays and JSON values.
    """

    name: ClassVar[str]  # under which libraries know it
    exact: ClassVar[bool]  # whether what follows is the same to the last bit

    @classmethod
    @abstractmethod
    def accepts(cls, env: Env) -> bool:
        """Tell whether ``env`` is of this kind."""

    def save(self, env: Env) -> State:
        """Return the state of an environment in a :class:`Recorder`, and change nothing."""
        recorder = recorder_of(env)
        if recorder.seed is None:
            raise SnapshotError("expected a running episode: call reset() before save()")
        state: State = {"adapter": self.name, "seed": recorder.seed, "length": recorder.length}
        state["observation"] = copy.deepcopy(recorder.observation)
        state["wrappers"] = pack(_memories(recorder.env))
        if recorder.task is not None:
            state["task"] = recorder.task.copy()
        if recorder.past is not None:
            state["past"] = copy.deepcopy(recorder.past)
        return state | self._save(env)

    def load(self, env: Env, state: State, seed: int | None = None) -> Any:
        """Put ``env`` into a state, and return the observation that was saved with it.

        Args:
            env: of the kind that the state was saved from, used or new.
            state: from :meth:`save`.
            seed: of the randomness from here on; None: that of the episode goes on, so that
                everything random repeats whenever this state is loaded.

        Raises:
            SnapshotError: the state is another adapter's, or did not come back.
        """
        if state.get("adapter") != self.name:
            raise SnapshotError(
                f"a state of {self.name!r} was expected, got one of {state.get('adapter')!r}"
            )
        actions = self._load(env, state)
        _write_memories(env, state["wrappers"])
        if seed is not None:
            reseed(env, seed)
        observation = copy.deepcopy(state["observation"])
        try:
            recorder = recorder_of(env)
        except SnapshotError:
            return observation
        recorder.go_on(observation, int(state["length"]), actions if seed is None else None)
        return observation

    def steps_to_load(self, state: State) -> int:  # noqa: ARG002
        """Return how many environment steps loading takes."""
        return 0

    @abstractmethod
    def _save(self, env: Env) -> State:
        """Return what is this kind's own."""

    @abstractmethod
    def _load(self, env: Env, state: State) -> list[Any] | None:
        """Write a state back; return the actions that lead to it, if they are known."""


class Attributes(Adapter):
    """All attributes of the environment: classic control, toy text and MiniGrid; exact.

    Attributes that are no data, such as windows and spaces, stay those of the environment.
    """

    name, exact = "attributes", True

    @classmethod
    def accepts(cls, env: Env) -> bool:
        """Tell whether ``env`` is built of Python objects that can be looked into."""
        module = type(env.unwrapped).__module__
        return module.startswith(
            ("gymnasium.envs.classic_control", "gymnasium.envs.toy_text", "minigrid.")
        )

    def _save(self, env: Env) -> State:
        inner = env.unwrapped
        tables = {name: value for name, value in vars(inner).items() if name in _TABLES}
        others = {name: value for name, value in vars(inner).items() if name not in _TABLES}
        # By themselves, so that a library holds them once.
        return {"attributes": pack(others, inner), "tables": pack(tables)}

    def _load(self, env: Env, state: State) -> None:
        begin_again(env, state["seed"], state.get("task"), state.get("past"))
        vars(env.unwrapped).update(unpack(state["attributes"], env.unwrapped))
        vars(env.unwrapped).update(unpack(state["tables"]))


class Native(Adapter):
    """What an environment offers itself, by ``save_snapshot`` and ``load_snapshot``; exact.

    ``save_snapshot()`` returns a dictionary of arrays and JSON values, ``load_snapshot(state,
    seed)`` writes it back, and lets randomness go on from ``seed`` unless that is None.
    """

    name, exact = "native", True

    @classmethod
    def accepts(cls, env: Env) -> bool:
        """Tell whether ``env`` has both methods."""
        return all(hasattr(env.unwrapped, n) for n in ("save_snapshot", "load_snapshot"))

    def load(self, env: Env, state: State, seed: int | None = None) -> Any:
        """See :meth:`Adapter.load`; the environment hears of the new seed."""
        observation = super().load(env, state, seed)
        if seed is not None:
            inner: Any = env.unwrapped
            inner.load_snapshot(state["own"], seed)
        return observation

    def _save(self, env: Env) -> State:
        inner: Any = env.unwrapped
        return {"own": inner.save_snapshot()}

    def _load(self, env: Env, state: State) -> None:
        begin_again(env, state["seed"], state.get("task"), state.get("past"))
        inner: Any = env.unwrapped
        inner.load_snapshot(state["own"], None)


class Replay(Adapter):
    """Seed, task and actions, played again: for every environment that its seed determines; exact.

    It takes as many steps as the state is old. That the environment came back is checked by the
    observation.
    """

    name, exact = "replay", True

    @classmethod
    def accepts(cls, env: Env) -> bool:  # noqa: ARG003
        """Accept all environments: the conformance check tells which are not determined."""
        return True

    def steps_to_load(self, state: State) -> int:
        """Return the number of actions."""
        return len(state["actions"])

    def _save(self, env: Env) -> State:
        recorder = recorder_of(env)
        if recorder.actions is None:
            raise SnapshotError(
                "this episode began from a snapshot with new randomness, so no actions lead here "
                "from a reset: load it with seed=None, or use an adapter that writes states"
            )
        shape, dtype = env.action_space.shape or (), env.action_space.dtype
        actions = np.array(recorder.actions, dtype).reshape(len(recorder.actions), *shape)
        return {"actions": actions}

    def _load(self, env: Env, state: State) -> list[Any]:
        observation = begin_again(env, state["seed"], state.get("task"), state.get("past"))
        is_number = state["actions"].ndim == 1
        actions = [int(a) if is_number and a.dtype.kind in "iu" else a for a in state["actions"]]
        for action in actions:
            observation = env.step(action)[0]
        if not same(observation, state["observation"]):
            raise SnapshotError(
                f"playing {len(actions)} steps again with seed {state['seed']} led elsewhere: the "
                "environment is not the one that the snapshot was taken of, or its seed does not "
                "determine it"
            )
        return actions


def reseed(env: Env, seed: int) -> None:
    """Let the randomness of ``env`` go on from ``seed``."""
    inner = env.unwrapped
    inner._np_random, inner._np_random_seed = np_random(seed)


def same(a: Any, b: Any) -> bool:
    """Tell whether two observations are equal to the last bit."""
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, str) or isinstance(b, str):
        return bool(a == b)
    first, second = np.asarray(a), np.asarray(b)
    return first.shape == second.shape and bool(
        np.array_equal(first, second, equal_nan=first.dtype.kind == "f")
    )


def _wrappers(env: Env) -> list[gym.Wrapper[Any, Any, Any, Any]]:
    """Return the wrappers that remember something, outermost first."""
    found, inner = [], env
    while isinstance(inner, gym.Wrapper):
        if type(inner).__name__ in _MEMORIES:
            found.append(inner)
        inner = inner.env
    return found


def _memories(env: Env) -> dict[str, Any]:
    return {
        f"{i} {name}": vars(wrapper)[name]
        for i, wrapper in enumerate(_wrappers(env))
        for name in _MEMORIES[type(wrapper).__name__]
        if name in vars(wrapper)
    }


def _write_memories(env: Env, packed: Mapping[str, Any]) -> None:
    wrappers = _wrappers(env)
    for key, value in unpack(packed).items():
        number, _, name = key.partition(" ")
        if int(number) >= len(wrappers) or name not in vars(wrappers[int(number)]):
            raise SnapshotError(
                "the state was saved from other wrappers: wrap both environments in the same way"
            )
        setattr(wrappers[int(number)], name, value)


__all__ = ["Adapter", "Attributes", "Native", "Replay", "State", "UnsaveableError", "reseed"]
