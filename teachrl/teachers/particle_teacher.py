"""What CURROT and GRADIENT share (Klink et al., 2023, arXiv 2309.14091)."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from teachrl.core import Episode, Task, Teacher
from teachrl.spaces import Floats
from teachrl.targets import Target
from teachrl.teachers.hyperparameters import (
    require_choice,
    require_count,
    require_gaussian,
    require_number,
    require_target,
)
from teachrl.teachers.successes import require_success

Array = NDArray[np.float64]
Signal = Literal["reward", "success"]


@dataclass(kw_only=True)
class ParticleTeacher(Teacher):
    """Samples from a set of tasks, its particles, and moves them towards the target.

    They move after every ``update_every`` episodes, as far as the student's outcomes allow: what
    that means is up to subclasses. An outcome is the scaled reward of an episode, or else whether
    it was a success.
    """

    n_particles: int = 100
    update_every: int = 20  # episodes between two updates
    threshold: float = 0.5  # outcome that is good enough; of rewards, the middle of their range
    signal: Signal = "reward"  # what an outcome is
    initial_mean: tuple[float, ...] | None = None  # first tasks, in task units; None: uniform
    initial_std: tuple[float, ...] | None = None  # of these, as shares of the range
    target_mean: tuple[float, ...] | None = None  # in task units; None: the environment's target
    target_std: tuple[float, ...] | None = None  # of these, as shares of the range

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override] # depends on what an outcome is
        """Return ``success`` if that is what outcomes are."""
        return frozenset({"success"} if self.signal == "success" else ())

    @abstractmethod
    def advance(self, points: Array, outcomes: Array) -> None:
        """Learn from the tasks (m, d), in unit coordinates, and the outcomes (m,) of a batch."""

    def reset(self) -> None:
        """Draw the first particles."""
        self._require_sense()
        self.particles: Array = self._first()
        self.recent: Array = np.zeros((self.update_every, self.space.dimensions + 1))
        self.n_recent = 0

    def sample(self) -> Task:
        """Choose a particle."""
        point = self.draw(self.rng, 1)[0]
        return Task(self.space.denormalize(point), origin="particle")

    def update(self, episode: Episode) -> None:
        """Note the outcome of an episode, and update the particles if it is time."""
        point = self.space.normalize(episode.task.params)
        self.recent[self.n_recent] = *point, self._outcome(episode)
        self.n_recent += 1
        if self.n_recent == self.update_every:
            self.n_recent = 0
            self.advance(self.recent[:, :-1].copy(), self.recent[:, -1].copy())
            self.particles = self.space.canonical(self.particles)  # where their outcomes are noted

    def preview(self, n: int, rng: np.random.Generator) -> Floats:
        """Return ``n`` tasks (n, d) as it would sample now."""
        return self.space.denormalize(self.draw(rng, n))

    def belief(self) -> dict[str, NDArray[Any]]:
        """Return the particles: ``points`` (n, d)."""
        return {"points": self.particles}

    def draw(self, rng: np.random.Generator, n: int) -> Array:
        """Draw ``n`` points (n, d) of what it would sample now."""
        return self.particles[rng.integers(self.n_particles, size=n)]

    def draw_target(self, n: int) -> Array:
        """Draw ``n`` points (n, d) of the target, evenly over its Gaussians."""
        aim = require_target(self)
        return aim.draw_evenly(self.space, self.rng, n)

    def _outcome(self, episode: Episode) -> float:
        reward = self.scale(episode.reward)  # which refuses what is not finite
        return reward if self.signal == "reward" else float(require_success(self, episode))

    def _first(self) -> Array:
        """Draw the initial particles."""
        if self.initial_mean is None or self.initial_std is None:
            return self.space.canonical(self.rng.random((self.n_particles, self.space.dimensions)))
        start = Target.gaussians([self.initial_mean], self.initial_std)
        return start.draw(self.space, self.rng, self.n_particles)

    def _require_sense(self) -> None:
        """Refuse hyper-parameters that cannot work in this space."""
        require_count(self, "n_particles")
        require_count(self, "update_every")
        require_number(self, "threshold", 1e-6, 1.0)
        require_choice(self, "signal", get_args(Signal))
        require_gaussian(self, "initial")
        require_target(self)
