"""Steps as they were played, kept until a teacher asks for them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from teachrl.core import Episode
from teachrl.rollouts import Transitions
from teachrl.students.observations import get_row, put_row
from teachrl.students.whole_episodes import UNASKED

Array = NDArray[np.float64]

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


class Trajectory(NamedTuple):
    """A whole episode: what was seen, its last observation included, and what was earned."""

    episode: Episode
    observations: Any  # (n + 1, …)
    rewards: Array  # (n,)


class TrajectoryRecorder:
    """Collects whole episodes, if anybody wants them; for critics that look back on them."""

    def __init__(self, n_envs: int, wanted: bool) -> None:
        self.asked = self.wanted = wanted  # an on-policy student has all but the episodes itself
        self._observations: list[list[Any]] = [[] for _ in range(n_envs)]
        self._rewards: list[list[float]] = [[] for _ in range(n_envs)]
        self._ended: list[Trajectory] = []

    def abandon(self) -> None:
        """Drop the episodes that are running."""
        for rows in (*self._observations, *self._rewards):
            rows.clear()

    def see(self, observations: Any) -> None:
        """Take in the observations that the next actions answer."""
        if self.wanted:
            for i, seen in enumerate(self._observations):
                seen.append(_copied(get_row(observations, i)))

    def record(self, rewards: Any) -> None:
        """Take in what a step earned in every environment."""
        if self.wanted:
            for earned, reward in zip(self._rewards, np.asarray(rewards).tolist(), strict=True):
                earned.append(reward)

    def end(self, i: int, episode: Episode, last: Any) -> None:
        """Close the episode of environment ``i``, with its last observation."""
        if not self.wanted:
            return
        seen = [*self._observations[i], _copied(last)]
        if episode.task.id != UNASKED:
            self._ended.append(Trajectory(episode, _stacked_rows(seen), np.array(self._rewards[i])))
        self._observations[i].clear()
        self._rewards[i].clear()

    def take(self) -> list[Trajectory]:
        """Return the episodes that ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def state(self) -> dict[str, Any]:
        """Return the episodes that are running; those that ended must have been taken."""
        if not self.wanted:
            return {}
        seen = [_stacked_rows(rows) if rows else None for rows in self._observations]
        return {"observations": seen, "rewards": [np.array(r) for r in self._rewards]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`, which is empty where nobody wanted trajectories."""
        if self.wanted and state:
            for i, rows in enumerate(state["observations"]):
                n = len(state["rewards"][i]) + 1 if rows is not None else 0
                self._observations[i] = [get_row(rows, k) for k in range(n)]
                self._rewards[i] = [float(reward) for reward in state["rewards"][i]]


def _stacked_rows(rows: list[Any]) -> Any:
    if isinstance(rows[0], Mapping):
        return {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    return np.stack(rows)


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
