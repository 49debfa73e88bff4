"""The many-legged walker, low above the ground (Romac et al., 2021)."""

from math import cos, pi, sin
from typing import Any, ClassVar, NamedTuple

from ..box2d.constants import SCALE
from .body import Body, hull_fixture, limb_fixture

SIDES = (+1, -1)  # left and right, the two legs of a pair, in the order of their actions


class Limb(NamedTuple):
    """One piece of a leg; angles in half turns."""

    angle: float  # from straight up towards the side, as it is created
    reach: float  # that its joint can turn, either way
    width: float  # in design units
    speed: float  # of its motor, radians per second


class Spider(Body):
    """A small heavy box between legs of three pieces, which go up and out, and down again.

    Both pairs of legs are created in the same place. The last piece of each feels the ground.
    """

    pairs: ClassVar[int] = 2
    torque = 100.0
    cost = 0.028 / pairs
    width = 100 / SCALE
    spawn_height = 24 / SCALE
    side_parts = 6
    length: ClassVar[float] = 20  # of every limb, in design units
    hip: ClassVar[tuple[float, float]] = (10, -4)  # in design units from the middle of the box
    limbs: ClassVar[tuple[Limb, ...]] = (
        Limb(angle=0.25, reach=0.1, width=6, speed=4.0),
        Limb(angle=0.7, reach=0.15, width=6, speed=4.0),
        Limb(angle=0.9, reach=0.2, width=4.8, speed=6.0),
    )

    def build(self, x: float, y: float) -> Any:
        """Create the box, then each pair of legs, each leg from its hip outwards."""
        hull = self.add_part(hull_fixture(((-10, 10), (10, 10), (10, -10), (-10, -10))), x, y)
        self.critical.append(hull)
        for side in SIDES * self.pairs:
            self._add_leg(hull, side)
        return hull

    def _add_leg(self, hull: Any, side: int) -> None:
        above, length = hull, self.length / SCALE
        anchor = (-side * self.hip[0] / SCALE, self.hip[1] / SCALE)
        x, y = hull.GetWorldPoint(anchor)
        for i, (turns, reach, width, speed) in enumerate(self.limbs, start=1):
            angle = side * turns * pi
            dx, dy = -length * sin(angle), length * cos(angle)
            limb = self.add_part(limb_fixture(width, self.length), x + dx / 2, y + dy / 2, angle)
            self.add_motor(
                (above, limb),
                (anchor, (0.0, -length / 2)),
                limits=(-reach * pi, reach * pi),
                speed=speed,
                sensor=limb if i == len(self.limbs) else None,
            )
            above, anchor, x, y = limb, (0.0, length / 2), x + dx, y + dy
