"""Hexagon Tracks as a user finds it: in the reference implementation it crashes."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from teachrl import TaskSpace
from teachrl.envs import ENVS, HexagonTracks
from teachrl.envs.bodies import BODIES
from teachrl.envs.box2d.contacts import is_touching

from .players import move


def test_it_declares_what_a_teacher_needs() -> None:
    assert HexagonTracks.task_space == TaskSpace(poly_shape=(0, 4, "float", 12))
    assert HexagonTracks.reward_range == (-150.0, 350.0)
    assert HexagonTracks.mastery_threshold == 230.0
    assert HexagonTracks.test_set.is_file()


def test_it_is_found_by_both_of_its_names() -> None:
    assert ENVS["hexagon-tracks"] is HexagonTracks
    assert isinstance(gym.make("teachrl/HexagonTracks-v0").unwrapped, HexagonTracks)


def test_its_body_is_a_quadruped_unless_chosen() -> None:
    env = HexagonTracks()
    env.reset(seed=0)
    assert type(env.body) is BODIES["old_big_quadru"]
    assert HexagonTracks("small_bipedal", max_episode_steps=5).action_space.shape == (4,)


def test_a_foot_on_a_hexagon_is_a_contact() -> None:
    env = HexagonTracks()
    env.reset(seed=0, options={"task": np.full(12, 1.0)})
    hexagon = np.array(env.terrain.obstacles[0])
    foot: Any = env.body.motors[1].sensor
    move(env, *(hexagon.mean(axis=0) - foot.position))
    for _ in range(3):
        observation, *_ = env.step(np.zeros(8))
    assert observation[8] == 1.0
    assert is_touching(foot)


@pytest.mark.parametrize("seed", range(3))
def test_any_hexagon_can_be_played(seed: int) -> None:
    env = HexagonTracks()
    rng = np.random.default_rng(seed)
    for _ in range(20):
        env.reset(seed=seed, options={"task": env.task_space.uniform(rng)})
        move(env, x=rng.uniform(5, 50), y=rng.uniform(0, 3))
        for _ in range(10):
            observation = env.step(rng.uniform(-1, 1, 8))[0]
        assert np.isfinite(observation).all()
