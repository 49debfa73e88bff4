"""A designer that moves a Gaussian to its best points: the cross-entropy method.

Rubinstein (1999), "The cross-entropy method for combinatorial and continuous optimization", with
weights by rank as in natural evolution strategies (Wierstra et al., 2014).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import rankdata

from teachrl.models.designers import Array, Proposals, require_rewards


class CrossEntropyDesigner:
    """One Gaussian with full covariance, and a share of uniform points.

    The elite are the best of the latest ``memory`` points; the better the rank, the more it weighs,
    and equal rewards weigh the same. The Gaussian moves towards the weighted moments of the elite.
    Points outside of the cube are moved to its faces, so that corners are within reach.

    Args:
        dimensions: of the cube.
        uniform_ratio: share of points that are uniform.
        memory: latest points to choose from, while rewards drift.
        elite_ratio: share of them that weighs.
        step: 0: stay; 1: become the elite's Gaussian at once.
        least_deviation: standard deviations do not shrink below it.

    >>> rng = np.random.default_rng(0)
    >>> designer = CrossEntropyDesigner(1)
    >>> for _ in range(20):
    ...     made = designer.propose(16, rng)
    ...     designer.learn(made, -np.abs(made.points[:, 0] - 0.8))
    >>> designer.mean.round(1)
    array([0.8])
    """

    def __init__(
        self,
        dimensions: int,
        *,
        uniform_ratio: float = 0.1,
        memory: int = 128,
        elite_ratio: float = 0.25,
        step: float = 0.5,
        least_deviation: float = 0.03,
    ) -> None:
        self.uniform_ratio, self.memory, self.elite_ratio = uniform_ratio, memory, elite_ratio
        self.step, self.least_deviation = step, least_deviation
        self.mean: Array = np.full(dimensions, 0.5)
        self.covariance: Array = np.eye(dimensions) / 12.0  # as the uniform distribution
        self._points: Array = np.zeros((0, dimensions))
        self._rewards: Array = np.zeros(0)

    def propose(self, n: int, rng: np.random.Generator) -> Proposals:
        """Draw ``n`` points; they have no notes."""
        factor = np.linalg.cholesky(self.covariance)
        drawn = self.mean + rng.standard_normal((n, len(self.mean))) @ factor.T
        anywhere = rng.random((n, len(self.mean)))
        is_uniform = rng.random((n, 1)) < self.uniform_ratio
        return Proposals(np.where(is_uniform, anywhere, np.clip(drawn, 0, 1)), np.zeros((n, 0)))

    def learn(self, proposals: Proposals, rewards: Array) -> None:
        """Move towards the best of the latest points, wherever they were drawn from."""
        require_rewards(proposals, rewards)
        self._points = np.concatenate([self._points, proposals.points])[-self.memory :]
        self._rewards = np.concatenate([self._rewards, rewards])[-self.memory :]
        weights = self._weights()
        mean = weights @ self._points
        centred = self._points - self.mean  # around the former mean, or it shrinks too soon
        covariance = (weights[:, None] * centred).T @ centred
        self.mean = self.mean + self.step * (mean - self.mean)
        self.covariance = self._widened(
            self.covariance + self.step * (covariance - self.covariance)
        )

    def entropy(self) -> float:
        """Return that of the Gaussian, which the cube cuts: at most 0."""
        _, log_determinant = np.linalg.slogdet(2 * np.pi * np.e * self.covariance)
        return min(0.0, 0.5 * float(log_determinant))

    def state(self) -> dict[str, Any]:
        """Return the Gaussian and the latest points."""
        names = ("mean", "covariance", "_points", "_rewards")
        return {name.lstrip("_"): getattr(self, name).copy() for name in names}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        if np.shape(state["mean"]) != self.mean.shape:
            raise ValueError(
                f"expected a designer of {len(self.mean)} coordinates, got one of "
                f"{np.size(state['mean'])}: saved in another task space?"
            )
        self.mean, self.covariance = np.array(state["mean"]), np.array(state["covariance"])
        self._points, self._rewards = np.array(state["points"]), np.array(state["rewards"])

    def _weights(self) -> Array:
        """Return weights (n,) by rank, 0 below the elite."""
        n = len(self._rewards)
        ranks = rankdata(-self._rewards)  # from 1, the best; equal ones share the mean of theirs
        elite = max(1.0, self.elite_ratio * n)
        weights = np.maximum(0.0, np.log(elite + 1.0) - np.log(ranks))
        if not weights.any():  # more than the elite are equally good: none of them is better
            weights = (ranks == ranks.min()).astype(np.float64)
        return np.asarray(weights / weights.sum())

    def _widened(self, covariance: Array) -> Array:
        """Return a covariance none of whose axes is shorter than the least deviation."""
        variances, axes = np.linalg.eigh((covariance + covariance.T) / 2)
        widened: Array = (axes * np.maximum(variances, self.least_deviation**2)) @ axes.T
        return widened
