"""What to do next in a MiniGrid world, and whether it has been done."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

Cell = tuple[int, int]  # column and row, as MiniGrid counts them
Kind = Literal["reach", "pickup", "open", "drop"]

KINDS: tuple[str, ...] = get_args(Kind)
VERBS = {"reach": "go to", "pickup": "pick up", "open": "open", "drop": "put down"}


@dataclass(frozen=True)
class Subgoal:
    """One thing to do on the way to a task.

    Whether it is done is read off the world as it is, not off its history, so that it does not
    matter who did it, or when.

    Args:
        kind: ``reach`` a cell, ``pickup`` or ``drop`` a thing, or ``open`` a door or a box.
        position: column and row of the cell where that is to be done.
        thing: its colour and type in MiniGrid's words; a cell to reach needs none.

    >>> Subgoal("pickup", (2, 3), "yellow key").text
    'pick up the yellow key at (2, 3)'
    """

    kind: Kind
    position: Cell
    thing: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if not _is_cell(self.position):
            raise ValueError(
                f"position must be a column and a row from 0 on, got {self.position!r}"
            )
        object.__setattr__(self, "position", (int(self.position[0]), int(self.position[1])))
        if not isinstance(self.thing, str):
            raise TypeError(f"thing must be text such as 'yellow key', got {self.thing!r}")
        if len(self.thing.split()) != 2 and not (self.kind == "reach" and not self.thing):
            raise ValueError(
                f"thing must be a colour and a type such as 'yellow key', got {self.thing!r}"
            )

    @property
    def text(self) -> str:
        """It in words."""
        where = f"{self.position}"
        if not self.thing:
            return f"{VERBS[self.kind]} {where}"
        return f"{VERBS[self.kind]} the {self.thing} at {where}"

    def is_complete(self, world: Any) -> bool:
        """Tell whether it is done in a MiniGrid environment, given without its wrappers."""
        if self.kind == "reach":
            return cell_of(world.agent_pos) == self.position
        held = name_of(world.carrying)
        if self.kind == "pickup":
            return held == self.thing
        if self.kind == "drop":
            return held != self.thing
        there = world.grid.get(*self.position)
        if name_of(there) == self.thing:
            return bool(getattr(there, "is_open", False))
        return held != self.thing  # an opened box is gone; one that was carried off is not opened

    def require_sense(self, world: Any) -> None:
        """Refuse what cannot be done in this world: there is no such cell, or no such thing."""
        column, row = self.position
        if not (column < world.width and row < world.height):
            raise ValueError(f"{self.text}: the world has {world.width} x {world.height} cells")
        there = name_of(world.grid.get(column, row))
        if self.kind == "reach" and there.endswith("wall"):
            raise ValueError(f"{self.text}: there is a wall")
        if self.kind == "open" and there != self.thing:
            raise ValueError(f"{self.text}: there is {there or 'nothing'} in this cell")
        if self.kind == "open" and not there.endswith(("door", "box")):
            raise ValueError(f"{self.text}: only doors and boxes can be opened")
        if self.kind in ("pickup", "drop") and self.thing not in _names(world):
            raise ValueError(f"{self.text}: there is none in this world")


def name_of(thing: Any) -> str:
    """Return the colour and the type of one of MiniGrid's objects; of none, nothing."""
    return "" if thing is None else f"{thing.color} {thing.type}"


def cell_of(position: Any) -> Cell:
    """Return a position of MiniGrid, which may be an array, as a tuple."""
    return int(position[0]), int(position[1])


def bare_world(env: Any) -> Any:
    """Return the MiniGrid environment inside all wrappers, or say that there is none."""
    world = env.unwrapped
    if not all(hasattr(world, name) for name in ("grid", "agent_pos", "agent_dir", "carrying")):
        raise TypeError(
            f"subgoals are things to do in a MiniGrid world, got {env}: install teachrl[minigrid] "
            "and make one, such as gym.make('MiniGrid-DoorKey-6x6-v0')"
        )
    return world


def _is_cell(position: Any) -> bool:
    if not isinstance(position, tuple | list) or len(position) != 2:
        return False
    return all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in position)


def _names(world: Any) -> set[str]:
    """Return what there is to be picked up, in boxes too."""
    found = [*world.grid.grid, world.carrying]
    found += [getattr(thing, "contains", None) for thing in found]
    return {name_of(thing) for thing in found if thing is not None and thing.can_pickup()}
