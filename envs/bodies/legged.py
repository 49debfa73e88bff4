"""A hull on pairs of two-piece legs: what the bipeds and the quadrupeds have in common."""

from typing import Any, ClassVar, NamedTuple

from ..box2d.constants import SCALE
from .body import Body, Point, hull_fixture, limb_fixture

SIDES = (-1, +1)  # the two legs of a pair, in the order of their actions


class LegPair(NamedTuple):
    """Where two legs are, in design units from the hull's origin."""

    x: float = 0.0  # at which the legs are created
    hip: Point = (0.0, -3.0)  # where they are joined to the hull
    top: float = -3.0  # height at which their upper ends are created


class Legged(Body):
    """A heavy hull on legs, each a thigh and a slightly narrower shank that feels the ground.

    A subclass gives the geometry, in design units.
    """

    hull_shape: ClassVar[tuple[Point, ...]]
    leg_width: ClassVar[float]
    leg_length: ClassVar[float]  # of the thigh, and of the shank again
    leg_pairs: ClassVar[tuple[LegPair, ...]]
    tilt: ClassVar[float] = 0.0  # radians by which the legs of a pair are created apart

    _fixtures: ClassVar[tuple[Any, Any, Any]]

    def __init_subclass__(cls) -> None:
        """Prepare the fixtures once: they are the same in every world."""
        super().__init_subclass__()
        cls._fixtures = (
            hull_fixture(cls.hull_shape),
            limb_fixture(cls.leg_width, cls.leg_length),
            limb_fixture(0.8 * cls.leg_width, cls.leg_length),
        )

    def build(self, x: float, y: float) -> Any:
        """Create the hull, then each pair of legs."""
        hull = self.add_part(self._fixtures[0], x, y)
        self.critical.append(hull)
        for pair in self.leg_pairs:
            for side in SIDES:
                self._add_leg(
                    hull, pair, x + pair.x / SCALE, y + pair.top / SCALE, side * self.tilt
                )
        return hull

    def _add_leg(self, hull: Any, pair: LegPair, x: float, top: float, tilt: float) -> None:
        length = self.leg_length / SCALE
        thigh = self.add_part(self._fixtures[1], x, top - length / 2, tilt)
        shank = self.add_part(self._fixtures[2], x, top - length * 3 / 2, tilt)
        upper_end, lower_end = (0.0, length / 2), (0.0, -length / 2)
        hip = (pair.hip[0] / SCALE, pair.hip[1] / SCALE)
        self.add_motor((hull, thigh), (hip, upper_end), limits=(-0.8, 1.1), speed=4.0)
        self.add_motor(
            (thigh, shank),
            (lower_end, upper_end),
            limits=(-1.6, -0.1),
            speed=6.0,
            offset=1.0,
            sensor=shank,
        )
