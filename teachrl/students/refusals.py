"""What a taught environment refuses, each with a sentence that says what to do instead."""

import sys
from typing import Any

from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from teachrl.spaces import TaskSpace
from teachrl.students.task_slot import TaskSlot


def require_slots(venv: VecEnv) -> None:
    """Refuse anything but task slots that are outermost around each environment."""
    if isinstance(venv, VecEnvWrapper):
        raise TypeError(
            f"{type(venv).__name__} must go outside TaughtVecEnv: it would not see the "
            f"observations that begin an episode. Write {type(venv).__name__}(TaughtVecEnv(...))"
        )
    if not all(venv.env_is_wrapped(TaskSlot)):
        raise TypeError(
            "every environment must be wrapped in a TaskSlot: make the VecEnv with "
            "make_task_vec_env(env, n=8), or wrap each environment in TaskSlot yourself"
        )
    # set_attr reaches the outermost wrapper only, in this process or another: exactly the question.
    venv.set_attr("outermost", True)
    if not all(venv.env_method("is_outermost")):
        raise TypeError(
            "a wrapper hides TaskSlot, and would miss the beginning of every episode: TaskSlot "
            "must be the outermost wrapper, as in TaskSlot(Monitor(env)) (or use VecMonitor)"
        )


def common_space(venv: VecEnv) -> TaskSpace:
    """Return the task space that all environments declare."""
    spaces: list[TaskSpace] = [
        declaration.task_space for declaration in venv.get_attr("declaration")
    ]
    if any(space != spaces[0] for space in spaces):
        raise ValueError(f"the environments declare different task spaces: {spaces}")
    return spaces[0]


def refuse_evaluation() -> None:
    """Stop SB3's ``evaluate_policy``, which is recognisable only by being the caller."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_name == "evaluate_policy":
            raise RuntimeError(
                "evaluate_policy on a taught environment would feed its episodes to the teacher "
                "and abandon the running ones: use teachrl.evaluation.evaluate(student, env, "
                "test_set), or EvalCallback with an environment of its own"
            )


def is_sbx(algorithm: type[Any]) -> bool:
    """Tell whether a class of students is one of SBX, or made from it."""
    return any(base.__module__.startswith("sbx.") for base in algorithm.__mro__)
