"""The loop without a VecEnv."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from teachrl.students import NonFiniteError, TaughtEnv
from teachrl.teachers import PLR, SFL, VDS
from tests.students.worlds import Broken, Reach, Scripted


def play(env, episodes):
    observations = []
    for _ in range(episodes):
        observation, _ = env.reset()
        done = False
        while not done:
            observations.append(observation)
            observation, _, terminated, truncated, _ = env.step(np.float32([0.7]))
            done = terminated or truncated
    return np.array(observations)


def test_it_samples_plays_and_updates():
    env = TaughtEnv(Reach(), Scripted(), seed=0)
    play(env, 5)
    kinds = [kind for kind, _ in env.teacher.log]
    assert kinds == ["sample", "update"] * 5
    assert env.episodes["id"].tolist() == [0, 1, 2, 3, 4]


def test_the_seed_decides():
    runs = [play(TaughtEnv(Reach(), Scripted(), seed=s), 4).tobytes() for s in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


def test_an_abandoned_episode_is_never_reported():
    env = TaughtEnv(Reach(), Scripted())
    env.reset()
    env.step(np.float32([0.1]))
    env.reset()
    assert [kind for kind, _ in env.teacher.log] == ["sample", "sample"]
    assert len(env.episodes) == 0


def test_a_given_task_is_not_the_teachers():
    env = TaughtEnv(Reach(), Scripted())
    env.reset(options={"task": np.float32([0, 0])}, seed=3)
    env.step(np.float32([1]))
    assert env.teacher.log == []


def test_gymnasium_accepts_it():
    class Constant(Scripted):
        def sample(self):
            return __import__("teachrl").Task(np.float32([3, 0]))

    check_env(TaughtEnv(Reach(), Constant()), skip_render_check=True)


@pytest.mark.parametrize("where", ["observation", "reward"])
def test_non_finite_numbers_stop_it(where):
    env = TaughtEnv(Broken(where), Scripted())
    env.reset(seed=0)
    env.step(np.float32([-1]))  # the first task ends at once when it walks right
    env.step(np.float32([-1]))
    with pytest.raises(NonFiniteError, match=f"{where} is not finite"):
        env.step(np.float32([-1]))
    assert env.teacher.episodes == []


def test_an_env_without_task_space_is_refused():
    with pytest.raises(TypeError, match="task_space = TaskSpace"):
        TaughtEnv(gym.make("CartPole-v1"), Scripted())


@pytest.mark.parametrize("teacher", [PLR(), SFL(), VDS()])
def test_teachers_who_are_told_of_rollouts_are_refused(teacher):
    with pytest.raises(ValueError, match="of which one plain environment knows nothing"):
        TaughtEnv(Reach(), teacher)
