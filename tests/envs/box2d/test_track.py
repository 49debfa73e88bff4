"""Dynamics, observations, rewards and ends of episodes, as published."""

import hashlib
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from teachrl import TaskSpace
from teachrl.envs import HexagonTracks, StumpTracks
from teachrl.envs.bodies import BODIES
from teachrl.envs.box2d import track
from teachrl.envs.box2d.constants import LIDAR_RANGE, TERRAIN_HEIGHT, TERRAIN_STEP
from teachrl.envs.box2d.terrain import Terrain
from teachrl.registry import UnknownNameError

from ..players import move, play

ROOT = Path(__file__).resolve().parents[3]
TASK = [1.0, 3.0]
STILL = np.zeros(4, np.float32)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("make", [StumpTracks, HexagonTracks])
def test_passes_the_checks_of_gymnasium(make: Any, body: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("error")
        # Published so: nothing bounds a velocity. And a plain environment has no spec.
        warnings.filterwarnings("ignore", message=".*observation space m.*imum value is.*infinity")
        warnings.filterwarnings("ignore", message=".*not able to test alternative render modes")
        check_env(make(body, render_mode="rgb_array"))


def test_a_used_and_a_fresh_environment_play_the_same() -> None:
    used = StumpTracks()
    for seed in range(3):
        play(used, seed, [2.0, 1.0])
    assert play(used, 7, TASK) == play(StumpTracks(), 7, TASK)


def test_another_process_plays_the_same() -> None:
    code = (
        "import hashlib; from teachrl.envs import StumpTracks; from tests.envs.players import play;"
        f"print(hashlib.sha256(play(StumpTracks(), 7, {TASK})).hexdigest())"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == hashlib.sha256(play(StumpTracks(), 7, TASK)).hexdigest()


def test_another_seed_plays_another_episode() -> None:
    env = StumpTracks()
    assert env.reset(seed=0)[0].tobytes() != env.reset(seed=1)[0].tobytes()
    assert env.reset()[0].tobytes() != env.reset()[0].tobytes()


def test_global_randomness_is_neither_used_nor_moved() -> None:
    before = repr(np.random.get_state())  # noqa: NPY002
    first = play(StumpTracks(), 7, TASK)
    assert repr(np.random.get_state()) == before  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    assert play(StumpTracks(), 7, TASK) == first


def test_looking_does_not_change_the_episode() -> None:
    class Looking(StumpTracks):
        def step(self, action: Any) -> Any:
            self.render()
            return super().step(action)

    assert play(Looking(render_mode="rgb_array"), 7, TASK, 20) == play(StumpTracks(), 7, TASK, 20)


def test_moves_like_gymnasiums_walker_on_the_same_ground(monkeypatch: Any) -> None:
    class Nothing:  # keeps its ground flat, and both hulls unpushed
        def uniform(self, *_: float) -> float:
            return 0.0

        def integers(self, low: int, _: int = 0) -> int:
            return low

    chain = [(i * TERRAIN_STEP, TERRAIN_HEIGHT) for i in range(200)]
    monkeypatch.setattr(track, "generate", lambda *_: Terrain(chain, []))
    others = np.ones(24, bool)
    others[[8, 13]] = False  # its contact flags go out while the foot is on the next edge
    for seed in range(5):
        rng = np.random.default_rng(seed)
        his: Any = gym.make("BipedalWalker-v3").unwrapped  # new each time: it reuses its world
        ours: Any = StumpTracks()
        his._np_random = ours._np_random = Nothing()
        np.testing.assert_allclose(ours.reset()[0], his.reset()[0], atol=1e-6)
        for _ in range(200):
            action = rng.uniform(-1, 1, 4).astype(np.float32)
            observation, reward, terminated, _, _ = ours.step(action)
            expected = his.step(action)
            np.testing.assert_allclose(observation[others], expected[0][others], atol=1e-5)
            assert reward == pytest.approx(expected[1], abs=1e-5)
            assert terminated == expected[2]
            if terminated:
                break


@pytest.mark.parametrize("body", BODIES)
def test_observations_are_laid_out_as_published(body: str) -> None:
    env = StumpTracks(body)
    env.reset(seed=0, options={"task": TASK})
    rng = np.random.default_rng(0)
    for _ in range(20):
        observation = env.step(rng.uniform(-1, 1, env.action_space.shape).astype(np.float32))[0]
    hull, expected = env.body.hull, []
    expected += [hull.angle, 2 * hull.angularVelocity / 50]
    expected += [0.12 * hull.linearVelocity.x, 0.08 * hull.linearVelocity.y]
    for motor in env.body.motors:
        expected += [motor.joint.angle + motor.offset, motor.joint.speed / motor.speed]
        if motor.sensor is not None:
            expected += [any(edge.contact.touching for edge in motor.sensor.contacts)]
    assert observation.dtype == np.float32
    assert observation[:-10] == pytest.approx(np.array(expected, float), abs=1e-6)
    assert ((observation[-10:] >= 0) & (observation[-10:] <= 1)).all()


def test_a_standing_walker_feels_the_ground_and_sees_it_below() -> None:
    env = StumpTracks()
    first, _ = env.reset(seed=0)
    assert abs(first[0]) < 0.01  # level
    for _ in range(10):
        observation = env.step(STILL)[0]
    height = env.body.hull.position.y - TERRAIN_HEIGHT
    assert observation[[8, 13]].tolist() == [1, 1]
    assert observation[14] == pytest.approx(height / LIDAR_RANGE, abs=1e-6)
    env.reset(seed=0)
    move(env, y=3.0)
    assert env.step(STILL)[0][[8, 13]].tolist() == [0, 0]


@pytest.mark.parametrize(("body", "price"), [("old_classic_bipedal", 0.028), ("big_quadru", 0.014)])
def test_a_step_pays_for_progress_and_an_upright_hull_less_torque(body: str, price: float) -> None:
    env: Any = StumpTracks(body)
    env.reset(seed=0)
    legs = env.action_space.shape[0] // 2
    env.step(np.tile([0.5, -1.0], legs))
    x, angle = env.body.hull.position.x, env.body.hull.angle
    reward = env.step(np.tile([0.25, -3.0], legs))[1]  # 3 is clipped to 1
    progress = 130 / 30 * (env.body.hull.position.x - x)
    tilt = 5 * (abs(env.body.hull.angle) - abs(angle))
    assert reward == pytest.approx(progress - tilt - price * legs * (0.25 + 1), abs=1e-9)


def test_the_sign_of_an_action_turns_a_motor_and_its_size_is_the_torque() -> None:
    env = StumpTracks()
    env.reset(seed=0)
    env.step(np.array([0.5, -0.25, 0.0, -1.0], np.float32))
    motors = [
        (motor.joint.motorSpeed, motor.joint.GetMaxMotorTorque()) for motor in env.body.motors
    ]
    assert motors == [(4, 40), (-6, 20), (0, 0), (-6, 80)]


def test_a_fall_ends_the_episode_and_replaces_the_reward() -> None:
    env = StumpTracks()
    env.reset(seed=0)
    move(env, y=-1.5)
    env.body.hull.angle = 3.0
    while True:
        _, reward, terminated, truncated, info = env.step(STILL)
        if terminated:
            break
        assert info == {}
    assert (reward, truncated) == (-100.0, False)
    assert info == {"is_success": False, "mastered": False}


def test_walking_off_the_start_is_a_fall() -> None:
    env = StumpTracks()
    env.reset(seed=0)
    move(env, x=-4.6)
    assert env.step(STILL)[2] is False
    move(env, x=-0.2)
    assert env.step(STILL)[1:3] == (-100.0, True)


def test_the_episode_ends_190_terrain_steps_from_the_start() -> None:
    env = StumpTracks(task_space=TaskSpace(obstacle_spacing=(1, 2)))
    env.reset(seed=0)
    move(env, x=88.6 - env.body.hull.position.x)
    assert env.step(STILL)[2] is False
    move(env, x=0.1)
    _, reward, terminated, truncated, info = env.step(STILL)
    assert (terminated, truncated) == (True, False)
    assert reward > 0  # of this step: the end itself pays nothing
    assert info == {"is_success": True, "mastered": True}  # the carried walker "earned" 364


@pytest.mark.parametrize(("carried", "mastered"), [(52.0, False), (55.0, True)])
def test_mastery_means_a_return_above_230(carried: float, mastered: bool) -> None:
    env = StumpTracks(task_space=TaskSpace(obstacle_spacing=(1, 2)), max_episode_steps=1)
    env.reset(seed=0)
    move(env, x=carried)
    assert env.step(STILL)[4] == {"is_success": mastered, "mastered": mastered}


def test_the_time_limit_truncates() -> None:
    env = StumpTracks(max_episode_steps=3)
    for _ in range(2):
        env.reset(seed=0)
        ends = [env.step(STILL)[2:] for _ in range(3)]
        assert ends[:2] == [(False, False, {})] * 2
        assert ends[2] == (False, True, {"is_success": False, "mastered": False})
    assert StumpTracks().max_episode_steps == 2000


def test_a_reset_without_a_task_keeps_the_last_one() -> None:
    env = StumpTracks()
    env.reset(seed=0)
    assert env.task.tolist() == env.default_task.tolist() == [0, 6]  # low and far apart
    task = np.array(TASK, np.float32)
    env.reset(options={"task": task})
    task[:] = 0  # the caller's own array again
    env.reset(seed=3)
    assert env.task.tolist() == TASK


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ([3.1, 2.0], "'stump_height' must be a number in .0, 3., got 3.1"),
        ([1.0, np.nan], "'obstacle_spacing' must be a number in .0, 6., got nan"),
        ([1.0], r"stump_height.* has shape \(2,\), got \(1,\)"),
    ],
)
def test_a_bad_task_is_refused_by_name(task: list[float], message: str) -> None:
    env = StumpTracks()
    with pytest.raises(ValueError, match=message):
        env.reset(options={"task": task})
    env.reset(seed=0)  # and leaves the environment as it was
    assert env.task.tolist() == [0, 6]


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ([0, np.nan, 0, 0], "an action must be finite, got nan"),
        ([0, 0, 0, -np.inf], "an action must be finite, got inf"),
        ([0, 0, 0], r"expected an action of 4 numbers, one per motor; got shape \(3,\)"),
    ],
)
def test_a_bad_action_is_refused(action: list[float], message: str) -> None:
    env = StumpTracks()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(np.array(action, np.float32))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"render_mode": "ansi"}, "render_mode must be None or one of .*, got 'ansi'"),
        ({"max_episode_steps": 0}, "max_episode_steps must be 1 or more"),
        ({"velocity_iterations": 0}, "solver iterations .* must be 1 or more"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StumpTracks(**options)


def test_an_unknown_body_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown body 'big_quadro'\. .*'big_quadru'"):
        StumpTracks("big_quadro")


def test_a_step_before_the_first_reset_is_refused() -> None:
    with pytest.raises(gym.error.ResetNeeded, match="call reset"):
        StumpTracks().step(STILL)
    with pytest.raises(gym.error.ResetNeeded, match="call reset"):
        StumpTracks(render_mode="rgb_array").render()


def test_solver_iterations_are_those_of_the_published_worlds_unless_chosen() -> None:
    published = play(StumpTracks(velocity_iterations=180, position_iterations=60), 7, TASK)
    assert play(StumpTracks(), 7, TASK) == published
    assert play(StumpTracks(velocity_iterations=8, position_iterations=3), 7, TASK) != published
