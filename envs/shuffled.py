"""A task space whose neighbours are no neighbours (Romac et al., 2021, arXiv 2103.09815)."""

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import ArrayLike, NDArray

from teachrl.seeding import stream
from teachrl.spaces import Floats, TaskSpace
from teachrl.targets import Target

_WITHIN = 1e-6  # of a slice, kept from its ends: float32 shall not round a task into the next one


class ShuffledTasks(gym.Wrapper[Any, Any, Any, Any]):
    """Cuts every parameter's range into slices and puts them into another order.

    A teacher of this environment finds easy and hard tasks side by side. The space keeps its names
    and bounds; :meth:`unshuffled` tells which task is played, and :meth:`shuffled`, its inverse,
    where a task of the inner environment has gone, for an expert's hints and for test sets. A
    target moves along.

    Args:
        env: declares ``task_space``.
        slices: of every parameter, all of the same width in unit coordinates.
        seed: of their order, which is another one for every parameter.

    >>> from teachrl.envs import ToyEnv
    >>> env = ShuffledTasks(ToyEnv(), seed=0)
    >>> env.order.tolist()
    [[2, 1, 3, 0], [1, 2, 3, 0]]
    >>> env.unshuffled([0.05, 0.05]).round(2)
    array([0.55, 0.3 ], dtype=float32)
    >>> env.shuffled([0.05, 0.05]).round(2)
    array([0.8, 0.8], dtype=float32)
    """

    test_set = None  # that of the inner environment names other tasks here

    def __init__(self, env: gym.Env[Any, Any], slices: int = 4, seed: int = 0) -> None:
        super().__init__(env)
        space: TaskSpace = env.get_wrapper_attr("task_space")
        if isinstance(slices, bool) or not isinstance(slices, int) or slices < 1:
            raise ValueError(f"slices must be a whole number of at least 1, got {slices!r}")
        for name, p in space.parameters.items():
            if p.kind == "int" and (p.high - p.low + 1) % slices:
                raise ValueError(
                    f"the {p.high - p.low + 1:g} values of task parameter {name!r} cannot be cut "
                    f"into {slices} equal slices: choose another number of slices"
                )
        rng = stream(seed, "shuffled tasks")
        self.task_space = space
        self.slices = slices
        self.order = np.array([rng.permutation(slices) for _ in range(space.dimensions)])
        self._inverse = self.order.argsort(axis=1)
        self.target = self._moved(env)
        if env.has_wrapper_attr("default_task"):
            self.default_task = self.shuffled(env.get_wrapper_attr("default_task"))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode on the task that ``options["task"]`` stands for, if it is given."""
        if options is not None and "task" in options:
            task = self.task_space.require(options["task"])
            options = {**options, "task": self.unshuffled(task)}
        observation, info = self.env.reset(seed=seed, options=options)
        if "snapshot" in info and "task" in info:  # which the snapshot brings
            info = info | {"task": self.shuffled(info["task"])}
        return observation, info

    def unshuffled(self, params: ArrayLike) -> Floats:
        """Return the inner environment's tasks (…, d) that tasks of this space stand for."""
        return self._mapped(params, self.order)

    def shuffled(self, params: ArrayLike) -> Floats:
        """Return the tasks of this space (…, d) that stand for the inner environment's."""
        return self._mapped(params, self._inverse)

    def _mapped(self, params: ArrayLike, order: NDArray[np.int64]) -> Floats:
        scaled = self.task_space.normalize(params) * self.slices
        slices = np.minimum(scaled.astype(np.int64), self.slices - 1)
        within = np.clip(scaled - slices, _WITHIN, 1 - _WITHIN)
        new = order[np.arange(self.task_space.dimensions), slices]
        return self.task_space.denormalize((new + within) / self.slices)

    def _moved(self, env: gym.Env[Any, Any]) -> Target | None:
        target: Target | None = (
            env.get_wrapper_attr("target") if env.has_wrapper_attr("target") else None
        )
        if target is None or not target.means:
            return target
        return Target.gaussians(self.shuffled(np.array(target.means)).tolist(), target.stds)
