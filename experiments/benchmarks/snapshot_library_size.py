"""How much room do a hundred trajectories of a real walker take, with a state every ten steps?

A walker is trained by PPO and ALP-GMM on Stump Tracks, and plays a hundred test tasks. Libraries of
snapshots are made of these episodes, with states to be replayed, and with written ones; each is
saved, loaded, and some of its states are begun from. Bytes are those of the folder.

Run: python -m experiments.benchmarks.snapshot_library_size
"""

import csv
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from stable_baselines3 import PPO

from teachrl import teach
from teachrl.envs import StumpTracks
from teachrl.evaluation import default_test_set
from teachrl.runs import Run
from teachrl.seeding import stream
from teachrl.snapshots import Adapter, Box2D, Replay, SnapshotLibrary, SnapshotResets
from teachrl.students.snapshot_library import expert_snapshots
from teachrl.teachers import ALPGMM

RESULTS = Path(__file__).parent / "results" / "snapshot_library_size.csv"
ADAPTERS: tuple[type[Adapter], ...] = (Replay, Box2D)
COLUMNS = (
    *("adapter", "trajectories", "steps", "mean_return", "snapshots"),
    *("megabytes", "bytes_per_snapshot", "begun_as_saved"),
)


@dataclass(kw_only=True)
class Settings:
    """How much room do a hundred trajectories of a real walker take?"""

    training: int = 300_000  # steps of the walker
    trajectories: int = 100
    every: int = 10  # steps between states
    begun: int = 40  # states that are begun from
    walker: Path = Path("runs/snapshot_library_size")


def main(settings: Settings) -> None:
    """Measure, print and write down one row per kind of library."""
    walker = teach(
        PPO,
        StumpTracks,
        ALPGMM.tuned_for_walker(),
        steps=settings.training,
        n_envs=16,
        folder=settings.walker,
        evaluate_every=settings.training,
    )
    rows = [_measured(adapter(), walker, settings) for adapter in ADAPTERS]
    with RESULTS.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    for row in rows:
        print(*row, sep=", ")


def _measured(adapter: Adapter, walker: Run, settings: Settings) -> tuple[Any, ...]:
    library = expert_snapshots(
        walker,
        StumpTracks,
        tasks=default_test_set(StumpTracks).params,
        episodes=settings.trajectories,
        every=settings.every,
        adapter=adapter,
    )
    with tempfile.TemporaryDirectory() as folder:
        size = sum(path.stat().st_size for path in library.save(folder).iterdir())
        loaded = SnapshotLibrary.load(folder)
    mean = np.mean([trajectory.reward for trajectory in library.trajectories])
    made = (adapter.name, len(library.trajectories), library.steps, round(float(mean), 1))
    room = (round(size / 1e6, 2), round(size / len(library)))
    return (*made, len(library), *room, _begun_as_saved(loaded, settings.begun))


def _begun_as_saved(library: SnapshotLibrary, n: int) -> str:
    """Return of how many states, drawn from the library, the first observation is the saved one."""
    env = SnapshotResets(StumpTracks(), library)
    drawn = stream(0, "snapshots").choice(len(library), n, replace=False).tolist()
    same = [
        np.array_equal(env.begin_at(index)[0], library.snapshots[index].observation)
        for index in drawn
    ]
    return f"{sum(same)} of {n}"


if __name__ == "__main__":
    main(tyro.cli(Settings))
