"""Obstacle Tracks: the walker of POET and ACCEL (Parker-Holder et al., 2022, arXiv 2203.01302)."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from teachrl.spaces import TaskSpace

from .box2d.courses import draw_course
from .box2d.terrain import Terrain
from .box2d.track import Track

_ASSETS = Path(__file__).parent / "assets"
_SETTINGS = ("basic", "hardcore", "stairs", "pit-gap", "stump-height", "roughness")
_HARDER = ("high-stairs", "high-pit-gap", "high-stump-height", "high-roughness")
_ROSES = ("rose-1a", "rose-1b", "rose-2a", "rose-2b", "rose-3a", "rose-3b")  # of POET


class ObstacleTracks(Track):
    """A biped walks over rough ground, pits, stumps and stairs, whose sizes are the task.

    Eight numbers: how rough the ground is, from which interval the gaps of pits and the heights of
    stumps and of stairs are drawn, and how many steps stairs have at most, plus one. Sizes are in
    steps of 0.47 units; the biped's legs are 4.9 steps long. Pits narrower than 0.8 and stumps and
    stairs lower than 0.2 are left out altogether: small tasks differ in numbers only.

    Its seed belongs to a level as much as its parameters: it draws the track.

    >>> env = ObstacleTracks()
    >>> task = env.task_space.pack(
    ...     roughness=1, pit_gap=(2, 3), stump_height=0, stair_height=(0.5, 1), stair_steps=5
    ... )
    >>> observation, _ = env.reset(seed=0, options={"task": task})
    >>> observation.shape, env.action_space.shape
    ((24,), (4,))
    """

    task_space: TaskSpace = TaskSpace(
        roughness=(0, 10),
        pit_gap=(0, 10, "interval"),
        stump_height=(0, 5, "interval"),
        stair_height=(0, 5, "interval"),
        stair_steps=(1, 9, "int"),
    )
    parameters: ClassVar[Mapping[str, int]] = {n: p.size for n, p in task_space.parameters.items()}
    # All easy tracks have pits, stumps and stairs large enough to be seen, as published.
    easy_low: ClassVar[tuple[float, ...]] = (0, 0, 0.8, 0, 0.4, 0, 0.4, 1)
    easy_high: ClassVar[tuple[float, ...]] = (0.6, 0, 0.8, 0, 0.4, 0, 0.4, 1)
    # The published edits: roughness by up to 0.6; the others by 0.4 or 0.2, which is the mean here.
    edit_size: ClassVar[tuple[float, ...]] = (0.06, 0.08, 0.08, 0.08, 0.08, 0.08, 0.08, 0.125)
    test_sets: ClassVar[dict[str, Path]] = {
        name: _ASSETS / f"obstacle_tracks_{name.replace('-', '_')}.csv"
        for name in (*_SETTINGS, *_HARDER, *_ROSES)
    }
    test_set: ClassVar[Path] = _ASSETS / "obstacle_tracks.csv"  # ten tasks of each of _SETTINGS

    def _draw_terrain(self) -> Terrain:
        return draw_course(self.task_space.unpack(self.task), self._pad, self.np_random)
