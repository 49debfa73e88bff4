"""The tasks that matter in the end: what all the teaching is for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teachrl.spaces import Floats, TaskSpace

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Target:
    """A distribution over tasks: uniform, or Gaussians of equal weight along the axes.

    An environment declares one as its attribute ``target``. Means are in task units; deviations are
    shares of a parameter's range, as distances in unit coordinates are.

    >>> space = TaskSpace(position=(-4, 4), width=(0.5, 8))
    >>> target = Target.gaussians([[-3, 0.5], [3, 0.5]], stds=0.001)
    >>> target.sample(space, np.random.default_rng(0), 3).round(1).tolist()
    [[3.0, 0.5], [3.0, 0.5], [3.0, 0.5]]
    """

    means: tuple[tuple[float, ...], ...] = ()  # k times d; none: uniform over the whole space
    stds: tuple[tuple[float, ...], ...] = ()  # k times d

    @classmethod
    def uniform(cls) -> Self:
        """Every task matters alike."""
        return cls()

    @classmethod
    def gaussians(cls, means: Sequence[Sequence[float]], stds: ArrayLike) -> Self:
        """Make Gaussians; ``stds`` is one number, or one per coordinate, or one per entry."""
        try:
            centres = np.array(means, np.float64, ndmin=2)
            spreads = np.broadcast_to(np.asarray(stds, np.float64), centres.shape)
        except (TypeError, ValueError):  # lists of several lengths, words, or shapes that differ
            centres = spreads = np.empty((0, 0))
        is_list = centres.ndim == 2 and centres.size > 0
        if not is_list or not np.isfinite([centres, spreads]).all() or spreads.min() <= 0:
            raise ValueError(
                "a target needs finite means, a list of tasks, and positive stds, one number or "
                f"one per coordinate or one per entry; got {means!r}, {stds!r}"
            )
        return cls(_tuples(centres), _tuples(spreads))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild a target from the lists of ``dataclasses.asdict``."""
        return cls(*(tuple(map(tuple, data[name])) for name in ("means", "stds")))

    def require(self, space: TaskSpace) -> Self:
        """Return this target, or raise an error if it is none of ``space``."""
        for mean in self.means:
            try:
                space.require(mean)
            except ValueError as error:
                raise ValueError(f"the target's mean {mean} is no task: {error}") from None
        return self

    def draw(self, space: TaskSpace, rng: np.random.Generator, n: int) -> Array:
        """Draw ``n`` canonical points (n, d) in unit coordinates, clipped to the cube."""
        if not self.means:
            return space.canonical(rng.random((n, space.dimensions)))
        return self._around(rng.integers(len(self.means), size=n), space, rng)

    def draw_evenly(self, space: TaskSpace, rng: np.random.Generator, n: int) -> Array:
        """Draw as :meth:`draw` does, but as many points from each Gaussian as from any other.

        What is left over comes from different ones.
        """
        if not self.means:
            return self.draw(space, rng, n)
        k = len(self.means)
        return self._around(rng.permutation(k)[np.arange(n) % k], space, rng)

    def sample(self, space: TaskSpace, rng: np.random.Generator, n: int) -> Floats:
        """Draw ``n`` tasks (n, d)."""
        return space.denormalize(self.draw(space, rng, n))

    def log_density(self, space: TaskSpace, points: ArrayLike) -> Array:
        """Return the log-density (n,) at points (n, d) of unit coordinates, before clipping."""
        unit = np.array(points, np.float64, ndmin=2)
        if not self.means:
            return np.where(((unit >= 0) & (unit <= 1)).all(axis=1), 0.0, -np.inf)
        stds = np.array(self.stds)
        z = (unit[:, None] - self.unit_means(space)) / stds
        logs = -0.5 * (z**2 + np.log(2 * np.pi)).sum(axis=2) - np.log(stds).sum(axis=1)
        highest = logs.max(axis=1)
        density: Array = highest + np.log(np.exp(logs - highest[:, None]).mean(axis=1))
        return density

    def moments(self, space: TaskSpace) -> tuple[Array, Array]:
        """Return mean (d,) and covariance (d, d) in unit coordinates, before clipping."""
        d = space.dimensions
        if not self.means:
            return np.full(d, 0.5), np.eye(d) / 12
        means, variances = self.unit_means(space), np.array(self.stds) ** 2
        centred = means - means.mean(axis=0)
        covariance = np.diag(variances.mean(axis=0)) + centred.T @ centred / len(means)
        return means.mean(axis=0), covariance

    def unit_means(self, space: TaskSpace) -> Array:
        """Return the means (k, d) in unit coordinates."""
        return space.normalize(np.array(self.means))

    def _around(
        self, which: NDArray[np.int64], space: TaskSpace, rng: np.random.Generator
    ) -> Array:
        """Draw a point around each of these means, (n,)."""
        means, stds = self.unit_means(space), np.array(self.stds)
        noise = rng.standard_normal((len(which), space.dimensions))
        points: Array = means[which] + stds[which] * noise
        return space.canonical(np.clip(points, 0.0, 1.0))


def _tuples(values: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in values.tolist())
