"""From what the student values towards the target (Klink et al., 2020, arXiv 2004.11812)."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np

from teachrl.core import Episode
from teachrl.models.gaussians import Array, Gaussian, Valued, divergence, reweighted_mean
from teachrl.models.trust_regions import natural_step
from teachrl.rollouts import Rollout
from teachrl.teachers.gaussian_teacher import GaussianTeacher, differ
from teachrl.teachers.hyperparameters import require_choice, require_count, require_number
from teachrl.teachers.ring import Ring

Performance = Literal["values", "rewards"]

_LARGEST_ALPHA = 1e5
_AT_TARGET = 1e-6  # divergence from it


@dataclass(kw_only=True)
class SelfPaced(GaussianTeacher):
    """Prefers tasks that the student values, and the target the more, the better it performs.

    Every ``update_every`` steps the Gaussian p takes one step up mean[p(c)/p_old(c) V(s₀)] -
    α KL(p || target), within KL(p_old || p) <= ``max_kl``, where V is what the student's critic
    makes of the episodes since the last step. They count as the points that were drawn, not clipped
    to the space as in the published code; in return, the mean may not leave it. The weight α of the
    target grows with the student: it is ``zeta`` times performance / KL(p_old || target), as shares
    of the reward range, and 0 while performance is negative. Experts say where it is easy, by
    ``initial_mean`` and ``initial_std``, and what the target is; a uniform one counts as the
    Gaussian of its moments, with deviations of 0.289, where the published code has 0.25: say so by
    ``target_std``. The defaults are those of Romac et al. (2021, arXiv 2103.09815).

    >>> from teachrl.envs import play
    >>> teacher = SelfPaced(offset=0, initial_mean=(0.0, 0.0), initial_std=(0.1, 0.1))
    >>> run = play(teacher, episodes=1500, length=200)
    >>> teacher.metrics()["updates"], run.mastered > 0
    (3.0, True)
    """

    needs: ClassVar[frozenset[str]] = frozenset({"values"})

    max_kl: float = 0.8  # divergence between the Gaussians before and after an update
    update_every: int = 100_000  # environment steps between two updates
    offset: int = 200_000  # environment steps before the first, rounded up to whole periods
    zeta: float = 0.05  # how strongly performance draws to the target
    alpha_offset: int = 0  # first updates, which nothing draws to the target
    performance: Performance = "values"  # mean V(s₀), or the mean return, not discounted as V is
    performance_zero: float = 0.0  # return up to which nothing draws to the target
    # Zero is as published; where all returns are negative, say the lowest.
    memory: int = 1000  # latest episodes since the last update that count

    @classmethod
    def tuned_for_walker(cls) -> Self:
        """Return the values that the benchmark of Romac et al. tuned on Stump Tracks."""
        # It counts updates from one: its offset of 10 is nine without the target, here ten.
        return cls(
            update_every=50_000, alpha_offset=10, zeta=0.25, max_kl=0.1, performance="rewards"
        )

    def reset(self) -> None:
        """Go back to the initial Gaussian."""
        super().reset()
        self.observations = Ring(self.memory)  # the episodes' first ones
        periods = max(1, -(-self.offset // self.update_every))
        self.next_update = periods * self.update_every  # in environment steps
        self.alpha = self.measured = 0.0  # of the last update: weight of the target, performance

    def update(self, episode: Episode) -> None:
        """Remember an episode until the next update of the Gaussian."""
        if episode.first_observation is None:
            raise ValueError(
                "SelfPaced values first observations, but Episode.first_observation is None"
            )
        super().update(episode)
        self.observations.add(_row(episode.first_observation))

    def study(self, rollout: Rollout) -> None:
        """Move the Gaussian, if it is time and there are episodes to move it by."""
        if rollout.steps < self.next_update or not self.n_episodes:
            return
        self.next_update = self.update_every * (1 + rollout.steps // self.update_every)
        values, rewards = self._values(rollout), self.rewards[self._batch()]
        self.measured = float((values if self.performance == "values" else rewards).mean())
        self.alpha = self._weight_of_target(self.measured)
        self._moved(self._step(values))
        self.observations.clear()

    def metrics(self) -> dict[str, float]:
        """Return divergence from the target and its weight α, performance, and more."""
        return super().metrics() | {"alpha": self.alpha, "performance": self.measured}

    def concerns(self, episodes: float, rollouts: float = inf) -> list[str]:  # noqa: ARG002
        """Return whether it begins at its target, from where nothing would move it."""
        distance = self._initial().divergence(self._target_gaussian())
        if distance > _AT_TARGET or self.zeta == 0:
            return []
        return [
            "SelfPaced begins at its target, where it stays: give initial_mean and initial_std, "
            "where tasks are easy"
        ]

    def _capacity(self) -> int:
        return self.memory

    def _step(self, values: Array) -> Gaussian | None:
        """Return where the objective and the trust region lead, None if nowhere."""
        points, drawn = self._seen()
        target, least = self._target_gaussian().seen_from(self.gaussian), self._least_stds()

        # Ratios of densities have mean 1, so the mean value can be taken out: all it adds is noise.
        # Equal values may miss their mean by rounding, which would be as good a gradient as any.
        advantages = values - values.mean() if differ(values) else np.zeros(len(values))

        def objective(seen: Gaussian) -> Valued:
            gain, slope = reweighted_mean(seen, points, drawn, advantages)
            distance, push = divergence(seen, target)
            return gain - self.alpha * distance, slope - self.alpha * push

        # Outside the space nothing would lead back: all tasks are clipped to the same border.
        def admit(new: Gaussian) -> Gaussian:
            return Gaussian(np.clip(new.mean, 0.0, 1.0), new.at_least(least).factor)

        return natural_step(objective, self.gaussian, self.max_kl, admit)

    def _weight_of_target(self, performance: float) -> float:
        # Not from the lowest return on: who fails every time would be drawn to the target.
        above = performance - self.scale(self.performance_zero)
        if self.n_updates < self.alpha_offset or above <= 0:
            return 0.0
        distance = self.gaussian.divergence(self._target_gaussian())
        pull = self.zeta * above
        return pull / distance if pull < _LARGEST_ALPHA * distance else _LARGEST_ALPHA

    def _values(self, rollout: Rollout) -> Array:
        """Return what the student's critic makes of the batch, (n,), scaled like rewards."""
        values = rollout.values(self.observations.rows)
        if not np.isfinite(values).all():
            raise ValueError(f"the values of first observations must be finite, got {values}")
        low, high = self.reward_range
        return np.asarray((values - low) / (high - low))

    def _require_sense(self) -> None:
        """Refuse hyper-parameters that cannot work in this space."""
        super()._require_sense()
        require_count(self, "update_every")
        require_count(self, "offset", least=0)
        require_number(self, "zeta", 0.0)
        require_number(self, "performance_zero")
        low, high = self.reward_range
        if self.performance_zero >= high:
            raise ValueError(
                f"SelfPaced.performance_zero must be below the highest return {high:g}, "
                f"or nothing draws to the target, got {self.performance_zero:g}: where all returns "
                f"are negative, say the lowest, {low:g}"
            )
        require_count(self, "alpha_offset", least=0)
        require_choice(self, "performance", get_args(Performance))
        require_count(self, "memory")


def _row(observation: Any) -> Any:
    """Return one observation, or a dict of such, as the only row of an array."""
    if isinstance(observation, Mapping):
        return {key: _row(value) for key, value in observation.items()}
    return np.asarray(observation)[None]
