"""Tasks whose reward rises with time (Moulin-Frier et al., 2014; see arXiv 1910.07224)."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from teachrl.models.mixtures import Mixture
from teachrl.teachers.mixture_teacher import MixtureTeacher

Array = NDArray[np.float64]


@dataclass(kw_only=True)
class CovarGMM(MixtureTeacher):
    """Fits Gaussians to tasks, times and rewards, and samples those whose reward rises with time.

    Every ``fit_every`` episodes, mixtures of several sizes are fitted to that many latest points
    [task, time, reward] and the best one is kept; time runs from 0 to 1 through these episodes. The
    progress of a Gaussian is its covariance of time and reward. One is chosen in proportion to its
    progress, if that is positive, and a task drawn from it. Moulin-Frier et al. (2014, Frontiers in
    Psychology 4:1006) introduced it, Portelas et al. (2019, arXiv 1910.07224) compared with it, and
    their defaults are ours; :meth:`tuned_for_walker` has those of the later benchmark (Romac et
    al., 2021, arXiv 2103.09815).

    >>> from teachrl.envs import play
    >>> play(CovarGMM(fit_every=50, max_gaussians=5), episodes=200).student.competence.max() > 0
    np.True_
    """

    n_outcomes: ClassVar[int] = 2

    absolute: bool = False  # falling rewards are progress too: what is being forgotten comes back

    @classmethod
    def tuned_for_walker(cls) -> Self:
        """Return the values that the benchmark tuned on Stump Tracks."""
        return cls(fit_every=150, min_gaussians=2, max_gaussians=14, random_ratio=0.1)

    def point_of(self, task: Array, reward: float) -> tuple[float, ...]:
        """Return a task, the time as a share of the episodes between two fits, and the reward."""
        return *task, self.n_recent / self.fit_every, reward

    def progress_of(self, mixture: Mixture) -> Array:
        """Return each Gaussian's covariance (k,) of time and reward."""
        covariances = mixture.covariances[:, -2, -1]
        return np.abs(covariances) if self.absolute else covariances
