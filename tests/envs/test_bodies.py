"""Bodies: the published sizes, masses and motors."""

from typing import Any

import numpy as np
import pytest
from Box2D import b2

from teachrl.envs import StumpTracks
from teachrl.envs.bodies import BODIES
from teachrl.envs.box2d.constants import TERRAIN_HEIGHT
from teachrl.registry import UnknownNameError

# Name: mass, observation, action, torque, cost of full power, width, height of the hull at spawn.
PUBLISHED = {
    "small_bipedal": (5.97, 24, 4, 80, 0.028, 0.667, 1.233),
    "classic_bipedal": (6.51, 24, 4, 80, 0.028, 2.133, 2.367),
    "old_classic_bipedal": (6.51, 24, 4, 80, 0.028, 2.133, 2.267),
    "big_quadru": (16.44, 34, 8, 300, 0.014, 3.2, 3.5),
    "old_big_quadru": (16.44, 34, 8, 300, 0.014, 3.2, 3.4),
    "spider": (3.72, 42, 12, 100, 0.014, 3.333, 0.8),
}
LEGGED = [name for name in PUBLISHED if name != "spider"]


def build(name: str) -> Any:
    return BODIES[name](b2.world(), 4.0, 3.0)


def test_every_body_is_compared_with_the_published_one() -> None:
    assert BODIES.keys() == PUBLISHED.keys()


@pytest.mark.parametrize("name", BODIES)
def test_sizes_are_the_published_ones(name: str) -> None:
    mass, observation, action, torque, cost, width, spawn_height = PUBLISHED[name]
    env, body = StumpTracks(name), build(name)
    assert env.observation_space.shape == (observation,)
    assert env.action_space.shape == (action,)
    assert body.mass == pytest.approx(mass, abs=0.006)
    assert (body.torque, body.cost) == (torque, cost)
    assert body.width == pytest.approx(width, abs=0.001)
    assert body.spawn_height == pytest.approx(spawn_height, abs=0.001)
    assert body.hull.position.tuple == pytest.approx((4.0, 3.0 + spawn_height), abs=0.001)


@pytest.mark.parametrize("name", LEGGED)
def test_motors_come_in_the_published_order(name: str) -> None:
    body = build(name)
    for hip, knee in zip(body.motors[::2], body.motors[1::2], strict=True):
        assert hip.joint.bodyA == body.hull
        assert knee.joint.bodyA == hip.joint.bodyB
        assert (hip.speed, hip.offset, hip.sensor) == (4.0, 0.0, None)
        assert (knee.speed, knee.offset, knee.sensor) == (6.0, 1.0, knee.joint.bodyB)
        assert hip.joint.limits == pytest.approx((-0.8, 1.1))
        assert knee.joint.limits == pytest.approx((-1.6, -0.1))
        assert hip.joint.motorEnabled
        assert knee.joint.limitEnabled


@pytest.mark.parametrize("name", BODIES)
def test_parts_collide_with_the_world_and_not_with_each_other(name: str) -> None:
    body = build(name)
    filters = [fixture.filterData for part in body.parts for fixture in part.fixtures]
    assert {(f.categoryBits, f.maskBits) for f in filters} == {(0x20, 0x000F)}
    assert not 0x20 & 0x000F
    frictions = [fixture.friction for part in body.parts for fixture in part.fixtures]
    assert frictions == pytest.approx([0.1] + [0.2] * (len(body.parts) - 1))
    assert body.critical == [body.hull]


@pytest.mark.parametrize("name", [name for name in BODIES if not name.startswith("old_")])
def test_new_bodies_are_created_together_and_at_rest(name: str) -> None:
    body = build(name)  # kept: its joints live as long as its world
    for motor in body.motors:
        assert motor.joint.anchorA.tuple == pytest.approx(motor.joint.anchorB.tuple, abs=1e-6)
        assert motor.joint.angle == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("name", ["small_bipedal", "classic_bipedal", "big_quadru"])
def test_new_walkers_are_created_straight(name: str) -> None:
    body = build(name)
    assert {part.angle for part in body.parts} == {0.0}
    lowest = min(v[1] for f in body.parts[2].fixtures for v in f.shape.vertices)
    assert body.parts[2].position.y + lowest == pytest.approx(3.0, abs=1e-6)  # on its feet


