"""The ground of an obstacle course: rough stretches, and pits, stumps and stairs between them.

The pieces are those of the bipedal walker in POET (Wang et al., 2019, arXiv 1901.01753), as ACCEL
uses them (Parker-Holder et al., 2022, arXiv 2203.01302). Sizes are in terrain steps.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .constants import SCALE, TERRAIN_HEIGHT, TERRAIN_LENGTH, TERRAIN_STEP
from .terrain import Terrain

Piece = Callable[[Terrain, dict[str, Any], np.random.Generator], None]

ROUGH_STRETCH = (5, 9)  # steps between two obstacles
PIT_DEPTH = 4
TREAD = 4  # depth of a stair
SMALLEST = 0.05  # no gap and no height is less: Box2D needs edges that have a length


def draw_course(task: dict[str, Any], pad: float, rng: np.random.Generator) -> Terrain:
    """Draw a track: a flat pad, then obstacles and rough ground in turn up to its end.

    Obstacles of all kinds that are large enough to have an effect are equally likely; without any,
    the track is rough ground.
    """
    terrain = Terrain([(0.0, TERRAIN_HEIGHT), (pad, TERRAIN_HEIGHT)], [])
    kinds = [add for name, (add, least) in PIECES.items() if np.max(task.get(name, 0)) >= least]
    velocity = 0.0
    while terrain.ground[-1][0] < TERRAIN_LENGTH:
        if kinds:
            kinds[rng.integers(len(kinds))](terrain, task, rng)
        for _ in range(rng.integers(*ROUGH_STRETCH, endpoint=True)):
            velocity = _roughen(terrain, task.get("roughness", 0.0), velocity, rng)
    return terrain


def pit(terrain: Terrain, task: dict[str, Any], rng: np.random.Generator) -> None:
    """Add a pit with upright walls, one step of level ground before and behind it."""
    width = _size(task["pit_gap"], rng)
    _go(terrain, TERRAIN_STEP, 0.0)
    _go(terrain, 0.0, -PIT_DEPTH * TERRAIN_STEP)
    _go(terrain, width, 0.0)
    _go(terrain, 0.0, PIT_DEPTH * TERRAIN_STEP)
    _go(terrain, TERRAIN_STEP, 0.0)


def stump(terrain: Terrain, task: dict[str, Any], rng: np.random.Generator) -> None:
    """Add a stump, one step wide."""
    (x, y), height = terrain.ground[-1], _size(task["stump_height"], rng)
    right, top = x + TERRAIN_STEP, y + height
    terrain.obstacles.append([(x, y), (right, y), (right, top), (x, top)])
    _go(terrain, TERRAIN_STEP, 0.0)


def stairs(terrain: Terrain, task: dict[str, Any], rng: np.random.Generator) -> None:
    """Add stairs that go up, or as often down: none at all, or one less than ``stair_steps``."""
    number = rng.integers(task.get("stair_steps", 1))
    rise = _size(task["stair_height"], rng) * (1 if rng.random() < 0.5 else -1)
    for _ in range(number):
        _go(terrain, 0.0, rise)
        _go(terrain, TREAD * TERRAIN_STEP, 0.0)


# By the interval of sizes that each is drawn from, with the upper end from which it has an effect.
PIECES: dict[str, tuple[Piece, float]] = {
    "pit_gap": (pit, 0.8),
    "stump_height": (stump, 0.2),
    "stair_height": (stairs, 0.2),
}


def _roughen(
    terrain: Terrain, roughness: float, velocity: float, rng: np.random.Generator
) -> float:
    """Add a step of ground whose slope is random, and return that."""
    pull = 0.01 * float(np.sign(TERRAIN_HEIGHT - terrain.ground[-1][1]))
    velocity = 0.8 * velocity + pull + roughness * float(rng.uniform(-1, 1)) / SCALE
    _go(terrain, TERRAIN_STEP, velocity)
    return velocity


def _size(interval: Any, rng: np.random.Generator) -> float:
    return max(SMALLEST, float(rng.uniform(*interval))) * TERRAIN_STEP


def _go(terrain: Terrain, dx: float, dy: float) -> None:
    """Add an edge of ground."""
    x, y = terrain.ground[-1]
    terrain.ground.append((x + dx, y + dy))
