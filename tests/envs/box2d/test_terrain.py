"""What a task does to the track: every parameter, as published."""

from typing import Any

import numpy as np
import pytest
from Box2D import b2

from teachrl.envs.box2d.constants import TERRAIN_HEIGHT, TERRAIN_LENGTH, TERRAIN_STEP
from teachrl.envs.box2d.terrain import Terrain, generate

PAD = 20 * TERRAIN_STEP


def draw(seed: int = 0, **task: Any) -> Terrain:
    named = {name: np.array(v) if np.ndim(v) else v for name, v in task.items()}
    return generate(named, PAD, np.random.default_rng(seed))


def boxes(terrain: Terrain) -> np.ndarray[Any, Any]:
    """Return left, bottom, width and height of every obstacle's bounding box, (n, 4)."""
    corners = [np.array(polygon) for polygon in terrain.obstacles]
    low = np.array([polygon.min(axis=0) for polygon in corners])
    high = np.array([polygon.max(axis=0) for polygon in corners])
    return np.hstack([low, high - low])


def heights(terrain: Terrain) -> np.ndarray[Any, Any]:
    """Return the heights of all obstacles in terrain steps."""
    return np.asarray(boxes(terrain)[:, 3] / TERRAIN_STEP)


def test_the_track_begins_with_twenty_flat_steps() -> None:
    terrain = draw(stump_height=1.0, obstacle_spacing=1.0, roughness=5.0)
    assert terrain.ground[:2] == [(0.0, TERRAIN_HEIGHT), (PAD, TERRAIN_HEIGHT)]
    assert boxes(terrain)[0, 0] == PAD  # the first obstacle stands at its end


@pytest.mark.parametrize("spacing", [0.0, 2.5, 6.0, 90.0])
def test_the_ground_reaches_the_end_of_the_track(spacing: float) -> None:
    xs = np.array(draw(stump_height=1.0, obstacle_spacing=spacing).ground)[:, 0]
    assert xs[-1] >= TERRAIN_LENGTH
    assert (np.diff(xs) > 0).all()


def test_a_task_without_obstacles_is_a_flat_track() -> None:
    terrain = draw(obstacle_spacing=3.0)
    assert terrain.obstacles == []
    assert {y for _, y in terrain.ground} == {TERRAIN_HEIGHT}


@pytest.mark.parametrize("mean", [1.0, 3.0])
def test_stump_heights_are_normal_around_their_parameter(mean: float) -> None:
    tall = np.concatenate([heights(draw(seed, stump_height=mean)) for seed in range(200)])
    assert tall.mean() == pytest.approx(mean, abs=4 * 0.1 / np.sqrt(len(tall)))
    assert tall.std() == pytest.approx(0.1, rel=0.1)


def test_no_stump_is_lower_than_a_twentieth_of_a_step() -> None:
    assert heights(draw(stump_height=-3.0)) == pytest.approx(0.05)
    low = np.concatenate([heights(draw(seed, stump_height=0.0)) for seed in range(100)])
    assert low.min() == pytest.approx(0.05)
    assert np.mean(low > 0.051) == pytest.approx(0.31, abs=0.05)  # P(N(0, 0.1) > 0.05)


@pytest.mark.parametrize(("spacing", "gap"), [(4.0, 4.0), (0.0, 0.01), (-1.0, 0.01), (None, 8.0)])
def test_spacing_is_the_gap_between_stumps(spacing: float | None, gap: float) -> None:
    task: Any = {"stump_height": 1.0} | ({} if spacing is None else {"obstacle_spacing": spacing})
    stumps = boxes(draw(**task))
    assert np.diff(stumps[:, 0]) == pytest.approx(TERRAIN_STEP + gap)
    assert stumps[:, 2] == pytest.approx(TERRAIN_STEP)
    assert len(stumps) == np.ceil((TERRAIN_LENGTH - PAD) / (TERRAIN_STEP + gap))


def test_stump_width_is_a_factor_of_the_width_with_noise() -> None:
    wide = np.concatenate(
        [boxes(draw(seed, stump_height=1.0, stump_width=2.0))[:, 2] for seed in range(100)]
    )
    assert wide.mean() / TERRAIN_STEP == pytest.approx(2.0, abs=0.02)
    assert wide.std() / TERRAIN_STEP == pytest.approx(0.1, rel=0.1)
    assert boxes(draw(stump_height=1.0, stump_width=-3.0))[:, 2] == pytest.approx(
        0.05 * TERRAIN_STEP
    )


def test_stumps_rotate_backward_about_the_middle_of_their_base() -> None:
    angles = []
    for seed in range(100):
        for polygon in draw(seed, stump_height=2.0, stump_rot=1.0).obstacles:
            a, b, c, d = np.array(polygon)
            angles.append(np.arctan2(*(b - a)[::-1]))
            assert np.linalg.norm(b - a) == pytest.approx(TERRAIN_STEP)
            assert np.dot(b - a, d - a) == pytest.approx(0, abs=1e-9)
            assert (a + b)[1] / 2 == pytest.approx(TERRAIN_HEIGHT)
            assert (c + d)[0] < (a + b)[0]  # the top is behind the base
    assert np.mean(angles) == pytest.approx(1.0, abs=0.02)
    assert np.std(angles) == pytest.approx(0.1, rel=0.1)
    upright = draw(stump_height=2.0, stump_rot=-1.0).obstacles  # angles are clipped at 0
    assert upright == draw(stump_height=2.0, stump_rot=-2.0).obstacles
    assert upright[0][0] == (PAD, TERRAIN_HEIGHT)


