"""Small pictures drawn in NumPy, smooth at their edges: no display and no library is needed."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Image = NDArray[np.uint8]
Color = tuple[int, int, int]
Point = tuple[float, float]

PAPER: Color = (240, 246, 250)  # the colours of the tracks
WALL: Color = (120, 104, 86)
FLAG: Color = (230, 57, 70)
BODY: Color = (88, 80, 168)
INK: Color = (52, 46, 62)
GRASS: Color = (106, 153, 78)

_SIZE = 400  # pixels of the longer side


class Canvas:
    """A view of the plane from the corner ``low`` to the corner ``high``; y points up.

    >>> canvas = Canvas((-1, -1), (1, 1))
    >>> canvas.disc((0, 0), 0.5, INK)
    >>> canvas.picture().shape, canvas.picture()[200, 200].tolist()
    ((400, 400, 3), [52, 46, 62])
    """

    def __init__(self, low: Point, high: Point) -> None:
        width, height = high[0] - low[0], high[1] - low[1]
        self._zoom = _SIZE / max(width, height)  # pixels per unit
        columns, rows = (round(side * self._zoom) for side in (width, height))
        self._x = low[0] + (np.arange(columns) + 0.5) / self._zoom
        self._y = (high[1] - (np.arange(rows) + 0.5) / self._zoom)[:, None]
        self._pixels = np.broadcast_to(np.array(PAPER, float), (rows, columns, 3)).copy()

    def rectangle(self, low: Point, high: Point, color: Color) -> None:
        """Fill the rectangle between two corners."""
        left, right = low[0] - self._x, self._x - high[0]
        below, above = low[1] - self._y, self._y - high[1]
        self._fill(np.maximum(np.maximum(left, right), np.maximum(below, above)), color)

    def disc(self, center: Point, radius: float, color: Color) -> None:
        """Fill a disc."""
        self._fill(self._distance(center) - radius, color)

    def ring(self, center: Point, radius: float, color: Color, width: float) -> None:
        """Draw a circle with a line of the given width."""
        self._fill(np.abs(self._distance(center) - radius) - width / 2, color)

    def line(self, start: Point, end: Point, color: Color, width: float) -> None:
        """Draw a line with round ends."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        along = (self._x - start[0]) * dx + (self._y - start[1]) * dy
        share = np.clip(along / max(dx * dx + dy * dy, 1e-12), 0.0, 1.0)
        away = np.hypot(self._x - start[0] - share * dx, self._y - start[1] - share * dy)
        self._fill(away - width / 2, color)

    def picture(self) -> Image:
        """Return what has been drawn, (rows, columns, 3)."""
        return self._pixels.round().astype(np.uint8)

    def _distance(self, center: Point) -> Array:
        distance: Array = np.hypot(self._x - center[0], self._y - center[1])
        return distance

    def _fill(self, outside: Array, color: Color) -> None:
        """Paint where ``outside``, a signed distance in units, is negative."""
        cover = np.clip(0.5 - outside * self._zoom, 0.0, 1.0)[..., None]  # the edge is one pixel
        self._pixels += cover * (np.array(color, float) - self._pixels)
