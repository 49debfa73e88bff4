"""Does an expert save a student environment steps, and does the student outgrow it?

PPO learns an environment from scratch; kickstarted from an expert, with the gradients clipped
together or the expert's clipped by itself; from a weak expert that was stopped half-way; and from a
placebo, an expert that never learnt. The answer is the number of steps after which the mean return
of ten evaluation episodes, the same for all and without exploring, passes a threshold. The steps
that the experts took are reported apart.

Every finished run is written down at once; the same command goes on with those that are missing.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import torch
import tyro
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecEnv

from teachrl.students import Kickstart
from teachrl.students.experts import Expert
from teachrl.students.kickstart_weights import ReturnRatio

RESULTS = Path(__file__).parent / "results" / "kickstarting"
EXPERTS = Path("runs/kickstarting")
SCRATCH, PLACEBO = "scratch", "placebo"
ARMS = (SCRATCH, "expert", "expert, own clipping", "weak expert", PLACEBO)
EPISODES, EVALUATION_SEED = 10, 10_000


class World(NamedTuple):
    """An environment, when it counts as solved, and how PPO learns it."""

    threshold: float  # mean return
    weak: float  # at which the weak expert is stopped
    lowest: float  # about the return of an untrained student
    budget: int  # steps
    n_envs: int
    options: dict[str, Any]


_LANDER = {"n_steps": 1024, "n_epochs": 4, "gamma": 0.999, "gae_lambda": 0.98, "ent_coef": 0.01}
WORLDS = {
    "LunarLander-v3": World(200.0, 100.0, -200.0, 800_000, 16, _LANDER),
    "Acrobot-v1": World(-100.0, -200.0, -500.0, 200_000, 8, {"n_steps": 256}),
    "CartPole-v1": World(475.0, 150.0, 0.0, 150_000, 8, {"n_steps": 256}),
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
    joblib.Parallel(arguments.workers)(joblib.delayed(_experts)(w) for w in arguments.worlds)
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
    """Evaluates after each rollout, notes when thresholds are passed, and stops at the last."""

    def __init__(self, world: str, thresholds: tuple[float, ...]) -> None:
        super().__init__()
        self.env = _envs(world, EPISODES)
        self.thresholds, self.passed = thresholds, dict.fromkeys(thresholds, -1)
        self.best = -np.inf

    def _on_step(self) -> bool:
        model: Any = self.model
        if self.num_timesteps % (model.n_steps * model.n_envs):
            return True
        self.env.seed(EVALUATION_SEED)
        mean = float(np.mean(evaluate_policy(model, self.env, EPISODES)[0]))
        self.best = max(self.best, mean)
        for threshold, steps in self.passed.items():
            if steps < 0 and mean >= threshold:
                self.passed[threshold] = self.num_timesteps
        return self.passed[self.thresholds[-1]] < 0


def _envs(world: str, n: int, seed: int | None = None) -> VecEnv:
    """Make environments that nobody looks at: SB3's default has the lander make flames, slowly."""
    return make_vec_env(world, n, seed, env_kwargs={"render_mode": None})


def _student(world: str, seed: int) -> PPO:
    known = WORLDS[world]
    env = _envs(world, known.n_envs, seed)
    return PPO("MlpPolicy", env, seed=seed, device="cpu", **known.options)


def _experts(world: str) -> tuple[int, int]:
    """Train the weak and the good expert of a world once, and return the steps they took."""
    folder, known = EXPERTS / world, WORLDS[world]
    notes = folder / "steps.csv"
    if not notes.exists():
        torch.set_num_threads(1)
        folder.mkdir(parents=True, exist_ok=True)
        model, steps = _student(world, 1000), []
        for name, threshold in (("weak", known.weak), ("good", known.threshold)):
            passing = Passing(world, (threshold,))
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
    passing = Passing(job.world, (known.weak, known.threshold))
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
