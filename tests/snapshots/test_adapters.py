"""States come back: to the last bit where that is claimed, within measured bounds elsewhere."""

import copy
import json

import gymnasium as gym
import numpy as np
import pytest

from teachrl.envs import HexagonTracks, PointMass, SparseGoal, StumpTracks, ToyEnv
from teachrl.snapshots import Attributes, Box2D, MuJoCo, Native, Recorder, Replay, SnapshotError
from teachrl.snapshots.adapters import same
from teachrl.snapshots.columns import flat
from teachrl.snapshots.conformance import check_adapter, distance, measure
from tests.snapshots.worlds import Line, PlainLine, recorded

CLASSIC = [
    *("CartPole-v1", "Acrobot-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1"),
    *("FrozenLake-v1", "Taxi-v4"),
]
MUJOCO = ["Hopper-v5", "Walker2d-v5", "HalfCheetah-v5", "Ant-v5", "Humanoid-v5", "Reacher-v5"]
MINIGRID = [
    *("MiniGrid-DoorKey-5x5-v0", "MiniGrid-KeyCorridorS3R1-v0"),
    *("MiniGrid-Dynamic-Obstacles-6x6-v0", "BabyAI-GoToObj-v0"),
]
BOX2D = ["LunarLander-v3", "BipedalWalker-v3"]


def maker(name):
    if isinstance(name, str) and name.startswith(("MiniGrid", "BabyAI")):
        pytest.importorskip("minigrid")
    if name in MUJOCO:
        pytest.importorskip("mujoco")
    return (lambda: gym.make(name)) if isinstance(name, str) else name


def exact_pairs():
    yield from ((Attributes(), name) for name in [*CLASSIC, *MINIGRID])
    yield from ((MuJoCo(), name) for name in MUJOCO)
    yield from ((Native(), make) for make in (PointMass, SparseGoal, Line))
    replayed = [*BOX2D, "CartPole-v1", "Hopper-v5", StumpTracks, HexagonTracks, ToyEnv, PlainLine]
    yield from ((Replay(), name) for name in replayed)


def called(thing):
    """Return a name that is the same in every process."""
    if isinstance(thing, str):
        return thing
    return (thing if isinstance(thing, type) else type(thing)).__name__


@pytest.mark.parametrize(("adapter", "name"), list(exact_pairs()), ids=called)
def test_exact_adapters_are_exact_after_1_10_and_50_steps(adapter, name):
    one, ten, fifty = measure(adapter, maker(name), ages=(0, 3, 25), episodes=2)
    assert one.n
    for divergence in (one, ten, fifty):
        assert divergence.n == 0 or (divergence.exact, divergence.largest) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("adapter", "name"), [(MuJoCo(), "Ant-v5"), (Attributes(), "Pendulum-v1"), (Replay(), "Ant-v5")]
)
def test_the_measure_reaches_fifty_steps(adapter, name):
    assert measure(adapter, maker(name), ages=(0, 3), episodes=2)[-1].n == 4


@pytest.mark.parametrize(
    ("name", "median"),
    [("BipedalWalker-v3", 1e-3), ("LunarLander-v3", 1e-4), (StumpTracks, 1e-4)],
    ids=str,
)
def test_box2d_states_are_near_what_they_should_be(name, median):
    make = maker(name)
    check_adapter(Box2D(), make)
    one, ten, fifty = measure(Box2D(), make, ages=(10, 30, 60), episodes=4)
    assert one.median < median
    assert ten.median < 10 * median
    assert fifty.median < 0.05
    assert one.largest < 0.2  # a contact flag is off by one, if it is


def test_contacts_are_what_a_naive_restore_gets_wrong(monkeypatch):
    """Without the search for contacts and the events, a flag of the walker's legs is wrong."""
    from teachrl.snapshots import box2d

    make, ages = maker("BipedalWalker-v3"), (10, 20, 30, 40, 50, 60)
    before = measure(Box2D(), make, horizons=(1,), ages=ages, episodes=4)[0].largest
    monkeypatch.setattr(box2d, "_find_contacts", lambda *_: None)
    monkeypatch.setattr(box2d, "_raise_events", lambda *_: None)
    naive = measure(Box2D(), make, horizons=(1,), ages=ages, episodes=4)[0].largest
    assert before < 0.2
    assert naive > 0.9


def test_a_used_walker_is_replayed_in_a_new_world():
    """Gymnasium keeps the b2World of a BipedalWalker, in which old episodes leave traces."""
    env, after = recorded(maker("BipedalWalker-v3"), 60)
    state = Replay().save(env)
    expected = [env.step(action)[0] for action in after]
    for seed in range(3):
        env.reset(seed=seed)
        for action in after:
            env.step(action)
    assert same(Replay().load(env, state), state["observation"])
    assert all(map(same, [env.step(action)[0] for action in after], expected))


@pytest.mark.parametrize("name", ["Humanoid-v5", "Ant-v5"])
def test_the_first_reward_after_a_mujoco_state_is_the_same(name):
    """It depends on where bodies were, which MuJoCo calculates half a step behind."""
    env, after = recorded(maker(name), 15)
    state = MuJoCo().save(env)
    expected = env.step(after[0])[1]
    MuJoCo().load(env, state)
    assert env.step(after[0])[1] == expected
    lagging = {k: v for k, v in state.items() if k != "lagging"} | {"lagging": {}}
    MuJoCo().load(env, lagging)
    assert env.step(after[0])[1] != expected


