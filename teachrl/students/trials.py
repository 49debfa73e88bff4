"""Trying a student out on tasks that nobody teaches."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachrl.spaces import Floats
from teachrl.students.task_slot import TaskSlot

Array = NDArray[np.float64]


class Trials:
    """Plays tasks in spare environments, several at a time, and tells how often they succeed.

    The longest waits for nobody: an environment that is done takes the next task.

    Args:
        slots: the environments.
        masked: whether the student is told which actions are legal.
    """

    def __init__(self, slots: list[TaskSlot], masked: bool = False) -> None:
        self.slots, self.masked = slots, masked

    def success_rates(
        self,
        act: Callable[..., NDArray[Any]],
        params: Floats,
        seeds: NDArray[np.int64],
        episodes: int,
    ) -> tuple[Array, int]:
        """Return success rates (n,) and the number of steps that were played.

        Args:
            act: maps raw observations (m, …), and ``action_masks`` if masked, to actions (m, …).
            params: tasks (n, d).
            seeds: of every episode on each task, (n,).
            episodes: on each task.
        """
        outcomes = np.full((len(params), episodes), np.nan)
        waiting = [(i, k) for i in range(len(params)) for k in range(episodes)][::-1]
        running: dict[int, tuple[int, int]] = {}
        seen: dict[int, Any] = {}
        steps = 0
        while waiting or running:
            for slot in range(len(self.slots)):
                if slot not in running and waiting:
                    running[slot] = i, _ = waiting.pop()
                    seen[slot], _ = self.slots[slot].begin(params[i], int(seeds[i]))
            chosen = sorted(running)
            actions = act(_rows([seen[slot] for slot in chosen]), **self._masks(chosen))
            for slot, action in zip(chosen, actions, strict=True):
                seen[slot], _, terminated, truncated, info = self.slots[slot].step(action)
                steps += 1
                if terminated or truncated:
                    success = info["outcome"]["success"]
                    outcomes[running.pop(slot)] = np.nan if success is None else float(success)
        return outcomes.mean(axis=1), steps

    def _masks(self, chosen: list[int]) -> dict[str, Any]:
        if not self.masked:
            return {}
        rows = [self.slots[slot].get_wrapper_attr("action_masks")() for slot in chosen]
        return {"action_masks": np.stack(rows)}


def _rows(observations: list[Any]) -> Any:
    if isinstance(observations[0], dict):
        return {key: np.stack([row[key] for row in observations]) for key in observations[0]}
    return np.stack(observations)
