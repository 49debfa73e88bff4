"""Where teachrl meets Stable-Baselines3: tasks in, episodes out."""

from teachrl.students.callback import TeacherCallback
from teachrl.students.coach import COACH, EpisodicCOACH
from teachrl.students.failures import NonFiniteError
from teachrl.students.guided_starts import GuidedStarts
from teachrl.students.kickstarting import Kickstart
from teachrl.students.making import make_task_vec_env
from teachrl.students.residual import ResidualAction
from teachrl.students.task_slot import TaskSlot
from teachrl.students.taught_env import TaughtEnv
from teachrl.students.vec_env import TaughtVecEnv

__all__ = [
    "COACH",
    "EpisodicCOACH",
    "GuidedStarts",
    "Kickstart",
    "NonFiniteError",
    "ResidualAction",
    "TaskSlot",
    "TaughtEnv",
    "TaughtVecEnv",
    "TeacherCallback",
    "make_task_vec_env",
]
