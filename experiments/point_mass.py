"""Which teachers lead a student to narrow gates far from the middle?

PPO steers the point mass of the self-paced literature in its form with two parameters, position and
width of the gate. What counts are tasks drawn from the target: narrow gates at two places. The
published order, over 819,200 steps, is CURROT and the self-paced teachers far above random tasks,
ALP-GMM and GoalGAN between (Klink et al., 2022 and 2023, arXiv 2309.14091). The student is smaller
than theirs and takes fewer and larger gradient steps, which makes a run five times cheaper. VDS
needs five minutes a run, the others less than one.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import tyro

from experiments.growing import grow
from teachrl.core import Teacher
from teachrl.envs import PointMass
from teachrl.students.presets import PPOPreset
from teachrl.teachers import (
    ACCEL,
    ADR,
    ALPGMM,
    CURROT,
    EXP3S,
    GRADIENT,
    PLR,
    RIAC,
    SFL,
    VDS,
    ConstrainedSelfPaced,
    CovarGMM,
    GoalGAN,
    ProgressBandit,
    Random,
    SelfPaced,
    SetterSolver,
)
from teachrl.teachers.point_mass_values import FIRST_GATES

STUDENT = replace(
    PPOPreset.for_point_mass(), net_arch=(64, 64), batch_size=512, n_epochs=5, learning_rate=1e-3
)
REPLAY: dict[str, Any] = {
    "capacity": 100,
    "min_fill": 0.5,
    "replay_ratio": 0.85,
    "temperature": 0.45,
}
TEACHERS: dict[str, Teacher] = {
    "random": Random(),
    "currot": CURROT.tuned_for_point_mass(),
    "gradient": GRADIENT.tuned_for_point_mass(),
    "constrained-self-paced": ConstrainedSelfPaced.tuned_for_point_mass(),
    "self-paced": SelfPaced(update_every=20_000, offset=40_000, zeta=1.0, **FIRST_GATES),
    "alp-gmm": ALPGMM(fit_every=100, random_ratio=0.1, memory=500),
    "goal-gan": GoalGAN(noise=0.1, train_every=200),
    "vds": VDS(),
    "plr": PLR(robust=False, **REPLAY),
    "robust-plr": PLR(**REPLAY),
    "accel": ACCEL(capacity=100, easy_low=(-1.0, 6.0), easy_high=(1.0, 8.0)),
    "sfl": SFL(candidates=64, keep=32, episodes=4, refresh_every=100_000),
    "exp3s": EXP3S(bins=50),
    "progress-bandit": ProgressBandit(),
    "adr": ADR(initial_mean=(0.0, 8.0), high_threshold=0.5, low_threshold=0.2),
    "riac": RIAC(),
    "covar-gmm": CovarGMM(),
    "setter-solver": SetterSolver.tuned_for_walker(),
}
N_ENVS = 64
COMMAND = "python -m experiments.point_mass"
RESULTS = Path(__file__).parent / "results" / "point_mass"


@dataclass(kw_only=True)
class Arguments:
    """Which teachers lead a student to narrow gates far from the middle?"""

    seeds: tuple[int, ...] = tuple(range(10))  # one run of each teacher each
    steps: int = 819_200  # environment steps of a run
    teachers: tuple[str, ...] = tuple(TEACHERS)
    workers: int | None = None  # runs at the same time; by default one per core
    folder: Path = Path("runs/point_mass")  # gets the runs
    baselines: Path = RESULTS / "set"  # gets their numbers; what it has is not repeated
    out: Path = RESULTS  # gets curves, tables and pictures


def main(arguments: Arguments) -> None:
    """Carry out the runs that are missing, and compare."""
    results = grow(
        STUDENT,
        partial(PointMass, friction=0),
        {name: TEACHERS[name] for name in arguments.teachers},
        seeds=arguments.seeds,
        folder=arguments.folder,
        baselines=arguments.baselines,
        about=f"PPO's preset for it on the point mass: {COMMAND}",
        steps=arguments.steps,
        workers=arguments.workers,
        n_envs=N_ENVS,
    )
    for metric in ("mastered", "reward"):
        for row in results.table(metric):
            scale = 100 if metric == "mastered" else 1
            print(f"{metric}, {row.teacher}: {row.value.text(scale, '.1f')}, {row.runs} runs")
        print(*results.save(arguments.out, metric), sep="\n")


if __name__ == "__main__":
    main(tyro.cli(Arguments))
