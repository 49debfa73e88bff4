"""A student that corrects a frozen policy (ResiP, Ankile et al., 2024, arXiv 2407.16677)."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from teachrl.students.frozen_policies import FrozenPolicy
from teachrl.students.making import made_env


class ResidualAction(gym.Wrapper[Any, Any, Any, Any]):
    """Adds what the student does to the action of a frozen base policy.

    The environment plays ``clip(base + scale * residual)``, where the student's residual is in
    [-1, 1] and counts in halves of the range of actions: with 0 the base plays exactly as it would
    alone. The base is a part of the environment, so that copies for evaluation have it too, and
    any student of continuous actions learns as ever. Made from names (``partial(ResidualAction,
    env="point-mass", base="runs/base")``), it is rebuilt from the run folder of the student, as
    long as that of the base is there.

    The base's action, scaled to [-1, 1], is put behind a flat observation; a dict gets the key
    ``base_action``, and anything else becomes a dict with ``observation`` and ``base_action``.

    ResiP's authors begin with residuals near 0 and little noise. SB3's policies do the former;
    ``policy_kwargs={"log_std_init": -1}`` does the latter.

    Args:
        env: an environment, or the name of one.
        base: a model, an expert, a run or its folder, experts by task, or a function: see
            :class:`~teachrl.students.frozen_policies.FrozenPolicy`. It sees raw observations.
        scale: of residuals, in (0, 2]; for each entry of an action if wanted. With 2 the student
            can overrule the base.
        observes_base: whether the student sees what the base would do.
        **options: of the environment, where it is named.

    >>> env = ResidualAction("Pendulum-v1", base=lambda observation: [-observation[2]], scale=0.5)
    >>> observation, _ = env.reset(seed=0)
    >>> observation.shape, env.action_space
    ((4,), Box(-1.0, 1.0, (1,), float32))
    >>> step = env.step([0.2])
    >>> env.played == -observation[2] + 0.5 * 0.2 * 2
    array([ True])
    """

    def __init__(
        self,
        env: gym.Env[Any, Any] | str,
        base: Any,
        *,
        scale: ArrayLike = 0.1,
        observes_base: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(made_env(env, options))
        space = _require_bounded(self.env.action_space)
        self.base = FrozenPolicy(base, self.env)
        self.observes_base = observes_base
        low, high = space.low.astype(np.float64), space.high.astype(np.float64)
        self._middle, self._half = (low + high) / 2, (high - low) / 2
        self._reach = _require_scale(scale, space) * self._half
        self.action_space = spaces.Box(-1.0, 1.0, space.shape, np.float32)
        if observes_base:
            self.observation_space = _space_with(self.env.observation_space, self._half.size)
        self._space = space
        self._base_action: NDArray[Any] | None = None  # for the observation at hand
        self.played: NDArray[Any] | None = None  # the last action of base and student together
        inner = self.env
        self._task = inner.get_wrapper_attr("task") if inner.has_wrapper_attr("task") else None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode, for the base as well."""
        if options and "task" in options:
            self._task = np.array(options["task"])
        if not self.base.begin(self._task):
            raise ValueError(
                f"no expert knows the task {self._task}, so there is nothing to correct: give "
                "ResidualAction a base for every task"
            )
        self.played = None
        observation, info = self.env.reset(seed=seed, options=options)
        return self._seen(observation), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Let the base act, corrected by ``action``."""
        if self._base_action is None:
            raise RuntimeError("a step before the first reset: call reset() once before step()")
        residual = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        wanted = self._base_action + self._reach * residual
        self.played = np.clip(wanted, self._space.low, self._space.high).astype(self._space.dtype)
        observation, reward, terminated, truncated, info = self.env.step(self.played)
        return self._seen(observation), reward, terminated, truncated, info

    def _seen(self, observation: Any) -> Any:
        """Return what the student sees, and ask the base what it would do."""
        self._base_action = self.base.act(observation)
        if not self.observes_base:
            return observation
        scaled = (self._base_action - self._middle) / self._half
        vector = np.clip(scaled, -1.0, 1.0).astype(np.float32).reshape(-1)
        if isinstance(observation, dict):
            return observation | {"base_action": vector}
        if np.ndim(observation) == 1:
            return np.concatenate([observation.astype(np.float32), vector])
        return {"observation": observation, "base_action": vector}


def _require_bounded(space: spaces.Space[Any]) -> spaces.Box:
    if not isinstance(space, spaces.Box):
        raise TypeError(
            f"a residual is added to continuous actions, and these are {space}: a student of "
            "discrete ones can learn from such a base with Kickstart(base), or begin where it got "
            "to with GuidedStarts(env, base)"
        )
    if not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
        raise ValueError(
            f"a residual counts in halves of the range of actions, and {space} has no bounds: wrap "
            "the environment in gymnasium.wrappers.RescaleAction or ClipAction first"
        )
    return space


def _require_scale(scale: ArrayLike, space: spaces.Box) -> NDArray[np.float64]:
    given = np.asarray(scale, np.float64)
    if given.shape not in ((), space.shape) or not ((given > 0) & (given <= 2)).all():
        raise ValueError(
            f"scale must be a number in (0, 2], or one for each entry of {space.shape}; got {given}"
        )
    return given


def _space_with(space: spaces.Space[Any], size: int) -> spaces.Space[Any]:
    """Return the space of observations with a base action of so many numbers."""
    seen = spaces.Box(-1.0, 1.0, (size,), np.float32)
    if isinstance(space, spaces.Dict):
        return spaces.Dict({**space.spaces, "base_action": seen})
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        low = np.concatenate([space.low.astype(np.float32), seen.low])
        high = np.concatenate([space.high.astype(np.float32), seen.high])
        return spaces.Box(low, high, dtype=np.float32)
    return spaces.Dict({"observation": space, "base_action": seen})
