"""Worlds calculated in arrays: one environment alone, or many at once, equal to the last bit."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from teachrl.spaces import Floats, TaskSpace

from .drawing import Image

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Which = slice | NDArray[np.intp]


class Moves(NamedTuple):
    """What one step does to n states."""

    states: Array  # (n, s)
    rewards: Array  # (n,)
    terminated: Flags  # (n,)
    successes: Flags  # (n,); that of an episode's last step is the episode's


class BatchedEnv(gym.Env[Floats, Floats]):
    """An environment whose dynamics work on many states at once.

    By itself it is an ordinary Gymnasium environment. ``make_task_vec_env`` lets several of them
    share one :class:`Rows`, where a single call moves all of them. Each draws its randomness from
    its own generator when an episode begins, noise of all steps included, so that the same seed
    gives the same episode alone and among others.

    A subclass declares ``task_space``, ``reward_range``, ``mastery_threshold``, the two spaces of
    Gymnasium, ``default_task`` and the class variables below, and writes :meth:`start`,
    :meth:`move`, :meth:`observe` and :meth:`draw`. All but the first work row by row: what they
    return for one row must not depend on the others.

    Args:
        render_mode: None or ``"rgb_array"``, which needs no display.
        **settings: whatever the dynamics depend on beside the task; only environments of equal
            settings are moved together.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - as Gymnasium declares it
        "render_modes": ["rgb_array"],
        "render_fps": 10,
    }
    task_space: TaskSpace
    default_task: Floats
    state_size: ClassVar[int]
    noise_shape: ClassVar[tuple[int, ...]] = (0,)  # of one step
    max_episode_steps: ClassVar[int]

    def __init__(self, *, render_mode: str | None = None, **settings: Any) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            modes = self.metadata["render_modes"]
            raise ValueError(f"render_mode must be None or one of {modes}, got {render_mode!r}")
        self.render_mode, self.settings = render_mode, settings
        self.task = self.default_task
        self.rows, self.row = Rows(self, 1), 0

    @abstractmethod
    def start(self, task: Array, rng: np.random.Generator) -> Array:
        """Return the state (s,) in which an episode of a task (d,) begins."""

    @abstractmethod
    def move(self, states: Array, tasks: Array, actions: Array, noise: Array) -> Moves:
        """Step states (n, s) on tasks (n, d); ``noise`` is (n, *noise_shape), standard normal."""

    @abstractmethod
    def observe(self, states: Array, tasks: Array) -> Array:
        """Return what is observed (n, k) of states (n, s) on tasks (n, d)."""

    @abstractmethod
    def draw(self, state: Array, task: Array) -> Image:
        """Return a picture (height, width, 3) of a state (s,) on a task (d,)."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Begin an episode on ``options["task"]``, or on the last task if there is none."""
        super().reset(seed=seed)
        if options is not None and "task" in options:
            self.task = self.task_space.require(options["task"]).copy()
        self._noise_seed: int | None = None
        return self.rows.begin(self.row, self.task, self.np_random), {}

    def step(self, action: Floats) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Move by one step; the last ``info`` of an episode has ``is_success``."""
        if not self.rows.running[self.row]:
            raise ResetNeeded("no episode is running: call reset() before step()")
        actions = np.asarray(action)[None]
        played = self.rows.step(actions, np.array([self.row]))
        [reward], [terminated], [truncated] = played.rewards, played.terminated, played.truncated
        info = {"is_success": bool(played.successes[0])} if terminated or truncated else {}
        return played.observations[0], float(reward), bool(terminated), bool(truncated), info

    def render(self) -> Image | None:
        """Return a picture as an RGB array, if ``render_mode`` says so."""
        if self.render_mode is None:
            gym.logger.warn("render() does nothing without render_mode='rgb_array'")
            return None
        if not self.rows.begun[self.row]:
            raise ResetNeeded("there is nothing to see yet: call reset() before render()")
        return self.draw(self.rows.states[self.row], self.rows.tasks[self.row])

    def save_snapshot(self) -> dict[str, Any]:
        """Return the state of the running episode; its noise follows from its seed."""
        rows, row = self.rows, self.row
        return {
            "state": rows.states[row].copy(),
            "step": int(rows.steps[row]),
            "running": bool(rows.running[row]),
            "noise_seed": self._noise_seed,
        }

    def load_snapshot(self, state: Mapping[str, Any], seed: int | None = None) -> None:
        """Go on from :meth:`save_snapshot`, after a reset with that episode's task and seed.

        Args:
            state: what was saved.
            seed: of the noise from here on; None: as it was.
        """
        rows, row = self.rows, self.row
        rows.states[row], rows.steps[row] = state["state"], state["step"]
        rows.running[row] = state["running"]
        self._noise_seed = state["noise_seed"] if seed is None else seed
        if self._noise_seed is not None:
            noise = np.random.default_rng(self._noise_seed).standard_normal(rows.noise[row].shape)
            rows.noise[row] = noise

    def join(self, rows: "Rows", row: int) -> None:
        """Play in ``rows`` from the next reset on."""
        self.rows, self.row = rows, row

    @classmethod
    def is_batchable(cls) -> bool:
        """Tell whether many can be moved by one call; not if a subclass has its own loop."""
        return cls.step is BatchedEnv.step and cls.reset is BatchedEnv.reset

    def _space_of(self, low: list[float], high: list[float], action: float) -> None:
        """Declare a box of states, to which the task is appended, and a square of actions."""
        space = self.task_space
        bounds = (np.append(low, space.low), np.append(high, space.high))
        lowest, highest = (side.astype(np.float32) for side in bounds)
        self.observation_space = gym.spaces.Box(lowest, highest, dtype=np.float32)
        self.action_space = gym.spaces.Box(-action, action, (2,), np.float32)


class Played(NamedTuple):
    """What one step shows of n environments."""

    observations: Floats  # (n, k)
    rewards: Array  # (n,)
    terminated: Flags  # (n,)
    truncated: Flags  # (n,)
    successes: Flags  # (n,)


class Rows:
    """The running episodes of ``n`` environments with the same dynamics, a row for each."""

    def __init__(self, world: BatchedEnv, n: int) -> None:
        limit = world.max_episode_steps
        self.world, self.limit = world, limit
        self.states = np.zeros((n, world.state_size))
        self.tasks = np.zeros((n, world.task_space.dimensions))
        self.noise = np.zeros((n, limit, *world.noise_shape))  # of all steps of the episodes
        self.steps = np.zeros(n, np.int64)
        self.running, self.begun = np.zeros(n, bool), np.zeros(n, bool)
        self._numbers = np.arange(n)

    def begin(self, row: int, task: Floats, rng: np.random.Generator) -> Floats:
        """Begin an episode in a row, and return its first observation."""
        self.tasks[row] = task
        self.states[row] = self.world.start(self.tasks[row], rng)
        if self.noise[row].size:
            self.noise[row] = rng.standard_normal(self.noise[row].shape)
        self.steps[row], self.running[row], self.begun[row] = 0, True, True
        observation: Floats = self._observed(slice(row, row + 1))[0]
        return observation

    def step(self, actions: NDArray[Any], which: Which = slice(None)) -> Played:
        """Step the rows ``which``, all of which must be running."""
        self._require_sense(actions, which)
        tasks, steps = self.tasks[which], self.steps[which]
        noise = self.noise[self._numbers[which], steps]
        moves = self.world.move(self.states[which], tasks, actions.astype(np.float64), noise)
        self.states[which] = moves.states
        self.steps[which] = steps = steps + 1
        truncated = ~moves.terminated & (steps >= self.limit)
        self.running[which] = ~(moves.terminated | truncated)
        return Played(
            self._observed(which), moves.rewards, moves.terminated, truncated, moves.successes
        )

    def _observed(self, which: Which) -> Floats:
        return self.world.observe(self.states[which], self.tasks[which]).astype(np.float32)

    def _require_sense(self, actions: NDArray[Any], which: Which) -> None:
        expected = (len(self._numbers[which]), *(self.world.action_space.shape or ()))
        if actions.shape != expected:
            raise ValueError(f"expected actions of shape {expected}, got {actions.shape}")
        if not np.isfinite(actions).all():
            raise ValueError(
                f"an action must be finite, got {actions}; check the policy that made it"
            )
