"""MiniGrid worlds for the tests of subgoals."""

from typing import Any

import gymnasium as gym

from teachrl import TaskSpace
from teachrl.subgoals import OraclePlanner, Subgoals, actions_to


def make(name: str = "DoorKey-5x5", seed: int | None = 0, **options: Any) -> gym.Env[Any, Any]:
    """Return a MiniGrid environment, reset if a seed is given."""
    import minigrid  # noqa: F401 - registers them

    version = "" if name.endswith("-v1") else "-v0"
    env = gym.make(f"MiniGrid-{name}{version}", **options)
    if seed is not None:
        env.reset(seed=seed)
    return env


def solve(env: Any) -> tuple[list[float], list[Any]]:
    """Carry an env's plan out, subgoal by subgoal; return the rewards and the last step."""
    rewards: list[float] = []
    step: Any = None
    while env.current is not None:
        for action in actions_to(env, env.current):
            step = env.step(action)
            rewards.append(step[1])
    return rewards, step


class TwoDoors(gym.Wrapper[Any, Any, Any, Any]):
    """DoorKey with a task that means nothing, flat observations and subgoals."""

    task_space = TaskSpace(nothing=(0, 1))
    reward_range = (0.0, 1.0)
    mastery_threshold = 0.99

    def __init__(self, weight: float = 0.2) -> None:
        from minigrid.wrappers import FlatObsWrapper

        super().__init__(Subgoals(FlatObsWrapper(make(seed=None)), OraclePlanner(), weight=weight))

    def reset(self, *, seed=None, options=None):
        return self.env.reset(seed=seed)
