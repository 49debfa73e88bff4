"""Which teachers lead a walker over the stumps?

Each teaches PPO on Stump Tracks, once per seed, with the values that its paper or the benchmark of
Romac et al. (2021, arXiv 2103.09815) tuned, and with their expert's knowledge where it needs any:
which returns are good, and where it is easy. The answer is the interquartile mean of the share of
test tasks mastered over training, with its interval, and the probability that a run ends better
than a run with random tasks.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from experiments.growing import grow
from teachrl.core import Teacher
from teachrl.envs import StumpTracks
from teachrl.students.presets import PPOPreset
from teachrl.teachers import (
    ADR,
    ALPGMM,
    CURROT,
    EXP3S,
    GRADIENT,
    RIAC,
    VDS,
    ConstrainedSelfPaced,
    CovarGMM,
    GoalGAN,
    ProgressBandit,
    Random,
    SelfPaced,
    SetterSolver,
)

STUDENT = PPOPreset()
EASY: dict[str, Any] = {"initial_mean": (0.0, 6.0), "initial_std": (0.1, 0.1)}
GOOD = 0.66  # a return of 180, scaled
TEACHERS: dict[str, Teacher] = {
    "random": Random(),
    "alp-gmm": ALPGMM.tuned_for_walker(),
    "adr": ADR.tuned_for_walker(),
    "riac": RIAC.tuned_for_walker(),
    "covar-gmm": CovarGMM.tuned_for_walker(),
    "goal-gan": GoalGAN(noise=0.1, old_ratio=0.1, **EASY),
    "setter-solver": SetterSolver.tuned_for_walker(),
    "self-paced": SelfPaced(
        update_every=50_000, offset=50_000, zeta=0.25, max_kl=0.1, performance="rewards", **EASY
    ),
    "constrained-self-paced": ConstrainedSelfPaced(performance_bound=GOOD, **EASY),
    "currot": CURROT.tuned_for_walker(),
    "gradient": GRADIENT(threshold=GOOD, update_every=50, **EASY),
    "vds": VDS(update_every=20_000),  # as published it would take most of a run's time
    "exp3s": EXP3S(),
    "progress-bandit": ProgressBandit(),
}
N_ENVS = 16
COMMAND = "python -m experiments.compare_teachers"
FOLDER = Path("runs/compare_teachers")
RESULTS = Path(__file__).parent / "results" / "stump_tracks"


@dataclass(kw_only=True)
class Arguments:
    """Which teachers lead a walker over the stumps?"""

    teachers: tuple[str, ...] = tuple(TEACHERS)
    seeds: tuple[int, ...] = (0, 1, 2)  # one run of each teacher each
    steps: int = 1_000_000  # environment steps of a run
    evaluate_every: int = 250_000  # steps between evaluations
    workers: int | None = None  # runs at the same time; by default one per core
    folder: Path = FOLDER  # gets the runs
    baselines: Path = RESULTS / "set"  # gets their numbers; what it has is not repeated
    out: Path = RESULTS  # gets curves, table and picture


def main(arguments: Arguments) -> None:
    """Carry out the runs that are missing, and compare."""
    results = grow(
        STUDENT,
        StumpTracks,
        {name: TEACHERS[name] for name in arguments.teachers},
        seeds=arguments.seeds,
        folder=arguments.folder,
        baselines=arguments.baselines,
        about=f"PPO's preset on Stump Tracks: {COMMAND}",
        steps=arguments.steps,
        workers=arguments.workers,
        evaluate_every=arguments.evaluate_every,
        n_envs=N_ENVS,
    )
    for row in results.table("mastered"):
        mastered = row.value.text(100, ".1f", " % mastered")
        print(f"{row.teacher}: {mastered}, {row.runs} runs")
        if row.improvement:
            probability = row.improvement.text(form=".2f")
            print(f"  better than {arguments.teachers[0]} with probability {probability}")
    print(*results.save(arguments.out), sep="\n")


if __name__ == "__main__":
    main(tyro.cli(Arguments))
