"""Tasks where absolute learning progress is high (Portelas et al., 2019, arXiv 1910.07224)."""

from dataclasses import dataclass
from typing import Any, Self, get_args

import numpy as np
from numpy.typing import NDArray

from teachrl.core import Episode, Task, Teacher
from teachrl.models.mixtures import Criterion, Mixture, MixtureChoice
from teachrl.progress import NearestProgress
from teachrl.spaces import Floats
from teachrl.teachers.hyperparameters import (
    require_choice,
    require_count,
    require_number,
    require_vector,
)

Array = NDArray[np.float64]


@dataclass(kw_only=True)
class ALPGMM(Teacher):
    """Fits Gaussians to tasks and their learning progress, and samples them by their progress.

    Progress is the change of reward since the most similar earlier task. Every ``fit_every``
    episodes, mixtures of several sizes are fitted to that many latest points [task, progress] and
    the best one is kept; a Gaussian is then chosen in proportion to its mean progress, and a task
    drawn from it. The defaults are the paper's; :meth:`tuned_for_walker` has those of the later
    benchmark (Romac et al., 2021, arXiv 2103.09815).

    >>> from teachrl.envs import play
    >>> play(ALPGMM(fit_every=50, max_gaussians=5), episodes=200).student.competence.max() > 0
    np.True_
    """

    fit_every: int = 250  # episodes between two fits, and points in each
    min_gaussians: int = 2
    max_gaussians: int = 10  # inclusive
    random_ratio: float = 0.2  # share of tasks sampled uniformly all the same
    criterion: Criterion = "aic"  # chooses the number of Gaussians
    em_inits: int = 1  # starts of each fit, of which the likeliest result counts
    warm_start: bool = False  # begin a fit at the last one instead of afresh
    memory: int | None = 100_000  # episodes in which the most similar is searched; None: all
    initial_mean: tuple[float, ...] | None = None  # of tasks before the first fit, in task units;
    initial_std: tuple[float, ...] | None = None  # as shares of the range. None: uniform tasks

    @classmethod
    def tuned_for_walker(cls) -> Self:
        """Return the values that the benchmark tuned on Stump Tracks."""
        return cls(fit_every=150, min_gaussians=2, max_gaussians=9, random_ratio=0.05)

    def reset(self) -> None:
        """Forget all progress."""
        self._require_sense()
        d = self.space.dimensions
        sizes = range(self.min_gaussians, self.max_gaussians + 1)
        self.progress = NearestProgress(d, self.memory)
        self.mixtures = MixtureChoice(sizes, self.criterion, self.em_inits, self.warm_start)
        self.recent: Array = np.zeros((self.fit_every, d + 1))  # points of the next fit
        self.n_recent = 0

    def sample(self) -> Task:
        """Choose a Gaussian by its progress and draw from it, or else explore."""
        if self.mixtures.best is not None and self.rng.random() < self.random_ratio:
            return Task(self.space.uniform(self.rng), origin="uniform")
        return self._promising(self.rng)

    def update(self, episode: Episode) -> None:
        """Measure the progress of an episode, and fit the mixtures if it is time."""
        point = self.space.normalize(episode.task.params)
        progress = self.progress.measure(point, self.scale(episode.reward))
        self.recent[self.n_recent] = *point, progress
        self.n_recent += 1
        if self.n_recent == self.fit_every:
            self.mixtures.fit(self.recent, self.rng)
            self.n_recent = 0

    def preview(self, n: int, rng: np.random.Generator) -> Floats:
        """Return ``n`` tasks (n, d) as it would sample now without exploring."""
        tasks = [self._promising(rng).params for _ in range(n)]
        return np.array(tasks, np.float32).reshape(n, self.space.dimensions)

    def belief(self) -> dict[str, NDArray[Any]]:
        """Return weights (k,), means (k, d), covariances (k, d, d) and mean progress (k,)."""
        mixture = self.mixtures.best
        if mixture is None:
            return {}
        return {
            "weights": mixture.weights,
            "means": mixture.means[:, :-1],
            "covariances": mixture.covariances[:, :-1, :-1],
            "progress": mixture.means[:, -1],
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
            "progress": float(mixture.weights @ mixture.means[:, -1]),
            "effective_gaussians": float(np.exp(entropy)),
        }

    def _promising(self, rng: np.random.Generator) -> Task:
        """Draw a task without exploring."""
        mixture = self.mixtures.best
        if mixture is None:
            return self._first(rng)
        passed = np.cumsum(self._chances(mixture))[:-1] <= rng.random()  # rng.choice is slow
        gaussian = int(np.count_nonzero(passed))
        point = mixture.draw(gaussian, rng)[:-1]  # without the progress
        return Task(self.space.denormalize(point), origin=f"gaussian {gaussian}")

    def _first(self, rng: np.random.Generator) -> Task:
        """Draw a task while nothing has been fitted yet."""
        if self.initial_mean is None or self.initial_std is None:
            return Task(self.space.uniform(rng), origin="uniform")
        point = rng.normal(self.space.normalize(self.initial_mean), self.initial_std)
        return Task(self.space.denormalize(point), origin="initial")

    @staticmethod
    def _chances(mixture: Mixture) -> Array:
        """Return the probability of each Gaussian; without any progress they are equal."""
        progress = np.maximum(mixture.means[:, -1], 0.0)
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
        if self.memory is not None:
            require_count(self, "memory", least=6)  # fewer give no progress at all
        if self.initial_mean is not None or self.initial_std is not None:
            require_vector(self, "initial_mean", self.space.dimensions)
            require_vector(self, "initial_std", self.space.dimensions, low=0.0)
