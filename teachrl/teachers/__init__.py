"""Teachers, one algorithm per file."""

from typing import TYPE_CHECKING, Any

from teachrl.registry import Registry

if TYPE_CHECKING:
    from teachrl.teachers.accel import ACCEL
    from teachrl.teachers.adr import ADR
    from teachrl.teachers.alp_gmm import ALPGMM
    from teachrl.teachers.clutr import CLUTR
    from teachrl.teachers.constrained_self_paced import ConstrainedSelfPaced
    from teachrl.teachers.covar_gmm import CovarGMM
    from teachrl.teachers.currot import CURROT
    from teachrl.teachers.exp3s import EXP3S
    from teachrl.teachers.goal_gan import GoalGAN
    from teachrl.teachers.gradient import GRADIENT
    from teachrl.teachers.minimax import Minimax
    from teachrl.teachers.oracle import Oracle
    from teachrl.teachers.paired import PAIRED
    from teachrl.teachers.plr import PLR
    from teachrl.teachers.progress_bandit import ProgressBandit
    from teachrl.teachers.random import Random
    from teachrl.teachers.repaired import REPAIRED
    from teachrl.teachers.riac import RIAC
    from teachrl.teachers.self_paced import SelfPaced
    from teachrl.teachers.setter_solver import SetterSolver
    from teachrl.teachers.sfl import SFL
    from teachrl.teachers.vds import VDS

__all__ = [
    "ACCEL",
    "ADR",
    "ALPGMM",
    "CLUTR",
    "CURROT",
    "EXP3S",
    "GRADIENT",
    "PAIRED",
    "PLR",
    "REPAIRED",
    "RIAC",
    "SFL",
    "VDS",
    "ConstrainedSelfPaced",
    "CovarGMM",
    "GoalGAN",
    "Minimax",
    "Oracle",
    "ProgressBandit",
    "Random",
    "SelfPaced",
    "SetterSolver",
]

TEACHERS = Registry(
    "teacher",
    {
        "accel": "teachrl.teachers.accel:ACCEL",
        "adr": "teachrl.teachers.adr:ADR",
        "alp-gmm": "teachrl.teachers.alp_gmm:ALPGMM",
        "clutr": "teachrl.teachers.clutr:CLUTR",
        "constrained-self-paced": ("teachrl.teachers.constrained_self_paced:ConstrainedSelfPaced"),
        "covar-gmm": "teachrl.teachers.covar_gmm:CovarGMM",
        "currot": "teachrl.teachers.currot:CURROT",
        "exp3s": "teachrl.teachers.exp3s:EXP3S",
        "goal-gan": "teachrl.teachers.goal_gan:GoalGAN",
        "gradient": "teachrl.teachers.gradient:GRADIENT",
        "minimax": "teachrl.teachers.minimax:Minimax",
        "oracle": "teachrl.teachers.oracle:Oracle",
        "paired": "teachrl.teachers.paired:PAIRED",
        "plr": "teachrl.teachers.plr:PLR",
        "progress-bandit": "teachrl.teachers.progress_bandit:ProgressBandit",
        "random": "teachrl.teachers.random:Random",
        "repaired": "teachrl.teachers.repaired:REPAIRED",
        "riac": "teachrl.teachers.riac:RIAC",
        "self-paced": "teachrl.teachers.self_paced:SelfPaced",
        "setter-solver": "teachrl.teachers.setter_solver:SetterSolver",
        "sfl": "teachrl.teachers.sfl:SFL",
        "vds": "teachrl.teachers.vds:VDS",
    },
)


def __getattr__(name: str) -> Any:
    """Import a teacher when it is first asked for, and the libraries it stands on with it."""
    for registered, path in TEACHERS.paths.items():
        if path.endswith(f":{name}"):
            return TEACHERS[registered]
    raise AttributeError(f"module 'teachrl.teachers' has no attribute {name!r}")
