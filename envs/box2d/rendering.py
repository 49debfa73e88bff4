"""Pictures of a track, drawn with pygame: an array without any display, or a window."""

import os
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

from ..bodies.body import Body
from .constants import FINISH_X, FPS, SCALE, TERRAIN_HEIGHT, TERRAIN_STEP, VIEWPORT
from .terrain import Terrain

Color = tuple[int, int, int]
Image = NDArray[np.uint8]

SMOOTH = 2  # drawn so many times larger, then averaged: everything is anti-aliased alike
WIDTH, HEIGHT = VIEWPORT[0] / SCALE, VIEWPORT[1] / SCALE
AHEAD = 0.8  # share of the picture in front of the body
BAND = (3.0, 9.5)  # the camera leaves the ground only for a body outside these heights

SKY: tuple[Color, Color] = ((158, 202, 232), (240, 246, 250))  # at the top, at the horizon
HILLS: Color = (196, 217, 214)
CLOUD: Color = (252, 253, 255)
EARTH: Color = (120, 104, 86)
GRASS: Color = (106, 153, 78)
LOW: Color = (233, 196, 106)  # an obstacle no higher than a step, and one of three steps or more
HIGH: Color = (188, 71, 73)
RAY: Color = (230, 57, 70)
HULL: Color = (88, 80, 168)
LIMBS: tuple[Color, Color] = ((146, 132, 208), (110, 98, 150))  # of the near side, of the far one
INK: Color = (52, 46, 62)


