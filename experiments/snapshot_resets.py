"""Do starts from an expert's snapshots save a student steps, and which part of S3RL does it?

Students of several algorithms learn a world from scratch; with student trajectory truncation alone
(STT: the first fifth of training in episodes of 100 steps, from ordinary starts); from snapshots
drawn uniformly; from those with status classification (SC: uniformly over clusters of the critic's
value); from those with STT; with both, which is S3RL (2024, arXiv 2403.00673); and with S3RL whose
probability of snapshots fades rather than being switched off. Students are evaluated on whole
episodes from ordinary starts. The expert's steps for the library are in the table; those of its own
training are reported apart.

Every finished run is written down at once; the same command goes on with those that are missing.
"""

import copy
import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import joblib
import numpy as np
import torch
import tyro
from scipy import stats
from stable_baselines3 import PPO, SAC, TD3
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from experiments.snapshot_worlds import PAIRS, WORLDS
from teachrl.snapshots import (
    ByCluster,
    Recorder,
    Snapshot,
    SnapshotLibrary,
    SnapshotResets,
    Uniform,
    adapter_for,
)
from teachrl.students.snapshot_library import expert_snapshots
from teachrl.students.snapshot_schedule import SnapshotSchedule
from teachrl.students.whole_episodes import WholeEpisodeMonitor

RESULTS = Path(__file__).parent / "results" / "snapshot_resets"
EXPERTS = Path("runs/snapshot_resets")
SCRATCH = "scratch"
EVALUATIONS, EPISODES = 10, 5  # of each run, of each evaluation
CHECKS = 50  # evaluations of an expert in its training
STARTS = 200  # ordinary starts, for STT alone
SHARE = 0.2  # of training that begins from snapshots; S3RL's is a tenth of a million steps


class Arm(NamedTuple):
    """Where episodes begin, and how."""

    from_expert: bool = True  # else from the beginning
    classified: bool = False
    truncated: bool = False
    fades: bool = False


ARMS = {
    "STT": Arm(from_expert=False, truncated=True),
    "snapshots": Arm(),
    "snapshots, SC": Arm(classified=True),
    "snapshots, STT": Arm(truncated=True),
    "S3RL": Arm(classified=True, truncated=True),
    "S3RL, fading": Arm(classified=True, truncated=True, fades=True),
}


QUICK = tuple(PAIRS)[:3]


