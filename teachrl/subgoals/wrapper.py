"""A MiniGrid world with subgoals: seen by the student if wanted, each with a bonus."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from teachrl.seeding import stream
from teachrl.subgoals.source import SubgoalSource
from teachrl.subgoals.steps import Subgoal, bare_world, name_of

Shown = Literal["position", "object"]
Vector = NDArray[np.float32]

_SIZES: dict[Shown | None, int] = {"position": 2, "object": 3, None: 0}


class Subgoals(gym.Wrapper[Any, Any, Any, Any]):
    """Pays a bonus for every subgoal on the way to a task (2024, arXiv 2410.08632).

    One subgoal is current at a time. When it is complete, the reward grows by ``weight * (1 - n /
    max_steps)``, where n is the number of steps it took, and the next one becomes current. One that
    is complete already when its turn comes is passed over without a bonus, so that a student which
    does things in another order does not get stuck.

    The bonus is the student's alone. The last info of an episode has ``raw_return``, in which it is
    not counted: teachers, run folders and evaluations of this package go by that one. SB3's
    ``Monitor`` belongs inside, where the rewards are the world's own, as
    ``make_vec_env(..., wrapper_class=Subgoals)`` puts it. That info also has ``subgoals_completed``
    and ``subgoals_planned``.

    What is seen of the current subgoal is put behind a flat observation; a dict gets the key
    ``subgoal``, and anything else becomes a dict with ``observation`` and ``subgoal``.

    Args:
        env: a MiniGrid environment, in wrappers or not.
        source: of the subgoals.
        weight: of the bonus; 0 to evaluate elsewhere what has been trained with subgoals in sight.
        shown: ``position``, relative to the agent, in parts of the world's width and height; or
            ``object``, the type, colour and state of what is in the cell, each scaled to 1 at most;
            None: nothing. Where no subgoal is left the numbers are 0, or -1.

    >>> import minigrid
    >>> from minigrid.wrappers import FlatObsWrapper
    >>> from teachrl.subgoals import OraclePlanner
    >>> env = Subgoals(FlatObsWrapper(gym.make("MiniGrid-DoorKey-5x5-v0")), OraclePlanner())
    >>> observation, _ = env.reset(seed=0)
    >>> env.current.text, observation.shape
    ('pick up the yellow key at (1, 2)', (2837,))
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        source: SubgoalSource,
        *,
        weight: float = 0.2,
        shown: Shown | None = "position",
    ) -> None:
        super().__init__(env)
        if shown not in _SIZES:
            raise ValueError(f"shown must be {' or '.join(get_args(Shown))} or None, got {shown!r}")
        if not (np.isfinite(weight) and weight >= 0):
            raise ValueError(f"the weight must be finite and not negative, got {weight}")
        bare_world(env)
        source.require_fit(env)
        self.source, self.weight, self.shown = source, weight, shown
        self.plan: Sequence[Subgoal] = ()
        self.current: Subgoal | None = None
        self._next = self._steps = self._completed = 0
        self._raw_return = 0.0
        self._rng = stream(0, "subgoals")
        self.observation_space = _space_with(env.observation_space, _SIZES[shown])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode with the first subgoal of its plan."""
        if seed is not None:
            self._rng = stream(seed, "subgoals")
        chosen = self.source.chosen_seed(seed, self._rng)
        observation, info = self.env.reset(seed=chosen, options=options)
        self.plan = self.source.subgoals(self.env, chosen)
        self._next = self._completed = 0
        self._raw_return = 0.0
        self._advance()
        return self._with_subgoal(observation), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step; the reward has the bonus in it."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._raw_return += float(reward)
        paid = float(reward) + self._bonus()
        if terminated or truncated:
            info = info | {
                "raw_return": self._raw_return,
                "subgoals_completed": self._completed,
                "subgoals_planned": len(self.plan),
            }
        return self._with_subgoal(observation), paid, bool(terminated), bool(truncated), info

    @property
    def _world(self) -> Any:
        return self.env.unwrapped  # asked for each time: a wrapper may change worlds by task

    def _bonus(self) -> float:
        """Return what the step has earned beside the world's reward."""
        self._steps += 1
        if self.current is None or not self.current.is_complete(self._world):
            return 0.0
        bonus = self.weight * (1 - self._steps / int(self._world.max_steps))
        self._completed += 1
        self._advance()
        return bonus

    def _advance(self) -> None:
        """Go to the next subgoal that is not complete."""
        self.current, self._steps = None, 0
        while self._next < len(self.plan) and self.current is None:
            candidate = self.plan[self._next]
            self._next += 1
            if not candidate.is_complete(self._world):
                self.current = candidate

    def _with_subgoal(self, observation: Any) -> Any:
        if self.shown is None:
            return observation
        vector = self._vector()
        if isinstance(observation, dict):
            return observation | {"subgoal": vector}
        if np.ndim(observation) == 1:
            return np.concatenate([observation.astype(np.float32), vector])
        return {"observation": observation, "subgoal": vector}

    def _vector(self) -> Vector:
        world = self._world
        if self.shown == "object":
            return _encoded(self.current, world)
        if self.current is None:
            return np.zeros(2, np.float32)
        column, row = self.current.position
        apart = (column - world.agent_pos[0], row - world.agent_pos[1])
        return np.array([apart[0] / world.width, apart[1] / world.height], np.float32)


def _encoded(subgoal: Subgoal | None, world: Any) -> Vector:
    """Return type, colour and state of what a subgoal is about."""
    from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX, STATE_TO_IDX

    if subgoal is None:
        return np.full(3, -1.0, np.float32)
    there = world.grid.get(*subgoal.position)
    if subgoal.thing and name_of(there) != subgoal.thing:
        color, kind = subgoal.thing.split()
        code = (OBJECT_TO_IDX[kind], COLOR_TO_IDX[color], 0)  # it is elsewhere, or carried
    else:
        code = (OBJECT_TO_IDX["empty"], 0, 0) if there is None else there.encode()
    most = (max(OBJECT_TO_IDX.values()), max(COLOR_TO_IDX.values()), max(STATE_TO_IDX.values()))
    return (np.array(code) / most).astype(np.float32)


def _space_with(space: spaces.Space[Any], size: int) -> spaces.Space[Any]:
    """Return the space of observations with a subgoal of so many numbers."""
    if not size:
        return space
    seen = spaces.Box(-1.0, 1.0, (size,), np.float32)
    if isinstance(space, spaces.Dict):
        return spaces.Dict({**space.spaces, "subgoal": seen})
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        low = np.concatenate([space.low.astype(np.float32), seen.low])
        high = np.concatenate([space.high.astype(np.float32), seen.high])
        return spaces.Box(low, high, dtype=np.float32)
    return spaces.Dict({"observation": space, "subgoal": seen})
