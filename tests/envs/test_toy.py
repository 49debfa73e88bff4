"""The toy student's published rules."""

import time
from functools import partial

import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from teachrl.checks import check_env
from teachrl.envs import ToyEnv, ToyStudent, play
from teachrl.teachers import Random


def at(*cube):
    return (np.array(cube) + 0.5) / 10


def practise(student, times, *cube):
    return [student.play(at(*cube)) for _ in range(times)]


def test_only_the_corner_is_open_at_first():
    student = ToyStudent()
    assert practise(student, 2, 0, 1) == practise(student, 2, 5, 5) == [0, 0]
    assert practise(student, 3, 0, 0) == [0.01, 0.02, 0.03]


@pytest.mark.parametrize("cube", [(1, 0), (0, 1), (1, 1)])
def test_a_cube_opens_when_a_lower_neighbour_reaches_75(cube):
    student = ToyStudent()
    practise(student, 74, 0, 0)
    assert practise(student, 1, *cube) == [0]
    practise(student, 1, 0, 0)
    assert practise(student, 1, *cube) == [0.01]
    assert practise(student, 1, 2, 0) == [0]


def test_competence_ends_at_100_and_counts_above_75():
    student = ToyStudent()
    assert practise(student, 75, 0, 0)[-1] == 0.75
    assert student.mastered == 0
    practise(student, 1, 0, 0)
    assert student.mastered == 1.0
    assert practise(student, 40, 0, 0)[-1] == 1.0


def test_a_higher_neighbour_opens_nothing():
    student = ToyStudent(1)
    practise(student, 100, 0)
    practise(student, 100, 1)
    twin = ToyStudent(1)
    twin.restore({"competence": np.array([0, 100] + [0] * 8)})
    assert practise(twin, 1, 2) == [0.01]
    twin.restore({"competence": np.array([0, 0, 100] + [0] * 7)})
    assert practise(twin, 1, 1) == [0]


@pytest.mark.parametrize("dimensions", [8, 10, 50])
def test_more_cubes_than_memory_could_hold_are_refused(dimensions):
    for make in (ToyEnv, partial(play, Random(), 10)):
        with pytest.raises(ValueError, match=f"at most 7 dimensions, got {dimensions}"):
            make(dimensions=dimensions)


def test_irrelevant_dimensions_change_nothing():
    student = ToyStudent(2, irrelevant=3)
    assert student.task_space.dimensions == 5
    assert student.play([0.05, 0.05, 0.9, 0.1, 0.5]) == 0.01
    assert student.play([0.05, 0.05, 0.1, 0.9, 0.2]) == 0.02


def test_the_far_corner_belongs_to_the_last_cube():
    assert ToyStudent().play([1.0, 1.0]) == 0.0
    with pytest.raises(ValueError, match="expected a task of"):
        ToyStudent().play([1.1, 0.0])


def test_playing_keeps_the_curve_and_is_quick():
    started = time.process_time()
    run = play(Random(), 10_000, seed=0)
    assert 10_000 / (time.process_time() - started) > 3_000
    assert len(run.curve) == 10
    assert run.curve[-1] == run.mastered
    np.testing.assert_array_equal(run.curve, play(Random(), 10_000, seed=0).curve)


def test_a_teacher_that_needs_more_is_refused():
    class Needy(Random):
        needs = frozenset({"transitions"})

    with pytest.raises(ValueError, match="Needy needs transitions"):
        play(Needy(), 10)


def test_a_teacher_may_ask_how_well_tasks_are_known():
    class Curious(Random):
        needs = frozenset({"values"})

        def reset(self):
            self.seen, self.heard = [], []

        def update(self, episode):
            self.seen.append(episode.first_observation)

        def study(self, rollout):
            self.heard.append((rollout.steps, rollout.values(np.array(self.seen))))

    teacher = Curious()
    student = play(teacher, 30, length=200).student
    assert [steps for steps, _ in teacher.heard] == list(range(200, 6001, 200))
    known = [student.recall(seen[:2]) for seen in teacher.seen]
    np.testing.assert_array_equal(teacher.heard[-1][1], known)


def test_as_an_environment_it_keeps_its_promises():
    check_env(ToyEnv)


def test_resting_teaches_nothing_and_practice_outlives_the_episode():
    env = ToyEnv()
    for action, reward in ((0, 0.0), (1, 0.01), (0, 0.01), (1, 0.02)):
        env.reset(seed=0)
        assert env.step(action)[1] == reward
    with pytest.raises(ResetNeeded):
        env.step(1)


def test_what_it_knows_can_be_carried_elsewhere():
    env, twin = ToyEnv(), ToyEnv()
    for _ in range(5):
        env.reset(seed=0)
        env.step(1)
    twin.restore(env.state())
    twin.reset(seed=0)
    assert twin.step(0)[1] == 0.05
