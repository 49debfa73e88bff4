"""Do starts from an expert's snapshots save a student steps, and which part of S3RL does it?

Students of several algorithms learn a world from scratch; from snapshots drawn uniformly; with
status classification (SC: uniformly over clusters of the critic's value); with student trajectory
truncation (STT: cut after 100 steps); with both, which is S3RL (2024, arXiv 2403.00673), and with
S3RL whose probability of snapshots fades rather than being switched off. Students are evaluated on
whole episodes from ordinary starts. The expert's steps for the library are in the table; those of
its own training are reported apart.

Every finished run is written down at once; the same command goes on with those that are missing.
"""

import copy
import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import joblib
import numpy as np
import torch
import tyro
from stable_baselines3 import PPO, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from teachrl.snapshots import ByCluster, Replay, SnapshotLibrary, SnapshotResets, Uniform
from teachrl.students.snapshot_library import expert_snapshots
from teachrl.students.snapshot_schedule import SnapshotSchedule
from teachrl.students.whole_episodes import WholeEpisodeMonitor

RESULTS = Path(__file__).parent / "results" / "snapshot_resets"
EXPERTS = Path("runs/snapshot_resets")
EVALUATIONS, EPISODES = 20, 10  # of each run, of each evaluation
CHECKS = 20  # evaluations of an expert in its training

SCRATCH = "scratch"
ARMS: dict[str, tuple[bool, bool, bool]] = {  # classified, truncated, fading
    "snapshots": (False, False, False),
    "snapshots, SC": (True, False, False),
    "snapshots, STT": (False, True, False),
    "S3RL": (True, True, False),
    "S3RL, fading": (True, True, True),
}
STUDENTS: dict[str, type[BaseAlgorithm]] = {"SAC": SAC, "TD3": TD3, "PPO": PPO}


class World(NamedTuple):
    """An environment, when it counts as solved, and how students learn it."""

    name: str
    threshold: float  # mean return of an evaluation
    budget: int  # steps of an off-policy student; an on-policy one has four times as many
    make_options: dict[str, Any]
    off_policy: dict[str, Any]
    on_policy: dict[str, Any]
    expert: dict[str, Any]  # more options of the SAC that becomes the expert


_SPARSE = {
    **{"gamma": 0.9999, "ent_coef": 0.1, "batch_size": 512, "buffer_size": 50_000},
    **{"train_freq": 32, "gradient_steps": 32, "learning_starts": 0, "use_sde": True, "tau": 0.01},
    "policy_kwargs": {"log_std_init": -3.67, "net_arch": [64, 64]},
}
WORLDS = {
    "mountain-car": World(
        "MountainCarContinuous-v0",
        85.0,
        40_000,
        {},
        {"learning_starts": 1_000, "policy_kwargs": {"net_arch": [64, 64]}},
        {"gamma": 0.999, "gae_lambda": 0.98},
        _SPARSE,
    ),
    "lunar-lander": World(
        "LunarLander-v3",
        200.0,
        200_000,
        {"continuous": True},
        {"learning_starts": 5_000, "policy_kwargs": {"net_arch": [256, 256]}},
        {"gamma": 0.999, "gae_lambda": 0.98, "ent_coef": 0.01},
        {},
    ),
    "hopper": World(
        "Hopper-v5",
        2_500.0,
        300_000,
        {},
        {"learning_starts": 5_000, "policy_kwargs": {"net_arch": [256, 256]}},
        {"gamma": 0.99, "gae_lambda": 0.95},
        {},
    ),
}


@dataclass(kw_only=True)
class Arguments:
    """Do starts from an expert's snapshots save a student environment steps?"""

    worlds: tuple[str, ...] = tuple(WORLDS)
    students: tuple[str, ...] = tuple(STUDENTS)
    arms: tuple[str, ...] = (SCRATCH, *ARMS)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    workers: int = 2
    scale: float = 1.0  # of all budgets; less than 1 only to see that it works
    results: Path = RESULTS
    experts: Path = EXPERTS


