"""Subgoals on the way to a task, with a bonus for each (Words as Beacons, arXiv 2410.08632)."""

from teachrl.subgoals.oracle import OraclePlanner
from teachrl.subgoals.source import SubgoalSource
from teachrl.subgoals.steps import Subgoal
from teachrl.subgoals.stored import SubgoalFile
from teachrl.subgoals.walking import actions_to
from teachrl.subgoals.wrapper import Subgoals

__all__ = [
    "OraclePlanner",
    "Subgoal",
    "SubgoalFile",
    "SubgoalSource",
    "Subgoals",
    "actions_to",
]
