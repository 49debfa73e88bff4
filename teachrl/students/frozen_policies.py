"""Policies that act inside an environment and are not trained: guides, and bases of residuals."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm

from teachrl.students.action_masks import takes_masks
from teachrl.students.experts import Expert, Experts
from teachrl.students.stored_students import load_expert
from teachrl.students.threads import torch_threads


class FrozenPolicy:
    """Plays one environment, with a memory of its own where the policy is recurrent.

    It takes the most likely actions, on one torch thread: what it does depends on what it sees
    alone, in whichever process.

    Args:
        given: a model, an :class:`~teachrl.students.experts.Expert`, a run or the folder of one;
            :class:`~teachrl.students.experts.Experts`, of whom acts who knows the task of the
            episode; or a function from a raw observation to an action.
        env: that it acts in; it sees the raw observations of this one, and its ``action_masks``.

    >>> policy = FrozenPolicy(lambda observation: int(observation[2] > 0), gym.make("CartPole-v1"))
    >>> policy.begin(None), policy.act(np.array([0.0, 0.0, 0.1, 0.0]))
    (True, 1)
    """

    def __init__(self, given: Any, env: gym.Env[Any, Any]) -> None:
        self._function = None
        self._experts: Experts | None = None
        self._acting: Expert | None = None
        self._memory: Any = None
        self._is_start = True
        self._is_masked = False
        self._env, self._space = env, env.action_space
        if isinstance(given, str | Path):
            given = load_expert(given)
        if callable(given):
            self._function = given
            return
        if not isinstance(given, Experts | Expert | BaseAlgorithm) and not hasattr(given, "expert"):
            raise TypeError(
                "expected a model, an expert, a run, the folder of one, or a function from an "
                f"observation to an action; got {given!r}"
            )
        self._experts = Experts.of(given)
        for expert in self._experts.experts:
            expert.require_spaces(env.observation_space, env.action_space)

    def begin(self, task: NDArray[Any] | None) -> bool:
        """Forget the last episode; return whether anyone knows the task (d,) of the next one."""
        self._memory, self._is_start = None, True
        if self._experts is None:
            return True
        if task is None and len(self._experts.experts) > 1:
            raise ValueError(
                "experts for different tasks need to know the task, and this environment names "
                'none: reset with options={"task": ...}, or give one expert'
            )
        params = np.zeros((1, 0)) if task is None else np.asarray(task)[None]
        owner = int(self._experts.owner(params.astype(np.float32))[0])
        self._acting = None if owner < 0 else self._experts.experts[owner]
        self._is_masked = self._acting is not None and takes_masks(self._acting.model, self._env)
        return self._acting is not None

    def act(self, observation: Any) -> Any:
        """Return the action for a raw observation, clipped to the space of actions."""
        if self._function is not None:
            return self._checked(self._function(observation))
        if self._acting is None:
            raise RuntimeError("nobody knows this task, or no episode has begun: call begin()")
        expert, seen = self._acting, observation
        if expert.normalizer is not None:
            seen = expert.normalizer.normalize_obs(seen)
        with torch_threads(1):  # sub-processes begin with more, and would round differently
            action, self._memory = expert.model.predict(
                seen,
                state=self._memory,
                episode_start=np.array([self._is_start]),
                deterministic=True,
                **self._masks(),
            )
        self._is_start = False
        return self._checked(action)

    def _masks(self) -> dict[str, Any]:
        if not self._is_masked:
            return {}
        return {"action_masks": self._env.get_wrapper_attr("action_masks")()}

    def _checked(self, action: Any) -> Any:
        """Return an action that the environment can take, or say what is wrong with it."""
        space, given = self._space, np.asarray(action)
        if isinstance(space, spaces.Box):
            given = given.astype(np.float64)
            if given.shape == space.shape and np.isfinite(given).all():
                return np.clip(given, space.low, space.high).astype(space.dtype)
        elif isinstance(space, spaces.Discrete):
            if given.size == 1 and given.dtype.kind in "biu" and given.item() in space:
                return int(given.item())
        elif space.contains(given):
            return given
        raise ValueError(f"a guide or base played {action!r}, which is not in {space}")
