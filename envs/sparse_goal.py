"""A walk round a square to a place that only arriving reveals (Klink et al., 2022)."""

from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from teachrl.spaces import TaskSpace
from teachrl.targets import Target

from .batched import Array, BatchedEnv, Flags, Moves
from .drawing import BODY, FLAG, GRASS, PAPER, WALL, Canvas, Image

OUTER, INNER = 7.0, 5.0  # the corridor lies between the squares |x|, |y| < 5 and |x|, |y| <= 7
LONGEST_STEP = 0.3
EDGE = 9.0  # destinations may lie in the walls as well

_ASSETS = Path(__file__).parent / "assets"
_TIGHT = 0.05  # the tolerance that matters


def _along_the_corridor() -> Target:
    """Return narrow Gaussians, one for each unit of the corridor's middle line.

    The published target is uniform over the corridor; about 99 in 100 draws of this one lie in it.
    """
    middle = (INNER + OUTER) / 2
    side = np.arange(-middle, middle)
    ends = np.full(len(side), middle)
    corners = [(side, -ends), (ends, side), (-side, ends), (-ends, -side)]
    means = np.concatenate([np.stack(part, axis=1) for part in corners])
    tight = np.full((len(means), 1), _TIGHT)
    return Target.gaussians(
        np.hstack([means, tight]).tolist(), [0.4 / (2 * EDGE), 0.4 / (2 * EDGE), 0.0005]
    )


class SparseGoal(BatchedEnv):
    """A walker in a corridor round a square looks for a destination it cannot see from afar.

    The task is the destination and how near is near enough. Many destinations lie in the walls and
    are reached only with a wide tolerance; those that matter lie in the corridor, with the
    tightest. Every step costs 1, the arriving one nothing, and 200 steps are all there is: a return
    above -200 is a success. Observed are the two coordinates and the task.

    Args:
        render_mode: None or ``"rgb_array"``.

    >>> env = SparseGoal()
    >>> _ = env.reset(seed=0, options={"task": [-6, -6, 3]})
    >>> env.step([0.5, 0])[1:]
    (0.0, True, False, {'is_success': True})
    """

    task_space: TaskSpace = TaskSpace(
        destination_x=(-EDGE, EDGE), destination_y=(-EDGE, EDGE), tolerance=(_TIGHT, 18)
    )
    reward_range: ClassVar[tuple[float, float]] = (-200.0, 0.0)
    mastery_threshold: ClassVar[float] = -199.5  # any return but the lowest
    test_sets: ClassVar[dict[str, Path]] = {
        "target": _ASSETS / "sparse_goal.csv",
        "grid": _ASSETS / "sparse_goal_grid.csv",
    }
    test_set: ClassVar[Path] = test_sets["target"]
    target: ClassVar[Target] = _along_the_corridor()
    state_size: ClassVar[int] = 2
    max_episode_steps: ClassVar[int] = 200

    def __init__(self, *, render_mode: str | None = None) -> None:
        self.default_task = np.array([-6.0, -6.0, 18.0], np.float32)
        self._space_of([-OUTER, -OUTER], [OUTER, OUTER], 1.0)
        super().__init__(render_mode=render_mode)

    def start(self, task: Array, rng: np.random.Generator) -> Array:  # noqa: ARG002
        """Begin somewhere in the lower left corner of the corridor."""
        return rng.uniform(-OUTER, -INNER, 2)

    def move(self, states: Array, tasks: Array, actions: Array, noise: Array) -> Moves:  # noqa: ARG002
        """Walk by up to 0.3 in any direction; who would walk into a wall stays."""
        wanted = np.clip(actions, -1.0, 1.0)
        length = np.sqrt(wanted[:, :1] ** 2 + wanted[:, 1:] ** 2)
        reached = states + LONGEST_STEP * wanted / np.maximum(length, 1.0)
        moved = np.where(is_free(reached)[:, None], reached, states)
        away = moved - tasks[:, :2]
        arrived = np.sqrt(away[:, 0] ** 2 + away[:, 1] ** 2) <= tasks[:, 2]
        return Moves(moved, np.where(arrived, 0.0, -1.0), arrived, arrived)

    def observe(self, states: Array, tasks: Array) -> Array:
        """Return the position and the task."""
        return np.concatenate([states, tasks], axis=1)

    def draw(self, state: Array, task: Array) -> Image:
        """Show the corridor from above."""
        canvas = Canvas((-EDGE - 1, -EDGE - 1), (EDGE + 1, EDGE + 1))
        canvas.rectangle((-EDGE - 1, -EDGE - 1), (EDGE + 1, EDGE + 1), WALL)
        canvas.rectangle((-OUTER, -OUTER), (OUTER, OUTER), PAPER)
        canvas.rectangle((-INNER, -INNER), (INNER, INNER), WALL)
        x, y, tolerance = task.tolist()
        canvas.ring((x, y), tolerance, GRASS, 0.12)
        canvas.disc((x, y), 0.2, FLAG)
        canvas.disc((float(state[0]), float(state[1])), 0.3, BODY)
        return canvas.picture()


def is_free(places: NDArray[np.float64]) -> Flags:
    """Tell which of the places (n, 2) lie in the corridor."""
    far = np.maximum(np.abs(places[:, 0]), np.abs(places[:, 1]))
    return (far >= INNER) & (far <= OUTER)
