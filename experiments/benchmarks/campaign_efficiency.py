"""What does a campaign cost beyond its runs, on local processes and on Ray?

The ideal is what one run takes on one pinned core, times the runs per core. Against it stand the
same runs as a campaign of as many workers as cores, on each engine. Start-up (processes, imports,
Ray itself) is measured apart: it is the time of a campaign with one run per core, of one rollout.
The sides take turns, and the machine should have nothing else to do.

Run: python experiments/benchmarks/campaign_efficiency.py --steps 1_500_000 --repetitions 3
"""

import csv
import logging
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import tyro

from teachrl import teach
from teachrl.campaigns import Campaign
from teachrl.envs import StumpTracks
from teachrl.students.presets import PPOPreset
from teachrl.teachers import ALPGMM

RESULTS = Path(__file__).parent / "results" / "campaign_efficiency.csv"
TEACHER = ALPGMM.tuned_for_walker()
ARGUMENTS: dict[str, Any] = {"n_envs": 16, "evaluate_every": 0}


@dataclass
class Settings:
    """What to measure."""

    steps: int = 1_500_000  # of each run; about ten minutes
    runs: int = 4
    cores: int = 2
    engines: tuple[str, ...] = ("local", "ray")
    repetitions: int = 1
    alone: int | None = None  # carry out this seed and print its seconds; used by the script itself


def main(settings: Settings) -> None:
    """Measure all sides in turns, print the ratios and write them down."""
    if settings.alone is not None:
        print(alone(settings.alone, settings.steps))
        return
    logging.basicConfig(level=logging.WARNING)
    rows = []
    for repetition in range(settings.repetitions):
        once = pinned(settings)
        ideal = once * settings.runs / settings.cores
        print(f"one run, pinned: {once:.1f} s; ideal campaign: {ideal:.1f} s", flush=True)
        for engine in settings.engines:
            start_up = campaign_seconds(settings, engine, settings.cores, steps=1)
            took = campaign_seconds(settings, engine, settings.runs, settings.steps)
            net = took - start_up
            rows.append((repetition, engine, once, ideal, start_up, took, net, net / ideal))
            print(
                f"{engine}: {took:.1f} s, of which {start_up:.1f} s start-up; {net / ideal:.3f} "
                f"of the ideal without it, {took / ideal:.3f} with it",
                flush=True,
            )
    write(settings, rows)


def write(
    settings: Settings, rows: list[tuple[int, str, float, float, float, float, float, float]]
) -> None:
    """Write one row per measurement, and print the medians."""
    header = (
        "repetition",
        "engine",
        "one_run_s",
        "ideal_s",
        "start_up_s",
        "took_s",
        "net_s",
        "ratio",
    )
    with RESULTS.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    nets = {e: median(row[6] for row in rows if row[1] == e) for e in settings.engines}
    for engine, net in nets.items():
        ratio = median(row[7] for row in rows if row[1] == engine)
        print(f"{engine}: {ratio:.3f} of the ideal; {net / nets[settings.engines[0]]:.3f} of local")


def alone(seed: int, steps: int) -> float:
    """Return the seconds that one run takes in this process, after a first short one."""
    with tempfile.TemporaryDirectory(prefix="teachrl-") as folder:
        for length in (1, steps):
            start = perf_counter()
            teach(
                PPOPreset(),
                StumpTracks,
                TEACHER,
                steps=length,
                seed=seed,
                folder=Path(folder, str(length)),
                **ARGUMENTS,
            )
    return perf_counter() - start


def pinned(settings: Settings) -> float:
    """Return the mean seconds of one run per core, at the same time, each pinned to its core.

    Two busy cores share caches and clock rates: one run on an otherwise idle machine would be an
    ideal that no campaign can reach.
    """
    cores = sorted(os.sched_getaffinity(0))[: settings.cores]
    command = [sys.executable, __file__, "--steps", str(settings.steps)]
    processes = [
        subprocess.Popen(
            ["taskset", "-c", str(core), *command, "--alone", str(seed)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        for seed, core in enumerate(cores)
    ]
    seconds = [float(process.communicate()[0].splitlines()[-1]) for process in processes]
    return sum(seconds) / len(seconds)


def campaign_seconds(settings: Settings, engine: str, runs: int, steps: int) -> float:
    """Return the wall seconds of a campaign, from its call to its end."""
    campaign = Campaign.product(
        students=PPOPreset(),
        envs=StumpTracks,
        teachers=[TEACHER],
        seeds=runs,
        steps=steps,
        **ARGUMENTS,
    )
    with tempfile.TemporaryDirectory(prefix="teachrl-") as folder:
        start = perf_counter()
        campaign.run(folder, engine=engine, workers=settings.cores)
        return perf_counter() - start


if __name__ == "__main__":
    main(tyro.cli(Settings))
