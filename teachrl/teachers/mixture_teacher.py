"""What ALP-GMM and Covar-GMM share (Portelas et al., 2019, arXiv 1910.07224)."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from teachrl.core import Episode, Task, Teacher
from teachrl.models.mixtures import Criterion, Mixture, MixtureChoice
from teachrl.spaces import Floats
from teachrl.teachers.hyperparameters import (
    require_choice,
    require_count,
    require_gaussian,
    require_number,
)

Array = NDArray[np.float64]


@dataclass(kw_only=True)
class MixtureTeacher(Teacher):
    """Fits Gaussians to recent tasks and what came of them, and samples those of most progress.

    Every ``fit_every`` episodes, mixtures of several sizes are fitted to that many latest points
    and the best one is kept; a Gaussian is then chosen in proportion to its progress, and a task
    drawn from it. Subclasses say what stands beside the task in a point, and what progress is.
    """

    n_outcomes: ClassVar[int]
    """Coordinates of a point beside those of the task."""

    fit_every: int = 250  # episodes between two fits, and points in each
    min_gaussians: int = 2
    max_gaussians: int = 10  # inclusive
    random_ratio: float = 0.2  # share of tasks sampled uniformly all the same
    criterion: Criterion = "aic"  # chooses the number of Gaussians
    em_inits: int = 1  # starts of each fit, of which the likeliest result counts
    warm_start: bool = False  # begin a fit at the last one instead of afresh
    initial_mean: tuple[float, ...] | None = None  # first tasks, in task units; None: uniform
    initial_std: tuple[float, ...] | None = None  # of these, as shares of the range

    @abstractmethod
    def point_of(self, task: Array, reward: float) -> tuple[float, ...]:
        """Return the point that a fit shall see: the task, (d,), and what came of it."""

    @abstractmethod
    def progress_of(self, mixture: Mixture) -> Array:
        """Return the progress (k,) of the Gaussians; one of negative progress is never chosen."""

    def reset(self) -> None:
        """Forget all episodes and Gaussians."""
        self._require_sense()
        sizes = range(self.min_gaussians, self.max_gaussians + 1)
        self.mixtures = MixtureChoice(sizes, self.criterion, self.em_inits, self.warm_start)
        columns = self.space.dimensions + self.n_outcomes
        self.recent: Array = np.zeros((self.fit_every, columns))  # points of the next fit
        self.n_recent = 0

    def sample(self) -> Task:
        """Choose a Gaussian by its progress and draw from it, or else explore."""
        if self.mixtures.best is not None and self.rng.random() < self.random_ratio:
            return Task(self.space.uniform(self.rng), origin="uniform")
        return self._promising(self.rng)

    def update(self, episode: Episode) -> None:
        """Note what came of a task, and fit the mixtures if it is time."""
        task, reward = self.space.normalize(episode.task.params), self.scale(episode.reward)
        self.recent[self.n_recent] = self.point_of(task, reward)
        self.n_recent += 1
        if self.n_recent == self.fit_every:
            self.mixtures.fit(self.recent, self.rng)
            self.n_recent = 0

    def preview(self, n: int, rng: np.random.Generator) -> Floats:
        """Return ``n`` tasks (n, d) as it would sample now without exploring."""
        tasks = [self._promising(rng).params for _ in range(n)]
        return np.array(tasks, np.float32).reshape(n, self.space.dimensions)

    def belief(self) -> dict[str, NDArray[Any]]:
        """Return weights (k,), means (k, d), covariances (k, d, d) and progress (k,)."""
        mixture, d = self.mixtures.best, self.space.dimensions
        if mixture is None:
            return {}
        return {
            "weights": mixture.weights,
            "means": mixture.means[:, :d],
            "covariances": mixture.covariances[:, :d, :d],
            "progress": self.progress_of(mixture),
        }

    def metrics(self) -> dict[str, float]:
        """Return number of Gaussians, mean progress, and how many Gaussians share the choice."""
        mixture = self.mixtures.best
        if mixture is None:
            return {}
        chances = self._chances(mixture)
        entropy = -float(np.sum(chances * np.log(np.where(chances > 0, chances, 1.0))))
        return {
            "gaussians": float(len(mixture.weights)),
            "progress": float(mixture.weights @ self.progress_of(mixture)),
            "effective_gaussians": float(np.exp(entropy)),
        }

    def _promising(self, rng: np.random.Generator) -> Task:
        """Draw a task without exploring."""
        mixture = self.mixtures.best
        if mixture is None:
            return self._first(rng)
        passed = np.cumsum(self._chances(mixture))[:-1] <= rng.random()  # rng.choice is slow
        gaussian = int(np.count_nonzero(passed))
        point = mixture.draw(gaussian, rng)[: self.space.dimensions]
        return Task(self.space.denormalize(point), origin=f"gaussian {gaussian}")

    def _first(self, rng: np.random.Generator) -> Task:
        """Draw a task while nothing has been fitted yet."""
        if self.initial_mean is None or self.initial_std is None:
            return Task(self.space.uniform(rng), origin="uniform")
        point = rng.normal(self.space.normalize(self.initial_mean), self.initial_std)
        return Task(self.space.denormalize(point), origin="initial")

    def _chances(self, mixture: Mixture) -> Array:
        """Return the probability of each Gaussian; without any progress they are equal."""
        progress = np.maximum(self.progress_of(mixture), 0.0)
        total = float(progress.sum())
        return progress / total if total > 0 else np.full(len(progress), 1 / len(progress))

    def _require_sense(self) -> None:
        """Refuse hyper-parameters that cannot work in this space."""
        require_count(self, "min_gaussians")
        require_count(self, "max_gaussians", least=self.min_gaussians)
        require_count(self, "fit_every", least=self.max_gaussians)
        require_count(self, "em_inits")
        require_number(self, "random_ratio", 0.0, 1.0)
        require_choice(self, "criterion", get_args(Criterion))
        require_gaussian(self, "initial", 0.0)
