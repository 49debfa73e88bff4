"""Hexagon Tracks: a quadruped climbs over twelve-parameter hexagons (Portelas et al., 2019)."""

from pathlib import Path
from typing import Any, ClassVar

from teachrl.spaces import TaskSpace

from .box2d.track import Track


class HexagonTracks(Track):
    """A quadruped walks over hexagons, and where their six corners are moved to is the task.

    Two of the twelve dimensions change nothing: a teacher has to find that out by itself.

    >>> env = HexagonTracks()
    >>> observation, _ = env.reset(seed=0)
    >>> observation.shape, env.action_space.shape
    ((34,), (8,))
    """

    task_space: TaskSpace = TaskSpace(poly_shape=(0, 4, "float", 12))
    test_set: ClassVar[Path] = Path(__file__).parent / "assets" / "hexagon_tracks.csv"

    def __init__(self, body: str = "old_big_quadru", **options: Any) -> None:
        super().__init__(body, **options)