@dataclass(kw_only=True)
class Arguments:
    """Do starts from an expert's snapshots save a student environment steps?"""

    pairs: tuple[str, ...] = QUICK  # of world and student; the others take hours
    arms: tuple[str, ...] = (SCRATCH, *ARMS)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    workers: int = 2
    scale: float = 1.0  # of all steps; less than 1 only to see that it works
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
    if unknown := (set(arguments.pairs) - set(PAIRS)) | (set(arguments.arms) - {SCRATCH, *ARMS}):
        raise ValueError(f"unknown {sorted(unknown)}; pairs are {', '.join(PAIRS)}")
    arguments.results.mkdir(parents=True, exist_ok=True)
    worlds = list(dict.fromkeys(pair.split("/")[0] for pair in arguments.pairs))
    done = {job for job, *_ in _read(arguments.results)}
    wanted = product(arguments.seeds, arguments.pairs, arguments.arms)
    every = (Job(*pair.partition("/")[::2], arm, seed) for seed, pair, arm in wanted)
    jobs = [job for job in every if job not in done]
    joblib.Parallel(arguments.workers)(joblib.delayed(_library)(w, arguments) for w in worlds)
    with joblib.Parallel(arguments.workers, return_as="generator_unordered") as parallel:
        for row in parallel(joblib.delayed(_run)(job, arguments) for job in jobs):
            with (arguments.results / "runs.csv").open("a", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow(row)
            print(*row[:-1], sep=", ", flush=True)
    _summarize(arguments, worlds)


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


def _make(world: str, is_monitored: bool = False) -> gym.Env[Any, Any]:
    env = gym.make(WORLDS[world].name, **WORLDS[world].make_options)
    return Monitor(env) if is_monitored else env


def _library(world: str, arguments: Arguments) -> tuple[SnapshotLibrary, int, float]:
    """Train an expert once and let it play; return the library, its training steps, its return."""
    folder, known = arguments.experts / world, WORLDS[world]
    notes = folder / "steps.csv"
    if not notes.exists():
        torch.set_num_threads(1)
        budget = round(known.expert_steps * arguments.scale)
        make = partial(_make, world, True)
        env = make_vec_env(make, 8 if known.expert == "PPO" else 1)
        model = _student(world, known.expert, 1000, env, known.expert_options)
        examined = Examined(make, max(1, budget // CHECKS), known.threshold)
        model.learn(budget, callback=examined)
        library = expert_snapshots(model, partial(_make, world), episodes=10, every=10, seed=0)
        library.save(folder / "library")
        mean = float(np.mean([trajectory.reward for trajectory in library.trajectories]))
        notes.write_text(f"{model.num_timesteps},{mean}")
    steps, earned = notes.read_text().split(",")
    return SnapshotLibrary.load(folder / "library"), int(steps), float(earned)


def _starts(make: Callable[[], Any]) -> SnapshotLibrary:
    """Return a library of nothing but beginnings."""
    library, env = SnapshotLibrary(adapter_for(make)), Recorder(make())
    states = []
    for seed in range(STARTS):
        env.reset(seed=seed)
        states.append(Snapshot(library.adapter.save(env), -1, 0, 0.0))
    library.add(states)
    return library


def _run(job: Job, arguments: Arguments) -> tuple[Any, ...]:
    torch.set_num_threads(1)
    known, make = WORLDS[job.world], partial(_make, job.world, True)
    budget = round(PAIRS[f"{job.world}/{job.student}"] * arguments.scale)
    env, callbacks = _environment(job, budget, arguments)
    examined = Examined(make, max(1, budget // EVALUATIONS))
    _student(job.world, job.student, job.seed, env, {}).learn(
        budget, callback=[examined, *callbacks]
    )
    means = np.array([mean for _, mean in examined.curve])
    first = next((steps for steps, mean in examined.curve if mean >= known.threshold), -1)
    cost = callbacks[0].expert_steps if callbacks else 0
    curve = ";".join(f"{steps}:{mean:.1f}" for steps, mean in examined.curve)
    row = (first, round(means.mean(), 2), round(means[-1], 2), round(means.max(), 2))
    return (*job, *row, budget, cost, curve)


def _environment(
    job: Job, budget: int, arguments: Arguments
) -> tuple[VecEnv, list[SnapshotSchedule]]:
    make, n_envs = partial(_make, job.world), 8 if job.student == "PPO" else 1
    if job.arm == SCRATCH:
        return WholeEpisodeMonitor(DummyVecEnv([make] * n_envs)), []
    arm = ARMS[job.arm]
    library = _library(job.world, arguments)[0] if arm.from_expert else _starts(make)
    first, steps = (0.8, budget // 2) if arm.fades else (1.0, round(SHARE * budget))

    def begin() -> SnapshotResets:
        selector = ByCluster() if arm.classified else Uniform()
        horizon = 100 if arm.truncated else None
        return SnapshotResets(make(), library, selector, probability=first, horizon=horizon)

    schedule = SnapshotSchedule(first, max(1, steps), arm.fades)
    return WholeEpisodeMonitor(DummyVecEnv([begin] * n_envs)), [schedule]


def _student(world: str, algorithm: str, seed: int, env: VecEnv, more: dict[str, Any]) -> Any:
    known = WORLDS[world]
    if algorithm == "PPO":
        options = {"n_steps": 256, "batch_size": 256, "n_epochs": 10, **known.on_policy, **more}
    else:
        options = copy.deepcopy({**known.off_policy, **more})  # SB3 writes into them
    if algorithm == "TD3":
        n = int(np.prod(env.action_space.shape or ()))
        options["action_noise"] = NormalActionNoise(np.zeros(n), 0.1 * np.ones(n))
    student: Any = {"SAC": SAC, "TD3": TD3, "PPO": PPO}[algorithm]
    return student("MlpPolicy", env, seed=seed, device="cpu", **options)


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


def _summarize(arguments: Arguments, worlds: list[str]) -> None:
    """Print and write steps, area under the curve (`mean`) and its Welch's p against scratch."""
    rows, table = _read(arguments.results), list[tuple[Any, ...]]()
    for pair, arm in product(PAIRS, (SCRATCH, *ARMS)):
        if not (found := [row for row in rows if row[0][:3] == (*pair.split("/"), arm)]):
            continue
        steps = np.array([s if s >= 0 else np.inf for _, s, *_ in found])
        solved, middle = int(np.isfinite(steps).sum()), float(np.median(steps))
        means, lasts = (np.array([row[i] for row in found]) for i in (2, 3))
        scratch = [row[2] for row in rows if row[0][:3] == (*pair.split("/"), SCRATCH)]
        known = arm != SCRATCH and min(len(scratch), len(means)) > 1
        p = round(stats.ttest_ind(means, scratch, equal_var=False).pvalue, 4) if known else ""
        counts = (len(found), solved, middle, round(means.mean(), 2), p, round(lasts.mean(), 2))
        table.append((*pair.split("/"), arm, *counts))
    path, experts = arguments.results / "summary.csv", dict[str, tuple[Any, ...]]()
    if path.exists():  # experts of other worlds may be on another machine
        with path.open(newline="") as file:
            experts = {row[0]: tuple(row) for row in csv.reader(file) if row[1] == "(expert)"}
    for world in worlds:
        library, trained, mean = _library(world, arguments)
        cost = f"training {trained}, library {library.steps}, return {mean:.1f}"
        experts[world] = (world, "(expert)", library.adapter.name, len(library), "", cost)
    table += [(*row, "", "", "")[:9] for row in experts.values()]
    header = ("world", "student", "arm", "runs", "solved", "median_steps", "mean", "p", "last")
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *table])
    for row in table:
        print(*row, sep=", ")


if __name__ == "__main__":
    main(tyro.cli(Arguments))
