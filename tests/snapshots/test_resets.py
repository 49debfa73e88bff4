"""Episodes begin from snapshots, are cut, are marked, and leave ordinary ones alone."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.monitor import Monitor

from teachrl.envs import PointMass
from teachrl.snapshots import (
    Backward,
    ByCluster,
    Mixed,
    SnapshotLibrary,
    SnapshotResets,
    VisitCount,
    explore,
)
from tests.snapshots.worlds import Line, PlainLine, line_library

STAY = np.zeros(1, np.float32)


def wrapped(library=None, env=None, **settings):
    given = {"probability": 1.0} | settings
    library = line_library() if library is None else library
    return SnapshotResets(env or Line(), library, **given)


def episode(env, **reset):
    """Play without moving; return first and last observation, length and the two infos."""
    first, begun = env.reset(**reset)
    for length in range(1, 10_000):
        observation, _, terminated, truncated, info = env.step(STAY)
        if terminated or truncated:
            return first, observation, length, begun, info, (terminated, truncated)
    raise AssertionError("no end")


def test_an_episode_begins_where_a_snapshot_is_and_says_so():
    env = wrapped()
    first, _, length, begun, info, ends = episode(env, seed=0)
    snapshot = env.library.snapshots[begun["snapshot"]]
    assert np.array_equal(first, snapshot.observation)
    assert begun["partial"] is info["partial"] is True
    assert info["snapshot"] == begun["snapshot"]
    assert (length, ends) == (100, (False, True))


@pytest.mark.parametrize("horizon", [1, 7, 100])
def test_students_are_cut_after_the_horizon_by_truncation(horizon):
    *_, length, _, _, ends = episode(wrapped(horizon=horizon), seed=0)
    assert length <= horizon
    assert ends == (False, True)


def test_without_a_horizon_time_goes_on_from_the_snapshot():
    env = wrapped(horizon=None)
    for seed in range(5):
        _, _, length, begun, _, _ = episode(env, seed=seed)
        assert length == 200 - env.library.snapshots[begun["snapshot"]].step


def test_a_time_limit_waits_for_the_horizon():
    make = lambda: gym.wrappers.TimeLimit(Line(limit=10**6), 200)  # noqa: E731
    library = explore(make, episodes=1, every=10, seed=1)
    env = wrapped(library, make(), horizon=80)
    late = [i for i, s in enumerate(library.snapshots) if s.step > 150]
    env.begin_at(late[-1])
    lengths = 0
    while True:
        lengths += 1
        if env.step(STAY)[3]:
            break
    assert lengths == 80
    env.begin_at(0)
    assert env.get_wrapper_attr("_elapsed_steps") == 0


def test_termination_at_the_horizon_stays_termination():
    class Cliff(Line):
        def step(self, action):
            observation, reward, _, truncated, info = super().step(action)
            return observation, reward, self.count % 10 == 5, truncated, info

    library = line_library()
    env = wrapped(library, Cliff(), horizon=5)
    env.begin_at(1)
    for _ in range(4):
        assert env.step(STAY)[2:4] == (False, False)
    assert env.step(STAY)[2:4] == (True, False)


def test_probability_is_that_of_snapshots():
    env = wrapped(probability=0.3)
    begun = [env.reset(seed=seed)[1] for seed in range(600)]
    assert abs(np.mean(["partial" in info for info in begun]) - 0.3) < 0.06
    env.begin_with_snapshots(0.0)
    assert not any("partial" in env.reset(seed=seed)[1] for seed in range(50))


def test_by_default_all_episodes_are_ordinary():
    """A copy that a student is evaluated on plays whole episodes, unless someone says otherwise."""
    env, plain = SnapshotResets(Line(), line_library()), Line()
    for seed in range(20):
        assert np.array_equal(env.reset(seed=seed)[0], plain.reset(seed=seed)[0])
        for _ in range(5):
            seen, *_, info = env.step(STAY)
            assert info == {}
            assert np.array_equal(seen, plain.step(STAY)[0])


def test_the_seed_decides_which_snapshot():
    one, two = wrapped(), wrapped()
    two.reset(seed=99)
    chosen = [[env.reset(seed=seed)[1]["snapshot"] for seed in range(30)] for env in (one, two)]
    assert chosen[0] == chosen[1]
    assert len(set(chosen[0])) > 10
    one.reset(seed=1)
    assert len({one.reset()[1]["snapshot"] for _ in range(30)}) > 10


def test_chance_goes_on_differently_unless_it_is_told_not_to():
    for reseed, distinct in ((True, 3), (False, 1)):
        env = wrapped(reseed=reseed)
        ends = set()
        for seed in range(3):
            env.reset(seed=seed)
            env.begin_at(4)
            ends.add(float(env.step(STAY)[0][0]))
        assert len(ends) == distinct


def test_ordinary_episodes_get_their_task_back():
    library = explore(Line, episodes=2, every=20)
    env = wrapped(library, probability=0.5)
    env.reset(seed=0, options={"task": np.float32([2.0])})
    slopes = []
    for seed in range(40):
        observation, info = env.reset(seed=seed)
        assert observation[1] == (1.0 if "partial" in info else 2.0)
        assert env.step(STAY)[0][1] == observation[1]
        slopes.append(observation[1])
    assert set(slopes) == {1.0, 2.0}


def test_the_first_info_says_what_is_played_and_what_that_took():
    library = explore(PlainLine, episodes=1, every=10, tasks=[np.float32([0.5])])
    env = wrapped(library, PlainLine())
    begun, info = episode(env, seed=0, options={"task": np.float32([2.0])})[3:5]
    assert begun["task"].tolist() == [0.5]
    assert begun["replayed"] == library.snapshots[begun["snapshot"]].step == env.snapshot_steps()
    assert "task" not in info
    assert "task" not in env.begin_ordinarily(0, None)[1]


def test_a_selector_hears_how_segments_went():
    env = wrapped(selector=Backward(rollouts=1, threshold=1, tolerance=1e9))
    end = env.selector.pointer
    episode(env, seed=0)
    assert env.selector.pointer == end - 1


def test_a_selector_may_watch_every_step():
    env = wrapped(selector=VisitCount(cell=lambda seen: "somewhere"), probability=1e-9)
    *_, length, _, _, _ = episode(env, seed=0)
    assert env.selector.visits == {"somewhere": length + 1}
    env.begin_with_snapshots(0.0)  # nobody asks it any more
    episode(env, seed=0)
    assert env.selector.visits == {"somewhere": length + 1}


@pytest.mark.parametrize("selector", [Backward(), Mixed(selector=Backward(), ordinary=0.0)])
@pytest.mark.parametrize("from_folder", [False, True])
def test_every_environment_has_a_selector_of_its_own(selector, from_folder, tmp_path):
    library = line_library()
    given = library.save(tmp_path) if from_folder else library
    first = wrapped(given, selector=selector)
    _pointed(first.selector).pointer = 1
    second = wrapped(given, selector=selector)
    assert _pointed(first.selector).pointer == 1
    assert _pointed(second.selector).pointer > 1
    assert first.selector.library is first.library
    assert second.selector.library is second.library


def _pointed(selector):
    return selector.selector if isinstance(selector, Mixed) else selector


def test_without_a_seed_no_two_environments_begin_alike():
    """Each draws its first generator anew, as Gymnasium's do."""
    library = line_library()
    envs = [wrapped(library) for _ in range(6)]
    assert len({tuple(env.reset()[1]["snapshot"] for _ in range(5)) for env in envs}) == 6