@pytest.mark.parametrize(
    ("name", "gaps"), [("old_classic_bipedal", [0.53]), ("old_big_quadru", [0.9, 0.75])]
)
def test_the_legs_of_old_bodies_snap_to_their_hips_in_the_first_step(
    name: str, gaps: list[float]
) -> None:
    body = build(name)

    def gap() -> np.ndarray[Any, Any]:
        hips = [motor.joint for motor in body.motors[::2]]
        return np.array([np.hypot(*(hip.anchorA - hip.anchorB)) for hip in hips])

    assert np.abs([part.angle for part in body.parts[1:]]) == pytest.approx(0.05, abs=1e-6)
    assert gap().reshape(-1, 2).mean(axis=1) == pytest.approx(gaps, abs=0.02)
    body.world.Step(0.02, 180, 60)
    assert gap().max() < 0.05


def test_a_spiders_motors_are_those_of_left_and_right_legs_in_turn_from_the_hip_outwards() -> None:
    body = build("spider")
    for leg, side in enumerate((+1, -1, +1, -1)):
        motors, above = body.motors[3 * leg : 3 * leg + 3], body.hull
        for motor in motors:
            assert motor.joint.bodyA == above
            above = motor.joint.bodyB
        hip = motors[0].joint.anchorA - body.hull.position
        assert hip.tuple == pytest.approx((-side * 10 / 30, -4 / 30), abs=1e-6)
        angles = [motor.joint.bodyB.angle / np.pi for motor in motors]
        assert angles == pytest.approx([0.25 * side, 0.7 * side, 0.9 * side])
        assert [motor.speed for motor in motors] == [4.0, 4.0, 6.0]
        assert [motor.sensor for motor in motors] == [None, None, above]
        limits = [np.divide(motor.joint.limits, np.pi) for motor in motors]
        np.testing.assert_allclose(limits, [[-r, r] for r in (0.1, 0.15, 0.2)], rtol=1e-5)


def test_a_spiders_legs_go_up_and_out_and_down_again() -> None:
    body = build("spider")
    knees = [motor.joint.anchorB - body.hull.position for motor in body.motors[1::3]]
    ankles = [motor.joint.anchorB - body.hull.position for motor in body.motors[2::3]]
    for side, knee, ankle in zip((-1, 1, -1, 1), knees, ankles, strict=True):
        assert knee.tuple == pytest.approx((side * 24.14 / 30, 10.14 / 30), abs=1e-3)
        assert ankle.tuple == pytest.approx((side * 40.32 / 30, -1.61 / 30), abs=1e-3)


def test_a_spider_stands_on_its_legs_and_falls_without_effort() -> None:
    env: Any = StumpTracks("spider")
    env.reset(seed=0)
    press = np.repeat([1.0, -1.0, 1.0, -1.0], 3)  # every limb down, left and right mirrored
    for _ in range(100):
        observation, _, terminated, _, _ = env.step(press)
        assert not terminated
    felt = observation[4:-10].reshape(4, 7)[:, 6]
    assert felt.tolist() == [1, 1, 1, 1]
    assert env.body.hull.position.y > TERRAIN_HEIGHT + 0.8
    env.reset(seed=0)
    ends = [env.step(np.zeros(12))[1:3] for _ in range(20)]
    assert (-100.0, True) in ends


@pytest.mark.parametrize("name", LEGGED)
def test_a_body_that_stretches_its_knees_lands_on_its_feet(name: str) -> None:
    env: Any = StumpTracks(name)
    env.reset(seed=0)
    legs = env.action_space.shape[0] // 2
    felt = np.zeros(legs)
    for _ in range(20):
        observation, _, terminated, _, _ = env.step(np.tile([0.0, 1.0], legs))
        assert not terminated
        felt += observation[8:-10:5]
    assert env.body.hull.position.y > TERRAIN_HEIGHT + 0.5 * env.body.spawn_height
    assert felt.all()


def test_an_unknown_body_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'big_quadru'"):
        BODIES["big_quad"]
