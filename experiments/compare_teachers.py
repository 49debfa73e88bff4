"""Does ALP-GMM teach better than random tasks?

Both teach PPO on Stump Tracks, once per seed. The answer is the interquartile mean of the share of
test tasks mastered over training, with its interval, and the probability that a run of ALP-GMM ends
better than a run with random tasks.
"""

from dataclasses import dataclass
from pathlib import Path

import tyro

from teachrl import benchmark
from teachrl.envs import StumpTracks
from teachrl.students.presets import PPOPreset
from teachrl.teachers import ALPGMM, Random

STUDENT = PPOPreset()
TEACHERS = (Random(), ALPGMM())
N_ENVS = 16
FOLDER = Path("runs/compare_teachers")


@dataclass(kw_only=True)
class Arguments:
    """Does ALP-GMM teach better than random tasks?"""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)  # one run of each teacher each
    steps: int = 2_000_000  # environment steps of a run
    workers: int | None = None  # runs at the same time; by default one per core
    folder: Path = FOLDER  # gets the runs, the table and the picture


def main(arguments: Arguments) -> None:
    """Carry out the runs that are missing, and compare."""
    results = benchmark(
        STUDENT,
        StumpTracks,
        TEACHERS,
        seeds=arguments.seeds,
        steps=arguments.steps,
        folder=arguments.folder,
        workers=arguments.workers,
        n_envs=N_ENVS,
    )
    for row in results.table("mastered"):
        low, high = row.value.low, row.value.high
        print(f"{row.teacher}: {row.value.value:.1f} % mastered [{low:.1f}, {high:.1f}]")
    print(*results.save(arguments.folder), sep="\n")


if __name__ == "__main__":
    main(tyro.cli(Arguments))
