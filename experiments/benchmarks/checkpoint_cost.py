"""What do checkpoints cost, in seconds, bytes and as a share of training?

PPO on Stump Tracks in 16 environments, and SAC there with its replay buffer of a million rows full:
training speed, size and time of a checkpoint, the time to read it again, and the share of a run
that the default period (ten checkpoints per run) would take, with and without the rule that
checkpoints come less often where they would cost more than 2 %. Medians of five.

Run: python -m experiments.benchmarks.checkpoint_cost
"""

import csv
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import tyro
from stable_baselines3.common.vec_env import VecMonitor

from teachrl.envs import StumpTracks
from teachrl.runs.checkpoints import checkpoints, load_checkpoint, save_checkpoint
from teachrl.runs.learner import replay_buffer_of
from teachrl.students import TaughtVecEnv, make_task_vec_env
from teachrl.students.presets import StudentSpec
from teachrl.students.threads import torch_threads
from teachrl.teachers import ALPGMM

RESULTS = Path(__file__).parent / "results" / "checkpoint_cost.csv"
LIMIT = 0.02  # the share that checkpoints may cost


@dataclass
class Settings:
    """What to measure."""

    ppo_steps: int = 20_000  # played for the speed
    sac_steps: int = 13_000  # of which 10,000 do not learn
    ppo_run: int = 300_000  # steps of the run whose share is reported: the demo's
    sac_run: int = 1_000_000
    repetitions: int = 5


class Cost(NamedTuple):
    """Seconds of a call."""

    cpu: float
    wall: float


def main(settings: Settings) -> None:
    """Measure, print and write down."""
    rows = []
    with torch_threads(1):
        for name, played, run in (
            ("ppo", settings.ppo_steps, settings.ppo_run),
            ("sac", settings.sac_steps, settings.sac_run),
        ):
            with tempfile.TemporaryDirectory() as folder:
                rows.append(measure(name, played, run, settings.repetitions, Path(folder)))
            print(rows[-1])
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def measure(name: str, played: int, run: int, repetitions: int, folder: Path) -> dict[str, Any]:
    """Return one row."""
    spec = StudentSpec.of(name, {})
    model = spec.make(environment(spec), seed=0)
    first = min(played, getattr(model, "learning_starts", 0))
    if first:
        model.learn(first)
    speed = timed(lambda: model.learn(played - first, reset_num_timesteps=False))
    buffer = replay_buffer_of(model)
    if buffer is not None:
        buffer.full, buffer.pos = True, 0
    writing = middle(
        [timed(lambda: save_checkpoint(folder, model, {})) for _ in range(repetitions)]
    )
    files = [path.stat().st_size for path in checkpoints(folder)[0].iterdir()]
    reading = timed(lambda: load_checkpoint(folder, environment(spec), spec.algorithm))
    seconds = run / (played - first) * speed.wall
    share = 10 * writing.wall / (seconds + 10 * writing.wall)
    return {
        "student": name,
        "steps_per_second": round((played - first) / speed.wall),
        "buffer_rows": 0 if buffer is None else buffer.buffer_size * buffer.n_envs,
        "megabytes": round(sum(files) / 1e6, 1),
        "write_cpu_seconds": round(writing.cpu, 3),
        "write_wall_seconds": round(writing.wall, 3),
        "read_wall_seconds": round(reading.wall, 3),
        "run_steps": run,
        "percent_of_run": round(100 * share, 2),
        "percent_with_limit": round(100 * min(share, LIMIT), 2),
    }


def environment(spec: StudentSpec) -> Any:
    """Return 16 taught Stump Tracks as a student of this kind sees them."""
    taught = TaughtVecEnv(make_task_vec_env(StumpTracks, 16), ALPGMM())
    return spec.wrap(VecMonitor(taught))


def timed(call: Callable[[], Any]) -> Cost:
    """Return what a call costs."""
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    return Cost(time.process_time() - cpu, time.perf_counter() - wall)


def middle(costs: list[Cost]) -> Cost:
    """Return the medians."""
    return Cost(*(median(column) for column in zip(*costs, strict=True)))


if __name__ == "__main__":
    main(tyro.cli(Settings))
