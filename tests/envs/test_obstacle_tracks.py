"""Obstacle Tracks as a user finds it."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from teachrl import TaskSpace
from teachrl.envs import ENVS, ObstacleTracks, StumpTracks
from teachrl.envs.bodies import BODIES
from teachrl.envs.box2d.rendering import EARTH
from teachrl.evaluation import TestSet, default_test_set
from teachrl.registry import UnknownNameError
from teachrl.seeding import stream
from teachrl.teachers import ACCEL

SPACE = ObstacleTracks.task_space
HARDEST = SPACE.high
EASIEST: dict[str, Any] = {
    "roughness": 0,
    "pit_gap": 0,
    "stump_height": 0,
    "stair_height": 0,
    "stair_steps": 1,
}


def test_it_declares_the_published_parameters() -> None:
    assert SPACE.to_json() == {
        "roughness": [0, 10, "float", 1],
        "pit_gap": [0, 10, "interval", 2],
        "stump_height": [0, 5, "interval", 2],
        "stair_height": [0, 5, "interval", 2],
        "stair_steps": [1, 9, "int", 1],
    }
    assert SPACE.dimensions == 8
    env = ObstacleTracks()
    assert (env.mastery_threshold, env.max_episode_steps) == (230.0, 2000)
    assert env.observation_space.shape == (24,)
    assert env.action_space == gym.spaces.Box(-1, 1, (4,), np.float32)


def test_it_is_found_by_both_of_its_names() -> None:
    assert ENVS["obstacle-tracks"] is ObstacleTracks
    assert isinstance(gym.make("teachrl/ObstacleTracks-v0").unwrapped, ObstacleTracks)


def test_a_level_is_its_parameters_and_its_seed() -> None:
    env = ObstacleTracks()
    grounds = []
    for seed in (1, 1, 2):
        env.reset(seed=seed, options={"task": HARDEST})
        grounds.append(env.terrain.ground)
    assert grounds[0] == grounds[1] != grounds[2]


def test_intervals_the_wrong_way_round_are_refused() -> None:
    task = np.array([0, 5, 1, 0, 0, 0, 0, 1], np.float32)
    with pytest.raises(ValueError, match="'pit_gap' is an interval, the lower number first; got 5"):
        ObstacleTracks().reset(options={"task": task})


def test_a_space_of_fewer_parameters_leaves_the_others_out() -> None:
    five = TaskSpace(
        roughness=(0, 10), pit_gap=(0, 10, "interval"), stump_height=(0, 5, "interval")
    )
    env = ObstacleTracks(task_space=five)
    env.reset(seed=0, options={"task": [1, 2, 3, 1, 2]})
    assert env.terrain.obstacles
    with pytest.raises(UnknownNameError, match="'stump_width'"):
        ObstacleTracks(task_space=TaskSpace(stump_width=(0, 1)))


def test_accel_begins_in_the_easy_box_and_changes_by_the_published_sizes() -> None:
    teacher = ACCEL(
        easy_low=ObstacleTracks.easy_low,
        easy_high=ObstacleTracks.easy_high,
        edit_size=ObstacleTracks.edit_size,
    ).start(SPACE, stream(0, "teacher"))
    tasks = np.array([teacher.sample().params for _ in range(200)])
    assert (tasks <= np.array(ObstacleTracks.easy_high, np.float32)).all()
    assert tasks.max(axis=0) == pytest.approx(ObstacleTracks.easy_high, abs=0.1)
    assert (tasks[:, [2, 4, 6]] >= [0.8, 0.2, 0.2]).all(), "pits, stumps and stairs are there"
    widths = SPACE.high - SPACE.low
    sizes = (np.array(ObstacleTracks.edit_size) * widths).tolist()
    assert sizes == pytest.approx([0.6, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4, 1.0])  # at most


def test_a_fall_costs_a_hundred_and_ends_the_episode() -> None:
    env = ObstacleTracks()
    env.reset(seed=0, options={"task": HARDEST})
    rng, rewards, terminated = np.random.default_rng(0), [], False
    while not terminated:
        _, reward, terminated, truncated, info = env.step(rng.uniform(-1, 1, 4))
        rewards.append(reward)
        assert not truncated
    assert rewards[-1] == -100.0
    assert info["mastered"] is False


EXPECTED: dict[str, list[float]] = {
    "basic": [1, 0, 0, 0, 0, 0, 0, 1],
    "hardcore": [1, 2, 3, 1, 2, 1, 1, 5],
    "stairs": [0, 0, 0, 0, 0, 2, 2, 5],
    "pit-gap": [0, 5, 5, 0, 0, 0, 0, 1],
    "stump-height": [0, 0, 0, 2, 2, 0, 0, 1],
    "roughness": [5, 0, 0, 0, 0, 0, 0, 1],
    "high-stairs": [0, 0, 0, 0, 0, 5, 5, 9],
    "high-pit-gap": [0, 10, 10, 0, 0, 0, 0, 1],
    "high-stump-height": [0, 0, 0, 5, 5, 0, 0, 1],
    "high-roughness": [9, 0, 0, 0, 0, 0, 0, 1],
    "rose-1a": [5.6, 4.48, 6.4, 2.4, 2.82, 0, 0, 1],
    "rose-1b": [5.44, 4.48, 6.72, 1.8, 2.82, 0, 0, 1],
    "rose-2a": [7.2, 5.6, 7.2, 1.98, 2.82, 0, 0, 1],
    "rose-2b": [5.76, 1.6, 7.2, 2.16, 2.76, 0, 0, 1],
    "rose-3a": [5.28, 4.8, 7.2, 1.98, 2.76, 0, 0, 1],
    "rose-3b": [4.8, 4.48, 4.8, 2.4, 2.76, 0, 0, 1],
}


def test_the_test_sets_are_the_published_settings_with_seeds_of_their_own() -> None:
    assert list(ObstacleTracks.test_sets) == list(EXPECTED)
    for name, params in EXPECTED.items():
        tests = TestSet.load(ObstacleTracks.test_sets[name], SPACE)
        assert len(tests) == len(set(tests.seeds.tolist())) == 50
        assert (tests.params == np.array(params, np.float32)).all(), name


def test_the_default_test_set_is_ten_of_each_of_the_six() -> None:
    tests = default_test_set(ObstacleTracks)
    six = np.array(list(EXPECTED.values())[:6], np.float32)
    np.testing.assert_array_equal(np.unique(tests.params, axis=0), np.unique(six, axis=0))
    for name in list(EXPECTED)[:6]:
        whole = TestSet.load(ObstacleTracks.test_sets[name], SPACE)
        chosen = (tests.params == np.array(EXPECTED[name], np.float32)).all(axis=1)
        assert tests.seeds[chosen].tolist() == whole.seeds[:10].tolist()


def test_a_pit_is_seen_in_the_picture() -> None:
    env = ObstacleTracks(render_mode="rgb_array")
    columns = []
    for gap in (0, 5):
        env.reset(seed=0, options={"task": SPACE.pack(**EASIEST | {"pit_gap": gap})})
        env.render()
        picture: Any = env.render()
        columns.append((picture[330] == EARTH).all(axis=1).mean())  # below the ground
    assert columns[0] == 1.0
    assert columns[1] < 0.9


@pytest.mark.parametrize("name", BODIES)
def test_every_body_walks_here_as_on_other_tracks(name: str) -> None:
    env = ObstacleTracks(name)
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert env.observation_space == StumpTracks(name).observation_space


@pytest.mark.parametrize("seed", range(3))
def test_any_task_can_be_played(seed: int) -> None:
    env = ObstacleTracks()
    rng = np.random.default_rng(seed)
    for _ in range(10):
        env.reset(seed=seed, options={"task": SPACE.uniform(rng)})
        body: Any = env.body
        for _ in range(30):
            observation = env.step(rng.uniform(-1, 1, 4))[0]
        assert np.isfinite(observation).all()
        assert np.isfinite(body.hull.position).all()
