"""Which share of a run's time do the teachers by regret take for themselves?

CPU time of ``sample``, ``update`` and ``study`` against that of the whole training of PPO in 16
environments, the teachers in turns; medians over repetitions. The roll-outs of SFL are environment
steps, so they are told apart, as a share of the time without them; the training that REPAIRED is
compared with is that of both of its students, in runs that are long enough for replays as often as
in the long run: without one nobody learns, and all is cheap but the designer. The target is 3 %.

Run: python -m experiments.benchmarks.regret_overhead
"""

import csv
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any
from unittest.mock import patch

import torch
import tyro

from teachrl.core import Teacher
from teachrl.envs import PointMass, StumpTracks
from teachrl.students import TaughtVecEnv, TeacherCallback, make_task_vec_env
from teachrl.students.presets import PPOPreset, StudentSpec
from teachrl.students.rollouts import StudentRollout
from teachrl.teachers import ACCEL, ALPGMM, PLR, REPAIRED, SFL, Minimax, Random

RESULTS = Path(__file__).parent / "results" / "regret_overhead.csv"
REPLAY: dict[str, Any] = {"min_fill": 0.01}  # of a buffer of 1,000: replays from the beginning
TEACHERS: dict[str, Teacher] = {
    "plr": PLR(robust=False, **REPLAY),
    "robust-plr": PLR(**REPLAY),
    "accel": ACCEL(**REPLAY),
    "sfl": SFL(candidates=4, keep=2, refresh_every=50_000),
    "minimax": Minimax(),
    "repaired": REPAIRED(**REPLAY),
    "alp-gmm": ALPGMM.tuned_for_walker(),
    "random": Random(),
}
WORLDS: dict[str, tuple[Callable[..., Any], PPOPreset]] = {
    "stump-tracks": (StumpTracks, PPOPreset()),
    "point-mass": (partial(PointMass, friction=0), PPOPreset.for_point_mass()),
}
N_ENVS = 16


@dataclass
class Settings:
    """What to measure."""

    steps: int = 65_536  # of each run
    repetitions: int = 3


def main(settings: Settings) -> None:
    """Measure, print and write down shares in percent."""
    torch.set_num_threads(1)
    rows = []
    for world in WORLDS:
        shares(world, Random(), 0, 2_048)  # compile and import everything once
        found: dict[str, list[tuple[float, float, int]]] = {name: [] for name in TEACHERS}
        for seed in range(settings.repetitions):
            for name, teacher in TEACHERS.items():
                found[name].append(shares(world, teacher, seed, settings.steps))
        for name, runs in found.items():
            own, rolled_out = (100 * median(run[i] for run in runs) for i in (0, 1))
            highest, episodes = 100 * max(run[0] for run in runs), median(run[2] for run in runs)
            rows.append(
                (world, name, f"{own:.2f}", f"{highest:.2f}", f"{rolled_out:.1f}", episodes)
            )
            print(*rows[-1], sep=", ", flush=True)
    header = ("world", "teacher", "own_percent", "own_highest", "roll_outs_percent", "episodes")
    with RESULTS.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def shares(world: str, teacher: Teacher, seed: int, steps: int) -> tuple[float, float, int]:
    """Return the teacher's own share of CPU time, that of its roll-outs, and its episodes."""
    env, preset = WORLDS[world]
    spec = StudentSpec.of(preset, {})
    with cpu_time() as rolled_out, closing(make_task_vec_env(env, N_ENVS)) as venv:
        taught = TaughtVecEnv(venv, replace(teacher), seed)  # type: ignore[type-var]
        model = spec.make(spec.wrap(taught), seed)
        began, before = process_time(), taught.teacher_seconds
        model.learn(steps, callback=TeacherCallback())
        elsewhere = sum(rolled_out)
        whole = process_time() - began - elsewhere
        own = taught.teacher_seconds - before - elsewhere
    return own / whole, elsewhere / whole, len(taught.episodes)


@contextmanager
def cpu_time() -> Iterator[list[float]]:
    """Let environments count the teacher's time as CPU time; yield that of each roll-out."""
    spent: list[float] = []
    original = StudentRollout.success_rates

    def timed(*arguments: Any) -> Any:
        began = process_time()
        rates = original(*arguments)
        spent.append(process_time() - began)
        return rates

    with (
        patch("teachrl.students.vec_env.perf_counter", process_time),
        patch.object(StudentRollout, "success_rates", timed),
    ):
        yield spent


if __name__ == "__main__":
    main(tyro.cli(Settings))
