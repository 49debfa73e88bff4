"""The vocabulary of teachrl, in one file.

A *teacher* samples a *task*, a *student* plays one *episode* on it, and the teacher is updated with
how it went. Everything else in the package is a teacher, an environment, or glue.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import inf, isfinite
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from teachrl.rollouts import Rollout
from teachrl.spaces import Floats, TaskSpace
from teachrl.targets import Target


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One thing to practise: a point of the task space, and how to practise it."""

    params: Floats  # (d,), in the units of the task space
    seed: int | None = None  # of the environment's own randomness; None lets the glue draw one
    learn: bool = True  # False: play it, but take no gradient from it
    origin: str = "random"  # why the teacher chose it, for pictures and files
    meta: Mapping[str, Any] = field(default_factory=dict)  # JSON-able notes to itself
    id: int = -1  # counts the tasks of a run, set by the glue; joins tasks and episodes


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """One finished episode, as its teacher sees it."""

    task: Task
    seed: int  # the one the environment was reset with
    reward: float  # undiscounted sum of raw rewards, before any normalisation
    length: int  # environment steps
    success: bool | None = None  # ``info["is_success"]`` of the last step, None if it says nothing
    terminated: bool = True
    truncated: bool = False
    first_observation: Any = None
    start_step: int = 0  # steps of the whole run, over all environments, when it began
    env_index: int = 0
    student: str = "student"


class Teacher(ABC):
    """Samples tasks, and learns from how the student fared on them.

    Subclasses are keyword dataclasses whose fields are their hyper-parameters, so a teacher that
    has not started is its own configuration: it prints, compares, pickles and copies as such. What
    it learns is made in :meth:`reset`. Many tasks may be in flight: ``sample`` can be called many
    times before the first ``update``, and episodes come back in any order, or never.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    """Signals beyond a return that the glue must supply, or else refuse to start: ``success``, and
    what :meth:`study` is given: ``values``, ``actions``, ``transitions``, ``first_observations``,
    ``segments``, ``success_rates``. ``repeats``: a task is played until a rollout ends;
    ``antagonist``: by a second student too, with the same seed; ``rollouts``: by a student who
    learns after whole ones, and not after every few steps.
    """

    space: TaskSpace
    rng: np.random.Generator
    reward_range: tuple[float, float]
    target: Target | None  # the tasks that matter in the end, if the environment declares them

    def start(
        self,
        space: TaskSpace,
        rng: np.random.Generator,
        reward_range: tuple[float, float] = (0.0, 1.0),
        target: Target | None = None,
    ) -> Self:
        """Forget everything learnt and face ``space``, drawing from ``rng`` only."""
        low, high = reward_range
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise ValueError(f"reward_range must be finite with low < high, got {reward_range}")
        self.space, self.rng, self.reward_range = space, rng, (float(low), float(high))
        self.target = None if target is None else target.require(space)
        self.reset()
        return self

    def reset(self) -> None:
        """Initialise what this teacher learns."""

    @abstractmethod
    def sample(self) -> Task:
        """Choose the task of the next episode."""

    def counterpart(self, task: Task) -> Task:
        """Return what an antagonist plays while the student plays ``task``: the very same."""
        return task

    def is_repeated(self, task: Task) -> bool:  # noqa: ARG002
        """Return whether ``task`` is played until a rollout ends, where ``needs`` asks for it."""
        return True

    def update(self, episode: Episode) -> None:
        """Learn from a finished episode."""

    def study(self, rollout: Rollout) -> None:
        """Learn from what the student just played, before its own gradient steps; see ``needs``."""

    def preview(self, n: int, rng: np.random.Generator) -> Floats:
        """Return ``n`` tasks (n, d) it would sample now, leaving its own state and stream alone."""
        twin = copy.deepcopy(self)
        twin.rng = rng
        tasks = [twin.sample().params for _ in range(n)]
        return np.array(tasks, np.float32).reshape(n, self.space.dimensions)

    def belief(self) -> dict[str, NDArray[Any]]:
        """Return what a picture of this teacher shows, in unit coordinates: see ``monitoring``."""
        return {}

    def metrics(self) -> dict[str, float]:
        """Return the scalars worth a curve."""
        return {}

    def concerns(self, episodes: float, rollouts: float = inf) -> list[str]:  # noqa: ARG002
        """Return what speaks against a run of so many episodes; its callback warns of it.

        Rollouts are those of all environments together: as many tasks as there are, where each
        keeps its task until its rollout ends.
        """
        return []

    def state(self) -> dict[str, Any]:
        """Return all it has learnt, its generator included, as arrays and JSON values."""
        return {"rng": self.rng.bit_generator.state} | {
            name: value.state() if hasattr(value, "state") else copy.deepcopy(value)
            for name, value in self._learnt().items()
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`; call it on a teacher that has been started."""
        if wrong := state.keys() ^ (self._learnt().keys() | {"rng"}):
            raise ValueError(f"not a state of {type(self).__name__}: check {sorted(wrong)}")
        self.rng.bit_generator.state = state["rng"]
        for name in self._learnt():
            current = getattr(self, name)
            if hasattr(current, "restore"):
                current.restore(state[name])
            else:
                setattr(self, name, copy.deepcopy(state[name]))

    def config(self) -> dict[str, Any]:
        """Return the hyper-parameters by name, ready for JSON."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    def scale(self, reward: float) -> float:
        """Map a return linearly so that ``reward_range`` becomes [0, 1]."""
        if not isfinite(reward):
            raise ValueError(f"a reward must be finite, got {reward}: the environment returned it")
        low, high = self.reward_range
        return (reward - low) / (high - low)

    def _learnt(self) -> dict[str, Any]:
        given = {f.name for f in fields(self)} | {"space", "rng", "reward_range", "target"}  # type: ignore[arg-type]
        return {name: value for name, value in vars(self).items() if name not in given}
