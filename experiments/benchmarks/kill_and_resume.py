"""Does a run that is killed at any moment end as if it had never been?

Runs of several students, worlds and teachers, with their environments in one process or in many,
are killed with SIGKILL at random moments, a quarter of them twice, and resumed: one kill in five
at any moment since the process began, the others while it trains. In the end the episodes, the
evaluations, the weights, the normaliser and the teacher must be, byte for byte, those of a run that
was left alone.

Run: python -m experiments.benchmarks.kill_and_resume
"""

import csv
import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import tyro

from teachrl import TaskSpace, teach
from teachrl.core import Teacher
from teachrl.envs import StumpTracks, ToyEnv
from teachrl.evaluation import TestSet
from teachrl.runs import Run
from teachrl.runs.checkpoints import checkpoints
from teachrl.seeding import stream
from teachrl.students.presets import PPOPreset, Preset, SACPreset
from teachrl.teachers import TEACHERS
from teachrl.training import Plan

RESULTS = Path(__file__).parent / "results" / "kill_and_resume.csv"
PPO = PPOPreset(rollout=64, batch_size=32, n_epochs=2, net_arch=(16,))
SAC = SACPreset(learning_starts=100, buffer_size=400, batch_size=32, net_arch=(16,))
COLUMNS = ("configuration", "kill_seconds", "killed_after", "resumed_from", "identical", "seconds")


class HeavyPendulum(gym.Wrapper[Any, Any, Any, Any]):
    """Gymnasium's pendulum with a mass to choose."""

    task_space = TaskSpace(mass=(0.5, 2))
    reward_range, mastery_threshold = (-2000.0, 0.0), -200.0

    def __init__(self) -> None:
        super().__init__(gym.make("Pendulum-v1", max_episode_steps=40))

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """Hang the mass on."""
        self.unwrapped.m = float((options or {}).get("task", [1.0])[0])  # type: ignore[attr-defined]
        return self.env.reset(seed=seed)


@dataclass
class Settings:
    """What to kill."""

    kills: int = 50
    seed: int = 0
    teachers: tuple[str, ...] = tuple(
        TEACHERS
    )  # those that a world or student refuses are left out


@dataclass(frozen=True)
class Configuration:
    """One run."""

    student: Preset
    env: Any
    teacher: Teacher
    processes: bool
    steps: int

    def __str__(self) -> str:
        """Name it."""
        parts = (type(self.student), self.env, type(self.teacher))
        names = [part.__name__.removesuffix("Preset") for part in parts]
        return " ".join([*names, "processes" if self.processes else "one process"])

    def carry_out(self, folder: Path) -> None:
        """Begin the run, or go on with it."""
        teach(
            self.student,
            self.env,
            self.teacher,
            steps=self.steps,
            n_envs=2,
            processes=self.processes,
            folder=folder,
            checkpoint_every=64,
            evaluate_every=self.steps // 3,
            test_set=TestSet.uniform(self.env().task_space, 2),
        )


def main(settings: Settings) -> None:
    """Kill, resume, compare, print and write down."""
    multiprocessing.set_forkserver_preload(["teachrl.training", "teachrl.envs.stump_tracks"])
    rng, rows = stream(settings.seed, "kills"), []
    every = configurations(settings.teachers)
    weights = np.array([1 if configuration.processes else 4 for configuration in every])
    shares = np.diff(np.rint(settings.kills * np.cumsum([0, *weights]) / weights.sum()))
    for configuration, share in zip(every, shares.astype(int).tolist(), strict=True):
        with tempfile.TemporaryDirectory() as name:
            rows += [*survive(configuration, share, Path(name), rng)]
        print(*rows[-share:], sep="\n", flush=True)
    with RESULTS.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([COLUMNS, *rows])
    print(f"{sum(row[4] == 'yes' for row in rows)} of {len(rows)} ended identical")


