"""Libraries are small files that come back as they were."""

import json

import gymnasium as gym
import numpy as np
import pytest

from teachrl.files import DamagedFileError
from teachrl.snapshots import Attributes, Recorder, Replay, SnapshotLibrary, explore
from teachrl.snapshots.adapters import same
from teachrl.snapshots.columns import flat, joined, nested, split
from tests.snapshots.worlds import Line, PlainLine, line_library


def size(folder):
    return sum(path.stat().st_size for path in folder.iterdir())


def test_a_snapshot_is_taken_at_the_first_reset_and_every_tenth_step_of_all():
    library = explore(lambda: Line(limit=25), episodes=3, every=10)
    assert [(s.trajectory, s.step) for s in library.snapshots] == [
        *((0, 0), (0, 10), (0, 20)),
        *((1, 5), (1, 15)),  # and not step 25, where the episode is over
        *((2, 10), (2, 20)),
    ]
    assert library.steps == 75


def test_values_are_returns_to_go_or_what_a_critic_says():
    library = line_library()
    for snapshot in library.snapshots:
        rewards = library.trajectories[snapshot.trajectory].rewards
        assert snapshot.value == pytest.approx(rewards[snapshot.step :].sum())
    places = explore(Line, values=lambda seen: np.array([o[0] for o in seen]), episodes=2)
    assert places.values.tolist() == [s.observation[0] for s in places.snapshots]


def test_the_best_episodes_are_kept_and_all_steps_counted():
    library = explore(Line, episodes=4, every=50)
    best = explore(Line, episodes=4, every=50, best=2)
    rewards = sorted(t.reward for t in library.trajectories)
    assert sorted(t.reward for t in best.trajectories) == rewards[2:]
    assert {s.trajectory for s in best.snapshots} == {0, 1}
    assert best.steps == library.steps == 800
    for i, trajectory in enumerate(best.trajectories):
        last = best.snapshots[best.of_trajectory(i)[-1]]
        assert last.value == pytest.approx(trajectory.reward_from(last.step))


def test_clusters_are_in_the_order_of_their_values():
    library = line_library(clusters=3)
    means = [library.values[library.clusters == k].mean() for k in range(library.n_clusters)]
    assert library.n_clusters == 3
    assert means == sorted(means)


@pytest.mark.parametrize(
    "make", [Line, PlainLine, "CartPole-v1", "MiniGrid-DoorKey-5x5-v0", "Walker2d-v5"], ids=str
)
def test_a_library_comes_back_as_it_was(make, tmp_path):
    if isinstance(make, str):
        if make.startswith("Mini"):
            pytest.importorskip("minigrid")
        if make.startswith("Walker"):
            pytest.importorskip("mujoco")
        name, make = make, lambda: gym.make(name)
    library = explore(make, episodes=4, every=7)
    again = SnapshotLibrary.load(library.save(tmp_path / "library"))
    assert again.adapter.name == library.adapter.name
    assert (again.steps, again.source) == (library.steps, library.source)
    for one, two in zip(library.trajectories, again.trajectories, strict=True):
        assert np.array_equal(one.actions, two.actions)
        assert np.array_equal(one.rewards, two.rewards)
        assert (one.seed, one.terminated, one.success) == (two.seed, two.terminated, two.success)
    for first, second in zip(library.snapshots, again.snapshots, strict=True):
        about = ("trajectory", "step", "value", "cluster")
        assert [getattr(first, a) for a in about] == [getattr(second, a) for a in about]
        before, after = flat(first.state), flat(second.state)
        assert before.keys() == after.keys()
        assert all(same(before[key], after[key]) for key in before)
    env = Recorder(make())
    for snapshot in again.snapshots:
        assert same(again.adapter.load(env, snapshot.state), snapshot.observation)


