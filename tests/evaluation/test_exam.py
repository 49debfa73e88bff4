"""An exam hands out its tasks in order, and lets environments wait when there are none left."""

import numpy as np
import pytest

from teachrl.evaluation import TestSet
from teachrl.evaluation.exam import Exam
from teachrl.students import make_task_vec_env
from tests.students.worlds import Reach, ReachDict

TASKS = np.array([[9, 0], [2, 0], [5, 0], [1, 0]], np.float32)
TESTS = TestSet(Reach.task_space, TASKS, np.arange(4))


class Counting(Reach):
    """Reach that counts what is done to it."""

    steps = 0
    begun: list[tuple[float, int]] = []  # noqa: RUF012 - shared on purpose

    def reset(self, *, seed=None, options=None):
        Counting.begun.append((float(options["task"][0]), seed))
        return super().reset(seed=seed, options=options)

    def step(self, action):
        Counting.steps += 1
        return super().step(action)


@pytest.fixture
def counted():
    Counting.steps, Counting.begun = 0, []
    return Counting


def sit(exam):
    observations = exam.reset()
    while not exam.is_over:
        observations, *_ = exam.step(np.ones((exam.num_envs, 1), np.float32))
    return observations


def test_tasks_are_handed_out_in_order_to_whoever_is_free(counted):
    exam = Exam(make_task_vec_env(counted, 2), TESTS)
    sit(exam)
    assert counted.begun == [(9, 0), (2, 1), (5, 2), (1, 3)]
    assert [e.task.params[0] for e in exam.episodes] == [9, 2, 5, 1]
    assert [e.seed for e in exam.episodes] == [0, 1, 2, 3]
    assert not any(e.task.learn for e in exam.episodes)


def test_an_environment_without_a_task_is_not_stepped(counted):
    exam = Exam(make_task_vec_env(counted, 7), TESTS)
    sit(exam)
    assert counted.steps == sum(e.length for e in exam.episodes)
    assert len(counted.begun) == 4


def test_the_exam_can_be_taken_again():
    exam = Exam(make_task_vec_env(Reach, 3), TESTS)
    sit(exam)
    first = exam.episodes
    sit(exam)
    assert exam.episodes is not first
    assert [e.length for e in exam.episodes] == [e.length for e in first]


def test_the_running_episodes_and_their_returns_are_known():
    exam = Exam(make_task_vec_env(Reach, 3), TESTS)
    exam.reset()
    assert exam.playing == [(0, 0), (1, 1), (2, 2)]
    while (1, 1) in exam.playing:
        exam.step(np.ones((3, 1)))
    assert exam.playing == [(0, 0), (1, 3), (2, 2)]
    assert exam.episodes[1].reward == 1
    assert exam.rewards_so_far.tolist() == [0, 0, 0]


def test_a_finished_environment_already_shows_its_next_task():
    exam = Exam(make_task_vec_env(ReachDict, 1), TESTS)
    exam.reset()
    done = False
    while not done:
        observations, _, [done], [info] = exam.step(np.ones((1, 1)))
    assert observations["vector"][0, 1:].tolist() == [2, 0]  # the distance of the next task
    assert info["terminal_observation"]["vector"][1] == 9
