"""States of Box2D worlds, written as far as the library's interface reaches."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachrl.snapshots.adapters import Adapter, State
from teachrl.snapshots.graphs import pack, unpack
from teachrl.snapshots.recording import Env, SnapshotError, begin_again

Array = NDArray[np.float64]
_MOTION = 7  # x, y, angle, velocities in x and y, angular velocity, whether it is awake
_KINDS = (bool, int, float, str, np.ndarray, np.random.Generator, type(None))


class Box2D(Adapter):
    """Poses, velocities, motors and contacts, into a world rebuilt from the seed; approximate.

    The impulses that joints begin the next step from, and the order of contacts, cannot be
    written; what follows is near what would have been, and always a valid state. Where loading may
    take longer, :class:`Replay` is exact.
    """

    name, exact = "box2d", False

    @classmethod
    def accepts(cls, env: Env) -> bool:
        """Tell whether ``env`` has a ``b2World``, or will have one."""
        modules = [base.__module__ for base in type(env.unwrapped).__mro__]
        return _world(env, required=False) is not None or any(".box2d." in m for m in modules)

    def _save(self, env: Env) -> State:
        inner, world = env.unwrapped, _world(env)
        touching, impulses = _contacts(world)
        return {
            "motion": np.array([_motion(body) for body in _moving(env)]).reshape(-1, _MOTION),
            "flags": [_flags(body) for body in _noted(env)],
            "motors": np.array([[j.motorSpeed, j.GetMaxMotorTorque()] for j in _motors(world)]),
            "touching": touching,
            "impulses": impulses,
            "attributes": pack({k: v for k, v in vars(inner).items() if type(v) in _KINDS}),
        }

    def _load(self, env: Env, state: State) -> None:
        begin_again(env, state["seed"], state.get("task"), state.get("past"))
        world, moving = _world(env), _moving(env)
        if len(moving) != len(state["motion"]):
            raise SnapshotError(
                f"expected a world of {len(state['motion'])} moving bodies, got {len(moving)}: the "
                "snapshot is another environment's"
            )
        for body, row in zip(moving, state["motion"], strict=True):
            _move(body, row)
        for joint, (speed, torque) in zip(_motors(world), state["motors"], strict=True):
            joint.motorSpeed, joint.maxMotorTorque = float(speed), float(torque)
        _find_contacts(world, moving[0])
        _write_impulses(world, state["impulses"])
        for body, row in zip(moving, state["motion"], strict=True):
            _move(body, row)  # making contact may have woken it
        _write_attributes(env, unpack(state["attributes"]))
        for body, flags in zip(_noted(env), state["flags"], strict=True):
            vars(body).update(flags)
        _raise_events(world, {tuple(map(int, row)) for row in state["touching"]})


def _world(env: Env, required: bool = True) -> Any:
    """Return the world of an environment."""
    inner = env.unwrapped
    for name in ("world", "_world"):
        if type(getattr(inner, name, None)).__name__ == "b2World":
            return getattr(inner, name)
    if required:
        raise SnapshotError(f"{inner} has no Box2D world yet: reset it")
    return None


def _moving(env: Env) -> list[Any]:
    """Return the bodies that move, but for sparks that nothing depends on, oldest first."""
    from Box2D import b2_dynamicBody

    sparks = getattr(env.unwrapped, "particles", [])
    bodies = [body for body in _world(env).bodies if body.type == b2_dynamicBody]
    return [body for body in bodies if body not in sparks]


def _motors(world: Any) -> list[Any]:
    return [joint for joint in world.joints if hasattr(joint, "motorSpeed")]


def _motion(body: Any) -> list[float]:
    velocity = body.linearVelocity
    place = [*body.position, body.angle, *velocity, body.angularVelocity]
    return [*place, float(body.awake)]


def _move(body: Any, row: Array) -> None:
    x, y, angle, vx, vy, spin, awake = map(float, row)
    body.transform = ((x, y), angle)
    body.linearVelocity, body.angularVelocity = (vx, vy), spin
    body.awake = bool(awake)


def _noted(env: Env) -> list[Any]:
    """Return the bodies that the environment holds: others' notes are on other proxies."""
    found = []
    for value in vars(env.unwrapped).values():
        for thing in value if type(value) is list else [value]:
            if type(thing).__name__ == "b2Body" and _flags(thing) and thing not in found:
                found.append(thing)
    return found


