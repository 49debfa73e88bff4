"""A point mass steers through a gate in a wall (Klink et al., 2020, arXiv 2004.11812)."""

from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np

from teachrl.spaces import TaskSpace
from teachrl.targets import Target

from .batched import Array, BatchedEnv, Flags, Moves
from .drawing import BODY, FLAG, INK, WALL, Canvas, Image

SUBSTEPS, DT = 10, 0.01  # seconds
FORCE = 1.5  # acceleration per unit of action
LARGEST_ACTION = 10.0
NOISE = 0.05  # standard deviation of the acceleration in every substep
ROOM = 4.0  # the mass stays within [-ROOM, ROOM]²
START = (0.0, 3.0)
DESTINATION = (0.0, -3.0)
STEEPNESS = 0.6  # the reward is exp(-STEEPNESS * distance)
ARRIVED = 0.25  # nearer than this at the end is a success

_ASSETS = Path(__file__).parent / "assets"
_GATE = {"gate_position": (-4, 4), "gate_width": (0.5, 8)}
_SPREAD = 0.01  # standard deviation of the target, in task units


class PointMass(BatchedEnv):
    """A force moves a mass from above a wall, through a gate, to a place below it.

    The task is where the gate is, how wide it is, and the friction; the tasks that matter have a
    narrow gate far to the left or far to the right, and no friction. Every one of 100 steps pays
    more the nearer the mass is to its destination; touching the wall ends the episode. Observed
    are horizontal position and velocity, vertical position and velocity, and the task. An episode
    is a success if it ends within 0.25 of the destination, and mastered with a return above 40,
    while waiting before the gate earns less than 16.

    Args:
        friction: fixed, which leaves tasks of two parameters, as in CURROT (Klink et al., 2022)
            with 0; None: the third parameter of the task, as in SPDL.
        render_mode: None or ``"rgb_array"``.

    >>> env = PointMass()
    >>> observation, _ = env.reset(seed=0, options={"task": [2.5, 1, 0]})
    >>> observation.tolist()
    [0.0, 0.0, 3.0, 0.0, 2.5, 1.0, 0.0]
    >>> PointMass(friction=0).task_space
    TaskSpace(gate_position=(-4, 4), gate_width=(0.5, 8))
    """

    task_space: TaskSpace = TaskSpace(**_GATE, friction=(0, 4))
    target: Target = Target.gaussians(
        [[-3, 0.5, 0], [3, 0.5, 0]], [_SPREAD / 8, _SPREAD / 7.5, _SPREAD / 4]
    )
    reward_range: ClassVar[tuple[float, float]] = (0.0, 100.0)
    mastery_threshold: ClassVar[float] = 40.0
    test_sets: dict[str, Path] = {  # noqa: RUF012 - as a table
        "target": _ASSETS / "point_mass.csv",
        "grid": _ASSETS / "point_mass_grid.csv",
    }
    test_set: Path = test_sets["target"]
    state_size: ClassVar[int] = 4  # x, y, and their velocities
    noise_shape: ClassVar[tuple[int, ...]] = (SUBSTEPS, 2)
    max_episode_steps: ClassVar[int] = 100

    def __init__(self, friction: float | None = None, *, render_mode: str | None = None) -> None:
        if friction is not None and not 0 <= friction < np.inf:
            raise ValueError(f"friction must be None or a number of at least 0, got {friction!r}")
        if friction is not None:
            self.task_space = TaskSpace(**_GATE)
            means = [[-3, 0.5], [3, 0.5]]
            self.target = Target.gaussians(means, [_SPREAD / 8, _SPREAD / 7.5])
            self.test_sets = {
                "target": _ASSETS / "point_mass_gate.csv",
                "grid": _ASSETS / "point_mass_gate_grid.csv",
            }
            self.test_set = self.test_sets["target"]
        easiest = [0.0, 8.0, 0.0][: self.task_space.dimensions]
        self.default_task = np.array(easiest, np.float32)
        self.friction = friction
        self._space_of([-ROOM, -np.inf] * 2, [ROOM, np.inf] * 2, LARGEST_ACTION)
        super().__init__(render_mode=render_mode, friction=friction)

    def start(self, task: Array, rng: np.random.Generator) -> Array:  # noqa: ARG002
        """Begin at rest, above the wall."""
        return np.array([*START, 0.0, 0.0])

    def move(self, states: Array, tasks: Array, actions: Array, noise: Array) -> Moves:
        """Integrate ten substeps; the wall stops a mass where it would have crossed."""
        force = FORCE * np.clip(actions, -LARGEST_ACTION, LARGEST_ACTION)
        jolts = DT * (force + NOISE * noise.swapaxes(0, 1))
        kept = 1 - DT * (self.friction if self.friction is not None else tasks[:, 2:3])
        places, velocity = np.empty((SUBSTEPS + 1, len(states), 2)), states[:, 2:]
        places[0] = states[:, :2]
        for k in range(SUBSTEPS):
            np.add(places[k], DT * velocity, out=places[k + 1])
            np.maximum(places[k + 1], -ROOM, out=places[k + 1])
            np.minimum(places[k + 1], ROOM, out=places[k + 1])
            velocity = kept * velocity + jolts[k]
        moved = np.concatenate([places[-1], velocity], axis=1)
        crashed, stopped_at = _hits(places, position=tasks[:, 0], width=tasks[:, 1])
        if crashed.any():
            moved[crashed] = 0.0  # on the wall, at rest
            moved[crashed, 0] = stopped_at[crashed]
        dx, dy = moved[:, 0] - DESTINATION[0], moved[:, 1] - DESTINATION[1]
        distance = np.sqrt(dx * dx + dy * dy)
        return Moves(moved, np.exp(-STEEPNESS * distance), crashed, distance < ARRIVED)

    def observe(self, states: Array, tasks: Array) -> Array:
        """Return position and velocity of each coordinate, and the task."""
        return np.concatenate([states[:, [0, 2, 1, 3]], tasks], axis=1)

    def draw(self, state: Array, task: Array) -> Image:
        """Show the room from above."""
        canvas = Canvas((-ROOM, -ROOM), (ROOM, ROOM))
        x, y, vx, vy = state.tolist()
        position, width = task[0], task[1]
        canvas.rectangle((-ROOM, -0.06), (position - width / 2, 0.06), WALL)
        canvas.rectangle((position + width / 2, -0.06), (ROOM, 0.06), WALL)
        canvas.ring(DESTINATION, ARRIVED, FLAG, 0.06)
        canvas.disc(START, 0.06, INK)
        canvas.line((x, y), (x + 0.3 * vx, y + 0.3 * vy), INK, 0.05)
        canvas.disc((x, y), 0.14, BODY)
        return canvas.picture()


def _hits(places: Array, position: Array, width: Array) -> tuple[Flags, Array]:
    """Return which of n masses hit the wall, (n,), and at which x.

    ``places`` (k + 1, n, 2) are those between substeps: a mass that crosses y = 0 beside the gate
    has hit the wall, the first time that it does.
    """
    crashed, stopped_at = np.zeros(len(position), bool), np.zeros(len(position))
    y = places[..., 1]
    near = np.flatnonzero((y[:-1] * y[1:] <= 0).any(axis=0))
    for i in near:
        for before, after in pairwise(places[:, i].tolist()):
            if before[1] >= 0 > after[1] or before[1] <= 0 < after[1]:
                share = before[1] / (before[1] - after[1])
                x = share * after[0] + (1 - share) * before[0]
                if abs(x - position[i]) > 0.5 * width[i]:
                    crashed[i], stopped_at[i] = True, x
                    break
    return crashed, stopped_at