def test_a_stump_sequence_is_five_stumps_side_by_side() -> None:
    sequence = [1.0, 2.0, 4.0, 1.0, 2.0, 3.0, 0.0, 1.0, 3.0, 0.0]  # height, width; …
    drawn = np.stack([boxes(draw(seed, stump_seq=sequence))[:5] for seed in range(200)])
    left, width, height = drawn[..., 0], drawn[..., 2], drawn[..., 3] / TERRAIN_STEP
    assert left[:, 1:] == pytest.approx(left[:, :-1] + width[:, :-1])
    assert height.mean(axis=0) == pytest.approx([1, 4, 2, 0.07, 3], abs=0.03)
    assert width.mean(axis=0) == pytest.approx([2, 1, 3, 1, 0.07], abs=0.03)  # in units
    assert height.min() == pytest.approx(0.05)
    assert width.min() == pytest.approx(0.05)


def test_rough_ground_moves_by_a_damped_random_velocity() -> None:
    noise = []
    for seed in range(50):
        ground = draw(seed, roughness=2.0, obstacle_spacing=70 * TERRAIN_STEP).ground[1:]
        x, y = np.array(ground).T
        assert np.diff(x) == pytest.approx(TERRAIN_STEP)
        v = np.diff(y)
        pull = 0.01 * np.sign(TERRAIN_HEIGHT - y[:-1])
        noise.append(v[1:] - 0.8 * v[:-1] - pull[1:])
    pushes = 30 * np.concatenate(noise)
    assert np.abs(pushes).max() == pytest.approx(2.0, abs=0.02)  # U(-r, r) / 30
    assert pushes.std() == pytest.approx(2.0 / np.sqrt(3), rel=0.05)


def test_obstacles_stand_on_level_ground_however_rough_the_gaps() -> None:
    terrain = draw(stump_height=1.0, obstacle_spacing=2.0, roughness=3.0)
    x, y = np.array(terrain.ground).T
    for left, bottom, width, _ in boxes(terrain):
        assert np.interp([left, left + width / 2, left + width], x, y) == pytest.approx(bottom)
    assert len(set(y)) > 100


BASE = np.array([(-0.5, 0), (-0.5, 0.25), (-0.25, 0.5), (0.25, 0.5), (0.5, 0.25), (0.5, 0)])
MOVES = np.array([0.0, 4.0, 0.0, 1.0, 1.0, 2.2, 2.0, 2.2, 3.0, 1.0, 3.0, 4.0])


def test_hexagons_are_the_base_hexagon_with_moved_corners_and_noise() -> None:
    moves = MOVES.reshape(6, 2).copy()
    moves[[0, -1], 1] = 0.0  # the first and the last corner stay on the ground
    target = (BASE + moves) * TERRAIN_STEP + (PAD, TERRAIN_HEIGHT)
    drawn = np.array([draw(seed, poly_shape=MOVES).obstacles[0] for seed in range(300)])
    nearest = np.linalg.norm(drawn[:, None] - target[:, None], axis=-1).argmin(axis=-1)
    corners = np.take_along_axis(drawn, nearest[..., None], axis=1)
    assert corners.mean(axis=0) == pytest.approx(target, abs=0.015)
    spread = np.full((6, 2), 0.1 * TERRAIN_STEP)
    spread[[0, -1], 1] = 0.0
    assert corners.std(axis=0) == pytest.approx(spread, rel=0.15, abs=1e-9)


def test_two_of_the_twelve_numbers_of_a_hexagon_change_nothing() -> None:
    def moved(i: int) -> Terrain:
        return draw(poly_shape=MOVES + 0.5 * (np.arange(12) == i))

    assert [i for i in range(12) if moved(i) == moved(12)] == [1, 11]


def test_hexagons_are_convex_with_corners_in_order() -> None:
    for seed in range(50):
        shape = np.random.default_rng(seed).uniform(0, 4, 12)
        for polygon in draw(seed, poly_shape=shape).obstacles:
            x, y = np.diff([*polygon, *polygon[:2]], axis=0).T
            assert (x[:-1] * y[1:] > y[:-1] * x[1:]).all()  # every turn is to the left


def test_hexagons_take_one_unit_each_and_keep_the_default_gap() -> None:
    feet = [min(polygon)[0] for polygon in draw(poly_shape=np.zeros(12)).obstacles]
    assert np.diff(feet) == pytest.approx(9.0, abs=0.4)
    lengths = np.diff([x for x, _ in draw(poly_shape=np.zeros(12)).ground])[1:]
    assert lengths.reshape(-1, 2) == pytest.approx(np.tile([1.0, 8.0], (10, 1)))


def test_all_kinds_of_obstacles_that_a_task_names_are_equally_likely() -> None:
    shares = []
    for seed in range(50):
        tall = heights(draw(seed, stump_height=1.0, poly_shape=MOVES, obstacle_spacing=1.0))
        shares += list(tall > 2)
    assert np.mean(shares) == pytest.approx(0.5, abs=0.06)


def test_a_track_becomes_one_static_body_that_the_walker_can_touch() -> None:
    terrain = draw(stump_height=1.0, poly_shape=MOVES)
    world = b2.world()
    terrain.build(world)
    (body,) = world.bodies
    fixtures = body.fixtures
    assert body.type == b2.staticBody
    assert len(fixtures) == len(terrain.ground) - 1 + len(terrain.obstacles)
    assert {f.friction for f in fixtures} == {2.5}
    assert {(f.filterData.categoryBits, f.filterData.maskBits) for f in fixtures} == {(1, 0xFFFF)}
    for polygon, fixture in zip(terrain.obstacles, fixtures, strict=False):
        assert sorted(fixture.shape.vertices) == pytest.approx(np.array(sorted(polygon)), abs=1e-5)
