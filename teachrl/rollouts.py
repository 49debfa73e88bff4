"""What a student can tell its teacher beyond how an episode ended."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from teachrl.spaces import Floats

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Transitions:
    """Steps in the order they were played, as the environments gave them: nothing is normalised."""

    observations: Any  # (n, …), or a dict of such
    actions: NDArray[Any]  # (n, …)
    rewards: Array  # (n,)
    next_observations: Any  # (n, …); of a last step, the observation that ended the episode
    terminated: NDArray[np.bool_]  # (n,); an episode cut short by a time limit is not terminated
    env_index: NDArray[np.int64]  # (n,)

    def __len__(self) -> int:
        return len(self.rewards)


class Rollout(Protocol):
    """What a student has just played, and what it thinks, before it learns from it.

    A teacher that ``needs`` any of it gets it in :meth:`teachrl.Teacher.study`. Observations are
    those of the environment, as in :attr:`teachrl.Episode.first_observation`; a student that
    normalises them does so inside. Nothing is computed before it is asked for.
    """

    @property
    def steps(self) -> int:
        """Environment steps of the run so far."""

    @property
    def discount(self) -> float:
        """The student's discount factor."""

    def values(self, observations: Any) -> Array:
        """Return its critic's estimates (n,) of the discounted return, in raw rewards."""

    def actions(self, observations: Any) -> NDArray[Any]:
        """Return what it would do, (n, …), without exploring."""

    def normalize(self, observations: Any) -> Any:
        """Return observations as its own networks see them."""

    def first_observations(self, params: Floats) -> Any:
        """Return the observation (n, …) that an episode of each task begins with; plays no step."""

    def transitions(self) -> Transitions:
        """Return the steps that it played since the last call."""
