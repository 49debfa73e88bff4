"""How fast is a whole taught run, against plain SB3 on Gymnasium's hard walker?

Both sides train the same PPO with the same number of environments, in turns, in one process: plain
SB3 on ``BipedalWalkerHardcore-v3``, and ``teach`` with ALP-GMM, its logs, files and pictures on
Stump Tracks. Evaluations are left out on both sides: they are extra work by choice.

Run: python -m experiments.benchmarks.end_to_end
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import torch
import tyro
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from teachrl import teach
from teachrl.envs import StumpTracks
from teachrl.students.presets import PPOPreset
from teachrl.teachers import ALPGMM

RESULTS = Path(__file__).parent / "results" / "end_to_end.csv"


@dataclass
class Settings:
    """What to measure."""

    steps: int = 65_536
    n_envs: int = 16
    repetitions: int = 5


def main(settings: Settings) -> None:
    """Measure both sides in turns, print the ratios and write them down."""
    torch.set_num_threads(1)
    plain(settings, 0, steps=2_048)  # compile and import everything once
    taught(settings, 0, steps=2_048)
    rows = []
    for seed in range(settings.repetitions):
        sb3_wall, sb3_cpu, _ = plain(settings, seed, settings.steps)
        our_wall, our_cpu, share = taught(settings, seed, settings.steps)
        rows.append((seed, our_wall, sb3_wall, our_wall / sb3_wall, our_cpu / sb3_cpu, share))
        print(f"seed {seed}: {our_wall:.0f} against {sb3_wall:.0f} steps/s", flush=True)
    header = (
        "seed",
        "teachrl_steps_per_s",
        "sb3_steps_per_s",
        "ratio_wall",
        "ratio_cpu",
        "teacher_share",
    )
    with RESULTS.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    ratios, cpu, shares = ([row[i] for row in rows] for i in (3, 4, 5))
    print(
        f"teachrl / SB3: {median(ratios):.2f} (wall), {median(cpu):.2f} (CPU), "
        f"range {min(cpu):.2f} to {max(cpu):.2f}; teacher {100 * median(shares):.2f} % of wall time"
    )


def plain(settings: Settings, seed: int, steps: int) -> tuple[float, float, float]:
    """Return steps per second of wall time and of CPU time of SB3 by itself."""
    env = VecNormalize(
        make_vec_env("BipedalWalkerHardcore-v3", settings.n_envs, seed=seed), norm_reward=False
    )
    student = PPO("MlpPolicy", env, seed=seed, **PPOPreset().options(settings.n_envs))
    wall, cpu = perf_counter(), process_time()
    student.learn(steps)
    rates = steps / (perf_counter() - wall), steps / (process_time() - cpu)
    env.close()
    return *rates, 0.0


def taught(settings: Settings, seed: int, steps: int) -> tuple[float, float, float]:
    """Return the same of a whole taught run, and the teacher's share of wall time."""
    wall, cpu = perf_counter(), process_time()
    run = teach(
        PPOPreset(),
        StumpTracks,
        ALPGMM.tuned_for_walker(),
        steps=steps,
        seed=seed,
        n_envs=settings.n_envs,
        evaluate_every=0,
    )
    rates = steps / (perf_counter() - wall), steps / (process_time() - cpu)
    return *rates, json.loads((run.folder / "summary.json").read_text())["teacher_share"]


if __name__ == "__main__":
    main(tyro.cli(Settings))