@pytest.mark.parametrize("reseed", [True, False])
def test_chance_of_ordinary_episodes_is_not_the_snapshots(reseed):
    def starts():
        env = wrapped(reseed=reseed)
        env.reset(seed=0)
        for _ in range(4):
            env.begin_at(4)
            yield float(env.begin_ordinarily(None, None)[0][0])

    seen = list(starts())
    assert len(set(seen)) == 4
    assert list(starts()) == seen


def test_a_monitor_inside_is_not_believed():
    library = line_library()
    env = wrapped(library, Monitor(Line()), horizon=None)
    *_, info, _ = episode(env, seed=0)
    assert "episode" not in info
    env.begin_with_snapshots(0.0)
    *_, info, _ = episode(env, seed=0)
    assert info["episode"]["l"] == 200


def test_a_monitor_that_writes_a_file_is_refused(tmp_path):
    monitor = Monitor(Line(), str(tmp_path / "log"))
    with pytest.raises(ValueError, match="the Monitor inside writes a file"):
        wrapped(env=monitor)


def test_what_outlives_episodes_can_be_restored():
    env = wrapped(probability=0.6, selector=Backward(rollouts=2, threshold=0.5, tolerance=1e9))
    episode(env, seed=0)
    for _ in range(6):
        episode(env)
    state = env.state()
    seen = [episode(env)[3].get("snapshot") for _ in range(10)]
    other = wrapped(probability=0.0, selector=Backward(rollouts=2, threshold=0.5, tolerance=1e9))
    other.restore(state)
    assert [episode(other)[3].get("snapshot") for _ in range(10)] == seen
    assert len(set(seen)) > 2


def test_steps_of_replay_are_counted():
    library = explore(PlainLine, episodes=1, every=10)
    env = wrapped(library, PlainLine())
    assert env.snapshot_steps() == 0
    env.begin_at(3)
    env.begin_at(2)
    assert env.snapshot_steps() == 30 + 20


def test_a_folder_will_do(tmp_path):
    folder = line_library().save(tmp_path / "library")
    first = episode(SnapshotResets(Line(), folder, probability=1.0), seed=4)[0]
    assert np.array_equal(first, episode(wrapped(), seed=4)[0])


def test_other_environments_are_refused():
    with pytest.raises(ValueError, match="or of another environment"):
        wrapped(line_library(), PointMass()).reset(seed=0)
    narrow = gym.wrappers.TransformObservation(
        Line(), lambda seen: seen, gym.spaces.Box(-1, 1, (2,), np.float64)
    )
    with pytest.raises(ValueError, match="made with other wrappers, or of another"):
        wrapped(line_library(), narrow).begin_at(15)


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="horizon"):
        wrapped(horizon=0)
    with pytest.raises(ValueError, match="probability"):
        wrapped(probability=1.5)
    with pytest.raises(ValueError, match="has none"):
        wrapped(SnapshotLibrary(line_library().adapter))


def test_gymnasium_finds_nothing_wrong():
    check_env(SnapshotResets(Line(), line_library(), ByCluster(), probability=0.5))
