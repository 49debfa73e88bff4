"""Many environments of one kind moved by a single call, behind the same slots as any others."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import DummyVecEnv

from teachrl.envs.batched import BatchedEnv, Rows
from teachrl.spaces import Floats
from teachrl.students.task_slot import TaskSlot


class BatchedVecEnv(DummyVecEnv):
    """A ``DummyVecEnv`` whose step is one call for all environments, and gives the same bytes.

    Only the step differs: tasks begin, pictures are drawn and episodes are replayed through the
    slots, each of which keeps its episode in a row that it shares with no other.

    Args:
        slots: task slots right around environments that can be batched, with equal settings.

    >>> from teachrl.envs import PointMass
    >>> venv = BatchedVecEnv([TaskSlot(PointMass()) for _ in range(3)])
    >>> [observation for observation, _ in venv.env_method("begin", [0, 8, 0], 0)][2].shape
    (7,)
    >>> venv.step(np.zeros((3, 2)))[1].shape
    (3,)
    """

    def __init__(self, slots: Sequence[TaskSlot]) -> None:
        if not can_be_batched(slots):
            raise TypeError(
                "only environments of one kind that derive from BatchedEnv, without wrappers and "
                "with equal settings, are moved by one call: make them with make_task_vec_env"
            )
        notes = _Notes(slots)
        rows = [_RowSlot(slot, notes, i) for i, slot in enumerate(slots)]
        super().__init__([partial(_given, slot) for slot in rows])
        self._slots, self._notes = rows, notes

    def step_wait(self) -> Any:
        """Step the running episodes; slots that wait for a task show what they last showed."""
        notes, rewards = self._notes, np.zeros(self.num_envs, np.float32)
        dones = np.zeros(self.num_envs, bool)
        infos: list[dict[str, Any]] = [{"TimeLimit.truncated": False} for _ in range(self.num_envs)]
        running = np.flatnonzero(notes.rows.running)
        everywhere = len(running) == self.num_envs
        if len(running):
            which = slice(None) if everywhere else running
            played = notes.rows.step(self.actions[which], which)
            notes.observations[which] = played.observations
            notes.rewards[which] += played.rewards
            notes.lengths[which] += 1
            rewards[which] = played.rewards
            dones[which] = played.terminated | played.truncated
            for k in np.flatnonzero(played.terminated | played.truncated).tolist():
                i, ends = int(running[k]), (played.terminated[k], played.truncated[k])
                infos[i] = self._slots[i].last_info(bool(played.successes[k]), *map(bool, ends))
        return notes.observations.copy(), rewards, dones, infos


def in_one_process(make: Callable[[], TaskSlot], n: int) -> DummyVecEnv:
    """Return ``n`` slots in this process, moved by one call where their environments allow it."""
    slots = [make() for _ in range(n)]
    if can_be_batched(slots):
        return BatchedVecEnv(slots)
    return DummyVecEnv([partial(_given, slot) for slot in slots])


def can_be_batched(slots: Sequence[TaskSlot]) -> bool:
    """Tell whether one call can move all environments; wrappers would not notice."""
    first = slots[0].env
    return isinstance(first, BatchedEnv) and all(
        isinstance(slot.env, BatchedEnv)
        and type(slot.env) is type(first)
        and slot.env.is_batchable()
        and slot.env.settings == first.settings
        for slot in slots
    )


class _Notes:
    """What slots remember of their episodes, in arrays."""

    def __init__(self, slots: Sequence[TaskSlot]) -> None:
        n, world = len(slots), slots[0].env
        self.rows = Rows(world, n)  # type: ignore[arg-type]
        self.observations: Floats = np.zeros((n, *world.observation_space.shape), np.float32)  # type: ignore[misc]
        self.rewards: NDArray[np.float64] = np.zeros(n)
        self.lengths = np.zeros(n, np.int64)


class _RowSlot(TaskSlot):
    """A slot that keeps its notes in a row."""

    def __init__(self, slot: TaskSlot, notes: _Notes, row: int) -> None:
        self._notes, self._row = notes, row
        env = slot.env
        if isinstance(env, BatchedEnv):
            env.join(notes.rows, row)
        super().__init__(env, slot.source)

    def last_info(self, success: bool, terminated: bool, truncated: bool) -> dict[str, Any]:
        """Return what the info of an episode's last step holds in a ``DummyVecEnv``."""
        info = {"is_success": success}
        return info | {
            "outcome": self._outcome(info, terminated, truncated),
            "TimeLimit.truncated": truncated and not terminated,
            "terminal_observation": self._observation,
        }

    @property
    def _observation(self) -> Any:
        return self._notes.observations[self._row].copy()

    @_observation.setter
    def _observation(self, value: Any) -> None:
        self._notes.observations[self._row] = value

    @property
    def _reward(self) -> float:
        return float(self._notes.rewards[self._row])

    @_reward.setter
    def _reward(self, value: float) -> None:
        self._notes.rewards[self._row] = value

    @property
    def _length(self) -> int:
        return int(self._notes.lengths[self._row])

    @_length.setter
    def _length(self, value: int) -> None:
        self._notes.lengths[self._row] = value

    @property
    def _running(self) -> bool:
        return bool(self._notes.rows.running[self._row])

    @_running.setter
    def _running(self, value: bool) -> None:
        self._notes.rows.running[self._row] = value


def _given(slot: TaskSlot) -> TaskSlot:
    return slot
