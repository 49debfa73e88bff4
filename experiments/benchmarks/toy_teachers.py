"""The teachers that are compared on the toy grid, with the expert knowledge that each may have.

Those who can begin somewhere begin in the easy corner, as their references did. Thresholds are a
competence of 75 of 100, where a cube is mastered; an episode counts for 200 steps.
"""

from dataclasses import replace
from typing import Any

from teachrl.core import Teacher
from teachrl.teachers import (
    ADR,
    ALPGMM,
    CURROT,
    EXP3S,
    GRADIENT,
    RIAC,
    ConstrainedSelfPaced,
    CovarGMM,
    GoalGAN,
    ProgressBandit,
    Random,
    SelfPaced,
    SetterSolver,
)

SLOW = {"goal-gan", "setter-solver", "constrained-self-paced", "currot", "gradient"}  # minutes each
_SPREAD = 0.1  # of the initial tasks, as a share of the range


def teachers(dimensions: int) -> dict[str, Teacher]:
    """Return the teachers by label, for a task space of so many dimensions."""
    corner, spread = (0.05,) * dimensions, (_SPREAD,) * dimensions
    easy: dict[str, Any] = {"initial_mean": corner, "initial_std": spread}
    faces: dict[str, Any] = {"probability": 0.7, "high_threshold": 0.75, "low_threshold": 0.0}
    return {
        "random": Random(),
        "adr": ADR(initial_mean=corner, **faces),
        "adr, from the very corner": ADR(initial_mean=(0.0,) * dimensions, **faces),
        "adr, probing limits": ADR(initial_mean=corner, probe_limits=True, **faces),
        "riac": RIAC(),
        "riac, tuned": RIAC.tuned_for_walker(),
        "alp-gmm": ALPGMM(),
        "alp-gmm, tuned": ALPGMM.tuned_for_walker(),
        "covar-gmm": CovarGMM(),
        "covar-gmm, tuned": CovarGMM.tuned_for_walker(),
        "exp3s": EXP3S(),
        "progress-bandit": ProgressBandit(),
        "self-paced": replace(SelfPaced.tuned_for_walker(), **easy),
        "self-paced, zeta 1": replace(SelfPaced.tuned_for_walker(), zeta=1.0, **easy),
        "constrained-self-paced": ConstrainedSelfPaced(performance_bound=0.5, **easy),
        "goal-gan": GoalGAN(noise=0.1, old_ratio=0.1, **easy),
        "setter-solver": SetterSolver.tuned_for_walker(),
        "currot": CURROT(**easy),
        "gradient": GRADIENT(**easy),
    }