def test_the_warm_start_is_part_of_a_mujoco_state():
    mujoco = pytest.importorskip("mujoco")

    class ForgetsWarmStart(MuJoCo):
        def _load(self, env, state):
            super()._load(env, state)
            mujoco.mj_forward(env.unwrapped.model, env.unwrapped.data)

    exact, naive = (
        measure(adapter(), maker("Ant-v5"), horizons=(10,), ages=(5, 15, 30), episodes=2)[0].exact
        for adapter in (MuJoCo, ForgetsWarmStart)
    )
    assert exact == 1.0 > naive


def test_a_deep_copy_of_a_mujoco_environment_is_a_trap():
    """Why there is an adapter: the copy is a new environment, without a word."""
    env, _ = recorded(maker("Hopper-v5"), 20)
    twin = copy.deepcopy(env.env)
    assert distance(twin.unwrapped._get_obs(), env.observation) > 1e-3


@pytest.mark.parametrize("name", ["CartPole-v1", "MountainCarContinuous-v0", "BipedalWalker-v3"])
def test_time_goes_on_from_where_it_was(name):
    make = maker(name)
    adapter = Replay() if name in BOX2D else Attributes()
    env, _ = recorded(make, 7)
    state, new = adapter.save(env), Recorder(make())
    adapter.load(new, state)
    assert new.get_wrapper_attr("_elapsed_steps") == 7
    assert new.length == 7


@pytest.mark.parametrize(("adapter", "make"), [(Native(), Line), (Native(), PointMass)], ids=called)
def test_randomness_goes_on_as_it_was_or_as_a_new_seed_says(adapter, make):
    env, after = recorded(make, 5)
    state = adapter.save(env)

    def then(seed):
        adapter.load(env, state, seed)
        return np.array([env.step(action)[0] for action in after[:10]])

    assert np.array_equal(then(None), then(None))
    assert np.array_equal(then(3), then(3))
    assert not np.array_equal(then(3), then(4))
    assert not np.array_equal(then(3), then(None))


def test_reseeded_attributes_draw_other_numbers():
    pytest.importorskip("minigrid")
    env, _ = recorded(maker("MiniGrid-Dynamic-Obstacles-6x6-v0"), 1)
    state = Attributes().save(env)
    drawn = set()
    for seed in (None, None, 5, 6):
        Attributes().load(env, state, seed)
        drawn.add(float(env.unwrapped.np_random.random()))
    assert len(drawn) == 3


def test_states_are_arrays_and_json():
    for adapter, name in ((MuJoCo(), "Hopper-v5"), (Replay(), "CartPole-v1"), (Box2D(), BOX2D[1])):
        state = adapter.save(recorded(maker(name), 5)[0])
        for value in flat(state).values():
            assert isinstance(value, np.ndarray) or json.loads(json.dumps(value)) == value


def test_a_state_survives_what_follows_it():
    env, after = recorded(maker("Acrobot-v1"), 10)
    state = Attributes().save(env)
    copied = copy.deepcopy(state)
    for action in after[:20]:
        env.step(action)
    assert flat(state).keys() == flat(copied).keys()
    assert all(same(flat(state)[key], flat(copied)[key]) for key in flat(state))


def test_a_state_of_another_adapter_is_refused():
    env, _ = recorded(maker("CartPole-v1"), 3)
    with pytest.raises(SnapshotError, match="'replay' was expected, got one of 'attributes'"):
        Replay().load(env, Attributes().save(env))


def test_saving_needs_a_recorder_and_a_running_episode():
    with pytest.raises(SnapshotError, match="Recorder"):
        Attributes().save(gym.make("CartPole-v1"))
    with pytest.raises(SnapshotError, match="reset"):
        Attributes().save(Recorder(gym.make("CartPole-v1")))


def test_replay_says_when_the_environment_is_another_one():
    env, _ = recorded(maker("CartPole-v1"), 8)
    state = Replay().save(env)
    state["seed"] += 1
    with pytest.raises(SnapshotError, match="led elsewhere"):
        Replay().load(env, state)


def test_replay_can_go_on_from_a_replayed_state_but_not_from_a_reseeded_one():
    env, after = recorded(maker("CartPole-v1"), 4)
    adapter = Replay()
    adapter.load(env, adapter.save(env))
    env.step(after[0])
    assert len(adapter.save(env)["actions"]) == 5
    adapter.load(env, adapter.save(env), seed=1)
    with pytest.raises(SnapshotError, match="no actions lead here"):
        adapter.save(env)


def test_other_wrappers_are_refused():
    env, _ = recorded(maker("CartPole-v1"), 4)
    state = Attributes().save(env)
    with pytest.raises(SnapshotError, match="wrappers"):
        Attributes().load(gym.make("CartPole-v1").unwrapped, state)


def test_stacked_frames_come_back():
    make = lambda: gym.wrappers.FrameStackObservation(gym.make("Pendulum-v1"), 3)  # noqa: E731
    check_adapter(Attributes(), make)
