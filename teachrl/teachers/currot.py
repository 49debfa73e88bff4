"""Particles that near the target as far as rewards allow (Klink et al., 2023, arXiv 2309.14091).

CURROT appeared first at ICML 2022 ("Curriculum reinforcement learning via constrained optimal
transport"); where the two papers differ, this is the later one by default.
"""

from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from teachrl.models.regression import NadarayaWatson
from teachrl.models.success_buffer import SuccessBuffer
from teachrl.models.transport import assign, draw_directions, sliced_step
from teachrl.teachers.hyperparameters import require_choice, require_count, require_number
from teachrl.teachers.particle_teacher import Array, ParticleTeacher
from teachrl.teachers.point_mass_values import scaled_return

Mask = NDArray[np.bool_]
Matching = Literal["exact", "sliced"]
BeforeThreshold = Literal["explore", "move", "wait"]

_NOISE = 1e-3  # of sampled tasks, as a share of the range
_BANDWIDTH = 0.3  # of the regression, as a share of a particle's farthest move
_SPREAD = 0.005  # of exploration around successes, as a share of the same
_CANDIDATES = 100  # places in the ball around a particle that it may move to
_ON_THE_WAY = 10  # and places on its straight way to the target
_DIRECTIONS = 100  # of the sliced matching


@dataclass(kw_only=True)
class CURROT(ParticleTeacher):
    """Moves particles towards the target, but only to where it predicts a sufficient reward.

    Each particle has its own target, so that all moves together are short, and moves within a ball
    of ``epsilon`` to the candidate nearest to it whose reward, predicted from recent episodes,
    exceeds the threshold. Particles that fall behind the threshold are replaced by successes. The
    particles first search for successes, until their mean prediction has reached the threshold.

    >>> from teachrl.envs import play
    >>> teacher = CURROT(initial_mean=(0.05, 0.05), initial_std=(0.1, 0.1))
    >>> play(teacher, episodes=200).student.competence.max() > 20
    np.True_
    """

    epsilon: float = 0.05  # farthest move of an update, as a share of the space's diagonal
    matching: Matching = "exact"  # of particles and targets; or by 100 projections, as in 2022
    before_threshold: BeforeThreshold = "explore"  # around successes; or also move them, as in 2022

    @classmethod
    def tuned_for_point_mass(cls) -> Self:
        """Return the values for the point mass, with gates of two parameters: position and width.

        Moves were 0.7 in a space of 8 times 7.5. The first particles are uniform, and wait.
        """
        return cls(
            n_particles=100,
            update_every=20,
            threshold=scaled_return(4.0),
            epsilon=0.064,
            before_threshold="wait",
        )

    @classmethod
    def tuned_for_maze(cls) -> Self:
        """Return the values for the maze whose tasks are a place to reach and a tolerance.

        Moves were 1.2 in a space of 18 times 18 times 17.95.
        """
        return cls(
            n_particles=500,
            update_every=50,
            threshold=0.8,
            signal="success",
            epsilon=0.0385,
            initial_mean=(0.0, 0.0, 10.0),
            initial_std=(0.222, 0.222, 0.279),
        )

    @classmethod
    def tuned_for_walker(cls) -> Self:
        """Return the values for the walkers of TeachMyAgent; its threshold was a return of 180."""
        return cls(n_particles=500, update_every=50, threshold=0.66, epsilon=0.05)

    def reset(self) -> None:
        """Draw the first particles and forget all successes and failures."""
        require_number(self, "epsilon", 1e-6, 1.0)
        require_choice(self, "matching", get_args(Matching))
        require_choice(self, "before_threshold", get_args(BeforeThreshold))
        super().reset()
        require_count(self, "n_particles", least=self.update_every + 1)
        d = self.space.dimensions
        self.successes = SuccessBuffer(self.n_particles, self.threshold, d)
        self.failures: Array = np.zeros((0, d))  # the latest, as many as particles at most
        self.failed_outcomes: Array = np.zeros(0)
        self.predicted: Array = np.zeros(0)  # outcomes of particles when they last moved
        self.has_reached = False  # the threshold, by mean prediction; for good
        self.distance = 0.0  # to the target: root mean square over particles, when they last moved

    def advance(self, points: Array, outcomes: Array) -> None:
        """Update both buffers and the regression, and move the particles."""
        taken = self.successes.add(points, outcomes, self.draw_target)
        if self.has_reached:
            self._remember(points[~taken], outcomes[~taken])
        model = NadarayaWatson(
            np.concatenate([self.successes.points, self.failures]),
            np.concatenate([self.successes.values, self.failed_outcomes]),
            _BANDWIDTH * self._radius,
        )
        self.predicted = model.predict(self.particles)
        self.has_reached |= bool(self.predicted.mean() >= self.threshold)
        good = self.successes.explore(self.n_particles, self.rng, _SPREAD * self._radius)
        good = self.space.canonical(good)
        if self.has_reached or self.before_threshold == "move":
            self._move(model, good)
        elif self.before_threshold == "explore":
            self.particles = good
        self.predicted = model.predict(self.particles)

    def draw(self, rng: np.random.Generator, n: int) -> Array:
        """Draw ``n`` points (n, d) of what it would sample now."""
        points = super().draw(rng, n)
        return np.clip(points + rng.uniform(-_NOISE, _NOISE, points.shape), 0.0, 1.0)

    def belief(self) -> dict[str, NDArray[Any]]:
        """Return the particles, ``points`` (n, d), and the outcomes predicted, ``values`` (n,)."""
        return super().belief() | ({"values": self.predicted} if len(self.predicted) else {})

    def metrics(self) -> dict[str, float]:
        """Return prediction, share of particles above the threshold, distance, and successes."""
        if not len(self.predicted):
            return {}
        return {
            "predicted": float(self.predicted.mean()),
            "feasible": float((self.predicted >= self.threshold).mean()),
            "distance": self.distance,
            "successes": float((self.successes.values >= self.threshold).sum()),
            "has_reached": float(self.has_reached),
        }

    @property
    def _radius(self) -> float:
        """Farthest move of a particle, in unit coordinates."""
        return self.epsilon * float(np.sqrt(self.space.dimensions))

    def _remember(self, points: Array, outcomes: Array) -> None:
        """Keep the latest failures."""
        self.failures = np.concatenate([self.failures, points])[-self.n_particles :]
        self.failed_outcomes = np.concatenate([self.failed_outcomes, outcomes])[-self.n_particles :]

    def _move(self, model: NadarayaWatson, good: Array) -> None:
        """Replace particles that fall behind, and move all to the best of their candidates."""
        particles = self.particles.copy()
        is_behind = self.predicted < self.threshold
        if is_behind.any():
            # All are matched, not only these: whatever takes all of one side's particles, its
            # successes must not leave them to the other side.
            particles[is_behind] = good[assign(particles, good)][is_behind]
        targets = self._matched(particles)
        is_feasible = model.predict(particles) >= self.threshold
        candidates = self._candidates(particles, targets, is_feasible)
        squared = ((candidates - targets[:, None]) ** 2).sum(axis=2)
        order = np.argsort(squared, axis=1, kind="stable")
        candidates = np.take_along_axis(candidates, order[:, :, None], axis=1)
        chosen = model.first_above(candidates, self.threshold)
        self.particles = candidates[np.arange(len(particles)), chosen]
        left = ((self.particles - targets) ** 2).sum(axis=1)
        self.distance = float(np.sqrt(left.mean()))

    def _matched(self, particles: Array) -> Array:
        """Return a point of the target for each particle, (n, d)."""
        drawn = self.draw_target(len(particles))
        if self.matching == "exact":
            return drawn[assign(particles, drawn)]
        directions = draw_directions(_DIRECTIONS, self.space.dimensions, self.rng)
        step = sliced_step(particles, drawn, directions)
        return self.space.canonical(np.clip(particles + step, 0.0, 1.0))

    def _candidates(self, particles: Array, targets: Array, is_feasible: Mask) -> Array:
        """Return where each particle might go, (n, k, d).

        That is a ball, which reaches no farther than the target; the half of it towards the target
        if the particle is feasible already, and some points of the straight way.
        """
        n, d = particles.shape
        ways = targets - particles
        lengths = np.linalg.norm(ways, axis=1)
        headings = ways / np.where(lengths > 0, lengths, 1.0)[:, None]  # none where there is no way
        reach = np.minimum(self._radius, lengths)[:, None, None]
        directions = draw_directions(n * _CANDIDATES, d, self.rng).reshape(n, _CANDIDATES, d)
        along = np.einsum("nkd,nd->nk", directions, headings)
        backwards = np.where(is_feasible[:, None], np.minimum(along, 0.0), 0.0)
        directions -= 2.0 * backwards[:, :, None] * headings[:, None]
        ball = directions * self.rng.random((n, _CANDIDATES, 1)) ** (1.0 / d)
        line = headings[:, None] * np.linspace(0.0, 1.0, _ON_THE_WAY)[:, None]
        offsets = reach * np.concatenate([ball, line], axis=1)
        return self.space.canonical(np.clip(particles[:, None] + offsets, 0.0, 1.0))
