"""The ground of a track and the obstacles on it, drawn from a task and built into a world."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from Box2D import b2

from .constants import (
    DEFAULT_SPACING,
    FRICTION,
    SCALE,
    TERRAIN_CATEGORY,
    TERRAIN_HEIGHT,
    TERRAIN_LENGTH,
    TERRAIN_MASK,
    TERRAIN_STEP,
)
from .lidar import Segments, sort_segments
from .obstacles import Polygon, hexagon, stump, stump_sequence

OBSTACLES = {"stump_height": stump, "poly_shape": hexagon, "stump_seq": stump_sequence}


@dataclass
class Terrain:
    """A chain of ground points and the obstacles that stand on it."""

    ground: Polygon
    obstacles: list[Polygon]

    def segments(self) -> Segments:
        """Return every edge that a ray of the lidar can hit."""
        edges = list(zip(self.ground[:-1], self.ground[1:], strict=True))
        for polygon in self.obstacles:
            edges += zip(polygon, [*polygon[1:], polygon[0]], strict=True)
        return sort_segments(edges)

    def build(self, world: Any) -> None:
        """Create one static body: the dynamics of many bodies, in a fraction of the time."""
        add = world.CreateStaticBody().CreateFixture
        for polygon in self.obstacles:
            _POLYGON.shape.vertices = polygon
            add(_POLYGON)
        for ends in zip(self.ground[:-1], self.ground[1:], strict=True):
            _EDGE.shape.vertices = ends
            add(_EDGE)


def generate(task: dict[str, Any], pad: float, rng: np.random.Generator) -> Terrain:
    """Draw a track: a flat pad, then obstacles and gaps in turn up to its end.

    Obstacles of all kinds that the task names are equally likely; without any, the track is empty.
    """
    terrain = Terrain([(0.0, TERRAIN_HEIGHT), (pad, TERRAIN_HEIGHT)], [])
    kinds = [make for name, make in OBSTACLES.items() if name in task]
    gap = _Gap(task)
    x, y = terrain.ground[-1]
    while x < TERRAIN_LENGTH:
        if kinds:
            make = kinds[rng.integers(len(kinds))]
            polygons, x = make(task, x, y, rng)
            terrain.obstacles += polygons
            terrain.ground.append((x, y))
        x, y = gap.extend(terrain.ground, rng)
    return terrain


class _Gap:
    """The ground between two obstacles, rough in steps of ``TERRAIN_STEP`` if the task says so."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.spacing = max(0.01, task.get("obstacle_spacing", DEFAULT_SPACING))
        self.roughness = task.get("roughness", 0.0)
        self.velocity = 0.0

    def extend(self, ground: Polygon, rng: np.random.Generator) -> tuple[float, float]:
        """Append the gap to the ground and return where it ends."""
        x, y = ground[-1]
        pieces = max(1, round(self.spacing / TERRAIN_STEP)) if self.roughness else 1
        for i in range(1, pieces + 1):
            if self.roughness:
                push = self.roughness * rng.uniform(-1, 1) / SCALE
                self.velocity = 0.8 * self.velocity + 0.01 * np.sign(TERRAIN_HEIGHT - y) + push
                y += self.velocity
            ground.append((x + self.spacing * i / pieces, y))
        return ground[-1]


def _fixture(shape: Any) -> Any:
    return b2.fixtureDef(
        shape=shape,
        friction=FRICTION,
        categoryBits=TERRAIN_CATEGORY,
        maskBits=TERRAIN_MASK,
    )


# Reused for every fixture: Box2D copies what it is given.
_POLYGON = _fixture(b2.polygonShape(vertices=[(0, 0), (1, 0), (1, 1), (0, 1)]))
_EDGE = _fixture(b2.edgeShape(vertices=[(0, 0), (1, 0)]))
