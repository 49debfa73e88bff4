"""Which snapshot the next episode begins from."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, Self

import numpy as np

from teachrl.snapshots.library import SnapshotLibrary


class Segment(NamedTuple):
    """How an episode from a snapshot went."""

    snapshot: int  # its index
    reward: float  # undiscounted sum
    length: int
    terminated: bool
    truncated: bool


class Selector(ABC):
    """Chooses among the snapshots of a library; hyper-parameters are fields, as a teacher's."""

    library: SnapshotLibrary
    watches: bool = False  # whether :meth:`visit` wants to see every observation

    def start(self, library: SnapshotLibrary) -> Self:
        """Forget everything learnt and face ``library``."""
        if not len(library):
            raise ValueError("there is nothing to choose from: the library has no snapshots")
        self.library = library
        self.reset()
        return self

    def reset(self) -> None:
        """Initialise what this selector learns."""

    @abstractmethod
    def choose(self, rng: np.random.Generator) -> int | None:
        """Return the index of a snapshot, or None: an ordinary start."""

    def update(self, segment: Segment) -> None:
        """Learn from an episode that began from a snapshot."""

    def visit(self, observation: Any) -> None:
        """Learn that the student has been somewhere."""

    def state(self) -> dict[str, Any]:
        """Return all it has learnt, as arrays and JSON values."""
        return {
            name: value.state() if hasattr(value, "state") else value
            for name, value in self._learnt().items()
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`; call it on a selector that has been started."""
        for name, value in self._learnt().items():
            if hasattr(value, "restore"):
                value.restore(state[name])
            else:
                setattr(self, name, state[name])

    def _learnt(self) -> dict[str, Any]:
        given = {f.name for f in fields(self)} | {"library"}  # type: ignore[arg-type]
        return {name: value for name, value in vars(self).items() if name not in given}


@dataclass(kw_only=True)
class Uniform(Selector):
    """All snapshots alike: SnapshotRL without status classification."""

    def choose(self, rng: np.random.Generator) -> int:
        """Draw one."""
        return int(rng.integers(len(self.library)))


@dataclass(kw_only=True)
class ByCluster(Selector):
    """A cluster, then a snapshot in it, both uniformly (S3RL, 2024, arXiv 2403.00673)."""

    ordinary: bool = False  # ordinary starts are one more cluster

    def choose(self, rng: np.random.Generator) -> int | None:
        """Draw a cluster that is not empty, and one of its snapshots."""
        known = np.unique(self.library.clusters)
        drawn = int(rng.integers(len(known) + self.ordinary))
        if drawn == len(known):
            return None
        return int(rng.choice(np.flatnonzero(self.library.clusters == known[drawn])))


@dataclass(kw_only=True)
class Backward(Selector):
    """Ever earlier in one demonstration (Salimans and Chen, 2018, arXiv 1812.03381).

    Episodes begin near the demonstration's end. Once enough of them earn what it earned from there,
    in as many steps, they begin earlier; after its beginning follow ordinary starts.
    """

    trajectory: int | None = None  # which demonstration; None: the one with the highest return
    threshold: float = 0.2  # share of episodes that must be as good as the demonstration
    rollouts: int = 20  # episodes by which that is judged
    window: int = 2  # snapshots before the pointer that may be drawn instead
    stride: int = 1  # snapshots that the pointer moves
    tolerance: float = 0.0  # by which an episode may fall short, in reward

    def reset(self) -> None:
        """Point to the last snapshot of the demonstration."""
        if not 0 < self.threshold <= 1:
            raise ValueError(f"Backward.threshold must be a share in (0, 1], got {self.threshold}")
        if self.rollouts < 1 or self.window < 0 or self.stride < 1:
            raise ValueError(
                f"Backward needs rollouts and stride of at least 1, window of at least 0: {self}"
            )
        rewards = [trajectory.reward for trajectory in self.library.trajectories]
        best = int(np.argmax(rewards)) if self.trajectory is None else self.trajectory
        if not self.library.of_trajectory(best):
            raise ValueError(f"episode {best} has no snapshots: choose another trajectory")
        self.demonstration = best
        self.pointer = len(self.library.of_trajectory(best)) - 1
        self.outcomes: list[bool] = []  # of the last episodes from here

    def choose(self, rng: np.random.Generator) -> int | None:
        """Draw one of the window that ends at the pointer."""
        if self.pointer < 0:
            return None
        back = int(rng.integers(min(self.window, self.pointer) + 1))
        return self.library.of_trajectory(self.demonstration)[self.pointer - back]

    def update(self, segment: Segment) -> None:
        """Count an episode, and move the pointer when enough were as good."""
        snapshot = self.library.snapshots[segment.snapshot]
        if snapshot.trajectory != self.demonstration or self.pointer < 0:
            return
        demonstration = self.library.trajectories[self.demonstration]
        steps = segment.length if segment.truncated and not segment.terminated else None
        due = demonstration.reward_from(snapshot.step, steps) - self.tolerance
        self.outcomes = [*self.outcomes, segment.reward >= due][-self.rollouts :]
        if len(self.outcomes) == self.rollouts and np.mean(self.outcomes) >= self.threshold:
            self.pointer -= self.stride
            self.outcomes = []


def round_observations(observation: Any) -> str:
    """Return the cell of an observation: its numbers, to one decimal."""
    parts = observation.values() if isinstance(observation, Mapping) else [observation]
    numbers = [part for part in parts if not isinstance(part, str)]
    return " ".join(str((np.round(np.asarray(n, np.float64), 1) + 0.0).tolist()) for n in numbers)


@dataclass(kw_only=True)
class VisitCount(Selector):
    """Where the student has seldom been: Go-Explore's return (Ecoffet et al., arXiv 2004.12919).

    A cell is chosen with weight 1 / √(1 + visits), then one of its snapshots. Visits are those of
    the student in its environment, in whatever episode, while some begin from snapshots.
    """

    cell: Callable[[Any], str] = round_observations  # from an observation to the cell it is in

    watches = True

    def reset(self) -> None:
        """Nothing was visited yet."""
        self.visits: dict[str, int] = {}
        self._cells: list[str] = []

    def choose(self, rng: np.random.Generator) -> int:
        """Draw a cell, and one of its snapshots."""
        new = self.library.snapshots[len(self._cells) :]  # an archive may grow
        self._cells += [self.cell(snapshot.observation) for snapshot in new]
        cells = sorted(set(self._cells))
        weights = np.array([1 / np.sqrt(1 + self.visits.get(cell, 0)) for cell in cells])
        cell = cells[int(rng.choice(len(cells), p=weights / weights.sum()))]
        return int(rng.choice([i for i, known in enumerate(self._cells) if known == cell]))

    def visit(self, observation: Any) -> None:
        """Count a step of the student."""
        cell = self.cell(observation)
        self.visits[cell] = self.visits.get(cell, 0) + 1

    def _learnt(self) -> dict[str, Any]:
        return {"visits": dict(self.visits)}


@dataclass(kw_only=True)
class Mixed(Selector):
    """Another selector, and ordinary starts among its choices."""

    selector: Selector = field(default_factory=ByCluster)
    ordinary: float = 0.2  # share of ordinary starts

    def reset(self) -> None:
        """Start the other one."""
        if not 0 <= self.ordinary <= 1:
            raise ValueError(f"Mixed.ordinary must be a share in [0, 1], got {self.ordinary}")
        self.selector.start(self.library)

    @property
    def watches(self) -> bool:  # type: ignore[override]
        """Whether the other one does."""
        return self.selector.watches

    def choose(self, rng: np.random.Generator) -> int | None:
        """Draw whether to ask the other one."""
        return None if rng.random() < self.ordinary else self.selector.choose(rng)

    def update(self, segment: Segment) -> None:
        """Tell the other one."""
        self.selector.update(segment)

    def visit(self, observation: Any) -> None:
        """Tell the other one."""
        self.selector.visit(observation)

    def _learnt(self) -> dict[str, Any]:
        return {"selector": self.selector}