def test_replayed_libraries_hold_each_episode_once(tmp_path):
    library = explore(PlainLine, episodes=5, every=5)
    folder = library.save(tmp_path / "library")
    with np.load(folder / "library.npz") as arrays:
        kept = sum(arrays[name].size for name in arrays if name.startswith("actions/"))
        elsewhere = [n for n in arrays if n.startswith("state/") and arrays[n].size > 1000]
    assert kept == sum(t.actions.size for t in library.trajectories)
    assert not elsewhere


@pytest.mark.parametrize("name", ["Walker2d-v5", "BipedalWalker-v3"])
def test_a_hundred_walks_take_less_than_twenty_megabytes(name, tmp_path):
    """Long episodes are put together from short ones: an untrained walker falls early."""
    if name.startswith("Walker"):
        pytest.importorskip("mujoco")
    library = explore(lambda: gym.make(name), episodes=10, every=2)
    n = len(library.snapshots)
    bytes_each = size(library.save(tmp_path / "library")) / n
    longest = 1600 if name.startswith("Bipedal") else 1000
    assert bytes_each * 100 * longest / 10 < 20e6
    assert n > 50


def test_files_are_plain_and_damage_is_named(tmp_path):
    folder = line_library().save(tmp_path / "library")
    assert sorted(path.name for path in folder.iterdir()) == ["library.json", "library.npz"]
    np.load(folder / "library.npz", allow_pickle=False).close()
    about = json.loads((folder / "library.json").read_text())
    for broken in ({"format": 9}, {"snapshots": 3}, {"trajectories": []}, {"adapter": "x"}):
        (folder / "library.json").write_text(json.dumps(about | broken))
        with pytest.raises(DamagedFileError, match="library"):
            SnapshotLibrary.load(folder)


def test_a_library_is_replaced_by_saving_again(tmp_path):
    line_library(episodes=3).save(tmp_path / "library")
    line_library(episodes=1).save(tmp_path / "library")
    assert len(SnapshotLibrary.load(tmp_path / "library").trajectories) == 1


def test_same_seed_same_library():
    one, two, other = (explore(Line, episodes=2, every=20, seed=s) for s in (0, 0, 1))
    assert [s.observation.tolist() for s in one.snapshots] == [
        s.observation.tolist() for s in two.snapshots
    ]
    assert one.snapshots[1].observation.tolist() != other.snapshots[1].observation.tolist()


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="must be 1 or more"):
        explore(Line, every=0)
    with pytest.raises(ValueError, match="best at most episodes"):
        explore(Line, episodes=2, best=3)
    with pytest.raises(ValueError, match="expected finite values"):
        explore(Line, episodes=1, values=lambda seen: np.full(len(seen), np.nan))
    with pytest.raises(ValueError, match="nothing to classify"):
        SnapshotLibrary(Replay()).classified()


def test_columns_keep_kinds_apart():
    rows = [
        {"a": np.zeros(2), "b": 1, "c": np.array([np.nan, 0.0])},
        {"a": np.zeros(3, np.float32), "b": [1, {"x": None}], "c": np.array([np.nan, -0.0])},
        {"a": np.ones(2), "c": np.array([np.nan, 5.0])},
    ]
    columns, arrays = split(rows)
    again = joined(json.loads(json.dumps(columns)), arrays, 3)
    assert [row.keys() for row in again] == [row.keys() for row in rows]
    for before, after in zip(rows, again, strict=True):
        assert before.get("b") == after.get("b")
        for key in "ac":
            assert before[key].tobytes() == after[key].tobytes()
            assert before[key].dtype == after[key].dtype


def test_paths_are_undone():
    state = {"a": {"b": 1, "c": {"d": 2}}, "e": {}}
    assert nested(flat(state)) == state
    with pytest.raises(ValueError, match="slash"):
        flat({"a/b": 1})


def test_wrong_environments_are_named_when_a_state_is_loaded():
    library = explore(lambda: gym.make("CartPole-v1"), episodes=1, every=5, adapter=Attributes())
    with pytest.raises(RuntimeError, match="wrappers"):
        library.adapter.load(Recorder(Line()), library.snapshots[0].state)
