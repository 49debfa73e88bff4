"""Does an expert save a student environment steps, and does the student outgrow it?

PPO learns an environment from scratch; kickstarted from an expert, with the gradients clipped
together or the expert's clipped by itself; from a weak expert that was stopped half-way; and from a
placebo, an expert that never learnt. The answer is the number of steps until the mean return of the
last hundred episodes passes a threshold. The steps that the experts took are reported apart.

Every finished run is written down at once; the same command goes on with those that are missing.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import torch
import tyro
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env

from teachrl.students import Kickstart
from teachrl.students.experts import Expert
from teachrl.students.kickstart_weights import ReturnRatio

RESULTS = Path(__file__).parent / "results" / "kickstarting"
EXPERTS = Path("runs/kickstarting")
SCRATCH, PLACEBO = "scratch", "placebo"
ARMS = (SCRATCH, "expert", "expert, own clipping", "weak expert", PLACEBO)
N_ENVS = 16


class World(NamedTuple):
    """An environment, and when it counts as solved."""

    threshold: float  # mean return of a hundred episodes
    weak: float  # at which the weak expert is stopped
    lowest: float  # about the return of an untrained student
    budget: int  # steps
    options: dict[str, Any]


WORLDS = {
    "LunarLander-v3": World(
        200.0, 0.0, -200.0, 800_000, {"gamma": 0.999, "gae_lambda": 0.98, "ent_coef": 0.01}
    ),
    "Acrobot-v1": World(-100.0, -200.0, -500.0, 500_000, {"gamma": 0.99, "gae_lambda": 0.94}),
    "CartPole-v1": World(450.0, 150.0, 0.0, 300_000, {"gamma": 0.99, "gae_lambda": 0.95}),
}


@dataclass(kw_only=True)
class Arguments:
    """Does an expert save a student environment steps, and does the student outgrow it?"""

    worlds: tuple[str, ...] = tuple(WORLDS)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    arms: tuple[str, ...] = ARMS
    workers: int = 2


class Job(NamedTuple):
    """One run."""

    world: str
    arm: str
    seed: int


def main(arguments: Arguments) -> None:
    """Train what has not been trained yet, and say how many steps each arm took."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    for world in arguments.worlds:
        _experts(world)
    done = {job for job, *_ in _read()}
    jobs = [
        job
        for seed in arguments.seeds
        for world in arguments.worlds
        for arm in arguments.arms
        if (job := Job(world, arm, seed)) not in done
    ]
    with joblib.Parallel(arguments.workers, return_as="generator_unordered") as parallel:
        for row in parallel(joblib.delayed(_run)(job) for job in jobs):
            with (RESULTS / "runs.csv").open("a", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow(row)
            print(*row, sep=", ", flush=True)
    _summarize()


class Passing(BaseCallback):
    """Notes when the mean return passes thresholds, and stops at the last of them."""

    def __init__(self, thresholds: tuple[float, ...]) -> None:
        super().__init__()
        self.thresholds, self.passed = thresholds, dict.fromkeys(thresholds, -1)
        self.best = -np.inf

    def _on_step(self) -> bool:
        recent: Any = self.model.ep_info_buffer
        if len(recent) < 100:
            return True
        mean = float(np.mean([episode["r"] for episode in recent]))
        self.best = max(self.best, mean)
        for threshold, steps in self.passed.items():
            if steps < 0 and mean >= threshold:
                self.passed[threshold] = self.num_timesteps
        return self.passed[self.thresholds[-1]] < 0


def _student(world: str, seed: int) -> PPO:
    env = make_vec_env(world, n_envs=N_ENVS, seed=seed)
    options = {"n_steps": 256, "batch_size": 256, "n_epochs": 4} | WORLDS[world].options
    return PPO("MlpPolicy", env, seed=seed, device="cpu", **options)


@cache
def _experts(world: str) -> tuple[int, int]:
    """Train the weak and the good expert of a world once, and return the steps they took."""
    folder, known = EXPERTS / world, WORLDS[world]
    notes = folder / "steps.csv"
    if not notes.exists():
        torch.set_num_threads(1)
        folder.mkdir(parents=True, exist_ok=True)
        model, steps = _student(world, 1000), []
        for name, threshold in (("weak", known.weak), ("good", known.threshold)):
            passing = Passing((threshold,))
            model.learn(3 * known.budget, callback=passing, reset_num_timesteps=False)
            model.save(folder / f"{name}.zip")
            steps.append(model.num_timesteps)
        notes.write_text(",".join(map(str, steps)))
    weak, good = map(int, notes.read_text().split(","))
    return weak, good


def _run(job: Job) -> tuple[Any, ...]:
    torch.set_num_threads(1)
    known = WORLDS[job.world]
    student = _student(job.world, job.seed)
    passing = Passing((known.weak, known.threshold))
    callbacks: list[BaseCallback] = [passing]
    if job.arm != SCRATCH:
        weight = ReturnRatio(expert_return=_aim(job), floor=known.lowest)
        clip = 0.5 if "own" in job.arm else None
        callbacks.append(Kickstart(_expert(job), weight=weight, max_grad_norm=clip))
    student.learn(known.budget, callback=callbacks)
    return (*job, *passing.passed.values(), round(passing.best, 1), student.num_timesteps)


def _aim(job: Job) -> float:
    """Return what an expert is said to reach; the placebo claims what a good one does."""
    known = WORLDS[job.world]
    return known.weak if job.arm == "weak expert" else known.threshold


def _expert(job: Job) -> Expert:
    if job.arm == PLACEBO:
        return Expert(_student(job.world, 2000 + job.seed))
    name = "weak" if job.arm == "weak expert" else "good"
    # Written by this script into the user's own folder; SB3's zips may run code.
    return Expert(PPO.load(EXPERTS / job.world / f"{name}.zip", device="cpu"))


def _read() -> list[tuple[Any, ...]]:
    path = RESULTS / "runs.csv"
    if not path.exists():
        header = ("world", "arm", "seed", "steps_to_weak", "steps_to_solved", "best", "steps")
        with path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(header)
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [
        (Job(w, a, int(s)), int(weak), int(solved), float(b))
        for w, a, s, weak, solved, b, _ in rows
    ]


def _summarize() -> None:
    """Print and write the median steps of each arm; a run that never got there has no end."""
    rows = _read()
    table: list[tuple[Any, ...]] = []
    for world in WORLDS:
        medians: dict[str, float] = {}
        for arm in ARMS:
            steps = [s if s >= 0 else np.inf for job, _, s, _ in rows if job[:2] == (world, arm)]
            if not steps:
                continue
            medians[arm] = float(np.median(steps))
            best = [b for job, _, _, b in rows if job[:2] == (world, arm)]
            ratio = medians.get(SCRATCH, np.nan) / medians[arm]
            solved = sum(np.isfinite(steps))
            table.append((world, arm, len(steps), solved, medians[arm], round(ratio, 2), max(best)))
        if medians:
            weak, good = _experts(world)
            table.append(
                (world, "(steps of the experts)", "", "", f"weak {weak}, good {good}", "", "")
            )
    header = ("world", "arm", "runs", "solved", "median_steps", "times_fewer", "best_mean_return")
    with (RESULTS / "summary.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *table])
    for row in table:
        print(*row, sep=", ")


if __name__ == "__main__":
    main(tyro.cli(Arguments))
