"""Stump Tracks: a walker climbs over stumps (Portelas et al., 2019; Romac et al., 2021)."""

from pathlib import Path
from typing import ClassVar

from teachrl.spaces import TaskSpace

from .box2d.track import Track


class StumpTracks(Track):
    """A biped walks over stumps, whose mean height and distance are the task.

    Heights are in steps of 0.47 units (the biped's legs are 2.3 units long), distances in units.
    Every unit walked pays 4.3, which makes 364 for the whole track; a fall costs 100.

    >>> env = StumpTracks()
    >>> observation, _ = env.reset(seed=0, options={"task": [0.5, 4.0]})
    >>> observation.shape, env.action_space.shape
    ((24,), (4,))
    """

    task_space: TaskSpace = TaskSpace(stump_height=(0, 3), obstacle_spacing=(0, 6))
    test_set: ClassVar[Path] = Path(__file__).parent / "assets" / "stump_tracks.csv"
