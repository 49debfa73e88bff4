"""Pictures without a display, and windows that a test need not see."""

import sys
from typing import Any

import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled

from teachrl.envs import HexagonTracks, StumpTracks
from teachrl.envs.bodies import BODIES
from teachrl.envs.box2d.rendering import GRASS, HIGH, HULL, LIMBS, LOW, RAY

from ..players import move


def picture(env: Any, task: Any = None) -> np.ndarray[Any, Any]:
    env.reset(seed=0, options={} if task is None else {"task": task})
    image = env.render()
    assert isinstance(image, np.ndarray)
    return image


def count(image: Any, color: tuple[int, int, int], tolerance: int = 12) -> int:
    return int((np.abs(image.astype(int) - color).max(axis=-1) <= tolerance).sum())


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("make", [StumpTracks, HexagonTracks])
def test_a_picture_shows_ground_body_and_rays(make: Any, body: str) -> None:
    image = picture(make(body, render_mode="rgb_array"))
    assert (image.shape, image.dtype) == ((400, 600, 3), np.uint8)
    assert all(count(image, color) > 100 for color in (GRASS, HULL, LIMBS[0]))
    assert count(image, RAY) > 50


def test_high_stumps_are_red_and_low_ones_are_not() -> None:
    env = StumpTracks(render_mode="rgb_array")
    low, high = picture(env, [0.5, 2.0]), picture(env, [3.0, 2.0])
    assert count(low, LOW) > 100
    assert count(high, HIGH) > 500 > 10 * count(low, HIGH)


def test_the_camera_follows_the_body() -> None:
    env = StumpTracks(render_mode="rgb_array")
    before = picture(env)
    columns = np.flatnonzero((np.abs(before.astype(int) - HULL).max(axis=-1) <= 12).any(axis=0))
    move(env, x=30.0)
    env.step(np.zeros(4))
    after: Any = env.render()
    moved = np.flatnonzero((np.abs(after.astype(int) - HULL).max(axis=-1) <= 12).any(axis=0))
    assert abs(columns.mean() - moved.mean()) < 3
    move(env, y=30.0)
    env.step(np.zeros(4))
    image: Any = env.render()
    assert count(image, HULL) > 200


def test_rays_are_drawn_only_as_far_as_they_reach() -> None:
    env = StumpTracks(render_mode="rgb_array")
    image = picture(env, [3.0, 6.0])
    rows = np.flatnonzero((np.abs(image.astype(int) - RAY).max(axis=-1) <= 12).any(axis=1))
    assert rows.max() <= 303  # the ground is at row 300


def test_a_window_shows_every_step() -> None:
    env = StumpTracks(render_mode="human")
    env.reset(seed=0)
    assert env._renderer is not None
    before = env._renderer.pygame.surfarray.array3d(env._renderer.window)
    move(env, x=20.0)
    env.step(np.zeros(4))
    after = env._renderer.pygame.surfarray.array3d(env._renderer.window)
    assert (before != after).any()
    assert env.render() is None
    env.close()
    env.close()


def test_without_a_render_mode_nothing_is_drawn() -> None:
    env = StumpTracks()
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="render_mode"):
        assert env.render() is None


def test_a_missing_pygame_is_an_error_that_says_what_to_install(monkeypatch: Any) -> None:
    env = StumpTracks(render_mode="rgb_array")
    env.reset(seed=0)
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(DependencyNotInstalled, match=r"pip install 'gymnasium\[box2d\]'"):
        env.render()
