"""Do episodes that a guide begins save a student steps (JSRL, 2022, arXiv 2204.02372)?

Students learn a world whose reward is hard to find: from scratch; with a guide that plays ever less
as both together stay as good (JSRL's curriculum); and with one that plays a random number of steps
until half of the training is over (JSRL-Random). The guide is a rule of one line, to push the way
the car rolls. Students are evaluated alone, on whole episodes. What guides played is in the table.

Every finished run is written down at once; the same command goes on with those that are missing.
"""

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
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv

from teachrl.students import GuidedStarts
from teachrl.students.guide_schedules import GuideCurriculum, GuideSchedule, RandomGuide
from teachrl.students.whole_episodes import WholeEpisodeMonitor

RESULTS = Path(__file__).parent / "results" / "guided_starts"
EVALUATIONS, EPISODES = 20, 10  # of each run, of each evaluation
STAGES, WINDOW, TOLERANCE = 13, 16, 0.1  # of the curriculum
SCRATCH, CURRICULUM, RANDOM = "scratch", "JSRL", "JSRL-Random"
ARMS = (SCRATCH, CURRICULUM, RANDOM)


class World(NamedTuple):
    """A student in an environment, and when that is solved."""

    name: str
    threshold: float  # mean return of an evaluation
    horizon: int  # steps that its guide takes, about
    guide: Callable[[Any], Any]
    student: type[BaseAlgorithm]
    n_envs: int
    steps: int  # of training
    options: dict[str, Any]


def push(observation: Any) -> int:
    """Push the way the car rolls."""
    return 2 if observation[1] > 0 else 0


_PPO = {"n_steps": 64, "batch_size": 256, "n_epochs": 4, "gae_lambda": 0.98, "learning_rate": 1e-3}
WORLDS = {
    "mountain-car": World("MountainCar-v0", -150.0, 120, push, PPO, 16, 100_000, _PPO),
}


@dataclass(kw_only=True)
class Arguments:
    """Do episodes that a guide begins save a student environment steps?"""

    worlds: tuple[str, ...] = tuple(WORLDS)
    arms: tuple[str, ...] = ARMS
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    workers: int = 2
    scale: float = 1.0  # of all steps; less than 1 only to see that it works
    results: Path = RESULTS


class Job(NamedTuple):
    """One run."""

    world: str
    arm: str
    seed: int


def main(arguments: Arguments) -> None:
    """Train what has not been trained yet, and say how many steps each arm took."""
    if unknown := (set(arguments.worlds) - set(WORLDS)) | (set(arguments.arms) - set(ARMS)):
        raise ValueError(f"unknown {sorted(unknown)}; worlds are {', '.join(WORLDS)}")
    arguments.results.mkdir(parents=True, exist_ok=True)
    done = {job for job, *_ in _read(arguments.results)}
    jobs = [
        job
        for seed in arguments.seeds
        for world in arguments.worlds
        for arm in arguments.arms
        if (job := Job(world, arm, seed)) not in done
    ]
    with joblib.Parallel(arguments.workers, return_as="generator_unordered") as parallel:
        for row in parallel(joblib.delayed(_run)(job, arguments.scale) for job in jobs):
            with (arguments.results / "runs.csv").open("a", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow(row)
            print(*row[:-1], sep=", ", flush=True)
    _summarize(arguments)


class Examined(BaseCallback):
    """Evaluates a student alone, at equal distances."""

    def __init__(self, make: Callable[[], Any], every: int) -> None:
        super().__init__()
        self.env, self.every = DummyVecEnv([make] * EPISODES), every
        self.curve: list[tuple[int, float]] = []

    def _on_step(self) -> bool:
        if self.num_timesteps >= self.every * (len(self.curve) + 1):
            self.env.seed(10_000)  # the same starts for everybody
            mean, _ = evaluate_policy(self.model, self.env, EPISODES, warn=False)
            self.curve.append((self.num_timesteps, float(np.mean(mean))))
        return True


def _run(job: Job, scale: float) -> tuple[Any, ...]:
    torch.set_num_threads(1)
    known = WORLDS[job.world]
    make, budget = partial(_make, job.world), round(known.steps * scale)
    env = WholeEpisodeMonitor(DummyVecEnv([partial(_guided, job.world)] * known.n_envs))
    student: Any = known.student
    model = student("MlpPolicy", env, seed=job.seed, device="cpu", **known.options)
    examined, schedules = Examined(make, max(1, budget // EVALUATIONS)), _schedules(job, budget)
    model.learn(budget, callback=[examined, *schedules])
    means = np.array([mean for _, mean in examined.curve])
    passed = np.flatnonzero(means >= known.threshold)
    first = examined.curve[passed[0]][0] if len(passed) else -1
    played = schedules[0].guide_steps if schedules else 0
    curve = ";".join(f"{steps}:{mean:.1f}" for steps, mean in examined.curve)
    row = (first, round(means.mean(), 2), round(means[-1], 2), round(means.max(), 2))
    return (*job, *row, budget, played, curve)


def _make(world: str) -> gym.Env[Any, Any]:
    """Return a world with observations in [-1, 1]; the sign of the velocity stays."""
    env: gym.Env[Any, Any] = gym.make(WORLDS[world].name)
    return gym.wrappers.RescaleObservation(env, np.float32(-1), np.float32(1))


def _guided(world: str) -> GuidedStarts:
    return GuidedStarts(_make(world), WORLDS[world].guide)


def _schedules(job: Job, budget: int) -> list[GuideSchedule]:
    horizon = WORLDS[job.world].horizon
    if job.arm == CURRICULUM:
        return [GuideCurriculum(horizon, STAGES, TOLERANCE, WINDOW)]
    return [RandomGuide(horizon, until=max(1, budget // 2))] if job.arm == RANDOM else []


def _read(folder: Path) -> list[tuple[Any, ...]]:
    path = folder / "runs.csv"
    if not path.exists():
        names = ("steps_to_solved", "mean", "last", "best", "steps", "guide_steps", "curve")
        with path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow((*Job._fields, *names))
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [
        (Job(world, arm, int(seed)), int(solved), float(mean), float(last), int(guide))
        for world, arm, seed, solved, mean, last, _, _, guide, _ in rows
    ]


def _summarize(arguments: Arguments) -> None:
    """Print and write the median steps of each arm; a run that never got there has no end."""
    rows, table = _read(arguments.results), list[tuple[Any, ...]]()
    for world in WORLDS:
        for arm in ARMS:
            found = [row for row in rows if row[0][:2] == (world, arm)]
            if not found:
                continue
            steps = np.array([s if s >= 0 else np.inf for _, s, *_ in found])
            solved, middle = int(np.isfinite(steps).sum()), float(np.median(steps))
            mean, last, guide = (float(np.mean([row[i] for row in found])) for i in (2, 3, 4))
            counts = (len(found), solved, middle, round(mean, 2), round(last, 2), round(guide))
            table.append((world, arm, *counts))
    header = ("world", "arm", "runs", "solved", "median_steps", "mean", "last", "guide_steps")
    with (arguments.results / "summary.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *table])
    for row in table:
        print(*row, sep=", ")


if __name__ == "__main__":
    main(tyro.cli(Arguments))
