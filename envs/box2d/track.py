"""The track that a body walks along: its dynamics, what is observed, and how it is rewarded."""

from collections.abc import Mapping
from functools import partial
from math import isfinite
from pathlib import Path
from struct import Struct
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from Box2D import b2
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box
from numpy.typing import NDArray

from teachrl.spaces import Floats, TaskSpace
from teachrl.targets import Target

from ..bodies import BODIES
from ..bodies.body import Body
from .constants import (
    FINISH_X,
    FPS,
    KICK,
    LIDAR_RAYS,
    POSITION_ITERATIONS,
    SCALE,
    START_PAD,
    TERRAIN_HEIGHT,
    TERRAIN_STEP,
    VELOCITY_ITERATIONS,
    VIEWPORT,
)
from .contacts import is_touching
from .lidar import fan, scan
from .parameters import PARAMETERS, easiest_task, known_space
from .rendering import Image, Renderer
from .terrain import Terrain, generate

Actions = NDArray[np.floating[Any]]

HULL_READINGS = 4
ANGULAR = 2.0 / FPS  # scales of the velocities, as in Gymnasium's walker
HORIZONTAL = 0.3 * VIEWPORT[0] / SCALE / FPS
VERTICAL = 0.3 * VIEWPORT[1] / SCALE / FPS
PROGRESS = 130 / SCALE  # reward per unit walked
UPRIGHT = 5.0  # reward per radian that the hull is nearer to level
FALL = -100.0


