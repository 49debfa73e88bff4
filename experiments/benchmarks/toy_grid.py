"""How much of the toy grid do students master under each teacher, against the published code?

Two dimensions, 20 seeds, after 5,000 and 20,000 episodes. The reference is the code of Portelas et
al. (2019) and Romac et al. (2021) on the same toy: three seeds each, rounded to whole per cents.
Ours is "not below" if its mean is at least the reference's mean minus two standard errors of the
difference.

Run: python experiments/benchmarks/toy_grid.py
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from scipy import stats

from teachrl.core import Teacher
from teachrl.envs import play
from teachrl.teachers import ALPGMM, Random

RESULTS = Path(__file__).parent / "results"
EPISODES = (5_000, 20_000)
TEACHERS: dict[str, Teacher] = {
    "Random": Random(),
    "ALP-GMM, tuned for the walker": ALPGMM.tuned_for_walker(),
    "ALP-GMM, defaults": ALPGMM(),
}
REFERENCE = {  # % mastered of three runs
    ("Random", 5_000): (0, 0, 0),
    ("Random", 20_000): (4, 5, 4),
    ("ALP-GMM, tuned for the walker", 5_000): (6, 6, 5),
    ("ALP-GMM, tuned for the walker", 20_000): (36, 29, 23),
    ("ALP-GMM, defaults", 20_000): (31, 34, 35),
}


@dataclass
class Settings:
    """What to measure."""

    seeds: int = 20


def main(settings: Settings) -> None:
    """Teach, print the comparison, and write every run and the comparison down."""
    runs, rows = [], []
    for name, teacher in TEACHERS.items():
        curves = [play(teacher, max(EPISODES), seed).curve for seed in range(settings.seeds)]
        for episodes in EPISODES:
            scores = np.array([curve[episodes // 1_000 - 1] for curve in curves])
            runs += [(name, episodes, seed, score) for seed, score in enumerate(scores)]
            rows.append((name, episodes, settings.seeds, *_compare(scores, name, episodes)))
            print(*rows[-1], sep=", ", flush=True)
    header = ("teacher", "episodes", "seeds", "mean", "low", "high", "reference", "verdict")
    _write("toy_grid.csv", header, rows)
    _write("toy_grid_runs.csv", ("teacher", "episodes", "seed", "mastered"), runs)


def _compare(scores: np.ndarray, name: str, episodes: int) -> tuple[object, ...]:
    """Return mean, 95 % interval, the reference's mean, and whether ours is below it."""
    error = float(stats.sem(scores))
    low, high = stats.t.interval(0.95, len(scores) - 1, scores.mean(), max(error, 1e-9))
    ours = (round(float(scores.mean()), 2), round(float(low), 2), round(float(high), 2))
    reference = np.array(REFERENCE.get((name, episodes), ()), dtype=float)
    if not len(reference):
        return *ours, "", ""
    allowed = 2 * float(np.hypot(error, stats.sem(reference)))
    is_below = scores.mean() < reference.mean() - allowed
    return *ours, round(float(reference.mean()), 2), "below" if is_below else "not below"


def _write(name: str, header: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / name).open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    main(tyro.cli(Settings))
