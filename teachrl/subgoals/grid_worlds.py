"""A MiniGrid world in plain values, which a plan may change."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from teachrl.subgoals.steps import Cell, bare_world, cell_of, name_of

STEPS: tuple[Cell, ...] = ((1, 0), (0, 1), (-1, 0), (0, -1))  # by MiniGrid's directions

# What entering a cell costs a plan, in steps: about as long as it takes to make way.
_MOVE, _OPEN, _CARRY_OFF, _UNLOCK = 1, 2, 30, 100
_MOVABLE = ("key", "ball", "box")


class Thing(NamedTuple):
    """What stands in a cell."""

    name: str  # colour and type
    is_open: bool = False
    is_locked: bool = False
    content: str = ""  # of a box

    @property
    def type(self) -> str:
        """MiniGrid's word for what it is."""
        return self.name.split()[1]

    @property
    def is_movable(self) -> bool:
        """Whether it can be carried off."""
        return self.type in _MOVABLE

    @property
    def key(self) -> str:
        """What unlocks it."""
        return f"{self.name.split()[0]} key"


@dataclass
class GridWorld:
    """Where everything is; cells without a thing are free."""

    width: int
    height: int
    things: dict[Cell, Thing]
    agent: Cell
    direction: int
    held: str  # what the agent carries, by name

    @classmethod
    def of(cls, env: Any) -> "GridWorld":
        """Read a MiniGrid environment."""
        world = bare_world(env)
        things = {
            (column, row): _thing(found)
            for row in range(world.height)
            for column in range(world.width)
            if (found := world.grid.get(column, row)) is not None and found.type != "floor"
        }
        return cls(
            world.width,
            world.height,
            things,
            cell_of(world.agent_pos),
            int(world.agent_dir),
            name_of(world.carrying),
        )

    def with_thing(self, cell: Cell, thing: Thing) -> "GridWorld":
        """Return this world with one thing more, or another one."""
        return replace(self, things=self.things | {cell: thing})

    def around(self, cell: Cell) -> Iterator[Cell]:
        """Yield the neighbours of a cell."""
        for column, row in STEPS:
            beside = (cell[0] + column, cell[1] + row)
            if 0 <= beside[0] < self.width and 0 <= beside[1] < self.height:
                yield beside

    def can_enter(self, cell: Cell) -> bool:
        """Tell whether the agent can step there as things are; it should not step into lava."""
        thing = self.things.get(cell)
        return thing is None or thing.type == "goal" or thing.is_open

    def reachable(self) -> list[Cell]:
        """Return the cells the agent can walk to as things are, the nearest first."""
        found = {self.agent: None}  # in this order
        waiting = [self.agent]
        for cell in waiting:
            new = [c for c in self.around(cell) if self.can_enter(c) and c not in found]
            found.update(dict.fromkeys(new))
            waiting += new
        return waiting

    def path(self, target: Cell) -> tuple[list[Cell], float]:
        """Return the cells from the agent to ``target``, both included, and what the way costs.

        It may lead through what has to be opened or carried off first. Without a way it is empty
        and costs infinitely much.
        """
        costs, before = {self.agent: 0.0}, {self.agent: self.agent}
        waiting = [(0.0, self.agent)]
        while waiting:
            cost, cell = heapq.heappop(waiting)
            if cell == target:
                return _traced(before, cell), cost
            if cost > costs[cell]:
                continue
            for beside in self.around(cell):
                longer = cost + (0.0 if beside == target else self._cost(beside))
                if longer < costs.get(beside, float("inf")):
                    costs[beside], before[beside] = longer, cell
                    heapq.heappush(waiting, (longer, beside))
        return [], float("inf")

    def _cost(self, cell: Cell) -> float:
        if self.can_enter(cell):
            return _MOVE
        thing = self.things[cell]
        if thing.type == "door":
            return _OPEN if not thing.is_locked or self.held == thing.key else _UNLOCK
        return _CARRY_OFF if thing.is_movable else float("inf")


def _thing(found: Any) -> Thing:
    return Thing(
        name_of(found),
        bool(getattr(found, "is_open", False)),
        bool(getattr(found, "is_locked", False)),
        name_of(getattr(found, "contains", None)),
    )


def _traced(before: dict[Cell, Cell], cell: Cell) -> list[Cell]:
    path = [cell]
    while before[path[-1]] != path[-1]:
        path.append(before[path[-1]])
    return path[::-1]
