"""A hand-made curriculum, the baseline of Portelas et al. (2019, arXiv 1910.07224)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachrl.core import Episode, Task, Teacher
from teachrl.teachers.hyperparameters import require_count, require_number

Array = NDArray[np.float64]


@dataclass(kw_only=True)
class Oracle(Teacher):
    """Samples a window uniformly, and moves it towards harder tasks when the student does well.

    The expert's knowledge is ``step``: which way tasks become harder, and how fast to go. The
    window starts in the easiest corner. Sizes are shares of a parameter's range: the published
    curriculum of Stump Tracks, [0.1, -0.2] on ranges of 3 and 6, is ``(1 / 30, -1 / 30)``.

    >>> from teachrl import TaskSpace
    >>> from teachrl.seeding import stream
    >>> space = TaskSpace(stump_height=(0, 3), obstacle_spacing=(0, 6))
    >>> teacher = Oracle(step={"stump_height": 1 / 30, "obstacle_spacing": -1 / 30})
    >>> task = teacher.start(space, stream(0, "teacher")).sample()
    >>> bool(task.params[0] <= 0.5), bool(task.params[1] >= 5.0)
    (True, True)
    """

    window: float = 1 / 6  # its size in every dimension
    step: float | tuple[float, ...] | dict[str, float] = 1 / 30  # for all, each coordinate, or name
    every: int = 50  # episodes between two decisions
    threshold: float = 0.76  # mean scaled reward to move at; a return of 230 in [-150, 350]

    def reset(self) -> None:
        """Put the window in the easiest corner."""
        require_number(self, "window", 0.001, 1.0)
        require_number(self, "threshold", 0.0, 1.0)
        require_count(self, "every")
        self.corner: Array = np.where(self._steps() < 0, 1.0 - self.window, 0.0)
        self.moves = 0
        self.rewards: list[float] = []  # scaled, since the last decision

    def sample(self) -> Task:
        """Draw a task uniformly from the window."""
        point = self.corner + self.window * self.rng.random(self.space.shape)
        return Task(self.space.denormalize(point), origin=f"window {self.moves}")

    def update(self, episode: Episode) -> None:
        """Count the episode, and perhaps move the window, at most to the hardest corner."""
        self.rewards.append(self.scale(episode.reward))
        if len(self.rewards) < self.every:
            return
        if np.mean(self.rewards) > self.threshold:
            self.corner = np.clip(self.corner + self._steps(), 0.0, 1.0 - self.window)
            self.moves += 1
        self.rewards = []

    def belief(self) -> dict[str, Array]:
        """Return the window's corners: ``low`` and ``high``, (1, d)."""
        return {"low": self.corner[None], "high": self.corner[None] + self.window}

    def metrics(self) -> dict[str, float]:
        """Return how often the window has moved."""
        return {"moves": float(self.moves)}

    def _steps(self) -> Array:
        """Return the step along each coordinate."""
        step = self.step
        if isinstance(step, Mapping):
            if wrong := step.keys() ^ self.space.parameters.keys():
                raise ValueError(
                    f"Oracle.step must name each of {', '.join(self.space.parameters)}; "
                    f"check {', '.join(sorted(wrong))}"
                )
            sizes = [p.size for p in self.space.parameters.values()]
            step = tuple(np.repeat([step[name] for name in self.space.parameters], sizes))
        d = self.space.dimensions
        given = np.asarray(step)
        is_numeric = given.dtype.kind in "iuf" and given.shape in ((), (d,))
        if not is_numeric or not np.isfinite(given).all():
            raise ValueError(
                f"Oracle.step must be one number, or one for each of {d} coordinates, or one for "
                f"each parameter by name, got {self.step!r}"
            )
        return np.broadcast_to(given, d).astype(np.float64)
