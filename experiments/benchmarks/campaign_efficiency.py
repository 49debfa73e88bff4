"""What does a campaign cost beyond its runs, on local processes and on Ray?

The ideal is what one run takes on one pinned core, times the runs per core. Against it stand the
same runs as a campaign of as many workers as cores, on each engine. Start-up (processes, imports,
Ray itself) is measured apart: it is the time of a campaign with one run per core, of one rollout.
The sides take turns, every second time in the reverse order, so that a machine that becomes slower
burdens them alike; it should have nothing else to do.

A machine that others share may change its speed by more than engines differ. With ``--together``
each engine has one run on one core, at the same time, so both meet the same machine; what Ray's own
processes take is apart, since they burden both.

Run: python -m experiments.benchmarks.campaign_efficiency --steps 1_600_000 --runs 2 --repetitions 2
     python -m experiments.benchmarks.campaign_efficiency --steps 3_200_000 --together
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
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import perf_counter
from typing import Any, NamedTuple

import psutil
import tyro

from teachrl import teach
from teachrl.campaigns import Campaign
from teachrl.envs import StumpTracks
from teachrl.students.presets import PPOPreset
from teachrl.teachers import ALPGMM

RESULTS = Path(__file__).parent / "results" / "campaign_efficiency.csv"
TOGETHER = RESULTS.with_name("campaign_efficiency_together.csv")
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
    ideal: bool = True  # whether one run per core, pinned, is measured too; nan: it was not
    together: bool = False  # one run of each engine, all at the same time
    alone: int | None = None  # carry out this seed and print its seconds; used by the script itself


def main(settings: Settings) -> None:
    """Measure all sides in turns, print the ratios and write them down."""
    if settings.alone is not None:
        print(alone(settings.alone, settings.steps))
        return
    logging.basicConfig(level=logging.WARNING)
    if settings.together:
        compare_together(settings)
        return
    rows = []
    for repetition in range(settings.repetitions):
        once = pinned(settings) if settings.ideal else math.nan
        print(f"one run, pinned: {once:.1f} s", flush=True)
        for engine in settings.engines[:: -1 if repetition % 2 else 1]:
            start_up = campaign_seconds(settings, engine, settings.cores, steps=1)
            took = campaign_seconds(settings, engine, settings.runs, settings.steps)
            ideal = once * settings.runs / settings.cores
            row = Row(
                settings.runs, settings.steps, repetition, engine, once, ideal, start_up, took
            )
            print(f"{engine}: {took:.1f} s, {row.ratio():.3f} of the ideal", flush=True)
            rows.append(row)
    write(rows)
    for engine in settings.engines:
        own = of(rows, engine)
        print(
            f"{engine}: {median(row.ratio() for row in own):.3f} of the ideal, of which "
            f"{median(row.start_up_s / row.ideal_s for row in own):.3f} is start-up; "
            f"{without_start_up(own) / without_start_up(of(rows, settings.engines[0])):.3f} of "
            f"{settings.engines[0]}, each without its start-up"
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

    def ratio(self) -> float:
        """Return the time of the campaign, start-up included, as a multiple of the ideal."""
        return self.took_s / self.ideal_s


def of(rows: Sequence[Row], engine: str) -> list[Row]:
    """Return the campaigns on one engine."""
    return [row for row in rows if row.engine == engine]


def without_start_up(rows: Sequence[Row]) -> float:
    """Return the seconds that these campaigns took in all, beyond their start-ups."""
    return sum(row.took_s - row.start_up_s for row in rows)


def write(rows: Sequence[Row]) -> None:
    """Write one line per campaign, beside those of other sizes."""
    with RESULTS.open(newline="") as file:
        before = list(csv.reader(file))[1:]
    sizes = {(str(row.runs), str(row.steps)) for row in rows}
    with RESULTS.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*Row._fields, "ratio"])
        writer.writerows(line for line in before if (line[0], line[1]) not in sizes)
        writer.writerows([*row, row.ratio()] for row in rows)


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


def compare_together(settings: Settings) -> None:
    """Carry out one run per engine at the same time, and write down how long each took.

    The seconds are those of the run itself, without the engine's start-up. Beside them stand the
    seconds of CPU that Ray's own processes took in all.
    """
    with ProcessPoolExecutor(len(settings.engines), get_context("spawn")) as pool:
        for repetition in range(settings.repetitions):
            finished = Event()
            own: list[float] = []
            watch = Thread(target=_watch_ray, args=(finished, own))
            watch.start()
            work = [pool.submit(run_seconds, engine, settings.steps) for engine in settings.engines]
            seconds = [each.result() for each in work]
            finished.set()
            watch.join()
            ratio = seconds[-1] / seconds[0]
            row = (
                settings.steps,
                repetition,
                *seconds,
                round(ratio, 4),
                round(max(own, default=0.0), 1),
            )
            print(*row, sep=", ", flush=True)
            is_new = not TOGETHER.exists()
            with TOGETHER.open("a", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                if is_new:
                    names = [f"{engine}_s" for engine in settings.engines]
                    writer.writerow(("steps", "repetition", *names, "ratio", "ray_processes_cpu_s"))
                writer.writerow(row)


def run_seconds(engine: str, steps: int) -> float:
    """Return the seconds that a campaign's only run takes from its first step to its end."""
    campaign = Campaign.product(
        students=PPOPreset(),
        envs=StumpTracks,
        teachers=[TEACHER],
        seeds=1,
        steps=steps,
        **ARGUMENTS,
    )
    with tempfile.TemporaryDirectory(prefix="teachrl-") as folder:
        campaign.run(folder, engine=engine, workers=1)
        [summary] = Path(folder).rglob("summary.json")
        return float(json.loads(summary.read_text())["seconds"])


def _watch_ray(finished: Event, seconds: list[float]) -> None:
    """Note the CPU time of Ray's processes, apart from the workers, until all is finished."""
    while not finished.wait(5):
        own = [p for p in psutil.process_iter(["name", "cmdline"]) if _is_rays_own(p.info)]
        total = 0.0
        for process in own:
            with suppress(psutil.Error):  # it ended in between
                times = process.cpu_times()
                total += times.user + times.system
        seconds.append(total)


def _is_rays_own(info: dict[str, Any]) -> bool:
    command = " ".join(info["cmdline"] or ())
    if info["name"] in {"raylet", "gcs_server"}:  # whose commands name workers, too
        return True
    if "default_worker" in command or command.startswith(("ray::_carry_out", "ray::IDLE")):
        return False
    return "/ray/" in command or command.startswith("ray::")


if __name__ == "__main__":
    main(tyro.cli(Settings))
