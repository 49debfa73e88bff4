"""Who plays which task next."""

import numpy as np
import pytest

from teachrl.core import Task
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.students.assignments import ANTAGONIST, STUDENT, Assignments
from teachrl.teachers import Random

SPACE = TaskSpace(x=(0, 1))


class Repeating(Random):
    """Wants every task to be repeated."""

    needs = frozenset({"repeats"})


class Comparing(Random):
    """Wants two students."""

    needs = frozenset({"repeats", "antagonist"})


def assignments(teacher):
    return Assignments(teacher.start(SPACE, stream(0, "teacher")), SPACE, seed=0, n_envs=2)


def finish(plays, student=STUDENT):
    """Let an episode end, and return the id of the task that comes next."""
    task_id = plays.next(0, student).task.id
    plays.finish(0, student, task_id)
    return plays.next(0, student).task.id


@pytest.mark.parametrize(("method", "base"), [("sample", Random), ("counterpart", Comparing)])
def test_what_is_no_task_is_refused_and_its_teacher_named(method, base):
    careless = type("Careless", (base,), {method: lambda *_: np.zeros(1)})
    with pytest.raises(TypeError, match=rf"Careless.{method}\(\) must return a Task.*, got array"):
        assignments(careless()).next(0)


def test_a_task_is_repeated_until_a_rollout_ends():
    plays = assignments(Repeating())
    assert [finish(plays) for _ in range(3)] == [0, 0, 0]
    plays.end_rollout()
    assert plays.next(0).task.id == 1


def test_a_task_that_crossed_rollouts_makes_room_as_soon_as_it_is_finished():
    """A repeat would end in the rollout after at the earliest, and hold up the next design."""
    plays = assignments(Repeating())
    assert plays.next(0).task.id == 0
    plays.end_rollout()
    assert finish(plays) == 1
    assert finish(plays) == 1, "this one began in the rollout that goes on"


def test_a_late_task_waits_for_the_other_student():
    plays = assignments(Comparing())
    assert plays.next(0).task.id == plays.next(0, ANTAGONIST).task.id == 0
    plays.end_rollout()
    assert finish(plays) == 0
    assert finish(plays, ANTAGONIST) == 1
    assert plays.next(0).task.id == 1


@pytest.mark.parametrize("moment", range(4))
def test_it_goes_on_from_its_state(moment):
    def play(plays, steps):
        for step in steps:
            if step % 3 == 2:
                plays.end_rollout()
            yield finish(plays, (STUDENT, ANTAGONIST)[step % 2])

    plays = assignments(Comparing())
    list(play(plays, range(moment)))
    twin = assignments(Comparing())
    twin.restore(plays.state())
    twin.teacher.restore(plays.teacher.state())
    left = range(moment, 12)
    assert list(play(plays, left)) == list(play(twin, left))
    assert np.array_equal(plays.next(1).task.params, twin.next(1).task.params)


def test_a_task_keeps_its_own_seed():
    plays = assignments(Repeating())
    plays.teacher.sample = lambda: Task(np.float32([0.5]), seed=7)
    assert plays.next(0).seed == 7
