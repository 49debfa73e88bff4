"""A fan of rays that measure how far away the ground is.

Box2D's own ray casts call back into Python for every shape a ray may hit, 22 µs for ten rays. The
segments a ray can hit are known from the start, so ten rays take less than one.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachrl.compiling import compiled

from .constants import LIDAR_RANGE, LIDAR_RAYS

Segments = NDArray[np.float64]  # (n, 6): see `sort_segments`


def fan(sweep: float = 1.5, start: float = 0.0) -> NDArray[np.float64]:
    """Return the ends of the rays relative to their origin, (10, 2).

    Ray i points ``start + sweep * i / 10`` radians away from straight down, towards forward.
    """
    angles = start + sweep * np.arange(LIDAR_RAYS) / LIDAR_RAYS
    return LIDAR_RANGE * np.stack([np.sin(angles), -np.cos(angles)], axis=1)


def sort_segments(segments: Any) -> Segments:
    """Return line segments ``((x0, y0), (x1, y1))`` as :func:`scan` wants them.

    A row is x0, y0, x1 - x0, y1 - y0, the left end, and the furthest right end of all rows so far;
    rows are sorted by their left ends. So those in reach are found without looking at the others.
    """
    ends = np.array(segments, dtype=np.float64).reshape(-1, 4)
    ends = ends[np.argsort(np.minimum(ends[:, 0], ends[:, 2]), kind="stable")]
    left, right = np.minimum(ends[:, 0], ends[:, 2]), np.maximum(ends[:, 0], ends[:, 2])
    return np.column_stack(
        [ends[:, :2], ends[:, 2:] - ends[:, :2], left, np.maximum.accumulate(right)]
    )


@compiled
def scan(
    segments: Segments, rays: NDArray[np.float64], x: float, y: float, out: NDArray[np.float32]
) -> None:
    """Write how far each ray from (x, y) gets before it hits a segment, at the end of ``out``.

    Distances are fractions of the range; 1 is written for a ray that hits nothing.
    """
    n = len(rays)
    hits = out[len(out) - n :]
    hits[:] = 1.0
    left, right = x + min(0.0, rays[:, 0].min()), x + max(0.0, rays[:, 0].max())
    low, high = 0, len(segments)  # bisect for the first segment that may end right of `left`
    while low < high:
        middle = (low + high) // 2
        if segments[middle, 5] < left:
            low = middle + 1
        else:
            high = middle
    for k in range(low, len(segments)):
        if segments[k, 4] > right:
            break
        px, py, sx, sy = segments[k, 0] - x, segments[k, 1] - y, segments[k, 2], segments[k, 3]
        for i in range(n):
            cross = rays[i, 0] * sy - rays[i, 1] * sx
            if cross != 0.0:
                fraction = (px * sy - py * sx) / cross
                along = (px * rays[i, 1] - py * rays[i, 0]) / cross
                if 0.0 <= along <= 1.0 and 0.0 <= fraction < hits[i]:
                    hits[i] = fraction
