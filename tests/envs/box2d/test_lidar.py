"""The rays of the lidar against Box2D's own ray casts."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from Box2D import b2RayCastCallback

from teachrl import TaskSpace
from teachrl.envs import HexagonTracks, StumpTracks
from teachrl.envs.box2d.constants import LIDAR_RANGE
from teachrl.envs.box2d.lidar import fan, scan, sort_segments

ROOT = Path(__file__).resolve().parents[3]
LEANING = TaskSpace(
    stump_height=(0, 5), obstacle_spacing=(0, 3), stump_rot=(0, 3), stump_width=(0, 5)
)
ROUGH = TaskSpace(stump_height=(0, 3), obstacle_spacing=(0, 3), roughness=(0, 20))


class Nearest(b2RayCastCallback):  # type: ignore[misc]
    """Keeps the nearest hit of a ray, as the published worlds define it."""

    fraction = 1.0

    def ReportFixture(self, fixture: Any, point: Any, normal: Any, fraction: float) -> float:
        if fixture.filterData.categoryBits & 1 == 0:
            return -1.0
        self.fraction = fraction
        return fraction


def cast(world: Any, x: float, y: float, rays: np.ndarray[Any, Any]) -> list[float]:
    fractions = []
    for dx, dy in rays:
        callback = Nearest()
        world.RayCast(callback, (x, y), (x + dx, y + dy))
        fractions.append(callback.fraction)
    return fractions


def look(segments: Any, x: float, y: float) -> np.ndarray[Any, Any]:
    out = np.zeros(12, np.float32)
    scan(sort_segments(segments), fan(), x, y, out)
    assert out[:2].tolist() == [0, 0]  # only the end is written
    return out[2:]


@pytest.mark.parametrize(
    "env",
    [
        StumpTracks(),
        StumpTracks(task_space=LEANING),
        StumpTracks(task_space=ROUGH),
        HexagonTracks(),
    ],
    ids=["stumps", "leaning", "rough", "hexagons"],
)
def test_rays_hit_what_box2ds_ray_casts_hit(env: Any) -> None:
    rng = np.random.default_rng(0)
    seen, expected = [], []
    for seed in range(12):
        env.reset(seed=seed, options={"task": env.task_space.uniform(rng)})
        ground = np.array(env.terrain.ground).T
        for _ in range(40):
            x = rng.uniform(0, 90)
            y = np.interp(x, *ground) + rng.uniform(0.1, 4)
            if any(f.TestPoint((x, y)) for f in env._world.bodies[0].fixtures):
                continue  # inside an obstacle, where no hull can be
            out = np.zeros(10, np.float32)
            scan(env._segments, env._rays, x, y, out)
            seen += out.tolist()
            expected += cast(env._world, x, y, env._rays)
    difference = np.abs(np.subtract(seen, expected))
    # A ray that only just grazes a corner may hit it in one precision and miss it in the other.
    assert np.mean(difference > 1e-4) < 1e-3
    assert 0.05 < np.mean(np.array(seen) == 1.0) < 0.6  # rays of both sorts were compared


def test_ten_rays_turn_from_straight_down_towards_forward() -> None:
    rays = fan()
    assert rays.shape == (10, 2)
    assert np.hypot(*rays.T) == pytest.approx(160 / 30)
    assert rays[0] == pytest.approx((0, -LIDAR_RANGE))
    assert np.degrees(np.arctan2(rays[:, 0], -rays[:, 1]))[-1] == pytest.approx(77.35, abs=0.01)


def test_the_nearest_of_several_hits_counts_whatever_their_order() -> None:
    near, far = ((-1, 2), (9, 2)), ((-5, 1), (9, 1))
    for segments in ([near, far], [far, near]):
        assert look(segments, 0.0, 3.0)[0] == pytest.approx(1 / LIDAR_RANGE)


def test_a_long_segment_that_began_far_behind_is_seen_among_many_short_ones() -> None:
    short = [((x, 0.0), (x + 0.1, 0.0)) for x in np.arange(0.0, 40.0, 0.5)]
    out = look([((-100.0, 1.0), (100.0, 1.0)), *short], 20.0, 2.0)
    assert out[:5] == pytest.approx(1 / LIDAR_RANGE / np.cos(0.15 * np.arange(5)), rel=1e-6)


def test_rays_that_hit_nothing_are_one() -> None:
    assert look([((0.0, 0.0), (9.0, 0.0))], 0.0, LIDAR_RANGE + 0.1).tolist() == [1.0] * 10
    assert look([((0.0, 5.0), (9.0, 5.0))], 0.0, 3.0).tolist() == [1.0] * 10  # above
    assert look([((-9.0, 0.0), (-0.1, 0.0))], 0.0, 3.0).tolist() == [1.0] * 10  # behind


def test_it_works_where_compiled_code_cannot_be_kept() -> None:
    code = (
        "import numba.core.caching as c; c.CacheImpl._locator_classes = [];"
        "from teachrl.envs import StumpTracks; print(StumpTracks().reset(seed=0)[0][14] < 1)"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "True"