def _flags(body: Any) -> dict[str, Any]:
    """Return what the environment noted on a body, such as whether it touches the ground."""
    return {k: v for k, v in vars(body).items() if type(v) in (bool, int, float, str)}


def _contacts(world: Any) -> tuple[NDArray[np.int64], Array]:
    """Return the keys (n, 4) of touching contacts, and key, point and impulses (m, 7) of points."""
    touching = [(key, contact) for key, contact in _keyed(world) if contact.touching]
    points = [
        (*key, point.id.key, point.normalImpulse, point.tangentImpulse)
        for key, contact in touching
        for point in _points(contact)
    ]
    keys = np.array([key for key, _ in touching], np.int64).reshape(-1, 4)
    return keys, np.array(points, np.float64).reshape(-1, 7)


def _write_impulses(world: Any, saved: Array) -> None:
    """Let contacts begin the next step from the impulses that they had."""
    known = {tuple(map(int, row[:5])): row[5:] for row in saved}
    for key, contact in _keyed(world):
        for point in _points(contact) if contact.touching else []:
            if (impulses := known.get((*key, int(point.id.key)))) is not None:
                point.normalImpulse, point.tangentImpulse = map(float, impulses)


def _raise_events(world: Any, before: set[tuple[int, ...]]) -> None:
    """Tell the listener now what it would hear early in the next step.

    Which contacts touch was found out before the bodies made their last move; what has changed
    since, the next step of the original finds, and that of the rebuilt world already knows.
    """
    listener = world.contactListener
    if listener is None:
        return
    contacts = dict(_keyed(world))
    fixtures = {number: fixture for fixture, number in _numbered(world).items()}
    for key in sorted(before - contacts.keys()):
        listener.EndContact(SimpleNamespace(fixtureA=fixtures[key[0]], fixtureB=fixtures[key[1]]))
    for key, contact in contacts.items():
        if contact.touching and key not in before:
            listener.BeginContact(contact)
        elif key in before and not contact.touching:
            listener.EndContact(contact)


def _keyed(world: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Yield contacts, with numbers that the same ones have in a world built in the same order."""
    order = _numbered(world)
    for contact in world.contacts:
        first, second = order.get(contact.fixtureA), order.get(contact.fixtureB)
        if first is not None and second is not None:
            yield (first, second, contact.childIndexA, contact.childIndexB), contact


def _numbered(world: Any) -> dict[Any, int]:
    """Number the fixtures in the order in which they were made."""
    fixtures = [f for body in reversed(world.bodies) for f in reversed(body.fixtures)]
    return {fixture: i for i, fixture in enumerate(fixtures)}


def _points(contact: Any) -> list[Any]:
    manifold = contact.manifold
    return list(manifold.points)[: manifold.pointCount]


def _find_contacts(world: Any, body: Any) -> None:
    """Let the world find out what touches where the bodies are now, without time going on.

    A step finds new contacts at its end only, and ends old ones at its beginning: without this, the
    contacts of the start would be taken back in the first step, and flags with them. A fixture that
    comes and goes makes the world look for new contacts in the first of two steps of no time.
    """
    from Box2D import b2CircleShape

    fixture = body.CreateFixture(shape=b2CircleShape(radius=0.01), density=0.0, isSensor=True)
    body.DestroyFixture(fixture)
    for _ in range(2):
        world.Step(0.0, 0, 0)


def _write_attributes(env: Env, attributes: dict[str, Any]) -> None:
    """Write into arrays rather than replacing them: others may write to the same memory."""
    own = vars(env.unwrapped)
    for name, value in attributes.items():
        current: Any = own.get(name)
        are_arrays = isinstance(value, np.ndarray) and isinstance(current, np.ndarray)
        if are_arrays and current.shape == value.shape and current.flags.writeable:
            current[...] = value
        else:
            own[name] = value
