"""Are runs slower on Ray than on local processes, on a machine whose speed drifts?

Two campaigns of equal runs go on at once, one per engine, but never at the same time: every few
seconds all processes of one are stopped and those of the other continued, Ray's own with its
workers. Whatever slows the machine down for longer than that slows down both. Counted are the steps
per second of a campaign's own time, after both have started. The interval is that of the mean over
blocks of turns.

Run: python -m experiments.benchmarks.engine_slices
"""

import csv
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import tyro
from scipy import stats

from experiments.benchmarks.campaign_efficiency import campaign_of

RESULTS = Path(__file__).parent / "results" / "engine_slices.csv"
PATIENCE = 120  # seconds for a campaign to start


@dataclass(kw_only=True)
class Settings:
    """How to take turns."""

    slice: float = 4.0  # seconds of a turn
    turns: int = 8  # of each engine in a block
    blocks: int = 4
    workers: int = 2  # runs at the same time; one per core
    engines: tuple[str, str] = ("local", "ray")


def main(settings: Settings) -> None:
    """Let both campaigns take turns, print the ratio of their speeds and write the blocks down."""
    processes = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="teachrl-") as folder:
        folders = [Path(folder, engine) for engine in settings.engines]
        sides = [
            processes.Process(target=_carry_out, args=(engine, path, settings.workers))
            for engine, path in zip(settings.engines, folders, strict=True)
        ]
        try:
            for side, path in zip(sides, folders, strict=True):
                side.start()
                _wait_for(path, settings.workers)
                _signal(side, signal.SIGSTOP)
            speeds = np.array([_block(settings, sides, folders) for _ in range(settings.blocks)])
        finally:
            for side in (side for side in sides if side.pid):
                _signal(side, signal.SIGKILL)
                side.join()
    ratios = speeds[:, 0] / speeds[:, 1]
    error = stats.sem(ratios) * stats.t.ppf(0.975, len(ratios) - 1)
    first, second = settings.engines
    print(
        f"a step on {second} takes {ratios.mean():.3f} "
        f"[{ratios.mean() - error:.3f}, {ratios.mean() + error:.3f}] of one on {first}"
    )
    with RESULTS.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*(f"{engine}_steps_per_s" for engine in settings.engines), "ratio"))
        writer.writerows(
            (*np.round(pair, 1), round(float(ratio), 4))
            for pair, ratio in zip(speeds, ratios, strict=True)
        )


def _carry_out(engine: str, folder: Path, workers: int) -> None:
    """Begin runs that are longer than anybody waits."""
    campaign_of(workers, steps=10**8).run(folder, engine=engine, workers=workers)


def _wait_for(folder: Path, runs: int) -> None:
    end = time.monotonic() + PATIENCE
    while len(_steps(folder)) < runs:
        if time.monotonic() > end:
            raise TimeoutError(f"{folder.name}: {len(_steps(folder))} of {runs} runs have begun")
        time.sleep(0.5)


def _block(settings: Settings, sides: list[Any], folders: list[Path]) -> list[float]:
    """Let each side have its turns; return the steps per second of its own time."""
    before = [sum(_steps(folder)) for folder in folders]
    own = [0.0, 0.0]
    for turn in range(2 * settings.turns):
        i = (0, 1, 1, 0)[turn % 4]  # a drift within the block burdens both alike
        with _awake(sides[i]):
            start = time.perf_counter()
            time.sleep(settings.slice)
            own[i] += time.perf_counter() - start
    after = [sum(_steps(folder)) for folder in folders]
    speeds = [(b - a) / seconds for a, b, seconds in zip(before, after, own, strict=True)]
    print(
        *(f"{engine} {speed:.0f}" for engine, speed in zip(settings.engines, speeds, strict=True))
    )
    return speeds


@contextmanager
def _awake(side: Any) -> Iterator[None]:
    _signal(side, signal.SIGCONT)
    try:
        yield
    finally:
        _signal(side, signal.SIGSTOP)


def _signal(side: Any, number: int) -> None:
    """Send a signal to a process and to all that came from it."""
    with suppress(psutil.NoSuchProcess):
        for process in (p := psutil.Process(side.pid)).children(recursive=True):
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)
        os.kill(p.pid, number)


def _steps(folder: Path) -> list[int]:
    """Return how far each run is that has written its first rollout."""
    steps = []
    for path in folder.rglob("progress.csv"):
        with path.open(newline="") as file:
            rows = [row["time/total_timesteps"] for row in csv.DictReader(file)]
        if rows := [row for row in rows if row]:
            steps.append(int(float(rows[-1])))
    return steps


if __name__ == "__main__":
    main(tyro.cli(Settings))