class Job(NamedTuple):
    """One run."""

    world: str
    student: str
    arm: str
    seed: int


def main(arguments: Arguments) -> None:
    """Train what has not been trained yet, and say how many steps each arm took."""
    arguments.results.mkdir(parents=True, exist_ok=True)
    for world in arguments.worlds:
        _library(world, arguments)
    done = {job for job, *_ in _read(arguments.results)}
    jobs = [
        job
        for seed in arguments.seeds
        for world in arguments.worlds
        for student in arguments.students
        for arm in arguments.arms
        if (job := Job(world, student, arm, seed)) not in done
    ]
    with joblib.Parallel(arguments.workers, return_as="generator_unordered") as parallel:
        for row in parallel(joblib.delayed(_run)(job, arguments) for job in jobs):
            with (arguments.results / "runs.csv").open("a", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow(row)
            print(*row[:-1], sep=", ", flush=True)
    _summarize(arguments)


class Examined(BaseCallback):
    """Evaluates a student on whole episodes, at equal distances."""

    def __init__(self, make: Callable[[], Any], every: int, stop_at: float = np.inf) -> None:
        super().__init__()
        self.env, self.every, self.stop_at = DummyVecEnv([make] * EPISODES), every, stop_at
        self.curve: list[tuple[int, float]] = []

    def _on_step(self) -> bool:
        if self.num_timesteps < self.every * (len(self.curve) + 1):
            return True
        self.env.seed(10_000)  # the same starts for everybody
        mean, _ = evaluate_policy(self.model, self.env, EPISODES)
        self.curve.append((self.num_timesteps, float(np.mean(mean))))
        return self.curve[-1][1] < self.stop_at


def _make(world: str) -> gym.Env[Any, Any]:
    return gym.make(WORLDS[world].name, **WORLDS[world].make_options)


def _make_monitored(world: str) -> gym.Env[Any, Any]:
    return Monitor(_make(world))


def _library(world: str, arguments: Arguments) -> tuple[SnapshotLibrary, int, float]:
    """Train an expert once and let it play; return the library, its training steps, its return."""
    folder, known = arguments.experts / world, WORLDS[world]
    notes = folder / "steps.csv"
    if not notes.exists():
        torch.set_num_threads(1)
        budget = round(3 * known.budget * arguments.scale)
        options = copy.deepcopy({**known.off_policy, **known.expert})  # SB3 writes into them
        model = SAC("MlpPolicy", _make(world), seed=1000, device="cpu", **options)
        make = partial(_make_monitored, world)
        examined = Examined(make, max(1, budget // CHECKS), known.threshold)
        model.learn(budget, callback=examined)
        library = expert_snapshots(model, partial(_make, world), episodes=10, every=10, seed=0)
        library.save(folder / "library")
        mean = float(np.mean([trajectory.reward for trajectory in library.trajectories]))
        notes.write_text(f"{model.num_timesteps},{mean}")
    steps, earned = notes.read_text().split(",")
    return SnapshotLibrary.load(folder / "library"), int(steps), float(earned)


def _run(job: Job, arguments: Arguments) -> tuple[Any, ...]:
    torch.set_num_threads(1)
    known = WORLDS[job.world]
    is_on_policy = job.student == "PPO"
    budget = round((4 if is_on_policy else 1) * known.budget * arguments.scale)
    n_envs = 8 if is_on_policy else 1
    env, callbacks = _environment(job, n_envs, arguments)
    make = partial(_make_monitored, job.world)
    examined = Examined(make, max(1, budget // EVALUATIONS))
    student = _student(job, env)
    student.learn(budget, callback=[examined, *callbacks])
    means = np.array([mean for _, mean in examined.curve])
    passed = np.flatnonzero(means >= known.threshold)
    first = examined.curve[passed[0]][0] if len(passed) else -1
    cost = callbacks[0].expert_steps if callbacks else 0
    curve = ";".join(f"{steps}:{mean:.1f}" for steps, mean in examined.curve)
    row = (first, round(means.mean(), 2), round(means[-1], 2), round(means.max(), 2))
    return (*job, *row, budget, cost, curve)


def _environment(
    job: Job, n_envs: int, arguments: Arguments
) -> tuple[VecEnv, list[SnapshotSchedule]]:
    make = partial(_make, job.world)
    if job.arm == SCRATCH:
        return WholeEpisodeMonitor(DummyVecEnv([make] * n_envs)), []
    is_classified, is_truncated, fades = ARMS[job.arm]
    library, *_ = _library(job.world, arguments)

    def begin() -> SnapshotResets:
        selector = ByCluster() if is_classified else Uniform()
        horizon = 100 if is_truncated else None
        return SnapshotResets(make(), library, selector, horizon=horizon)

    # S3RL's: all episodes of the first tenth; or what is recommended to on-policy students.
    schedule = {"probability": 0.8, "fades": True} if fades else {"probability": 1.0}
    budget = round((4 if job.student == "PPO" else 1) * WORLDS[job.world].budget * arguments.scale)
    steps = budget // 2 if fades else budget // 10
    given: dict[str, Any] = {"fades": False, "steps": max(1, steps)} | schedule
    return WholeEpisodeMonitor(DummyVecEnv([begin] * n_envs)), [SnapshotSchedule(**given)]


def _student(job: Job, env: VecEnv) -> BaseAlgorithm:
    known = WORLDS[job.world]
    if job.student == "PPO":
        options = {"n_steps": 256, "batch_size": 256, "n_epochs": 10, **known.on_policy}
    else:
        options = copy.deepcopy(known.off_policy)  # SB3 writes into them
    if job.student == "TD3":
        n = int(np.prod(env.action_space.shape or ()))
        options["action_noise"] = NormalActionNoise(np.zeros(n), 0.1 * np.ones(n))
    return STUDENTS[job.student]("MlpPolicy", env, seed=job.seed, device="cpu", **options)


def _read(folder: Path) -> list[tuple[Any, ...]]:
    path = folder / "runs.csv"
    if not path.exists():
        names = ("steps_to_solved", "mean", "last", "best", "steps", "expert_steps", "curve")
        with path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow((*Job._fields, *names))
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [
        (Job(w, s, a, int(seed)), int(solved), float(mean), float(last))
        for w, s, a, seed, solved, mean, last, *_ in rows
    ]


def _summarize(arguments: Arguments) -> None:
    """Print and write the median steps of each arm; a run that never got there has no end."""
    rows, table = _read(arguments.results), list[tuple[Any, ...]]()
    for world in arguments.worlds:
        for student in STUDENTS:
            for arm in (SCRATCH, *ARMS):
                found = [row for row in rows if row[0][:3] == (world, student, arm)]
                if not found:
                    continue
                steps = np.array([s if s >= 0 else np.inf for _, s, *_ in found])
                solved, middle = int(np.isfinite(steps).sum()), float(np.median(steps))
                means, lasts = (np.mean([row[i] for row in found]) for i in (2, 3))
                counts = (len(found), solved, middle, round(means, 2), round(lasts, 2))
                table.append((world, student, arm, *counts))
        library, trained, mean = _library(world, arguments)
        cost = f"training {trained}, library {library.steps}, return {mean:.1f}"
        replayed = "replayed" if isinstance(library.adapter, Replay) else library.adapter.name
        table.append((world, "(expert)", replayed, len(library), "", cost, "", ""))
    header = ("world", "student", "arm", "runs", "solved", "median_steps", "mean", "last")
    with (arguments.results / "summary.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *table])
    for row in table:
        print(*row, sep=", ")


if __name__ == "__main__":
    main(tyro.cli(Arguments))
