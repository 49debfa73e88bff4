"""The corridor's published constants and rules."""

import numpy as np
import pytest

from teachrl.envs import SparseGoal
from teachrl.envs.sparse_goal import is_free
from teachrl.evaluation import TestSet, default_test_set
from teachrl.seeding import stream


def begin(task, seed=0):
    env = SparseGoal()
    observation, _ = env.reset(seed=seed, options={"task": task})
    return env, observation


def test_it_begins_in_the_lower_left_corner():
    starts = np.array([begin([6, 6, 0.05], seed)[1][:2] for seed in range(200)])
    assert starts.min() >= -7
    assert starts.max() <= -5
    assert np.ptp(starts, axis=0).min() > 1.9


@pytest.mark.parametrize(
    ("action", "length"), [([1, 0], 0.3), ([0.5, 0], 0.15), ([1, 1], 0.3), ([3, -4], 0.3)]
)
def test_a_step_is_at_most_point_three_long(action, length):
    env, before = begin([6, 6, 0.05], seed=3)
    env.rows.states[0] = before = np.array([-6.0, -6.0])
    after = env.step(np.float32(action))[0][:2]
    assert np.linalg.norm(after - before) == pytest.approx(length, rel=1e-5)


@pytest.mark.parametrize(
    ("place", "action"), [((-6.9, -6), (-1, 0)), ((-5.1, 0), (1, 0)), ((0, 6.9), (0, 1))]
)
def test_who_walks_into_a_wall_stays(place, action):
    env, _ = begin([6, 6, 0.05])
    env.rows.states[0] = place
    assert env.step(np.float32(action))[0][:2].tolist() == np.float32(place).tolist()


def walk(env, observation, corners):
    """Walk from corner to corner; return the return and the last info."""
    total, info = 0.0, {}
    for corner in corners:
        for _ in range(100):
            away = np.array(corner) - observation[:2]
            if np.abs(away).max() < 0.01:
                break
            observation, reward, terminated, truncated, info = env.step(away / 0.3)
            total += reward
            if terminated or truncated:
                return total, info
    return total, info


def test_steps_cost_one_and_the_arriving_one_nothing():
    env, observation = begin([6, 6, 0.05])
    total, info = walk(env, observation, [(6, -6), (6, 6)])
    assert info == {"is_success": True}
    assert total == -(env.rows.steps[0] - 1)
    assert -110 < total < -70
    assert total > SparseGoal.mastery_threshold


def test_who_never_arrives_is_told_after_200_steps():
    env, observation = begin([0, 0, 0.05])
    total, info = walk(env, observation, [(6, -6), (6, 6), (-6, 6)])
    for _ in range(200):
        if not env.rows.running[0]:
            break
        _, reward, _, truncated, info = env.step(np.zeros(2))
        total += reward
    assert truncated
    assert total == -200
    assert total < SparseGoal.mastery_threshold
    assert info == {"is_success": False}


def test_a_wide_tolerance_makes_a_place_in_the_wall_reachable():
    env, _ = begin([0, 0, 18])
    assert env.step(np.zeros(2))[1:] == (0.0, True, False, {"is_success": True})


def test_the_target_lies_in_the_corridor():
    space = SparseGoal.task_space
    tasks = SparseGoal.target.require(space).sample(space, np.random.default_rng(0), 5000)
    assert is_free(tasks[:, :2]).mean() > 0.97
    assert tasks[:, 2].max() < 0.1
    quadrants = (tasks[:, 0] > 0) * 2 + (tasks[:, 1] > 0)
    assert np.bincount(quadrants).min() > 1100
    offset = np.abs(tasks[:, :2]).max(axis=1) - 6
    assert offset.std() > 0.3


def test_test_tasks_are_uniform_over_the_corridor_and_by_name_a_grid():
    space = SparseGoal.task_space
    places = stream(0, "test tasks").uniform(-7, 7, (1000, 2))
    places = places[is_free(places)][:100]
    tasks = np.column_stack([places, np.full(100, 0.05)])
    expected = TestSet(space, tasks, TestSet.uniform(space, 100).seeds)
    assert default_test_set(SparseGoal()).fingerprint == expected.fingerprint
    grid = TestSet.load(SparseGoal.test_sets["grid"], space)
    assert grid.fingerprint == TestSet.grid(space, (5, 5, 4)).fingerprint
