"""Steps as they were played, kept until a teacher asks for them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from teachrl.rollouts import Transitions
from teachrl.students.observations import put_row

_COLUMNS = ("observations", "actions", "rewards", "next_observations", "terminated", "env_index")


class TransitionRecorder:
    """Collects the steps of a vectorised environment, if anybody wants them."""

    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted
        self._last: Any = None  # observations that the next actions answer
        self._steps: list[Transitions] = []

    def record(
        self, actions: Any, observations: Any, rewards: Any, dones: Any, infos: list[Any]
    ) -> None:
        """Take in one step of every environment, before finished ones show their next task."""
        if not self.wanted:
            return
        reached, terminated = _copied(observations), np.array(dones, bool)
        for i in np.flatnonzero(dones).tolist():
            put_row(reached, i, infos[i]["terminal_observation"])
            terminated[i] = not infos[i].get("TimeLimit.truncated", False)
        self._steps.append(
            Transitions(
                observations=self._last,
                actions=np.array(actions),
                rewards=np.asarray(rewards, np.float64),
                next_observations=reached,
                terminated=terminated,
                env_index=np.arange(len(terminated)),
            )
        )

    def see(self, observations: Any) -> None:
        """Take in what the students see next: of a finished environment, its next task."""
        if self.wanted:
            self._last = _copied(observations)

    def take(self) -> Transitions:
        """Return what was recorded since the last call."""
        if not self._steps:
            raise ValueError("no step was played since the last call")
        steps, self._steps = self._steps, []
        return _joined(steps)

    def state(self) -> dict[str, Any]:
        """Return what has been recorded and not yet taken."""
        if not self.wanted:
            return {}
        recorded = _joined(self._steps) if self._steps else None
        kept = {} if recorded is None else {name: getattr(recorded, name) for name in _COLUMNS}
        return {"last": self._last, "steps": kept}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        if self.wanted:
            self._last = state["last"]
            self._steps = [Transitions(**state["steps"])] if state["steps"] else []


def _joined(steps: list[Transitions]) -> Transitions:
    return Transitions(**{name: _stacked([getattr(s, name) for s in steps]) for name in _COLUMNS})


def _stacked(values: list[Any]) -> Any:
    if isinstance(values[0], Mapping):
        return {key: np.concatenate([value[key] for value in values]) for key in values[0]}
    return np.concatenate(values)


def _copied(observations: Any) -> Any:
    if isinstance(observations, Mapping):
        return {key: np.array(value) for key, value in observations.items()}
    return np.array(observations)
