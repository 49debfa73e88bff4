"""Where to begin as a parameter of the task, for teachers to choose."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachrl.seeding import stream
from teachrl.snapshots.library import SnapshotLibrary
from teachrl.snapshots.recording import Env
from teachrl.snapshots.resets import SnapshotStart
from teachrl.spaces import Floats, TaskSpace

NAME = "start"  # of the parameter


class SnapshotTasks(SnapshotStart):
    """A task is what it was, and the cluster of snapshots to begin from.

    The parameter ``start`` is 0 for an ordinary start, and k for the k-th cluster of the library,
    which are in the order of their values. A teacher that tracks progress, such as ALP-GMM or PLR,
    thus finds out by itself from where its student learns.

    A snapshot brings its own task: of the chosen cluster, one is drawn among those whose task is
    the nearest to the parameters asked for, and the info of the first step says in ``task`` what is
    played. Which one is drawn follows from the seed, so that a task played again with its seed is
    the same again, and so is the one that was played instead.

    These episodes are what the teacher asked for, so it hears how they went, on the task that was
    played: their infos say ``by_task=True`` beside ``partial=True``. In the record of a run they
    are the rows in which ``start`` is not 0.

    Args:
        env: with or without a task space of its own.
        library: or its folder; its clusters are the starts to choose from.
        horizon: see :class:`SnapshotResets`.
        reseed: see :class:`SnapshotResets`.
        reward_range: lowest and highest return, where the environment declares none.
        mastery_threshold: a return above it, from an ordinary start, is mastery, likewise.

    >>> import gymnasium as gym
    >>> from teachrl.snapshots.exploring import explore
    >>> library = explore(lambda: gym.make("MountainCar-v0"), episodes=1, every=20, clusters=3)
    >>> env = SnapshotTasks(gym.make("MountainCar-v0"), library, reward_range=(-200, 0))
    >>> env.task_space
    TaskSpace(start=(0, 3, 'int'))
    >>> env.reset(seed=0, options={"task": [2]})[1]["by_task"]
    True
    """

    def __init__(
        self,
        env: Env,
        library: SnapshotLibrary | Path | str,
        *,
        horizon: int | None = None,
        reseed: bool = True,
        reward_range: tuple[float, float] | None = None,
        mastery_threshold: float | None = None,
    ) -> None:
        super().__init__(env, library, horizon, reseed)
        inner = env.get_wrapper_attr("task_space") if env.has_wrapper_attr("task_space") else None
        self.inner_space: TaskSpace | None = inner
        parameters: dict[str, Any] = dict(inner.parameters) if inner is not None else {}
        if NAME in parameters:
            raise ValueError(f"the environment's own task has a parameter {NAME!r}: rename it")
        parameters[NAME] = (0, max(1, self.library.n_clusters), "int")
        self.task_space = TaskSpace(**parameters)
        if reward_range is not None:
            self.reward_range = reward_range
        if mastery_threshold is not None:
            self.mastery_threshold = mastery_threshold
        self.target = None  # the inner one is of another space
        self.test_set = None
        self.default_task = np.append(self._inner_default(), 0.0).astype(np.float32)
        self.task = self.default_task
        self._tasks = self._snapshot_tasks()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin ``options["task"]``, or the last task if there is none."""
        if seed is not None:
            self._rng = stream(seed, "snapshots")
        options = dict(options or {})
        if "task" in options:
            self.task = self.task_space.require(options.pop("task")).copy()
        start = int(self.task[-1])
        if start == 0:
            self._task = self.task[:-1] if self.inner_space is not None else None
            if self._task is not None:
                options["task"] = self._task
            return self.begin_ordinarily(seed, options)
        return self.begin_at(self._draw(start - 1))

    def _marks(self) -> dict[str, Any]:
        return super()._marks() | {"by_task": True}

    def _played(self, index: int) -> dict[str, Any]:
        return {"task": self._tasks[index].copy()}

    def _draw(self, cluster: int) -> int:
        members = np.flatnonzero(self.library.clusters == cluster)
        if not len(members):
            raise ValueError(f"start {cluster + 1} has no snapshots: classify the library again")
        if self.inner_space is not None:
            asked = self.inner_space.normalize(self.task[:-1])
            theirs = self.inner_space.normalize(self._tasks[members, :-1])
            nearest = theirs[np.linalg.norm(theirs - asked, axis=1).argmin()]
            members = members[(theirs == nearest).all(axis=1)]  # the same ones if that was asked
        return int(self._rng.choice(members))

    def _inner_default(self) -> Floats:
        """Return the task that an ordinary start without a task plays."""
        if self.inner_space is None:
            return np.zeros(0, np.float32)
        for name in ("task", "default_task"):
            if self.env.has_wrapper_attr(name):
                return self.inner_space.require(self.env.get_wrapper_attr(name))
        return self.inner_space.denormalize(np.full(self.inner_space.dimensions, 0.5))

    def _snapshot_tasks(self) -> NDArray[np.float32]:
        """Return what is played from each snapshot, (n, d)."""
        rows = []
        for snapshot in self.library.snapshots:
            own = self.default_task[:-1]
            if self.inner_space is not None and snapshot.task is not None:
                own = self.inner_space.require(snapshot.task)
            rows.append(np.append(own, snapshot.cluster + 1))
        return np.array(rows, np.float32)
