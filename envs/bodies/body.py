"""What a track knows of a body, and how bodies are put together."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from Box2D import b2

from ..box2d.constants import BODY_CATEGORY, BODY_MASK, SCALE

Point = tuple[float, float]


class Motor(NamedTuple):
    """A driven joint, and what the student sees of it."""

    joint: Any  # b2RevoluteJoint
    speed: float  # radians per second at which it is driven, either way
    offset: float  # added to its angle in the observation
    sensor: Any | None  # the part whose contact is observed with it


class Body(ABC):
    """The parts of a body in a world, the motors that move it, and what must not be touched.

    A subclass declares its constants and creates its parts in :meth:`build`. The order of its
    motors is the order of its actions and observations.
    """

    torque: ClassVar[float]  # of a motor at full power
    cost: ClassVar[float]  # of a motor at full power, in reward per step
    width: ClassVar[float]  # decides how much flat ground it needs to start on
    spawn_height: ClassVar[float]  # of the hull's origin above the ground
    side_parts: ClassVar[int] = 2  # in a row on one side: the near, the far, the near, and so on

    def __init__(self, world: Any, x: float, ground: float) -> None:
        self.world = world
        self.parts: list[Any] = []
        self.motors: list[Motor] = []
        self.critical: list[Any] = []  # the episode ends when one of these parts is touched
        self.hull = self.build(x, ground + self.spawn_height)

    @abstractmethod
    def build(self, x: float, y: float) -> Any:
        """Create all parts and motors; return the hull, the part with its origin at (x, y)."""

    @property
    def mass(self) -> float:
        """The mass of all parts."""
        return float(sum(part.mass for part in self.parts))

    @property
    def observation_size(self) -> int:
        """Numbers that the motors and their sensors add to an observation."""
        return sum(2 if motor.sensor is None else 3 for motor in self.motors)

    def add_part(self, fixture: Any, x: float, y: float, angle: float = 0.0) -> Any:
        """Create a moving part at (x, y)."""
        part = self.world.CreateDynamicBody(position=(x, y), angle=angle, fixtures=fixture)
        self.parts.append(part)
        return part

    def add_motor(
        self,
        parts: tuple[Any, Any],
        anchors: tuple[Point, Point],
        *,
        limits: Point,
        speed: float,
        offset: float = 0.0,
        sensor: Any | None = None,
    ) -> None:
        """Join two parts, at a point of each in its own coordinates, by a motor with end stops.

        Its angle is counted from how the two parts are created.
        """
        definition = b2.revoluteJointDef(
            bodyA=parts[0],
            bodyB=parts[1],
            localAnchorA=anchors[0],
            localAnchorB=anchors[1],
            enableMotor=True,
            enableLimit=True,
            lowerAngle=limits[0],
            upperAngle=limits[1],
        )
        joint = self.world.CreateJoint(definition)
        self.motors.append(Motor(joint, speed, offset, sensor))


def hull_fixture(vertices: Sequence[Point]) -> Any:
    """Return a heavy, slippery convex polygon; vertices in design units."""
    shape = b2.polygonShape(vertices=[(x / SCALE, y / SCALE) for x, y in vertices])
    return _fixture(shape, density=5.0, friction=0.1)


def limb_fixture(width: float, length: float) -> Any:
    """Return a light upright box; sizes in design units."""
    shape = b2.polygonShape(box=(width / SCALE / 2, length / SCALE / 2))
    return _fixture(shape, density=1.0, friction=0.2)


def _fixture(shape: Any, density: float, friction: float) -> Any:
    return b2.fixtureDef(
        shape=shape,
        density=density,
        friction=friction,
        categoryBits=BODY_CATEGORY,
        maskBits=BODY_MASK,
    )
