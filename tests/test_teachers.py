"""What holds for every registered teacher."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

import teachrl.teachers
from teachrl.checks import check_teacher
from teachrl.core import Teacher
from teachrl.spaces import TaskSpace
from teachrl.targets import Target
from teachrl.teachers import TEACHERS

QUICK: dict[str, dict[str, Any]] = {
    "accel": {"capacity": 20},
    "minimax": {"designs_per_update": 40, "epochs": 1},
    "paired": {"designs_per_update": 40, "epochs": 1},
    "plr": {"capacity": 20},
    "repaired": {"designs_per_update": 20, "epochs": 1, "capacity": 20},
    "sfl": {"candidates": 30, "keep": 10, "refresh_every": 2000},
    "adr": {"queue": 3},
    "alp-gmm": {"fit_every": 50, "max_gaussians": 4},
    "clutr": {"designer": "cross-entropy", "manifold_steps": 3},
    "constrained-self-paced": {"update_every": 20},
    "covar-gmm": {"fit_every": 50, "max_gaussians": 4},
    "currot": {"n_particles": 30, "update_every": 10, "threshold": 0.3},
    "exp3s": {"bins": 4},
    "goal-gan": {
        "train_every": 20,
        "iterations": 5,
        "pretraining": 5,
        "generator_layers": (8,),
        "discriminator_layers": (8,),
    },
    "gradient": {"n_particles": 15, "update_every": 10, "threshold": 0.2, "stage": 0.2},
    "progress-bandit": {"bins": 4},
    "riac": {"split_after": 20},
    "self-paced": {"update_every": 2000, "offset": 2000, "memory": 100},
    "setter-solver": {"train_every": 40, "hidden": 4, "judge_layers": (4,)},
    "vds": {
        "update_every": 2000,
        "hidden": (16,),
        "candidates": 50,
        "epochs": 1,
        "batches": 4,
    },
}
"""Hyper-parameters with which a short lesson contains all that a teacher does."""


@pytest.mark.parametrize("name", TEACHERS)
def test_it_keeps_what_every_teacher_promises(name: str) -> None:
    check_teacher(TEACHERS[name](**QUICK.get(name, {})), episodes=160, plateau=1000)


@pytest.mark.slow
@pytest.mark.parametrize("name", TEACHERS)
def test_it_keeps_its_promises_with_defaults_and_in_many_dimensions(name: str) -> None:
    """A manifold is learnt as by default, but for fewer steps: it is learnt for each of many."""
    fewer = {"manifold_steps": 200} if name == "clutr" else {}
    teacher = TEACHERS[name](**fewer)
    check_teacher(teacher, TaskSpace(poly_shape=(0, 4, "float", 12)), episodes=300)


@pytest.mark.parametrize("name", TEACHERS)
def test_it_is_exported_under_its_class_name(name: str) -> None:
    teacher = TEACHERS[name]
    assert issubclass(teacher, Teacher)
    assert teacher.__name__ in teachrl.teachers.__all__
    assert getattr(teachrl.teachers, teacher.__name__) is teacher
    assert teacher.__name__.lower() == name.replace("-", "")
    assert TEACHERS.name_of(teacher) == name


@pytest.mark.parametrize("name", TEACHERS)
def test_a_beginning_outside_the_space_is_refused(name: str) -> None:
    hints = {"initial_mean": (300.0, 0.0), "initial_std": (0.1, 0.1)}
    known = {field.name for field in fields(TEACHERS[name])}
    if "initial_mean" not in known:
        pytest.skip("it begins everywhere")
    teacher = TEACHERS[name](**{hint: hints[hint] for hint in hints if hint in known})
    space = TaskSpace(x=(0, 10), y=(-1, 1))
    message = rf"{type(teacher).__name__}.initial_mean is no task: .*'x' must be .*, got 300"
    with pytest.raises(ValueError, match=message):
        teacher.start(space, np.random.default_rng(0), (0.0, 1.0), Target.uniform())


def test_nothing_is_exported_that_is_not_registered() -> None:
    assert sorted(teachrl.teachers.__all__) == sorted(t.__name__ for t in TEACHERS.values())
    with pytest.raises(AttributeError, match="no attribute 'ALPGNN'"):
        _ = teachrl.teachers.ALPGNN


@pytest.mark.parametrize("name", TEACHERS)
def test_its_file_begins_with_its_paper(name: str) -> None:
    module = __import__(TEACHERS[name].__module__, fromlist=["_"])
    first = (module.__doc__ or "").splitlines()[0]
    assert name == "random" or "arXiv" in first
