"""What does a campaign cost beyond its runs, on local processes and on Ray?

The ideal is what one run takes on one pinned core, times the runs per core. Against it stand the
same runs as a campaign of as many workers as cores, on each engine. Start-up (processes, imports,
Ray itself) is measured apart: it is the time of a campaign with one run per core, of one rollout.

Engines are compared by the seconds of the runs themselves, from first step to end, in turns, every
second time in the reverse order; the mean of the ratios comes with its interval, which is wide
where others share the machine: `engine_slices` tells smaller differences. Ray's own processes still
start while the first steps are taken, which weighs on short runs; their CPU time is counted.

Run: python -m experiments.benchmarks.campaign_efficiency --ideal
     python -m experiments.benchmarks.campaign_efficiency --steps 200_000 --runs 2 --repetitions 8
"""

import csv
import json
import logging
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from threading import Event
from time import perf_counter
from typing import Any, NamedTuple

import psutil
import tyro
from scipy import stats

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

    steps: int = 3_200_000  # of each run; about ten minutes
    runs: int = 4
    cores: int = 2
    engines: tuple[str, ...] = ("local", "ray")
    repetitions: int = 1
    ideal: bool = False  # whether one run per core, pinned, is measured too; nan: it was not
    alone: int | None = None  # carry out this seed and print its seconds; used by the script itself


def main(settings: Settings) -> None:
    """Measure all sides in turns, print the ratios and write them down."""
    if settings.alone is not None:
        print(alone(settings.alone, settings.steps))
        return
    logging.basicConfig(level=logging.WARNING)
    rows = []
    for repetition in range(settings.repetitions):
        once = pinned(settings) if settings.ideal else math.nan
        for engine in settings.engines[:: -1 if repetition % 2 else 1]:
            rows.append(measured(settings, engine, repetition, once))
            print(rows[-1], flush=True)
    write(rows)
    first, *others = (of(rows, engine) for engine in settings.engines)
    for own in (first, *others) if settings.ideal else ():
        print(f"{own[0].engine}: {mean(row.of_ideal() for row in own):.3f} of the ideal")
    for own in others:
        ratios = [row.run_s / base.run_s for row, base in zip(own, first, strict=True)]
        busy = 100 * mean(row.share() for row in own) / settings.cores
        print(
            f"{own[0].engine}: runs take {mean(ratios):.3f} {interval(ratios)} of those of "
            f"{first[0].engine}; its own processes take {busy:.1f} % of CPU"
        )


class Row(NamedTuple):
    """One campaign; seconds of wall time."""

    runs: int
    steps: int
    repetition: int
    engine: str
    one_run_s: float
    ideal_s: float
    start_up_s: float
    took_s: float
    run_s: float  # mean of its runs, from the first step to the end
    engine_cpu_s: float  # of processes that are the engine's, and no run's

    def of_ideal(self) -> float:
        """Return the time of the campaign, start-up included, as a multiple of the ideal."""
        return self.took_s / self.ideal_s

    def share(self) -> float:
        """Return the cores that the engine's own processes kept busy."""
        return self.engine_cpu_s / self.took_s


def measured(settings: Settings, engine: str, repetition: int, once: float) -> Row:
    """Return how long a campaign takes on an engine, and what it takes to start one."""
    start_up = carry_out(settings, engine, settings.cores, steps=1)[0]
    finished = Event()
    with ThreadPoolExecutor(1) as watch:
        own = watch.submit(cpu_of_ray, finished)
        try:
            took, run = carry_out(settings, engine, settings.runs, settings.steps)
        finally:
            finished.set()
    ideal = once * settings.runs / settings.cores
    size = (settings.runs, settings.steps)
    seconds = (once, ideal, start_up, took, run, own.result())
    return Row(*size, repetition, engine, *(round(each, 2) for each in seconds))


def of(rows: Sequence[Row], engine: str) -> list[Row]:
    """Return the campaigns on one engine."""
    return [row for row in rows if row.engine == engine]


def interval(ratios: Sequence[float]) -> str:
    """Return the 95 % interval of the mean, of which one repetition has none."""
    if len(ratios) == 1:
        return "[?]"
    error = float(stats.sem(ratios) * stats.t.ppf(0.975, len(ratios) - 1))
    return f"[{mean(ratios) - error:.3f}, {mean(ratios) + error:.3f}]"


def write(rows: Sequence[Row]) -> None:
    """Write one line per campaign, beside those of other sizes."""
    with RESULTS.open(newline="") as file:
        before = list(csv.reader(file))[1:]
    sizes = {(str(row.runs), str(row.steps)) for row in rows}
    with RESULTS.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(line for line in before if (line[0], line[1]) not in sizes)
        writer.writerows(rows)


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


def carry_out(settings: Settings, engine: str, runs: int, steps: int) -> tuple[float, float]:
    """Return the seconds of a campaign, from its call to its end, and the mean of its runs' own."""
    campaign = campaign_of(runs, steps)
    with tempfile.TemporaryDirectory(prefix="teachrl-") as folder:
        start = perf_counter()
        campaign.run(folder, engine=engine, workers=settings.cores)
        took = perf_counter() - start
        summaries = [json.loads(path.read_text()) for path in Path(folder).rglob("summary.json")]
        return took, mean(float(summary["seconds"]) for summary in summaries)


def campaign_of(runs: int, steps: int) -> Campaign:
    """Return equal runs that differ in their seed."""
    return Campaign.product(
        students=PPOPreset(),
        envs=StumpTracks,
        teachers=[TEACHER],
        seeds=runs,
        steps=steps,
        **ARGUMENTS,
    )


def cpu_of_ray(finished: Event) -> float:
    """Return the CPU seconds of Ray's processes, apart from its workers, until all is finished."""
    most = 0.0
    while not finished.wait(5):
        own = [p for p in psutil.process_iter(["name", "cmdline"]) if _is_rays_own(p.info)]
        total = 0.0
        for process in own:
            with suppress(psutil.Error):  # it ended in between
                times = process.cpu_times()
                total += times.user + times.system
        most = max(most, total)
    return most


def _is_rays_own(info: dict[str, Any]) -> bool:
    command = " ".join(info["cmdline"] or ())
    if info["name"] in {"raylet", "gcs_server"}:  # whose commands name workers, too
        return True
    if "default_worker" in command or command.startswith(("ray::_carry_out", "ray::IDLE")):
        return False
    return "/ray/" in command or command.startswith("ray::")


if __name__ == "__main__":
    main(tyro.cli(Settings))
