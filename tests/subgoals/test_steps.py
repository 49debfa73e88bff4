"""Whether a subgoal is complete is read off the world."""

import pytest

from teachrl.subgoals import Subgoal
from tests.subgoals.worlds import make

pytest.importorskip("minigrid")

LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE = range(6)


def facing(thing, name="Empty-5x5"):
    """Return a world in which the agent, at (1, 1), faces a thing at (2, 1)."""
    world = make(name).unwrapped
    world.grid.set(2, 1, thing)
    world.agent_pos, world.agent_dir = (1, 1), 0
    return world


def test_a_cell_is_reached_when_the_agent_stands_there():
    world = facing(None)
    subgoal = Subgoal("reach", (2, 1))
    assert not subgoal.is_complete(world)
    world.step(FORWARD)
    assert subgoal.is_complete(world)


def test_a_thing_is_picked_up_when_it_is_carried_and_put_down_when_it_is_not():
    from minigrid.core.world_object import Ball, Key

    world = facing(Key("yellow"))
    up, down = Subgoal("pickup", (2, 1), "yellow key"), Subgoal("drop", (2, 1), "yellow key")
    assert (up.is_complete(world), down.is_complete(world)) == (False, True)
    world.step(PICKUP)
    assert (up.is_complete(world), down.is_complete(world)) == (True, False)
    world.step(DROP)
    assert (up.is_complete(world), down.is_complete(world)) == (False, True)
    world.grid.set(2, 1, Ball("yellow"))
    world.step(PICKUP)
    assert not up.is_complete(world), "another thing is not the one"


def test_a_door_is_open_when_it_is_open():
    from minigrid.core.world_object import Door

    world = facing(Door("red"))
    subgoal = Subgoal("open", (2, 1), "red door")
    assert not subgoal.is_complete(world)
    world.step(TOGGLE)
    assert subgoal.is_complete(world)
    world.step(TOGGLE)
    assert not subgoal.is_complete(world), "it has been closed again"


def test_a_locked_door_needs_its_key():
    from minigrid.core.world_object import Door, Key

    world = facing(Door("red", is_locked=True))
    subgoal = Subgoal("open", (2, 1), "red door")
    world.carrying = Key("blue")
    world.step(TOGGLE)
    assert not subgoal.is_complete(world)
    world.carrying = Key("red")
    world.step(TOGGLE)
    assert subgoal.is_complete(world)


def test_a_box_is_open_when_what_was_in_it_stands_there():
    from minigrid.core.world_object import Box, Key

    world = facing(Box("green", contains=Key("red")))
    subgoal = Subgoal("open", (2, 1), "green box")
    assert not subgoal.is_complete(world)
    world.step(PICKUP)
    assert not subgoal.is_complete(world), "a box that was carried off is closed"
    world.step(DROP)
    world.step(TOGGLE)
    assert subgoal.is_complete(world)
    assert world.grid.get(2, 1).type == "key"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("pick", (1, 1), "red key"), "kind must be one of reach, pickup, open, drop"),
        (("open", (1,), "red door"), "a column and a row"),
        (("open", (-1, 2), "red door"), "a column and a row"),
        (("open", (1.5, 2), "red door"), "a column and a row"),
        (("open", (True, 2), "red door"), "a column and a row"),
        (("open", "12", "red door"), "a column and a row"),
        (("open", (1, 2)), "a colour and a type"),
        (("pickup", (1, 2), "key"), "a colour and a type"),
        (("reach", (1, 2), 7), "must be text"),
    ],
)
def test_a_subgoal_must_be_one(values, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Subgoal(*values)


@pytest.mark.parametrize(
    ("subgoal", "message"),
    [
        (Subgoal("reach", (9, 1)), "5 x 5 cells"),
        (Subgoal("reach", (0, 0)), "a wall"),
        (Subgoal("open", (1, 1), "yellow door"), "in this cell"),
        (Subgoal("open", (3, 3), "green goal"), "only doors and boxes"),
        (Subgoal("pickup", (1, 1), "red key"), "none in this world"),
        (Subgoal("pickup", (2, 2), "yellow door"), "none in this world"),
    ],
)
def test_impossible_things_are_refused(subgoal, message):
    world = make("DoorKey-5x5").unwrapped
    with pytest.raises(ValueError, match=message):
        subgoal.require_sense(world)


def test_things_in_boxes_can_be_picked_up():
    from minigrid.core.world_object import Box, Key

    world = facing(Box("green", contains=Key("red")))
    Subgoal("pickup", (2, 1), "red key").require_sense(world)