def configurations(teachers: tuple[str, ...]) -> list[Configuration]:
    """Pair every student, world and kind of process with the next teacher that fits."""
    waiting, every = [TEACHERS[name]() for name in teachers], []
    for student, env, steps in (
        (PPO, ToyEnv, 1500),
        (PPO, StumpTracks, 800),
        (PPO, HeavyPendulum, 1500),
        (SAC, StumpTracks, 800),
        (SAC, HeavyPendulum, 1000),
    ):
        for processes in (False, True):
            fitting = next(t for t in waiting if fits(student, env, t))
            waiting.remove(fitting)
            waiting.append(fitting)
            every.append(Configuration(student, env, fitting, processes, steps))
    return every


def fits(student: Preset, env: Any, teacher: Teacher) -> bool:
    """Tell whether the world and the student supply what a teacher needs."""
    options: Any = {"steps": 1, "seed": 0, "n_envs": 1, "processes": False, "options": {}}
    try:
        Plan.checked(student, env, teacher, test_set=None, evaluate_every=0, **options)
    except ValueError:
        return False
    return True


def survive(
    configuration: Configuration, kills: int, root: Path, rng: np.random.Generator
) -> list[tuple[Any, ...]]:
    """Return one row per kill."""
    process = begin(configuration, root / "unbroken")
    started = time.perf_counter()
    wait_for_training(process, root / "unbroken")
    trains = time.perf_counter()
    process.join()
    usual, rows = (trains - started, time.perf_counter() - trains), list[tuple[Any, ...]]()
    expected = everything(root / "unbroken")
    while len(rows) < kills:
        folder, started = root / f"killed {len(rows)}", time.perf_counter()
        killed = []
        for _ in range(2 if rng.random() < 0.25 else 1):
            at_once = bool(rng.random() < 0.2)
            moment = float(rng.uniform(0.0, sum(usual) if at_once else usual[1]))
            if where := kill(configuration, folder, moment, at_once):
                killed.append(where)
        begin(configuration, folder).join()
        same = "yes" if everything(folder) == expected else "NO"
        seconds = round(time.perf_counter() - started, 2)
        rows += [(str(configuration), *where, same, seconds) for where in killed]
        shutil.rmtree(folder)
    return rows[:kills]


def begin(configuration: Configuration, folder: Path) -> Any:
    """Start a run in a process with everything imported, forked from one without threads."""
    server = multiprocessing.get_context("forkserver")
    process = server.Process(target=configuration.carry_out, args=(folder,))
    process.start()
    return process


def wait_for_training(process: Any, folder: Path) -> None:
    """Wait until the first episode is written, or the process has ended."""
    monitor = folder / "monitor.csv"
    before = monitor.stat().st_size if monitor.exists() else 0
    while process.is_alive() and (not monitor.exists() or monitor.stat().st_size == before):
        time.sleep(0.01)


def kill(
    configuration: Configuration, folder: Path, moment: float, at_once: bool
) -> tuple[Any, ...] | None:
    """Kill a run; return when, after which step, and the checkpoint; None if it had ended.

    Args:
        configuration: of the run.
        folder: of the run.
        moment: seconds after it began to train.
        at_once: seconds after it began at all.
    """
    process, started = begin(configuration, folder), time.perf_counter()
    if not at_once:
        wait_for_training(process, folder)
    process.join(moment)
    if process.exitcode is not None or process.pid is None:
        return None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    monitor = folder / "monitor.csv"
    rows = monitor.read_text().splitlines()[2:] if monitor.exists() else []
    complete = [row.split(",") for row in rows]
    after = max((int(row[2]) for row in complete if len(row) > 3), default=0)
    saved = checkpoints(folder)
    return round(time.perf_counter() - started, 2), after, int(saved[0].name) if saved else 0


def everything(folder: Path) -> list[Any]:
    """Return all that must not differ."""
    run = Run.load(folder)
    files = [(folder / name).read_bytes() for name in ("monitor.csv", "evaluations.csv")]
    weights = [p.detach().numpy().tobytes() for p in run.student.policy.state_dict().values()]
    arrays = []
    for name in ("normalizer.npz", "teacher.npz"):
        with np.load(folder / name) as saved:
            arrays += [(key, saved[key].tobytes()) for key in sorted(saved.files)]
    return [run.status, files, weights, arrays]


if __name__ == "__main__":
    main(tyro.cli(Settings))
