"""Who says which subgoals lead to a task."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from teachrl.subgoals.steps import Subgoal


class SubgoalSource(ABC):
    """Returns the subgoals of an episode that has just begun.

    A language model fits behind this as well as a planner; none is asked from within this package.
    """

    def require_fit(self, env: gym.Env[Any, Any]) -> None:
        """Refuse an environment that this source knows nothing of."""

    def chosen_seed(self, seed: int | None, rng: np.random.Generator) -> int | None:  # noqa: ARG002
        """Return the seed to reset with, where an episode with ``seed`` was asked for."""
        return seed

    @abstractmethod
    def subgoals(self, env: gym.Env[Any, Any], seed: int | None) -> Sequence[Subgoal]:
        """Return what to do, in this order.

        Args:
            env: just reset.
            seed: that it was reset with; None: it drew the world by itself.
        """
