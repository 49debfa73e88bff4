"""Experts tell teachers what these have fields for, and nothing else."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from teachrl.core import Task, Teacher
from teachrl.knowledge import Knowledge
from teachrl.spaces import TaskSpace
from teachrl.teachers import ALPGMM, TEACHERS, Random

SPACE = TaskSpace(stump_height=(0, 3), obstacle_spacing=(0, 6))


@dataclass(kw_only=True)
class Curious(Teacher):
    """A teacher of a user's own, with two of the fields."""

    initial_mean: tuple[float, ...] | None = (1.0, 1.0)
    target_std: tuple[float, ...] | None = None
    speed: float = 3.0

    def sample(self) -> Task:
        return Task(self.space.uniform(self.rng))


@dataclass(kw_only=True)
class Judged(Curious):
    """One that cannot do without a threshold."""

    threshold: float | None = 0.7


class Successful(Curious):
    """One that learns from successes."""

    needs = frozenset({"success"})


def test_a_teacher_takes_the_hints_it_has_fields_for():
    told = Knowledge.high(SPACE, easiest=[0, 6]).told(Curious(speed=5.0))
    assert told == Curious(initial_mean=(0.0, 6.0), speed=5.0)
    gmm = Knowledge.high(SPACE, [0, 6]).told(ALPGMM.tuned_for_walker())
    assert gmm == replace(
        ALPGMM.tuned_for_walker(), initial_mean=(0.0, 6.0), initial_std=(0.1, 0.1)
    )
    assert Knowledge.high(SPACE, [0, 6]).told(Random()) == Random()


def test_what_the_expert_does_not_know_the_teacher_does_not_either():
    assert Knowledge.low().told(Curious()).initial_mean is None
    assert Knowledge.nothing().told(Curious()).initial_mean is None


def test_the_teacher_that_was_asked_stays_as_it_is():
    teacher = Curious()
    Knowledge.low().told(teacher)
    assert teacher.initial_mean == (1.0, 1.0)


@pytest.mark.parametrize("teacher", [Judged(), Successful()])
def test_who_must_know_what_is_good_cannot_do_with_nothing(teacher):
    with pytest.raises(ValueError, match=r"has to be told which returns are good.*low\(\)"):
        Knowledge.nothing().told(teacher)
    assert type(Knowledge.low().told(teacher)) is type(teacher)


def test_a_threshold_that_is_not_set_asks_for_nothing():
    assert Knowledge.nothing().told(Judged(threshold=None)).threshold is None


def test_guessing_begins_somewhere_else_with_each_seed():
    means = [Knowledge.low().guessing(SPACE, seed).initial_mean for seed in range(50)]
    assert all(mean is not None and SPACE.contains(mean) for mean in means)
    assert len(set(means)) == 50
    assert np.ptp(SPACE.normalize(np.array(means)), axis=0).min() > 0.7
    assert Knowledge.low().guessing(SPACE, 3) == Knowledge.low().guessing(SPACE, 3)
    assert Knowledge.low().guessing(SPACE, 0).initial_std == (0.1, 0.1)
    known = Knowledge.high(SPACE, [0, 6])
    assert known.guessing(SPACE, 3) == known


def test_an_easiest_task_outside_of_the_space_is_refused():
    with pytest.raises(ValueError, match="'stump_height' must be a number in"):
        Knowledge.high(SPACE, [-1, 6])


@pytest.mark.parametrize("name", TEACHERS)
def test_every_registered_teacher_can_be_told_everything(name):
    told = Knowledge.high(SPACE, [0, 6]).told(TEACHERS[name]())
    if hasattr(told, "initial_mean"):
        assert told.initial_mean == (0.0, 6.0)
