"""Obstacles of the tracks, as convex polygons in Box2D units, and their published randomness."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .constants import TERRAIN_STEP

Polygon = list[tuple[float, float]]
NOISE = 0.1  # standard deviation of every height, width, rotation and vertex around its parameter
SMALLEST = 0.05
HEXAGON = ((-0.5, 0.0), (-0.5, 0.25), (-0.25, 0.5), (0.25, 0.5), (0.5, 0.25), (0.5, 0.0))


def stump(
    task: dict[str, Any], x: float, y: float, rng: np.random.Generator
) -> tuple[list[Polygon], float]:
    """Return one stump that begins at ``x``, and where the track goes on."""
    height = _noisy(task["stump_height"], rng) * TERRAIN_STEP
    width = TERRAIN_STEP
    if "stump_width" in task:
        width *= _noisy(task["stump_width"], rng)
    polygon = _box(x, y, width, height)
    if "stump_rot" in task:
        angle = min(max(rng.normal(task["stump_rot"], NOISE), 0.0), 2 * math.pi)
        polygon = _rotated(polygon, x + width / 2, y, angle)
    return [polygon], x + width


def hexagon(
    task: dict[str, Any], x: float, y: float, rng: np.random.Generator
) -> tuple[list[Polygon], float]:
    """Return the convex hull of a hexagon with moved vertices, and where the track goes on.

    The first and the last vertex stay on the ground: two of the twelve numbers change nothing.
    """
    moves = rng.normal(task["poly_shape"].reshape(6, 2), NOISE)
    moves[[0, -1], 1] = 0.0
    points = (np.array(HEXAGON) + moves) * TERRAIN_STEP + (x, y)
    return [_convex_hull([(px, py) for px, py in points.tolist()])], x + 1.0


def stump_sequence(
    task: dict[str, Any], x: float, y: float, rng: np.random.Generator
) -> tuple[list[Polygon], float]:
    """Return five stumps side by side, of given heights and widths, and where the track goes on."""
    polygons = []
    for height, width in task["stump_seq"].reshape(5, 2):
        tall, wide = _noisy(height, rng) * TERRAIN_STEP, _noisy(width, rng)
        polygons.append(_box(x, y, wide, tall))
        x += wide
    return polygons, x


def _noisy(mean: float, rng: np.random.Generator) -> float:
    return max(SMALLEST, rng.normal(mean, NOISE))


def _box(x: float, y: float, width: float, height: float) -> Polygon:
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]


def _rotated(polygon: Polygon, x: float, y: float, angle: float) -> Polygon:
    """Turn a polygon about (x, y); positive angles lean it backward, towards the start."""
    c, s = math.cos(angle), math.sin(angle)
    return [
        (x + c * (px - x) - s * (py - y), y + s * (px - x) + c * (py - y)) for px, py in polygon
    ]


def _convex_hull(points: Polygon) -> Polygon:
    """Return the corners of the convex hull, counter-clockwise (Andrew's monotone chain)."""
    points = sorted(points)
    return [*_half_hull(points), *_half_hull(points[::-1])]


def _half_hull(points: Polygon) -> Iterator[tuple[float, float]]:
    chain: Polygon = []
    for x, y in points:
        while len(chain) > 1:
            (ax, ay), (bx, by) = chain[-2:]
            if (bx - ax) * (y - ay) > (by - ay) * (x - ax):
                break
            chain.pop()
        chain.append((x, y))
    return iter(chain[:-1])
