"""The hand-made window."""

import numpy as np
import pytest

from teachrl.core import Episode
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.teachers import Oracle

SPACE = TaskSpace(stump_height=(0, 3), obstacle_spacing=(0, 6))
STEP = {"stump_height": 1 / 30, "obstacle_spacing": -1 / 30}


def started(**options):
    return Oracle(**({"step": STEP} | options)).start(SPACE, stream(0, "teacher"), (-150, 350))


def teach(teacher, episodes, reward):
    for _ in range(episodes):
        teacher.update(Episode(teacher.sample(), seed=0, reward=reward, length=1))


def window(teacher):
    tasks = np.array([teacher.sample().params for _ in range(2000)])
    return tasks.min(axis=0), tasks.max(axis=0)


def test_it_begins_in_the_easy_corner():
    low, high = window(started())
    np.testing.assert_allclose(low, [0, 5], atol=0.02)
    np.testing.assert_allclose(high, [0.5, 6], atol=0.02)


def test_it_moves_by_its_step_when_the_mean_return_is_above_the_threshold():
    teacher = started()
    teach(teacher, 49, 231.0)
    assert teacher.moves == 0
    teach(teacher, 1, 231.0)
    low, high = window(teacher)
    np.testing.assert_allclose(low, [0.1, 4.8], atol=0.02)
    np.testing.assert_allclose(high, [0.6, 5.8], atol=0.02)


def test_it_stays_when_the_student_does_not_manage():
    teacher = started()
    teach(teacher, 200, 229.0)
    assert teacher.moves == 0


def test_it_ends_in_the_hard_corner():
    teacher = started()
    teach(teacher, 50 * 40, 300.0)
    low, high = window(teacher)
    np.testing.assert_allclose(low, [2.5, 0], atol=0.02)
    np.testing.assert_allclose(high, [3, 1], atol=0.02)


def test_a_step_is_one_for_all_one_for_each_or_one_by_name():
    space = TaskSpace(shape=(0, 1, "float", 2), rate=(1e-4, 1, "log"))
    steps = (-0.1, (-0.1, -0.1, -0.1), {"shape": -0.1, "rate": -0.1})
    for step in steps:
        teacher = Oracle(step=step, every=1).start(space, stream(0, "teacher"))
        np.testing.assert_allclose(teacher.belief()["low"], [[5 / 6] * 3])
        teach(teacher, 3, 1.0)
        np.testing.assert_allclose(teacher.belief()["low"], [[5 / 6 - 0.3] * 3])
        np.testing.assert_allclose(teacher.belief()["high"], [[1 - 0.3] * 3])
    assert teacher.metrics() == {"moves": 3.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0.0}, r"window must be a number in \[0.001, 1\]"),
        ({"every": 0}, "every must be a whole number of at least 1"),
        ({"threshold": 230}, r"threshold must be a number in \[0, 1\], got 230"),
    ],
)
def test_bad_hyperparameters_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        started(**options)


@pytest.mark.parametrize("step", [{"stump_height": 0.1}, (0.1,), (0.1, float("nan"))])
def test_a_step_that_does_not_fit_is_refused(step):
    with pytest.raises(ValueError, match=r"Oracle\.step must"):
        started(step=step)
