"""Tasks where absolute learning progress is high (Portelas et al., 2019, arXiv 1910.07224)."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from teachrl.models.mixtures import Mixture
from teachrl.progress import NearestProgress
from teachrl.teachers.hyperparameters import require_count
from teachrl.teachers.mixture_teacher import MixtureTeacher

Array = NDArray[np.float64]


@dataclass(kw_only=True)
class ALPGMM(MixtureTeacher):
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

    n_outcomes: ClassVar[int] = 1

    memory: int | None = 100_000  # episodes in which the most similar is searched; None: all

    @classmethod
    def tuned_for_walker(cls) -> Self:
        """Return the values that the benchmark tuned on Stump Tracks."""
        return cls(fit_every=150, min_gaussians=2, max_gaussians=9, random_ratio=0.05)

    def reset(self) -> None:
        """Forget all progress."""
        if self.memory is not None:
            require_count(self, "memory", least=6)  # fewer give no progress at all
        super().reset()
        self.progress = NearestProgress(self.space.dimensions, self.memory)

    def point_of(self, task: Array, reward: float) -> tuple[float, ...]:
        """Return a task and the progress since the most similar earlier one; remember it."""
        return *task, self.progress.measure(task, reward)

    def progress_of(self, mixture: Mixture) -> Array:
        """Return the mean progress (k,) of the Gaussians."""
        return mixture.means[:, -1]
