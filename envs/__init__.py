"""Environments whose tasks a teacher can choose."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import gymnasium as gym

from teachrl.registry import Registry

if TYPE_CHECKING:
    from .hexagon_tracks import HexagonTracks
    from .obstacle_tracks import ObstacleTracks
    from .point_mass import PointMass
    from .sparse_goal import SparseGoal
    from .stump_tracks import StumpTracks
    from .toy import ToyEnv, play
    from .toy_student import ToyStudent

__all__ = [
    "ENVS",
    "HexagonTracks",
    "ObstacleTracks",
    "PointMass",
    "SparseGoal",
    "StumpTracks",
    "ToyEnv",
    "ToyStudent",
    "play",
]

ENVS = Registry(
    "environment",
    {
        "hexagon-tracks": "teachrl.envs.hexagon_tracks:HexagonTracks",
        "obstacle-tracks": "teachrl.envs.obstacle_tracks:ObstacleTracks",
        "point-mass": "teachrl.envs.point_mass:PointMass",
        "sparse-goal": "teachrl.envs.sparse_goal:SparseGoal",
        "stump-tracks": "teachrl.envs.stump_tracks:StumpTracks",
        "toy-student": "teachrl.envs.toy:ToyEnv",
    },
)
_TOY = ("ToyStudent", "play")  # of the same file, but no environments


def __getattr__(name: str) -> Any:
    """Import an environment when it is first asked for, Box2D with it."""
    if name in _TOY:
        return getattr(import_module("teachrl.envs.toy"), name)
    for path in ENVS.paths.values():
        if path.endswith(f":{name}"):
            return getattr(import_module(path.partition(":")[0]), name)
    raise AttributeError(f"module 'teachrl.envs' has no attribute {name!r}")


for _path in ENVS.paths.values():
    gym.register(id=f"teachrl/{_path.partition(':')[2].removesuffix('Env')}-v0", entry_point=_path)
