"""What a student can tell its teacher beyond how an episode ended."""

from collections.abc import Callable, Mapping, Sequence
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


def _unknown() -> Sequence[Array]:
    raise ValueError("nobody asked for probabilities of actions: the teacher's needs lack them")


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A stretch of one episode inside one rollout, in raw rewards."""

    task_id: int  # of the task it was played on,
    params: Floats  # which is this one, (d,),
    seed: int  # reset with this seed,
    meta: Mapping[str, Any]  # with these notes of its teacher
    env_index: int
    rewards: Array  # (n,); a time limit's last one includes the discounted value of what follows
    values: Array  # (n,), of the states that were acted on
    advantages: Array  # (n,), generalised, with the student's λ
    next_value: float  # of the state after the last step; 0 where the episode ended
    discount: float
    is_start: bool  # whether the episode began in this rollout
    is_complete: bool  # whether it ended in it
    probabilities: Callable[[], Sequence[Array]] = _unknown
    """Returns how likely each discrete action was, (n, k), for each part of an action.

    To be asked in :meth:`teachrl.Teacher.study`: afterwards the student's steps are gone.
    """

    def __len__(self) -> int:
        return len(self.rewards)

    @property
    def key(self) -> tuple[tuple[float, ...], int]:
        """The task with its seed: its id is another one each time that it is given out."""
        return tuple(self.params.tolist()), self.seed


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

    @property
    def antagonist(self) -> "Rollout":
        """The same of the second student."""

    def running(self) -> list[Mapping[str, Any]]:
        """Return the notes (``meta``) of tasks that anyone still plays, or will play again."""

    def values(self, observations: Any) -> Array:
        """Return its critic's estimates (n,) of the discounted return, in raw rewards."""

    def actions(self, observations: Any) -> NDArray[Any]:
        """Return what it would do, (n, …), without exploring."""

    def normalize(self, observations: Any) -> Any:
        """Return observations as its own networks see them."""

    def first_observations(self, params: Floats) -> Any:
        """Return the observation (n, …) that an episode of each task begins with; plays no step."""

    def segments(self) -> list[Segment]:
        """Return the stretches of episodes that ended or went on since the last call."""

    def success_rates(self, params: Floats, seeds: NDArray[np.int64], episodes: int) -> Array:
        """Return how often (n,) it succeeds on tasks (n, d) now; its steps are on the ledger.

        Every task is played ``episodes`` times with its own seed, by actions that are drawn as in
        training. NaN: the environment does not say.
        """

    def transitions(self) -> Transitions:
        """Return the steps that it played since the last call."""
