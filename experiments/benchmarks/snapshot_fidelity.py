"""How faithfully, how fast and in how many bytes are states of environments saved and restored?

States are saved in episodes of random actions, and loaded into an environment that has played
another episode. The same actions must then give the same observations: the share for which that
holds to the last bit, and the median and the largest difference of any component, after 1, 10 and
50 steps. Costs are CPU time per state, for replay at the age given; bytes are those in a library.

Run: python -m experiments.benchmarks.snapshot_fidelity
"""

import csv
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import gymnasium as gym
import numpy as np
import tyro

from teachrl.envs import PointMass, StumpTracks
from teachrl.snapshots import (
    Adapter,
    Attributes,
    Box2D,
    MuJoCo,
    Native,
    Recorder,
    Replay,
    explore,
    measure,
)

RESULTS = Path(__file__).parent / "results" / "snapshot_fidelity.csv"
AGES = (0, 5, 10, 20, 35, 50, 75, 100)
_UNBROKEN = {"terminate_when_unhealthy": False}  # so that random actions last for fifty steps

CASES: list[tuple[str, type[Adapter], dict[str, Any]]] = [
    *((name, Attributes, {}) for name in ("CartPole-v1", "Acrobot-v1", "MountainCar-v0")),
    *((name, Attributes, {}) for name in ("Pendulum-v1", "Taxi-v4")),
    *((f"MiniGrid-{name}-v0", Attributes, {}) for name in ("DoorKey-8x8", "KeyCorridorS3R2")),
    *((name, MuJoCo, _UNBROKEN) for name in ("Hopper-v5", "Walker2d-v5", "Ant-v5", "Humanoid-v5")),
    ("HalfCheetah-v5", MuJoCo, {}),
    ("point-mass", Native, {}),
    *(
        (name, adapter, {})
        for name in ("BipedalWalker-v3", "BipedalWalkerHardcore-v3", "LunarLander-v3")
        for adapter in (Replay, Box2D)
    ),
    ("stump-tracks", Replay, {}),
    ("stump-tracks", Box2D, {}),
    ("Hopper-v5", Replay, _UNBROKEN),
]
_OWN: dict[str, Callable[..., Any]] = {"point-mass": PointMass, "stump-tracks": StumpTracks}


@dataclass
class Settings:
    """What to measure."""

    episodes: int = 6
    repetitions: int = 200  # of saving and loading


def main(settings: Settings) -> None:
    """Measure, print and write down one row per environment, adapter and horizon."""
    header = ("environment", "adapter", "claims", "horizon", "states", "exact", "median", "largest")
    with RESULTS.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*header, "save_us", "load_us", "age", "bytes"))
        for name, of, options in CASES:
            make = partial(_OWN.get(name, partial(_make, name)), **options)
            adapter = of()
            costs = _costs(adapter, make, settings.repetitions)
            for found in measure(adapter, make, ages=AGES, episodes=settings.episodes):
                claim = "exact" if adapter.exact else "approximate"
                middle, largest = f"{found.median:.2g}", f"{found.largest:.2g}"
                counts = (found.horizon, found.n, round(found.exact, 3), middle, largest)
                row = (name, adapter.name, claim, *counts, *costs)
                writer.writerow(row)
                print(*row, sep=", ", flush=True)


def _make(name: str, **options: Any) -> gym.Env[Any, Any]:
    if name.startswith("MiniGrid"):
        import minigrid  # noqa: F401 - registers them
    return gym.make(name, **options)


def _costs(
    adapter: Adapter, make: Callable[[], Any], repetitions: int
) -> tuple[float, float, int, int]:
    """Return microseconds to save and to load, the age of the state, and bytes in a library."""
    env = Recorder(make())
    env.action_space.seed(0)
    env.reset(seed=0)
    for _ in range(50):
        if any(env.step(env.action_space.sample())[2:4]):
            env.reset(seed=0)
    began = process_time()
    for _ in range(repetitions):
        state = adapter.save(env)
    saving = process_time() - began
    loads = max(5, repetitions // 4)
    began = process_time()
    for _ in range(loads):
        adapter.load(env, state)
    loading = process_time() - began
    library = explore(make, episodes=4, every=5, adapter=adapter)
    with tempfile.TemporaryDirectory() as folder:
        size = sum(path.stat().st_size for path in library.save(folder).iterdir())
    each = (1e6 * np.array([saving / repetitions, loading / loads])).round(1).tolist()
    return (*each, env.length, round(size / len(library)))


if __name__ == "__main__":
    main(tyro.cli(Settings))
