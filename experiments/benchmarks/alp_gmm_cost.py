"""What does ALP-GMM cost per episode, and does it stay that cheap?

CPU time of sample and update, in two dimensions with the values tuned for the walker (a fit every
150 episodes, 2 to 9 Gaussians): over the first 5,000 episodes on the toy, beside the eight fits
alone if scikit-learn made them; then around episodes 10,000, 100,000 and 1,000,000.

Run: python experiments/benchmarks/alp_gmm_cost.py
"""

import csv
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
import tyro
from sklearn.mixture import GaussianMixture

from teachrl.core import Episode, Teacher
from teachrl.envs import ToyStudent
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.teachers import ALPGMM

RESULTS = Path(__file__).parent / "results" / "alp_gmm_cost.csv"
SPACE = TaskSpace(x=(0, 1), y=(0, 1))


@dataclass
class Settings:
    """What to measure."""

    late: int = 1_000_000  # the episode around which it is measured again
    window: int = 3_000  # episodes of a measurement
    repetitions: int = 5


def main(settings: Settings) -> None:
    """Measure, print and write down microseconds per episode."""
    _first_episodes(0)  # compile once
    rows = [("first 5,000 on the toy", median(map(_first_episodes, range(settings.repetitions))))]
    rows.append(("eight fits by scikit-learn", _scikit_learn(settings.repetitions)))
    for memory in (100_000, None):
        times = _late(memory, (10_000, 100_000, settings.late), settings.window)
        rows += [(f"around {n:,}, memory {memory}", cost) for n, cost in times.items()]
    with RESULTS.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("episodes", "cpu_us_per_episode"))
        for name, cost in rows:
            writer.writerow((name, round(cost, 1)))
            print(f"{name}: {cost:.0f} µs")


def _first_episodes(seed: int) -> float:
    """Return the cost of the first 5,000 episodes, without that of the student."""
    teacher, student, spent = _started(100_000, seed), ToyStudent(), 0.0
    for _ in range(5_000):
        started = process_time()
        task = teacher.sample()
        spent += process_time() - started
        episode = Episode(task, seed=0, reward=student.play(task.params), length=1)
        started = process_time()
        teacher.update(episode)
        spent += process_time() - started
    return 1e6 * spent / 5_000


def _scikit_learn(repetitions: int) -> float:
    """Return the cost of the fits of one episode if scikit-learn made them."""
    costs, rng = [], np.random.default_rng(0)
    for _ in range(repetitions):
        points, started = rng.random((150, 3)), process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fit that needs more iterations says so
            for k in range(2, 10):
                GaussianMixture(k, random_state=0).fit(points)
        costs.append(1e6 * (process_time() - started) / 150)
    return median(costs)


def _late(memory: int | None, moments: tuple[int, ...], window: int) -> dict[int, float]:
    """Return the cost around some episodes of a long life; rewards are cheap and change."""
    teacher, costs, played = _started(memory, 0), {}, 0
    noise = np.random.default_rng(1).random(moments[-1] + window)
    for moment in moments:
        while played < moment:
            _episode(teacher, float(noise[played]))
            played += 1
        started = process_time()
        for reward in noise[played : played + window]:
            _episode(teacher, float(reward))
        costs[moment], played = 1e6 * (process_time() - started) / window, played + window
    return costs


def _episode(teacher: Teacher, reward: float) -> None:
    task = teacher.sample()
    teacher.update(Episode(task, seed=0, reward=reward, length=1))


def _started(memory: int | None, seed: int) -> Teacher:
    teacher = replace(ALPGMM.tuned_for_walker(), memory=memory)
    return teacher.start(SPACE, stream(seed, "teacher"))


if __name__ == "__main__":
    main(tyro.cli(Settings))
