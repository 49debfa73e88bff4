"""The oracle's plans lead to the end of real MiniGrid worlds."""

import gymnasium as gym
import pytest

from teachrl.subgoals import OraclePlanner, actions_to
from tests.subgoals.worlds import make

pytest.importorskip("minigrid")

WORLDS = [
    *("DoorKey-5x5", "DoorKey-8x8", "Empty-5x5", "FourRooms", "LockedRoom"),
    *("KeyCorridorS3R1", "KeyCorridorS3R2", "KeyCorridorS3R3", "KeyCorridorS6R3"),
    *("MultiRoom-N2-S4", "MultiRoom-N4-S5-v1", "MultiRoom-N6"),
    *("Unlock", "UnlockPickup", "BlockedUnlockPickup"),
    *(
        "ObstructedMaze-1Dl",
        "ObstructedMaze-1Dlh",
        "ObstructedMaze-1Dlhb",
        "ObstructedMaze-2Dlhb-v1",
    ),
]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", WORLDS)
def test_the_plan_solves_the_world(name, seed):
    env = make(name, seed)
    plan = OraclePlanner().subgoals(env, seed)
    reward, terminated = 0.0, False
    for subgoal in plan:
        assert not terminated, "the last subgoal ends the episode, and no other does"
        subgoal.require_sense(env.unwrapped) if subgoal.kind == "open" else None
        assert not subgoal.is_complete(env.unwrapped)
        for action in actions_to(env, subgoal):
            _, reward, terminated, truncated, _ = env.step(action)
            assert not truncated
        assert subgoal.is_complete(env.unwrapped)
    assert terminated
    assert reward > 0


def test_the_plan_of_a_key_corridor_is_what_a_person_would_do():
    plan = OraclePlanner().subgoals(make("KeyCorridorS3R1", 3), 3)
    assert [subgoal.kind for subgoal in plan] == ["open", "pickup", "open", "drop", "pickup"]
    assert plan[1].thing.endswith("key")
    assert plan[4].thing.endswith("ball")


def test_making_a_plan_changes_nothing():
    env = make("KeyCorridorS3R3", 1)
    before = env.unwrapped.hash()
    first = OraclePlanner().subgoals(env, 1)
    assert env.unwrapped.hash() == before
    assert OraclePlanner().subgoals(env, 1) == first


def test_unknown_missions_are_refused():
    with pytest.raises(ValueError, match="the planner knows worlds with a goal cell"):
        OraclePlanner().subgoals(make("GoToDoor-5x5"), 0)


def test_other_environments_are_refused():
    env = gym.make("CartPole-v1")
    with pytest.raises(TypeError, match="MiniGrid world"):
        OraclePlanner().subgoals(env, 0)


def test_a_plan_needs_a_way():
    from minigrid.core.world_object import Wall

    env = make("Empty-5x5")
    for cell in ((2, 3), (3, 2)):
        env.unwrapped.grid.set(*cell, Wall())
    with pytest.raises(ValueError, match="no way"):
        OraclePlanner().subgoals(env, 0)


def test_a_plan_needs_a_key():
    env = make("DoorKey-5x5")
    world = env.unwrapped
    for column in range(5):
        for row in range(5):
            if (thing := world.grid.get(column, row)) and thing.type == "key":
                world.grid.set(column, row, None)
    with pytest.raises(ValueError, match="no yellow key"):
        OraclePlanner().subgoals(env, 0)


def test_things_are_put_down_where_they_cut_nothing_off():
    from minigrid.core.world_object import Ball, Key, Wall

    env = make("Empty-8x8")
    world = env.unwrapped
    for column in range(1, 7):
        for row in range(2, 7):
            world.grid.set(column, row, Wall())  # which leaves a corridor
    world.grid.set(6, 1, Ball("blue"))
    world.agent_pos, world.agent_dir, world.carrying = (3, 1), 0, Key("red")
    world.mission = "pick up the blue ball"
    plan = OraclePlanner().subgoals(env, 0)
    assert [subgoal.kind for subgoal in plan] == ["drop", "pickup"]
    for subgoal in plan:
        for action in actions_to(env, subgoal):
            env.step(action)
        assert subgoal.is_complete(world)