class Track(gym.Env[Floats, Actions]):
    """A body with motors walks to the right over obstacles that the task describes.

    Not used by itself: a subclass declares the task space. The observation holds, in this order,
    the hull's angle and scaled angular, horizontal and vertical velocity; for each motor its angle
    and scaled speed, and whether its sensor touches anything; and ten lidar fractions.

    Args:
        body: Who walks: big_quadru, classic_bipedal, old_big_quadru, old_classic_bipedal,
            small_bipedal or spider.
        task_space: Other parameters and ranges: of obstacle_spacing, poly_shape, roughness,
            stump_height, stump_rot, stump_seq and stump_width; of ObstacleTracks, its own.
        render_mode: None, ``"rgb_array"`` (needs no display) or ``"human"``.
        velocity_iterations: Of Box2D's solver; the published worlds use 180.
        position_iterations: Of Box2D's solver; the published worlds use 60.
        max_episode_steps: After which an episode is truncated.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - as Gymnasium declares it
        "render_modes": ["human", "rgb_array"],
        "render_fps": FPS,
    }
    task_space: TaskSpace
    parameters: ClassVar[Mapping[str, int]] = PARAMETERS  # that a task space may have
    reward_range: ClassVar[tuple[float, float]] = (-150.0, 350.0)
    mastery_threshold: ClassVar[float] = 230.0  # an episode is mastered when its return is above
    test_set: ClassVar[Path]
    target: ClassVar[Target] = Target.uniform()

    def __init__(
        self,
        body: str = "old_classic_bipedal",
        *,
        task_space: TaskSpace | None = None,
        render_mode: str | None = None,
        velocity_iterations: int = VELOCITY_ITERATIONS,
        position_iterations: int = POSITION_ITERATIONS,
        max_episode_steps: int = 2000,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            modes = self.metadata["render_modes"]
            raise ValueError(f"render_mode must be None or one of {modes}, got {render_mode!r}")
        if min(velocity_iterations, position_iterations, max_episode_steps) < 1:
            raise ValueError("solver iterations and max_episode_steps must be 1 or more")
        self._make_body: type[Body] = BODIES[body]
        if task_space is not None:
            self.task_space = known_space(task_space, self.parameters)
        self.default_task = easiest_task(self.task_space)
        self.task = self.default_task
        self.render_mode = render_mode
        self.max_episode_steps = max_episode_steps
        self._solver = (1 / FPS, velocity_iterations, position_iterations)
        self._rays = fan()
        self._motors: list[tuple[Any, float, float, Any | None]] = []
        self._renderer: Renderer | None = None
        self._pad = max(START_PAD, self._make_body.width / TERRAIN_STEP + 5) * TERRAIN_STEP
        example = self._make_body(b2.world(), 0.0, 0.0)  # its size is known once it is built
        readings = HULL_READINGS + example.observation_size
        size = readings + LIDAR_RAYS
        self._observation = np.zeros(size, np.float32)
        # Twice as fast as assigning a list to a slice.
        self._write = partial(Struct(f"{readings}f").pack_into, self._observation.data, 0)
        self.observation_space = Box(-np.inf, np.inf, (size,), np.float32)
        self.action_space = Box(-1.0, 1.0, (len(example.motors),), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Build a new world for ``options["task"]``, or for the last task if there is none."""
        super().reset(seed=seed)
        if options is not None and "task" in options:
            self.task = self.task_space.require(options["task"]).copy()
        self._build_world()
        self._steps, self._return = 0, 0.0
        self._drive(np.zeros(len(self._motors)))
        observation = self._advance()
        if self.render_mode == "human":
            self.render()
        return observation, {}

    def step(self, action: Actions) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Drive the motors for 1/50 s.

        The last ``info`` of an episode says whether its return was above the mastery threshold,
        under both names in use; the others are empty.
        """
        effort, before = self._drive(action), self._score
        observation = self._advance()
        reward = self._score - before - effort * self.body.cost
        terminated = self._x > FINISH_X
        if self._has_fallen():
            reward, terminated = FALL, True
        self._steps += 1
        self._return += reward
        truncated = not terminated and self._steps >= self.max_episode_steps
        info = {}
        if terminated or truncated:
            mastered = self._return > self.mastery_threshold
            info = {"is_success": mastered, "mastered": mastered}
        if self.render_mode == "human":
            self.render()
        return observation, reward, terminated, truncated, info

    def render(self) -> Image | None:
        """Return a picture, (400, 600, 3), or show it in a window, as ``render_mode`` says."""
        if self.render_mode is None:
            gym.logger.warn("render() does nothing without render_mode='rgb_array' or 'human'")
            return None
        if not self._motors:
            raise self._refusal(None)
        if self._renderer is None:
            self._renderer = Renderer(self.render_mode)
        fractions = self._observation[-LIDAR_RAYS:, None]
        hull = np.array(self.body.hull.position)
        return self._renderer.draw(self.terrain, self.body, hull + self._rays * fractions)

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _build_world(self) -> None:
        """Draw a track and put the body at its start.

        In a new world each time: what a used one went through would show in the last digits of an
        episode.
        """
        world = b2.world()
        self.terrain = self._draw_terrain()
        self.terrain.build(world)
        self._segments = self.terrain.segments()
        self.body = self._make_body(world, self._pad / 2, TERRAIN_HEIGHT)
        hull = self.body.hull
        hull.ApplyForceToCenter((self.np_random.uniform(-KICK, KICK), 0.0), True)
        self._motors = [tuple(motor) for motor in self.body.motors]  # a plain tuple unpacks faster
        self._position, self._velocity = hull.position, hull.linearVelocity  # they follow the hull
        self._world = world

    def _draw_terrain(self) -> Terrain:
        return generate(self.task_space.unpack(self.task), self._pad, self.np_random)

    def _drive(self, action: Actions) -> float:
        """Set the motors: the sign of an action is a direction, its size a share of the torque."""
        values = np.asarray(action).tolist()
        if len(values) != len(self._motors):
            raise self._refusal(action)
        effort, torque = 0.0, self.body.torque
        for value, (joint, speed, _, _) in zip(values, self._motors, strict=True):
            power = abs(value)
            if not power <= 1.0:
                power = _clipped(power)
            effort += power
            joint.motorSpeed = speed if value > 0.0 else -speed if value < 0.0 else 0.0
            joint.maxMotorTorque = torque * power
        return effort

    def _refusal(self, action: Any) -> Exception:
        if not self._motors:
            return ResetNeeded("there is no world yet: call reset() before step() and render()")
        n, shape = len(self._motors), np.shape(action)
        return ValueError(f"expected an action of {n} numbers, one per motor; got shape {shape}")

    def _advance(self) -> Floats:
        """Let the world go on by one step and return what is observed of it."""
        self._world.Step(*self._solver)
        hull, velocity, x = self.body.hull, self._velocity, self._position.x
        angle = hull.angle
        values = [
            angle,
            hull.angularVelocity * ANGULAR,
            velocity.x * HORIZONTAL,
            velocity.y * VERTICAL,
        ]
        for joint, speed, offset, sensor in self._motors:
            values.append(joint.angle + offset)
            values.append(joint.speed / speed)
            if sensor is not None:
                values.append(1.0 if is_touching(sensor) else 0.0)
        self._write(*values)
        scan(self._segments, self._rays, x, self._position.y, self._observation)
        self._x, self._score = x, PROGRESS * x - UPRIGHT * abs(angle)
        return self._observation.copy()

    def _has_fallen(self) -> bool:
        return self._x < 0.0 or any(map(is_touching, self.body.critical))


def _clipped(power: float) -> float:
    """Return full power, or raise if ``power`` is no number: Box2D would spread it silently."""
    if not isfinite(power):
        raise ValueError(f"an action must be finite, got {power}; check the policy that made it")
    return 1.0
