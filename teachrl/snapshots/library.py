"""Snapshots of episodes that someone played, as a file that runs can share."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachrl.files import read_json, read_npz, reading, write_atomically, write_npz
from teachrl.snapshots.adapters import Adapter, State
from teachrl.snapshots.clusters import k_means
from teachrl.snapshots.columns import flat, joined, nested, split
from teachrl.snapshots.registration import adapter_named

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_FORMAT = 1
_COUNTS = ("trajectory", "step", "cluster")


@dataclass(frozen=True, eq=False)
class Trajectory:
    """An episode that snapshots were taken of."""

    actions: NDArray[Any]  # (n, …)
    rewards: Array  # (n,)
    seed: int  # of its reset
    terminated: bool = False
    success: bool | None = None

    @property
    def reward(self) -> float:
        """Its return."""
        return float(self.rewards.sum())

    def reward_from(self, step: int, length: int | None = None) -> float:
        """Return what was earned from ``step`` on, in ``length`` steps or to the end."""
        end = None if length is None else step + length
        return float(self.rewards[step:end].sum())


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A state in the midst of an episode."""

    state: State
    trajectory: int  # of which episode; -1: of none that was kept
    step: int  # of that episode
    value: float  # what someone expects to earn from here: a critic, or what was earned
    cluster: int = 0

    @property
    def observation(self) -> Any:
        """What is seen here."""
        return self.state["observation"]

    @property
    def task(self) -> NDArray[np.float32] | None:
        """The task of the episode, where the environment has tasks."""
        return self.state.get("task")


@dataclass(eq=False)
class SnapshotLibrary:
    """Snapshots, the episodes they come from, and what these have cost.

    Of the values that are alike in all snapshots one is kept, and actions are kept once per
    episode. Saved, it is a folder with ``library.json`` and ``library.npz``.
    """

    adapter: Adapter
    trajectories: list[Trajectory] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    steps: int = 0  # environment steps that were played to make it, also for what was not kept
    source: str = ""  # what the environment was

    def __len__(self) -> int:
        return len(self.snapshots)

    @property
    def values(self) -> Array:
        """The value of each snapshot, (n,)."""
        return np.array([snapshot.value for snapshot in self.snapshots], np.float64)

    @property
    def clusters(self) -> Ints:
        """The cluster of each snapshot, (n,); they are numbered from 0."""
        return np.array([snapshot.cluster for snapshot in self.snapshots], np.int64)

    @property
    def n_clusters(self) -> int:
        """How many clusters there are."""
        return int(self.clusters.max(initial=-1)) + 1

    def best(self, n: int) -> "SnapshotLibrary":
        """Return the ``n`` episodes with the highest returns, and their snapshots."""
        order = np.argsort([-t.reward for t in self.trajectories], kind="stable")[:n]
        kept = {int(old): new for new, old in enumerate(np.sort(order))}
        snapshots = [
            replace(snapshot, trajectory=kept[snapshot.trajectory])
            for snapshot in self.snapshots
            if snapshot.trajectory in kept
        ]
        trajectories = [self.trajectories[old] for old in kept]
        return replace(self, trajectories=trajectories, snapshots=snapshots)

    def classified(self, k: int = 6) -> "SnapshotLibrary":
        """Return it with snapshots in at most ``k`` clusters of like value, lowest first.

        S3RL's status classification: k-means on the value alone, which says how far an episode has
        come, not where.
        """
        if not len(self):
            raise ValueError("there is nothing to classify: the library has no snapshots")
        labels = k_means(self.values, k)
        pairs = zip(self.snapshots, labels.tolist(), strict=True)
        return replace(self, snapshots=[replace(s, cluster=label) for s, label in pairs])

    def of_trajectory(self, index: int) -> list[int]:
        """Return the snapshots of an episode, earliest first."""
        found = [i for i, s in enumerate(self.snapshots) if s.trajectory == index]
        return sorted(found, key=lambda i: self.snapshots[i].step)

    def add(self, snapshots: Sequence[Snapshot]) -> None:
        """Append snapshots."""
        self.snapshots.extend(snapshots)

    def save(self, folder: Path | str) -> Path:
        """Write it; a library that is there is replaced."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        rows = [flat(self._stripped(snapshot)) for snapshot in self.snapshots]
        columns, arrays = split(rows)
        arrays |= {name: np.array([getattr(s, name) for s in self.snapshots]) for name in _COUNTS}
        arrays["value"] = self.values
        for i, trajectory in enumerate(self.trajectories):
            arrays |= {f"actions/{i}": trajectory.actions, f"rewards/{i}": trajectory.rewards}
        about = {
            "format": _FORMAT,
            "adapter": self.adapter.name,
            "source": self.source,
            "steps": self.steps,
            "snapshots": len(self),
            "trajectories": [
                {"seed": t.seed, "terminated": t.terminated, "success": t.success}
                for t in self.trajectories
            ],
            "columns": columns,
        }
        write_npz(folder / "library.npz", arrays)
        write_atomically(folder / "library.json", json.dumps(about))
        return folder

    @classmethod
    def load(cls, folder: Path | str) -> "SnapshotLibrary":
        """Read what :meth:`save` wrote.

        Raises:
            DamagedFileError: it is not what was written there.
        """
        about, arrays = read_json(Path(folder) / "library.json"), None
        arrays = read_npz(Path(folder) / "library.npz")
        with reading(Path(folder)):
            if about["format"] != _FORMAT:
                raise ValueError(f"its format is {about['format']}, known is {_FORMAT}")
            trajectories = list(_trajectories(about["trajectories"], arrays))
            library = cls(
                adapter_named(about["adapter"]),
                trajectories,
                steps=int(about["steps"]),
                source=str(about["source"]),
            )
            rows = joined(about["columns"], arrays, int(about["snapshots"]))
            counts = zip(*(arrays[name].tolist() for name in (*_COUNTS, "value")), strict=True)
            for row, (trajectory, step, cluster, value) in zip(rows, counts, strict=True):
                state = library._filled(nested(row), trajectory, step)
                library.snapshots.append(Snapshot(state, trajectory, step, value, cluster))
            library._require_sense()
        return library

    def _stripped(self, snapshot: Snapshot) -> State:
        """Leave actions out that the trajectory has."""
        actions = snapshot.state.get("actions")
        if actions is None or snapshot.trajectory < 0:
            return snapshot.state
        known = self.trajectories[snapshot.trajectory].actions[: len(actions)]
        if not np.array_equal(known, actions):
            return snapshot.state
        return {k: v for k, v in snapshot.state.items() if k != "actions"} | {"replayed": True}

    def _filled(self, state: State, trajectory: int, step: int) -> State:
        if state.pop("replayed", False):
            state["actions"] = self.trajectories[trajectory].actions[:step]
        return state

    def _require_sense(self) -> None:
        n = len(self.trajectories)
        if any(not -1 <= s.trajectory < n or s.step < 0 or s.cluster < 0 for s in self.snapshots):
            raise ValueError("a snapshot belongs to no episode, or to no cluster")
        if not np.isfinite(self.values).all():
            raise ValueError("values must be finite")


def _trajectories(about: list[dict[str, Any]], arrays: dict[str, Any]) -> Iterator[Trajectory]:
    for i, known in enumerate(about):
        actions, rewards = arrays[f"actions/{i}"], arrays[f"rewards/{i}"]
        if len(actions) != len(rewards) or not np.isfinite(rewards).all():
            raise ValueError(f"episode {i} has {len(actions)} actions, {len(rewards)} rewards")
        yield Trajectory(actions, rewards, **known)
