"""Refusals say what was expected and what came."""

from math import inf, nan

import numpy as np
import pytest

from teachrl.checks.teachers import require_teacher
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.targets import Target
from teachrl.teachers import CURROT, PLR, VDS, GoalGAN, Minimax, Oracle, SelfPaced, SetterSolver


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"target_mean": (1.0, 1.0), "target_std": (0.1,)},
            r"CURROT\.target_mean must be 1 number, got \(1\.0, 1\.0\)",
        ),
        (
            {"target_mean": (1.0,), "target_std": (0.0,)},
            r"CURROT\.target_std must be 1 number of at least 1e-09, got \(0\.0,\)",
        ),
        (
            {"initial_std": (0.1,)},
            r"CURROT: initial_mean and initial_std go together, got None and \(0\.1,\)",
        ),
    ],
)
def test_vectors_are_asked_for_in_plain_words(options, message):
    with pytest.raises(ValueError, match=message):
        CURROT(**options).start(TaskSpace(x=(0, 2)), stream(0, "teacher"))


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (SelfPaced(zeta=inf), r"SelfPaced\.zeta must be a finite number of at least 0, got inf"),
        (SelfPaced(performance_zero=nan), r"performance_zero must be a finite number, got nan"),
        (SelfPaced(performance_zero=-inf), r"performance_zero must be a finite number, got -inf"),
        (Minimax(entropy_bonus=inf), r"entropy_bonus must be a finite number of at least 0"),
        (PLR(temperature=inf), r"temperature must be a finite number of at least 1e-06"),
        (
            GoalGAN(generator_layers=64),  # type: ignore[arg-type]
            r"generator_layers must be whole .* such as \(64, 64\), got 64",
        ),
        (SetterSolver(judge_layers=None), r"SetterSolver\.judge_layers must be whole .* got None"),  # type: ignore[arg-type]
        (VDS(hidden=(True,)), r"VDS\.hidden must be whole numbers of at least 1"),
        (VDS(hidden=8.5), r"VDS\.hidden must be whole numbers of at least 1"),  # type: ignore[arg-type]
        (Oracle(step="x"), r"Oracle\.step must be one number, or .*, got 'x'"),  # type: ignore[arg-type]
        (Oracle(step=(0.1, "b")), r"Oracle\.step must be one number, or .*, got \(0\.1, 'b'\)"),  # type: ignore[arg-type]
    ],
)
def test_numbers_must_be_finite_and_layers_lists(teacher, message):
    space = TaskSpace(x=(0, 2), y=(0, 2))
    with pytest.raises(ValueError, match=message):
        teacher.start(space, stream(0, "teacher"), target=Target.uniform())


def test_a_word_is_no_answer_to_yes_or_no():
    with pytest.raises(TypeError, match=r"PLR\.robust must be True or False, got 'False'"):
        require_teacher(PLR(robust="False"))
    require_teacher(PLR(robust=np.bool_(False)))
