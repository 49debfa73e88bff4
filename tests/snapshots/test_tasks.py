"""Where to begin can be what a teacher chooses."""

import gymnasium as gym
import numpy as np
import pytest

from teachrl.checks import check_env
from teachrl.snapshots import SnapshotTasks, explore
from teachrl.snapshots.recording import Recorder
from teachrl.snapshots.registration import adapter_for
from tests.snapshots.worlds import Line, line_library


def two_slopes():
    """Return a library of walks with slopes 0.5 and 1.5."""
    library = line_library(episodes=1, clusters=2)
    adapter, env = adapter_for(Line), Recorder(Line())
    snapshots = []
    for slope in (0.5, 1.5):
        for snapshot in library.snapshots:
            env.reset(seed=0, options={"task": np.float32([slope])})
            for action in library.trajectories[0].actions[: snapshot.step]:
                env.step(action)
            snapshots.append(type(snapshot)(adapter.save(env), 0, snapshot.step, snapshot.value))
    library.snapshots = snapshots
    return library.classified(2)


def test_the_start_joins_the_parameters():
    env = SnapshotTasks(Line(), line_library(clusters=3))
    assert env.task_space.to_json() == {
        "slope": [0, 2, "float", 1],
        "start": [0, 3, "int", 1],
    }
    assert env.default_task.tolist() == [1.0, 0.0]


def test_start_zero_is_an_ordinary_start_on_the_parameters():
    env, plain = SnapshotTasks(Line(), line_library()), Line()
    observation, info = env.reset(seed=3, options={"task": np.float32([0.5, 0])})
    expected, _ = plain.reset(seed=3, options={"task": np.float32([0.5])})
    assert np.array_equal(observation, expected)
    assert info == {}
    for _ in range(200):
        *_, info = env.step(np.zeros(1, np.float32))
    assert "partial" not in info


@pytest.mark.parametrize("start", [1, 2, 3])
def test_other_starts_are_clusters(start):
    env = SnapshotTasks(Line(), line_library(clusters=3))
    drawn = set()
    for seed in range(60):
        _, info = env.reset(seed=seed, options={"task": np.float32([1.0, start])})
        assert env.library.clusters[info["snapshot"]] == start - 1
        assert info["by_task"] is info["partial"] is True
        drawn.add(info["snapshot"])
    assert len(drawn) > 5


def test_parameters_choose_the_nearest_snapshots_and_the_info_says_which():
    env = SnapshotTasks(Line(), two_slopes())
    for asked, played in ((0.1, 0.5), (0.9, 0.5), (1.2, 1.5), (2.0, 1.5)):
        observation, info = env.reset(seed=0, options={"task": np.float32([asked, 2])})
        assert info["task"].tolist() == [played, 2]
        assert observation[1] == played


def test_the_same_task_and_seed_is_the_same_episode():
    env = SnapshotTasks(Line(), line_library())
    seen = []
    for _ in range(2):
        env.reset(seed=8, options={"task": np.float32([1.0, 2])})
        seen.append([float(env.step(np.zeros(1, np.float32))[0][0]) for _ in range(10)])
        env.reset(seed=9, options={"task": np.float32([1.0, 0])})
    assert seen[0] == seen[1]


@pytest.mark.parametrize("asked", [0.1, 0.9, 1.0, 1.2])
def test_what_was_played_instead_is_the_same_episode_with_its_seed(asked):
    """As whoever replays the record of a run, or a teacher's buffer, would ask for it."""
    env = SnapshotTasks(Line(), two_slopes())
    for seed in range(20):
        first, info = env.reset(seed=seed, options={"task": np.float32([asked, 2])})
        again, other = env.reset(seed=seed, options={"task": info["task"]})
        assert first.tolist() == again.tolist()
        assert info["snapshot"] == other["snapshot"]


def test_without_a_task_the_last_one_is_played_again():
    env = SnapshotTasks(Line(), line_library())
    env.reset(seed=0, options={"task": np.float32([1.5, 0])})
    env.reset(seed=0, options={"task": np.float32([1.5, 2])})
    assert "snapshot" in env.reset(seed=1)[1]
    env.reset(seed=0, options={"task": np.float32([0.25, 0])})
    assert env.reset(seed=1)[0][1] == 0.25


def test_environments_without_tasks_have_the_start_alone():
    make = lambda: gym.make("MountainCar-v0")  # noqa: E731
    library = explore(make, episodes=1, every=20, clusters=4)
    env = SnapshotTasks(make(), library, reward_range=(-200, 0), mastery_threshold=-110)
    assert env.task_space.names == ("start",)
    assert (env.reward_range, env.mastery_threshold) == ((-200, 0), -110)
    assert env.reset(seed=0, options={"task": [4]})[1]["snapshot"] in range(len(library))
    assert env.reset(seed=0, options={"task": [0]})[1] == {}


def test_every_promise_of_an_environment_holds():
    check_env(lambda: SnapshotTasks(Line(), two_slopes()))


def test_a_parameter_of_that_name_is_refused():
    env = SnapshotTasks(Line(), line_library())
    with pytest.raises(ValueError, match="'start'"):
        SnapshotTasks(env, line_library())
