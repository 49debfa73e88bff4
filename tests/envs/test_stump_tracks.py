"""Stump Tracks as a user finds it."""

import gymnasium as gym
import numpy as np

from teachrl import TaskSpace
from teachrl.envs import ENVS, StumpTracks
from teachrl.envs.bodies import BODIES


def test_it_declares_what_a_teacher_needs() -> None:
    assert StumpTracks.task_space == TaskSpace(stump_height=(0, 3), obstacle_spacing=(0, 6))
    assert StumpTracks.reward_range == (-150.0, 350.0)
    assert StumpTracks.mastery_threshold == 230.0
    assert StumpTracks.test_set.is_file()


def test_it_is_found_by_both_of_its_names() -> None:
    assert ENVS["stump-tracks"] is StumpTracks
    assert isinstance(gym.make("teachrl/StumpTracks-v0").unwrapped, StumpTracks)


def test_the_default_body_is_that_of_the_published_benchmark() -> None:
    env = StumpTracks()
    assert env.observation_space.shape == (24,)
    assert env.action_space == gym.spaces.Box(-1, 1, (4,), np.float32)
    env.reset(seed=0)
    assert type(env.body) is BODIES["old_classic_bipedal"]


def test_the_task_is_seen_in_the_track() -> None:
    env = StumpTracks()
    env.reset(seed=0, options={"task": [2.0, 5.0]})
    assert len(env.terrain.obstacles) == 16  # every 5.47 of 84 units
    env.reset(options={"task": [2.0, 0.5]})
    assert len(env.terrain.obstacles) == 87


def test_the_published_challenge_of_negative_heights_is_a_task_space_away() -> None:
    env = StumpTracks(task_space=TaskSpace(stump_height=(-3, 3), obstacle_spacing=(0, 6)))
    env.reset(seed=0, options={"task": [-3.0, 1.0]})
    tops = {max(y for _, y in polygon) for polygon in env.terrain.obstacles}
    assert len(tops) == 1  # all at the floor of 0.05 steps
