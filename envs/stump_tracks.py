"""Stump Tracks: a walker climbs over stumps (Portelas et al., 2019; Romac et al., 2021)."""

from pathlib import Path
from typing import ClassVar

from teachrl.spaces import TaskSpace

from .box2d.track import Track


class StumpTracks(Track):
    """A biped walks over stumps, whose mean height and distance are the task.

    Heights are in steps of 0.47 units (the biped's legs are 2.3 units long), distances in units. An
    episode pays about 1.3 for every 0.3 units walked, at most 364 for the whole track, and -100
    for a fall.

    >>> env = StumpTracks()
    >>> observation, _ = env.reset(seed=0, options={"task": [0.5, 4.0]})
    >>> observation.shape, env.action_space.shape
    ((24,), (4,))
    """

    task_space: TaskSpace = TaskSpace(stump_height=(0, 3), obstacle_spacing=(0, 6))
    test_set: ClassVar[Path] = Path(__file__).parent / "assets" / "stump_tracks.csv"
