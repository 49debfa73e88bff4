"""Refusals say what was expected and what came."""

import pytest

from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.teachers import CURROT


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
