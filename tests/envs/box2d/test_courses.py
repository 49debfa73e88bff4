"""Pits, stumps, stairs and rough ground: sizes, chances and thresholds as published."""

from typing import Any

import numpy as np
import pytest

from teachrl.envs.box2d.constants import TERRAIN_HEIGHT, TERRAIN_LENGTH, TERRAIN_STEP
from teachrl.envs.box2d.courses import draw_course
from teachrl.envs.box2d.terrain import Terrain

PAD = 20 * TERRAIN_STEP
EASIEST: dict[str, Any] = {
    "roughness": 0.0,
    "pit_gap": (0, 0),
    "stump_height": (0, 0),
    "stair_height": (0, 0),
    "stair_steps": 1,
}


def draw(seed: int = 0, **task: Any) -> Terrain:
    return draw_course(EASIEST | task, PAD, np.random.default_rng(seed))


def moves(terrain: Terrain) -> np.ndarray[Any, Any]:
    """Return the edges of the ground behind the pad, in terrain steps, (n, 2)."""
    return np.asarray(np.diff(terrain.ground, axis=0)[1:] / TERRAIN_STEP)


def pooled(n: int = 100, **task: Any) -> np.ndarray[Any, Any]:
    return np.concatenate([moves(draw(seed, **task)) for seed in range(n)])


def test_it_begins_with_a_flat_pad_and_reaches_the_end() -> None:
    terrain = draw(roughness=5, pit_gap=(1, 3), stair_height=(1, 1), stair_steps=9)
    assert terrain.ground[:2] == [(0.0, TERRAIN_HEIGHT), (PAD, TERRAIN_HEIGHT)]
    assert terrain.ground[-1][0] >= TERRAIN_LENGTH


def test_without_obstacles_and_roughness_it_is_flat() -> None:
    terrain = draw()
    assert {y for _, y in terrain.ground} == {TERRAIN_HEIGHT}
    assert not terrain.obstacles


def test_rough_ground_is_a_damped_random_walk_of_its_slope() -> None:
    noise = []
    for seed in range(50):
        ground = np.array(draw(seed, roughness=4.0).ground[1:])
        slope = np.diff(ground[:, 1])
        pull = 0.01 * np.sign(TERRAIN_HEIGHT - ground[:-1, 1])
        noise.append(slope[1:] - 0.8 * slope[:-1] - pull[1:])
    pushes = 30 * np.concatenate(noise)
    assert np.abs(pushes).max() == pytest.approx(4.0, abs=0.02)  # U(-r, r) / 30
    assert pushes.std() == pytest.approx(4.0 / np.sqrt(3), rel=0.05)


def test_pits_are_as_wide_as_drawn_four_steps_deep_with_upright_walls_and_level_rims() -> None:
    widths = []
    for seed in range(100):
        edges = moves(draw(seed, pit_gap=(2, 5)))
        falls = np.flatnonzero(np.isclose(edges[:, 1], -4))
        assert len(falls)
        for i in falls:
            np.testing.assert_allclose(
                edges[[i - 1, i, i + 2, i + 3]], [(1, 0), (0, -4), (0, 4), (1, 0)], atol=1e-9
            )
            widths.append(edges[i + 1, 0])
    assert 2 <= min(widths) < 2.05
    assert 4.95 < max(widths) <= 5
    assert np.mean(widths) == pytest.approx(3.5, abs=0.1)


def test_stumps_are_one_step_wide_and_as_high_as_drawn_on_level_ground() -> None:
    heights = []
    for seed in range(50):
        terrain = draw(seed, stump_height=(1, 3), roughness=3)
        x, y = np.array(terrain.ground).T
        for polygon in terrain.obstacles:
            (left, low), (right, _), (_, high), _ = polygon
            assert right - left == pytest.approx(TERRAIN_STEP)
            assert np.interp([left, right], x, y) == pytest.approx(low)
            heights.append((high - low) / TERRAIN_STEP)
    assert 1 <= min(heights) < 1.05
    assert 2.95 < max(heights) <= 3
    assert np.mean(heights) == pytest.approx(2, abs=0.05)


def test_stairs_have_fewer_steps_than_said_up_or_down_and_treads_of_four() -> None:
    flights: dict[str, int] = {}
    for seed in range(200):
        edges = moves(draw(seed, stair_height=(2, 2), stair_steps=4))
        upright = np.isclose(edges[:, 0], 0)
        np.testing.assert_allclose(np.abs(edges[upright, 1]), 2)
        np.testing.assert_allclose(edges[np.flatnonzero(upright) + 1, 0], 4)
        text = "".join(
            "." if not up else "+" if dy > 0 else "-"
            for up, (_, dy) in zip(upright, edges, strict=True)
        )
        for flight in text.replace("..", " ").replace(".", "").split():
            flights[flight] = flights.get(flight, 0) + 1
    assert set(flights) == {sign * n for sign in "+-" for n in (1, 2, 3)}  # never four
    counts = np.array(list(flights.values()))
    assert counts.min() > 0.8 * counts.mean()  # all as likely


def test_stairs_of_one_step_are_none() -> None:
    assert not pooled(20, stair_height=(3, 3), stair_steps=1)[:, 1].any()


def test_between_two_obstacles_are_five_to_nine_steps() -> None:
    lengths = []
    for seed in range(100):
        left = np.array([polygon[0][0] for polygon in draw(seed, stump_height=(1, 1)).obstacles])
        lengths += list(np.diff(left) / TERRAIN_STEP - 1)
    assert set(np.round(lengths).astype(int)) == {5, 6, 7, 8, 9}


@pytest.mark.parametrize(
    ("name", "below", "above"),
    [("pit_gap", 0.79, 0.8), ("stump_height", 0.19, 0.2), ("stair_height", 0.19, 0.2)],
)
def test_what_is_too_small_has_no_effect_at_all(name: str, below: float, above: float) -> None:
    with_stairs = {"stair_steps": 9}
    assert draw(3, **{name: (0, below)}, **with_stairs) == draw(3, **with_stairs)
    assert draw(3, **{name: (0, above)}, **with_stairs) != draw(3, **with_stairs)


def test_all_kinds_that_have_an_effect_are_equally_likely() -> None:
    counts = np.zeros(3)
    for seed in range(100):
        terrain = draw(
            seed, pit_gap=(1, 1), stump_height=(1, 1), stair_height=(3, 3), stair_steps=2
        )
        edges = moves(terrain)
        stairs = np.isclose(np.abs(edges[:, 1]), 3).sum() * 2  # every second one has no step
        counts += [np.isclose(edges[:, 1], -4).sum(), len(terrain.obstacles), stairs]
    assert counts / counts.sum() == pytest.approx(np.full(3, 1 / 3), abs=0.04)


def test_no_edge_of_the_ground_is_without_length() -> None:
    for seed in range(20):
        edges = moves(draw(seed, pit_gap=(0, 0.8), stair_height=(0, 0.2), stair_steps=9))
        assert np.linalg.norm(edges, axis=1).min() >= 0.05 - 1e-9
