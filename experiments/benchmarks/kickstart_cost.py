"""What does an expert cost a student who listens to it?

CPU time of ``PPO.train()`` with a kickstarting term from an expert of the same size, against that
without, on LunarLander with 16 environments; medians over rollouts, of runs that take turns. Asking
the expert is counted too: it happens once per rollout.

Run: python -m experiments.benchmarks.kickstart_cost
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import numpy as np
import torch
import tyro
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env

from teachrl.students import Kickstart

RESULTS = Path(__file__).parent / "results" / "kickstart_cost.csv"


@dataclass
class Settings:
    """What to measure."""

    rollouts: int = 6  # of each run
    repetitions: int = 5


def main(settings: Settings) -> None:
    """Measure, print and write down seconds of CPU per rollout."""
    torch.set_num_threads(1)
    rows = []
    for width in (64, 256):
        expert = _student(width)
        for repetition in range(settings.repetitions):
            alone = _training_seconds(width, settings.rollouts, None)
            joint = _training_seconds(width, settings.rollouts, Kickstart(expert, weight=1.0))
            clipped = Kickstart(expert, weight=1.0, max_grad_norm=0.5)
            own = _training_seconds(width, settings.rollouts, clipped)
            rows.append((width, repetition, alone, joint, own, joint / alone, own / alone))
    with RESULTS.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ("width", "repetition", "alone_s", "joint_s", "own_clip_s", "joint_ratio", "own_ratio")
        )
        writer.writerows([(*row[:2], *(round(x, 4) for x in row[2:])) for row in rows])
    for width in (64, 256):
        joint, own = (median(row[i] for row in rows if row[0] == width) for i in (5, 6))
        print(f"two layers of {width}: {joint:.2f} times, clipped by itself {own:.2f} times")


def _student(width: int) -> PPO:
    env = make_vec_env("LunarLander-v3", n_envs=16, seed=0, env_kwargs={"render_mode": None})
    kwargs: dict[str, Any] = {"net_arch": [width, width]}
    options: dict[str, Any] = {"n_steps": 256, "batch_size": 256, "n_epochs": 4}
    return PPO("MlpPolicy", env, policy_kwargs=kwargs, device="cpu", seed=0, **options)


def _training_seconds(width: int, rollouts: int, kickstart: Kickstart | None) -> float:
    """Return the median CPU time between the end of a rollout and the start of the next."""
    student, spent = _student(width), []
    train, began = student.train, 0.0

    def timed() -> None:
        train()
        spent.append(process_time() - began)

    if kickstart is not None:
        asking = kickstart._on_rollout_end

        def end() -> None:
            nonlocal began
            began = process_time()
            asking()

        kickstart._on_rollout_end = end  # type: ignore[method-assign]
        student.train = timed  # type: ignore[method-assign]
    else:

        def whole() -> None:
            nonlocal began
            began = process_time()
            timed()

        student.train = whole  # type: ignore[method-assign]
    student.learn(rollouts * 256 * 16, callback=kickstart)
    return float(np.median(spent))


if __name__ == "__main__":
    main(tyro.cli(Settings))
