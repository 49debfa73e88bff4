"""Particles on the optimal transport to the target (Huang et al., 2022, arXiv 2210.10195)."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from teachrl.core import Episode, Task
from teachrl.models.sinkhorn import barycentre
from teachrl.models.success_buffer import SuccessBuffer
from teachrl.teachers.hyperparameters import require_count, require_number
from teachrl.teachers.particle_teacher import Array, ParticleTeacher
from teachrl.teachers.point_mass_values import scaled_return

_SPREAD = 2.5e-4  # of the search around the first successes, as a share of the range


@dataclass(kw_only=True)
class GRADIENT(ParticleTeacher):
    """Moves a set of tasks in stages from the initial distribution to the target.

    Whenever the mean outcome of a batch reaches the threshold, the particles become the Wasserstein
    barycentre ``stage`` closer to the target. Nothing looks at single tasks: a path through tasks
    that cannot be solved stops there. At the target, particles are drawn afresh.

    >>> from teachrl.envs import play
    >>> teacher = GRADIENT(initial_mean=(0.05, 0.05), initial_std=(0.01, 0.01))
    >>> run = play(teacher, episodes=200)
    >>> run.student.competence[0, 0] > 50, teacher.metrics()["share"] > 0
    (np.True_, True)
    """

    stage: float = 0.05  # share of the way that one stage adds
    blur: float = 0.01  # of the transport, as a share of the range; 0: exact
    warm_up: bool = False  # begin where successes are found first, not at the initial particles

    @classmethod
    def tuned_for_point_mass(cls) -> Self:
        """Return the values for the point mass with tasks of two parameters, the gates."""
        return cls(stage=0.2, threshold=scaled_return(3.0))

    @classmethod
    def tuned_for_maze(cls) -> Self:
        """Return the values for the maze whose tasks are a place to reach and a tolerance."""
        return cls(
            update_every=50,
            stage=0.05,
            threshold=0.6,
            signal="success",
            initial_mean=(0.0, 0.0, 10.0),
            initial_std=(0.222, 0.222, 0.279),
        )

    def reset(self) -> None:
        """Return to the initial particles."""
        require_number(self, "stage", 1e-6, 1.0)
        require_number(self, "blur", 0.0, 1.0)
        super().reset()
        if self.warm_up:  # whose buffer takes less than it holds at once
            require_count(self, "n_particles", least=self.update_every + 1)
        self.successes = SuccessBuffer(self.n_particles, self.threshold, self.space.dimensions)
        self.starts: Array = self.particles.copy()
        self.share = 0.0  # of the way that lies behind
        self.n_stages = 0  # so far
        self.mean_outcome: float | None = None  # of the latest batch

    def sample(self) -> Task:
        """Choose a particle, and note at which stage."""
        return replace(super().sample(), meta={"stage": self.n_stages})

    def update(self, episode: Episode) -> None:
        """Note the outcome of an episode, unless a later stage has begun since it did.

        With many environments, one good batch would else be followed by another of its stage, and
        the particles run ahead of the student.
        """
        if episode.task.meta.get("stage") == self.n_stages:
            super().update(episode)

    def advance(self, points: Array, outcomes: Array) -> None:
        """Go on by one stage if the mean outcome allows it."""
        self.mean_outcome = float(outcomes.mean())
        is_warm = self.share > 0 or not self.warm_up
        if self.mean_outcome < self.threshold:
            if not is_warm:
                self.successes.add(points, outcomes, self.draw_target)
                self.particles = self.successes.explore(self.n_particles, self.rng, _SPREAD)
            return
        if not is_warm:
            self.starts = self.particles.copy()
        self.n_stages += self.share < 1.0
        self.share = _add(self.share, self.stage)
        ends = self.draw_target(self.n_particles)
        if self.share < 1.0:
            between = barycentre(self.starts, ends, self.share, self.blur)
            self.particles = np.clip(between, 0.0, 1.0)
        else:
            self.particles = ends

    def metrics(self) -> dict[str, float]:
        """Return the share of the way that lies behind, and the mean outcome of the last batch."""
        known = {} if self.mean_outcome is None else {"mean_outcome": self.mean_outcome}
        return {"share": self.share} | known


def _add(share: float, stage: float) -> float:
    """Return the share after another stage; rounding must not add a tiny last one."""
    total = share + stage
    return 1.0 if total > 1.0 - 1e-9 else total
