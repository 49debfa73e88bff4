"""A planner that sees the whole world, in the place of a language model that was told of it."""

import re
from collections.abc import Sequence
from typing import Any

import gymnasium as gym

from teachrl.subgoals.grid_worlds import GridWorld, Thing
from teachrl.subgoals.source import SubgoalSource
from teachrl.subgoals.steps import Cell, Kind, Subgoal, bare_world

_MOST = 60  # subgoals of one plan; more means that it goes in circles


class OraclePlanner(SubgoalSource):
    """Plans with all that is in a MiniGrid world, what the student cannot see included.

    It knows worlds with a goal cell (DoorKey, MultiRoom, LockedRoom, FourRooms, …), and missions to
    pick something up (KeyCorridor, UnlockPickup, ObstructedMaze, …) or to open the door (Unlock):
    doors are opened, keys fetched, from boxes too, and things in the way carried off. Others are
    refused. The plan is made once, at the beginning of an episode.

    >>> import gymnasium as gym, minigrid
    >>> env = gym.make("MiniGrid-DoorKey-5x5-v0")
    >>> _ = env.reset(seed=0)
    >>> for subgoal in OraclePlanner().subgoals(env, seed=0):
    ...     print(subgoal.text)
    pick up the yellow key at (1, 2)
    open the yellow door at (2, 1)
    go to the green goal at (3, 3)
    """

    def subgoals(self, env: gym.Env[Any, Any], seed: int | None) -> Sequence[Subgoal]:  # noqa: ARG002
        """Return the plan for the world as it is."""
        plan = _Plan(GridWorld.of(env))
        kind, target = _aim(plan.world, str(bare_world(env).mission))
        {"reach": plan.reach, "pickup": plan.pick_up, "open": plan.open}[kind](target)
        return tuple(plan.subgoals)


def _aim(world: GridWorld, mission: str) -> tuple[Kind, Cell]:
    """Return what is to be done in the end."""
    ends = [cell for cell, thing in world.things.items() if thing.type == "goal"]
    if ends:
        return "reach", min(ends, key=lambda cell: world.path(cell)[1])
    wanted = re.fullmatch(r"pick up (?:the|a) (\w+ \w+)", mission)
    doors = [cell for cell, thing in world.things.items() if thing.type == "door"]
    if wanted and (cells := _cells_of(world, wanted[1])):
        return "pickup", min(cells, key=lambda cell: world.path(cell)[1])
    if mission == "open the door" and len(doors) == 1:
        return "open", doors[0]
    raise ValueError(
        "the planner knows worlds with a goal cell, and the missions 'pick up the <colour> <type>' "
        f"and 'open the door'; this one is {mission!r}: give its subgoals in a SubgoalFile"
    )


class _Plan:
    """Subgoals so far, and the world as it will be once they are done."""

    def __init__(self, world: GridWorld) -> None:
        self.world, self.subgoals = world, list[Subgoal]()

    def reach(self, cell: Cell) -> None:
        """Go to a cell."""
        self._go_next_to(cell)
        self._note("reach", cell, self.world.things[cell].name)
        self.world.agent = cell

    def open(self, cell: Cell) -> None:
        """Open a door, with its key if it is locked, or a box."""
        thing = self.world.things[cell]
        self._go_next_to(cell)
        while thing.is_locked and self.world.held != thing.key:
            self._fetch(thing.key)
            self._go_next_to(cell)  # which may need the hands for what is in the way
        self._note("open", cell, thing.name)
        if thing.type == "door":
            self.world.things[cell] = thing._replace(is_open=True, is_locked=False)
        elif thing.content:
            self.world.things[cell] = Thing(thing.content)
        else:
            del self.world.things[cell]

    def pick_up(self, cell: Cell) -> None:
        """Pick a thing up, with empty hands."""
        self._go_next_to(cell)
        if self.world.held:
            self._put_down(cell)
            self._go_next_to(cell)
        self.world.held = self.world.things[cell].name
        self._note("pickup", cell, self.world.held)
        del self.world.things[cell]

    def _go_next_to(self, cell: Cell) -> None:
        """Walk to the cell before, having cleared the way."""
        while True:
            path, _ = self.world.path(cell)
            if not path:
                raise ValueError(f"there is no way from {self.world.agent} to {cell}")
            blocked = [c for c in path[1:-1] if not self.world.can_enter(c)]
            if not blocked:
                self.world.agent = path[max(0, len(path) - 2)]
                return
            if self.world.things[blocked[0]].type in ("door", "box"):
                self.open(blocked[0])  # a box vanishes, but for what is in it
            else:
                self.pick_up(blocked[0])  # and carry it on: it may be what is needed next

    def _fetch(self, name: str) -> None:
        """Get hold of a thing that lies about, or in a box."""
        cells = _cells_of(self.world, name)
        boxes = [cell for cell, thing in self.world.things.items() if thing.content == name]
        if not cells and not boxes:
            raise ValueError(f"there is no {name} in this world")
        cell = min(cells or boxes, key=lambda c: self.world.path(c)[1])
        if not cells:
            self.open(cell)
        self.pick_up(cell)

    def _put_down(self, target: Cell) -> None:
        """Put down what is held, where it is in nobody's way."""
        world, held = self.world, Thing(self.world.held)
        region = world.reachable()
        free = [c for c in region if c not in (target, world.agent) and c not in world.things]
        for cell in sorted(free, key=self._is_beside_things):  # stable: the nearest of either kind
            rest = world.with_thing(cell, held).reachable()
            if len(rest) == len(region) - 1:  # it cuts nothing off
                self._note("drop", cell, held.name)
                world.agent = next(beside for beside in world.around(cell) if beside in rest)
                world.things[cell], world.held = held, ""
                return
        raise ValueError(f"there is no room to put the {held.name} down")

    def _is_beside_things(self, cell: Cell) -> bool:
        """Tell whether something there might block a door, or the only way to a thing."""
        beside = (self.world.things.get(c) for c in self.world.around(cell))
        return any(thing is not None and thing.type != "wall" for thing in beside)

    def _note(self, kind: Kind, cell: Cell, name: str) -> None:
        if len(self.subgoals) == _MOST:
            raise ValueError(f"found no plan of at most {_MOST} subgoals for this world")
        self.subgoals.append(Subgoal(kind, cell, name))


def _cells_of(world: GridWorld, name: str) -> list[Cell]:
    return [cell for cell, thing in world.things.items() if thing.name == name]