class Renderer:
    """Draws a world as seen by a camera that follows the body."""

    def __init__(self, mode: str) -> None:
        self.pygame = _import_pygame()
        self.mode = mode
        self.canvas = self.pygame.Surface((VIEWPORT[0] * SMOOTH, VIEWPORT[1] * SMOOTH))
        self.sky = _sky(self.pygame)
        self.left, self.bottom = 0.0, 0.0
        self.window: Any = None
        if mode == "human":
            self.pygame.display.init()
            self.pygame.display.set_caption("teachrl")
            self.window = self.pygame.display.set_mode(VIEWPORT)
            self.clock = self.pygame.time.Clock()

    def draw(self, terrain: Terrain, body: Body, ray_ends: NDArray[np.float64]) -> Image | None:
        """Return the picture, (400, 600, 3), or show it in the window.

        ``ray_ends`` (n, 2) is where the rays of the lidar end.
        """
        x, y = body.hull.position
        self.left = x - (1 - AHEAD) * WIDTH
        above = y - self._rise(terrain, x)
        self.bottom = y - min(max(above, BAND[0]), BAND[1])
        self._draw_backdrop()
        for polygon in terrain.obstacles:
            self._draw_obstacle(polygon)
        self._draw_ground(terrain)
        for foot in (3 * TERRAIN_STEP, FINISH_X):
            self._draw_flag(foot, _height_at(terrain, foot))
        for end in ray_ends:
            self._draw_ray((x, y), end)
        for i, part in reversed(list(enumerate(body.parts))):  # the hull, part 0, covers the hips
            self._draw_part(part, LIMBS[(i - 1) // body.side_parts % 2] if i else HULL)
        return self._show()

    def close(self) -> None:
        """Close the window, if there is one."""
        if self.window is not None:
            self.pygame.display.quit()
            self.window = None

    def _show(self) -> Image | None:
        picture = self.pygame.transform.smoothscale(self.canvas, VIEWPORT)
        if self.window is None:
            return np.ascontiguousarray(self.pygame.surfarray.array3d(picture).swapaxes(0, 1))
        self.window.blit(picture, (0, 0))
        self.pygame.event.pump()
        self.pygame.display.flip()
        self.clock.tick(FPS)
        return None

    def _rise(self, terrain: Terrain, x: float) -> float:
        """Return how much higher than the start the ground is, on average over what is seen."""
        seen = np.linspace(x - (1 - AHEAD) * WIDTH, x + AHEAD * WIDTH, 50)
        return float(np.interp(seen, *np.array(terrain.ground).T).mean()) - TERRAIN_HEIGHT

    def _draw_backdrop(self) -> None:
        self.canvas.blit(self.sky, (0, 0))
        xs = np.linspace(0, WIDTH, 60)
        far = xs + self.left / 4  # what is far away moves slowly
        hills = TERRAIN_HEIGHT + 1.6 + 0.7 * np.sin(far / 2.1) + 0.5 * np.sin(far / 0.9 + 1)
        outline = [*zip(xs, hills, strict=True), (WIDTH, 0.0), (0.0, 0.0)]
        self._fill([(self.left + px, self.bottom + py) for px, py in outline], HILLS)
        for i in range(8):  # clouds come round again every 40 units
            cx = (i * 7.3 - self.left / 2) % 40 - 8
            for dx, dy, radius in ((0.0, 0.0, 0.5), (0.6, 0.15, 0.65), (1.3, 0.0, 0.45)):
                center = (self.left + cx + dx, self.bottom + 10.2 + i * 1.7 % 2.4 + dy)
                self._disc(center, radius, CLOUD)

    def _draw_ground(self, terrain: Terrain) -> None:
        left, right = self.left, self.left + WIDTH
        inside = [(x, y) for x, y in terrain.ground if left < x < right]
        ends = [(x, _height_at(terrain, x)) for x in (left, right)]
        surface = [ends[0], *inside, ends[1]]
        corners = [(right, self.bottom), (left, self.bottom)]
        self._fill([*surface, *corners], EARTH)
        self.pygame.draw.lines(self.canvas, GRASS, False, self._pixels(surface), 5 * SMOOTH)

    def _draw_obstacle(self, polygon: Iterable[tuple[float, float]]) -> None:
        points = list(polygon)
        xs, ys = zip(*points, strict=True)
        if max(xs) < self.left or min(xs) > self.left + WIDTH:
            return
        share = min(max((max(ys) - min(ys)) / TERRAIN_STEP - 1, 0.0) / 2, 1.0)
        self._fill(points, _mix(LOW, HIGH, share), INK)

    def _draw_flag(self, x: float, y: float) -> None:
        top = y + 2.2
        self._line((x, y), (x, top), INK, 2)
        self._fill([(x, top), (x, top - 0.6), (x + 0.9, top - 0.3)], RAY)

    def _draw_ray(self, start: Iterable[float], end: Iterable[float]) -> None:
        self._line(tuple(start), tuple(end), RAY, 1)
        self._disc(tuple(end), 0.06, RAY)

    def _draw_part(self, part: Any, color: Color) -> None:
        for fixture in part.fixtures:
            corners = [tuple(part.transform * vertex) for vertex in fixture.shape.vertices]
            self._fill(corners, color, INK)

    def _fill(self, points: Any, color: Color, outline: Color | None = None) -> None:
        pixels = self._pixels(points)
        self.pygame.draw.polygon(self.canvas, color, pixels)
        if outline is not None:
            self.pygame.draw.polygon(self.canvas, outline, pixels, SMOOTH)

    def _line(self, start: Any, end: Any, color: Color, width: int) -> None:
        self.pygame.draw.line(self.canvas, color, *self._pixels((start, end)), width * SMOOTH)

    def _disc(self, center: Any, radius: float, color: Color) -> None:
        pixels = self._pixels((center,))[0]
        self.pygame.draw.circle(self.canvas, color, pixels, radius * SCALE * SMOOTH)

    def _pixels(self, points: Any) -> list[tuple[float, float]]:
        zoom = SCALE * SMOOTH
        return [((x - self.left) * zoom, (HEIGHT - (y - self.bottom)) * zoom) for x, y in points]


def _height_at(terrain: Terrain, x: float) -> float:
    return float(np.interp(x, *np.array(terrain.ground).T))


def _import_pygame() -> ModuleType:
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # it would greet in our output
    try:
        import pygame
    except ImportError as error:
        raise DependencyNotInstalled(
            "rendering needs pygame; install it with: pip install 'gymnasium[box2d]'"
        ) from error
    return pygame


def _sky(pygame: ModuleType) -> Any:
    """Return a vertical gradient, drawn once."""
    column = pygame.Surface((1, 64))
    for row in range(64):
        column.set_at((0, row), _mix(*SKY, row / 63))
    return pygame.transform.smoothscale(column, (VIEWPORT[0] * SMOOTH, VIEWPORT[1] * SMOOTH))


def _mix(a: Color, b: Color, share: float) -> Color:
    red, green, blue = (round(p + share * (q - p)) for p, q in zip(a, b, strict=True))
    return red, green, blue
