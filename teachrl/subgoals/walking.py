"""The actions that complete a subgoal: what shows that a plan can be carried out."""

from typing import Any, NamedTuple

from teachrl.subgoals.grid_worlds import STEPS, GridWorld
from teachrl.subgoals.steps import Cell, Subgoal

# MiniGrid's actions.
_LEFT, _RIGHT, _FORWARD, _PICKUP, _DROP, _TOGGLE = range(6)
_LAST = {"pickup": (_PICKUP,), "drop": (_DROP,), "open": (_TOGGLE,), "reach": ()}


class _Pose(NamedTuple):
    cell: Cell
    direction: int


def actions_to(env: Any, subgoal: Subgoal) -> list[int]:
    """Return the fewest MiniGrid actions that complete a subgoal from here, as things stand.

    Raises:
        ValueError: there is no free way.
    """
    world = GridWorld.of(env)
    start = _Pose(world.agent, world.direction)
    before: dict[_Pose, tuple[_Pose, int]] = {}
    poses = [start]
    for pose in poses:
        if _is_there(pose, subgoal):
            return [*_traced(before, pose, start), *_LAST[subgoal.kind]]
        for action, after in _moves(world, pose, subgoal.position):
            if after not in before and after != start:
                before[after] = pose, action
                poses.append(after)
    raise ValueError(f"{subgoal.text}: there is no free way from {world.agent}")


def _is_there(pose: _Pose, subgoal: Subgoal) -> bool:
    where = pose.cell if subgoal.kind == "reach" else _ahead(pose)
    return where == subgoal.position


def _moves(world: GridWorld, pose: _Pose, target: Cell) -> list[tuple[int, _Pose]]:
    moves = [
        (_LEFT, pose._replace(direction=(pose.direction - 1) % 4)),
        (_RIGHT, pose._replace(direction=(pose.direction + 1) % 4)),
    ]
    ahead = _ahead(pose)
    ends = ahead in world.things and world.things[ahead].type == "goal"  # the episode, too early
    if world.can_enter(ahead) and (not ends or ahead == target):
        moves.append((_FORWARD, pose._replace(cell=ahead)))
    return moves


def _ahead(pose: _Pose) -> Cell:
    column, row = STEPS[pose.direction]
    return pose.cell[0] + column, pose.cell[1] + row


def _traced(before: dict[_Pose, tuple[_Pose, int]], pose: _Pose, start: _Pose) -> list[int]:
    actions = []
    while pose != start:
        pose, action = before[pose]
        actions.append(action)
    return actions[::-1]
