"""What the self-paced teachers share (Klink et al., 2020, arXiv 2004.11812)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachrl.core import Episode, Task, Teacher
from teachrl.models.gaussians import Array, Gaussian
from teachrl.spaces import Floats
from teachrl.targets import Target
from teachrl.teachers.hyperparameters import require_gaussian, require_number, require_target

_LEAST_STD = 1e-6  # of tasks, which are single floats
_ROUNDING = 1e-6  # of values that students calculate in single floats


@dataclass(kw_only=True)
class GaussianTeacher(Teacher):
    """Samples tasks from one Gaussian, which subclasses move towards the target.

    Every task carries the point that was drawn, before it was clipped to the space, and its
    density: so episodes that come back late, when the Gaussian has moved on, still count for what
    they are.
    """

    initial_mean: tuple[float, ...] | None = None  # first tasks, in task units; None: all over
    initial_std: tuple[float, ...] | None = None  # of these, as shares of the range
    target_mean: tuple[float, ...] | None = None  # in task units; None: the environment's target
    target_std: tuple[float, ...] | None = None  # of these, as shares of the range
    max_kl: float = 0.25  # divergence between the Gaussians before and after an update
    std_floor: float = 0.0  # least deviations far from the target, as a share of the range
    kl_threshold: float = 0.0  # divergence from the target beyond which it counts as far

    def reset(self) -> None:
        """Go back to the initial Gaussian."""
        self._require_sense()
        self.gaussian = self._initial()
        capacity = self._capacity()
        self.points: Array = np.zeros((capacity, self.space.dimensions))  # since the last update
        self.drawn: Array = np.zeros(capacity)  # log-densities of the points
        self.rewards: Array = np.zeros(capacity)
        self.n_episodes = 0  # since the last update
        self.n_updates = 0
        self.is_accepted = False  # whether the last update moved the Gaussian

    def sample(self) -> Task:
        """Draw a task from the Gaussian."""
        point = self._draw(self.rng)
        white = self.gaussian.whiten(point[None])[0]
        density = self.gaussian.log_peak - 0.5 * float(white @ white)
        notes = {"point": point.tolist(), "log_density": density}
        return Task(self.space.denormalize(point), origin="gaussian", meta=notes)

    def update(self, episode: Episode) -> None:
        """Remember an episode until the next update of the Gaussian."""
        reward, notes = self.scale(episode.reward), episode.task.meta
        place = self.n_episodes % len(self.rewards)  # the oldest give way
        self.points[place] = notes["point"]
        self.drawn[place] = notes["log_density"]
        self.rewards[place] = reward
        self.n_episodes += 1

    def preview(self, n: int, rng: np.random.Generator) -> Floats:
        """Return ``n`` tasks (n, d) as it would sample now."""
        points = np.array([self._draw(rng) for _ in range(n)])
        return self.space.denormalize(points.reshape(n, self.space.dimensions))

    def belief(self) -> dict[str, NDArray[Any]]:
        """Return means (1, d) and covariances (1, d, d), and those of the target likewise."""
        target = self._target_gaussian()
        return {
            "means": self.gaussian.mean[None].copy(),
            "covariances": self.gaussian.covariance[None],
            "target_means": target.mean[None],
            "target_covariances": target.covariance[None],
        }

    def metrics(self) -> dict[str, float]:
        """Return divergence from the target, mean deviation, and how updates fared."""
        return {
            "kl_to_target": self.gaussian.divergence(self._target_gaussian()),
            "std": float(self.gaussian.stds.mean()),
            "updates": float(self.n_updates),
            "accepted": float(self.is_accepted),
        }

    def _draw(self, rng: np.random.Generator) -> Array:
        """Draw a point (d,), which may lie outside the unit cube."""
        normal = rng.standard_normal(self.space.dimensions)
        point: Array = self.gaussian.mean + self.gaussian.factor @ normal
        return point

    def _capacity(self) -> int:
        """Return how many episodes it remembers."""
        raise NotImplementedError

    def _batch(self) -> slice:
        """Return which entries of ``points``, ``drawn`` and ``rewards`` are filled."""
        return slice(min(self.n_episodes, len(self.rewards)))

    def _seen(self) -> tuple[Array, Array]:
        """Return the batch's points and log-densities where the Gaussian is the standard one."""
        batch, d = self._batch(), self.space.dimensions
        moved = self.gaussian.log_peak - Gaussian.standard(d).log_peak
        return self.gaussian.whiten(self.points[batch]), self.drawn[batch] - moved

    def _moved(self, new: Gaussian | None) -> None:
        """End an update: move, unless there is nowhere to go, and forget the batch."""
        self.is_accepted = new is not None
        self.gaussian = self.gaussian if new is None else new
        self.n_updates += 1
        self.n_episodes = 0

    def _least_stds(self) -> Array:
        """Return below what the next deviations must not shrink, (d,).

        That is the floor while the target is far, or the present one if it is smaller already.
        """
        is_far = self.gaussian.divergence(self._target_gaussian()) > self.kl_threshold
        floor = max(self.std_floor if is_far else 0.0, _LEAST_STD)
        return np.minimum(floor, self.gaussian.stds)

    def _target(self) -> Target:
        return require_target(self)

    def _target_gaussian(self) -> Gaussian:
        """Return the target, or the Gaussian of the same moments if it is another distribution."""
        return Gaussian.of(*self._target().moments(self.space))

    def _initial(self) -> Gaussian:
        if self.initial_mean is None or self.initial_std is None:
            return Gaussian.of(*Target.uniform().moments(self.space))
        return Gaussian(self.space.normalize(self.initial_mean), np.diag(self.initial_std))

    def _require_sense(self) -> None:
        """Refuse hyper-parameters that cannot work in this space."""
        self._target()
        require_number(self, "max_kl", 1e-6, 100.0)
        require_number(self, "std_floor", 0.0, 1.0)
        require_number(self, "kl_threshold", 0.0)
        require_gaussian(self, "initial", _LEAST_STD)


def differ(values: Array) -> bool:
    """Tell whether values (n,), scaled like rewards, differ by more than rounding."""
    return bool(np.ptp(values) > _ROUNDING * max(1.0, float(np.abs(values).max())))
