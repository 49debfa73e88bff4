"""Shuffled task spaces: the same tasks, elsewhere."""

from functools import partial

import gymnasium as gym
import numpy as np
import pytest

from teachrl.checks import check_env
from teachrl.envs import PointMass, StumpTracks, ToyEnv
from teachrl.envs.shuffled import ShuffledTasks
from teachrl.spaces import TaskSpace


class Counting(gym.Wrapper):
    """The toy with a parameter of whole numbers."""

    def __init__(self, high):
        super().__init__(ToyEnv(1))
        self.task_space = TaskSpace(lives=(1, high, "int"), rate=(0.01, 1, "log"))


def test_slices_are_permuted_and_every_parameter_has_its_own_order():
    env = ShuffledTasks(ToyEnv(dimensions=3), seed=0)
    assert sorted(env.order[0]) == sorted(env.order[1]) == [0, 1, 2, 3]
    assert len({tuple(order) for order in env.order.tolist()}) > 1
    for dim in range(3):
        for part in range(4):
            task = np.full(3, 0.1)
            task[dim] = (part + 0.3) / 4
            assert env.unshuffled(task)[dim] == pytest.approx((env.order[dim, part] + 0.3) / 4)


def test_the_order_depends_on_the_seed():
    orders = {ShuffledTasks(ToyEnv(), seed=s).order.tobytes() for s in range(20)}
    assert len(orders) > 10
    again = ShuffledTasks(ToyEnv(), seed=3).order
    assert again.tolist() == ShuffledTasks(ToyEnv(), seed=3).order.tolist()


@pytest.mark.parametrize("slices", [1, 2, 4, 7])
@pytest.mark.parametrize("env", [StumpTracks, PointMass, ToyEnv])
def test_shuffling_there_and_back_ends_where_it_began(env, slices):
    env = ShuffledTasks(env(), slices, seed=5)
    space = env.task_space
    grid = space.grid((9,) * space.dimensions)  # the ends of slices and of the space among them
    tasks = np.concatenate([grid, space.uniform(np.random.default_rng(0), 500)])
    for there, back in ((env.shuffled, env.unshuffled), (env.unshuffled, env.shuffled)):
        error = space.distance(back(there(tasks)), tasks)
        assert error.max() < 1e-5


def test_a_task_is_played_as_the_one_it_stands_for():
    env, plain = ShuffledTasks(ToyEnv(), seed=1), ToyEnv()
    task = np.float32([0.3, 0.3])
    observation, _ = env.reset(options={"task": task})
    expected, _ = plain.reset(options={"task": env.unshuffled(task)})
    assert observation.tolist() == expected.tolist()
    assert not np.allclose(observation[:2], task)


@pytest.mark.parametrize("inner", [ToyEnv, PointMass, partial(StumpTracks, max_episode_steps=50)])
def test_it_keeps_the_promises_of_environments(inner):
    check_env(lambda: ShuffledTasks(inner(), seed=2))


def test_target_and_default_move_along_and_foreign_test_tasks_stay_out():
    env = ShuffledTasks(PointMass(), seed=2)
    assert env.target is not None
    for mean, moved in zip(PointMass.target.means, env.target.means, strict=True):
        np.testing.assert_allclose(env.unshuffled(moved), mean, atol=1e-4)
    assert env.target.stds == PointMass.target.stds
    np.testing.assert_allclose(env.unshuffled(env.default_task), [0, 8, 0], atol=1e-4)
    assert env.test_set is None
    assert ShuffledTasks(StumpTracks()).target == StumpTracks.target


def test_whole_numbers_are_shuffled_where_slices_hold_equally_many():
    env = ShuffledTasks(Counting(8), seed=0)
    tasks = np.array([[lives, 0.1] for lives in range(1, 9)])
    played = env.unshuffled(tasks)
    assert sorted(played[:, 0].tolist()) == list(range(1, 9))
    assert played[:, 0].tolist() != list(range(1, 9))
    assert env.shuffled(played)[:, 0].tolist() == list(range(1, 9))
    with pytest.raises(ValueError, match="the 9 values of task parameter 'lives' cannot be cut"):
        ShuffledTasks(Counting(9))


@pytest.mark.parametrize("slices", [0, -1, 2.5, True])
def test_a_number_of_slices_is_positive(slices):
    with pytest.raises(ValueError, match="slices must be a whole number"):
        ShuffledTasks(ToyEnv(), slices)
