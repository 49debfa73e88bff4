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
TEACHERS = {"random": Random(), "alp-gmm": ALPGMM.tuned_for_walker()}
N_ENVS = 16
FOLDER = Path("runs/compare_teachers")
RESULTS = Path(__file__).parent / "results" / "stump_tracks"


@dataclass(kw_only=True)
class Arguments:
    """Does ALP-GMM teach better than random tasks?"""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)  # one run of each teacher each
    steps: int = 1_500_000  # environment steps of a run
    workers: int | None = None  # runs at the same time; by default one per core
    folder: Path = FOLDER  # gets the runs
    out: Path = RESULTS  # gets curves, table and picture


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
        value, low, high = (f"{100 * number:.1f}" for number in row.value)
        print(f"{row.teacher}: {value} % mastered [{low}, {high}], {row.runs} runs")
        if row.improvement:
            value, low, high = (f"{number:.2f}" for number in row.improvement)
            print(f"  better than {next(iter(TEACHERS))} with probability {value} [{low}, {high}]")
    print(*results.save(arguments.out), sep="\n")


if __name__ == "__main__":
    main(tyro.cli(Arguments))
