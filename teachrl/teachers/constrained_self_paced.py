"""As near to the target as a performance bound allows (Klink et al., 2021, arXiv 2102.13176)."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from teachrl.core import Episode
from teachrl.models.gaussians import (
    Array,
    Gaussian,
    Valued,
    divergence,
    expectation,
    mixture_density,
    negative_entropy,
    reweighted_mean,
    self_normalised,
    variances,
)
from teachrl.models.truncation import draw_inside
from teachrl.models.trust_regions import Constraint, Objective, constrained_step, natural_step
from teachrl.teachers.gaussian_teacher import GaussianTeacher, differ
from teachrl.teachers.hyperparameters import require_count, require_number
from teachrl.teachers.point_mass_values import FIRST_GATES, scaled_return

_TOLERANCE = 1e-6  # of constraints
_NEARLY = 0.95  # of the performance bound, which an estimate may miss by that much
_SAMPLES = 1000  # of a target whose divergence has no closed form


@dataclass(kw_only=True)
class ConstrainedSelfPaced(GaussianTeacher):
    """Moves a Gaussian to the target as fast as the student's rewards stay above a bound.

    Every ``update_every`` episodes, within KL(p_old || p) <= ``max_kl``: until the expected reward
    first reaches ``performance_bound``, maximise it; from then on, minimise KL(p || target) while
    the reward stays above the bound. Expectations under a new p are estimates, which reweigh the
    episodes since the last update, and only they stay above the bound: from about eight dimensions
    on the reward itself does not unless ``update_every`` grows. Tasks are drawn from what of p lies
    in the space. A target of several Gaussians counts as it is; a uniform one as the Gaussian of
    its moments. The defaults are those of Klink et al. (2022) for mazes, whose rewards are 0 or 1.

    >>> from teachrl.envs import play
    >>> teacher = ConstrainedSelfPaced(initial_mean=(0.0, 0.0), initial_std=(0.1, 0.1))
    >>> play(teacher, episodes=500).student.competence.max() > 0
    np.True_
    """

    performance_bound: float = 0.8  # of the mean reward, scaled to [0, 1]
    update_every: int = 50  # episodes between two updates

    @classmethod
    def tuned_for_point_mass(cls) -> Self:
        """Return the values for the point mass with tasks of two parameters, the gates."""
        return cls(
            performance_bound=scaled_return(4.0),
            update_every=20,
            std_floor=0.025,
            kl_threshold=8000.0,
            **FIRST_GATES,
        )

    def reset(self) -> None:
        """Go back to the initial Gaussian."""
        super().reset()
        self.is_bound_reached = False  # which holds for good
        self.measured = 0.0  # performance at the last update

    def update(self, episode: Episode) -> None:
        """Remember an episode, and move the Gaussian if it is time."""
        super().update(episode)
        if self.n_episodes == self.update_every:
            self._move()

    def metrics(self) -> dict[str, float]:
        """Return divergence from the target, performance, if the bound was reached, and more."""
        reached = float(self.is_bound_reached)
        return super().metrics() | {"performance": self.measured, "bound_reached": reached}

    def _capacity(self) -> int:
        return self.update_every

    def _draw(self, rng: np.random.Generator) -> Array:
        """Draw a point inside the space."""
        return draw_inside(self.gaussian, rng)

    def _move(self) -> None:
        """Solve the problem of the present phase, and accept the solution if it is one."""
        points, drawn = self._seen()
        present = Gaussian.standard(self.space.dimensions)
        # As published, unless several tasks are in flight: late episodes are of an older Gaussian.
        drawn = self_normalised(present, points, drawn)
        rewards = self.rewards.copy()

        def performance(seen: Gaussian) -> Valued:
            return reweighted_mean(seen, points, drawn, rewards)

        def advantage(seen: Gaussian) -> Valued:  # the same but for a constant, with less noise
            return reweighted_mean(seen, points, drawn, rewards - self.measured)

        self.measured = performance(present)[0]
        self.is_bound_reached |= self.measured >= self.performance_bound
        if self.is_bound_reached:
            self._moved(self._approach(performance))
        else:
            self._moved(self._improve(advantage))

    def _improve(self, advantage: Objective) -> Gaussian | None:
        """Maximise the performance, unless all rewards are equal.

        It has hardly a bound outside the trust region: from about eight dimensions on, the search
        follows it there and does not come back. Then a step along the gradient has to do.
        """
        if not differ(self.rewards):
            return None
        return self._searched(_negative(advantage), []) or self._stepped(advantage)

    def _approach(self, performance: Objective) -> Gaussian | None:
        """Approach the target without losing the performance."""

        def margin(seen: Gaussian) -> tuple[Array, Array]:
            value, slope = performance(seen)
            return np.array([value - self.performance_bound]), slope[None]

        distance = self._distance()
        new = self._searched(distance, [margin]) or self._stepped(_negative(distance))
        if new is None:
            return None
        expected = performance(new.seen_from(self.gaussian))[0]
        return new if max(expected, self.measured) >= _NEARLY * self.performance_bound else None

    def _searched(self, objective: Objective, constraints: list[Constraint]) -> Gaussian | None:
        """Return the Gaussian of least objective, unless the search failed to find a better one."""
        least = self._least_stds() ** 2

        def wide_enough(seen: Gaussian) -> tuple[Array, Array]:
            values, slopes = variances(seen, self.gaussian)
            return values / least - 1, slopes / least[:, None]

        if self._is_floor_near():
            constraints = [*constraints, wide_enough]
        new = constrained_step(objective, constraints, self.gaussian, self.max_kl)
        if new is None:
            return None
        present = Gaussian.standard(self.space.dimensions)
        with np.errstate(all="ignore"):  # where the search strayed far
            seen = new.seen_from(self.gaussian)
            is_within = present.divergence(seen) <= self.max_kl + _TOLERANCE
            is_wide = bool((new.stds**2 >= least * (1 - _TOLERANCE)).all())
            is_better = objective(seen)[0] <= objective(present)[0]  # which NaN is not
        return new if is_within and is_wide and is_better else None

    def _stepped(self, objective: Objective) -> Gaussian | None:
        """Return where a step up the objective leads, None if nowhere."""
        least = self._least_stds()
        return natural_step(objective, self.gaussian, self.max_kl, lambda new: new.at_least(least))

    def _distance(self) -> Objective:
        """Return KL(p || target) as a function of p, up to a constant."""
        target = self._target()
        if len(target.means) < 2:
            seen_target = self._target_gaussian().seen_from(self.gaussian)
            return lambda seen: divergence(seen, seen_target)
        means, stds = target.unit_means(self.space), np.array(target.stds)
        origin = self.gaussian
        normals = self.rng.standard_normal((_SAMPLES, self.space.dimensions))

        def estimated(seen: Gaussian) -> Valued:
            points = seen.mean + normals @ seen.factor.T
            densities, slopes = mixture_density(origin.mean + points @ origin.factor.T, means, stds)
            value, slope = negative_entropy(seen)
            push = expectation(seen, normals, slopes @ origin.factor)
            return value - float(densities.mean()), slope - push

        return estimated

    def _is_floor_near(self) -> bool:
        """Tell whether deviations could fall below their floor within the trust region.

        Where log σ falls by t, the divergence is at least t²: exp(2t)/2 - t - 1/2 >= t².
        """
        shrunk = self.gaussian.stds * np.exp(-np.sqrt(self.max_kl))
        return bool((shrunk < self._least_stds()).any())

    def _require_sense(self) -> None:
        """Refuse hyper-parameters that cannot work in this space."""
        super()._require_sense()
        require_number(self, "performance_bound", 0.0, 1.0)
        require_count(self, "update_every")


def _negative(objective: Objective) -> Objective:
    def negative(seen: Gaussian) -> Valued:
        value, slope = objective(seen)
        return -value, -slope

    return negative
