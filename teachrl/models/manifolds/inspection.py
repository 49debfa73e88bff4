"""What a manifold is worth, in numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from teachrl.models.manifolds.learning import Canonical, Valid, draw_points
from teachrl.models.manifolds.manifold import Array, Manifold

_LEAST = 0.01  # nats that a latent has to tell to be in use
_PAIRED = 2_000  # points whose distances to one another are averaged


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """How well a manifold stands for tasks, and how much of them a teacher can reach with it.

    Errors and distances are in unit coordinates.
    """

    error: float  # root of the mean squared difference of a coordinate and its reconstruction
    spread: float  # the same, if every task were reconstructed as the mean task
    divergences: tuple[float, ...]  # what each latent tells about a task, in nats
    active: int  # latents that tell anything
    valid: float  # share of what uniform latents stand for that is a task, by the rule as well
    diversity: float  # mean distance of two tasks decoded from uniform latents
    data_diversity: float  # mean distance of two uniform tasks

    @property
    def explained(self) -> float:
        """Share of the variance of tasks that the reconstructions have."""
        return 1.0 - (self.error / self.spread) ** 2 if self.spread else 1.0

    def row(self) -> dict[str, Any]:
        """Return the numbers by what they are called in a table."""
        return {
            "error": self.error,
            "explained": self.explained,
            "KL (nats)": " ".join(f"{nats:.2f}" for nats in self.divergences) or None,
            "active": self.active,
            "valid": self.valid,
            "diversity": self.diversity,
            "of data": self.data_diversity,
        }


def inspect_manifold(
    manifold: Manifold,
    rng: np.random.Generator,
    *,
    samples: int = 10_000,
    valid: Valid | None = None,
    canonical: Canonical | None = None,
) -> Inspection:
    """Measure a manifold on new tasks.

    >>> from teachrl.models.manifolds import IdentityManifold
    >>> from teachrl.spaces import TaskSpace
    >>> manifold = IdentityManifold(TaskSpace(height=(0, 3), gap=(0, 6)))
    >>> found = inspect_manifold(manifold, np.random.default_rng(0))
    >>> found.error, found.active, round(found.diversity, 1), round(found.data_diversity, 1)
    (0.0, 2, 0.5, 0.5)

    Args:
        manifold: to be measured.
        rng: draws tasks and latents.
        samples: of both.
        valid: the rule it was learnt with, if any.
        canonical: the form it was learnt with, if any.
    """
    space, k = manifold.space, manifold.latent_dimensions
    points = draw_points(space, samples, rng, valid, canonical)
    points = manifold.canonical(points)
    decoded = manifold.decode(rng.random((samples, k)))
    made = manifold.decode(manifold.encode(points))
    told = manifold.divergences(points)
    return Inspection(
        error=float(np.sqrt(np.square(made - points).mean())),
        spread=float(np.sqrt(points.var(axis=0).mean())),
        divergences=tuple(told.tolist()),
        active=int((told > _LEAST).sum()) if len(told) else k,
        valid=_share_of_tasks(manifold, decoded, valid),
        diversity=_mean_distance(decoded),
        data_diversity=_mean_distance(points),
    )


def _share_of_tasks(manifold: Manifold, decoded: Array, valid: Valid | None) -> float:
    inside = ((decoded >= 0) & (decoded <= 1)).all(axis=1)
    fits = True if valid is None else np.asarray(valid(manifold.space.denormalize(decoded)), bool)
    return float(np.mean(inside & fits))


def _mean_distance(points: Array) -> float:
    """Return the mean distance of all pairs among the first few points."""
    few = points[:_PAIRED]
    squares = np.square(few).sum(axis=1)
    between = squares[:, None] + squares - 2 * few @ few.T
    n = len(few)
    return float(np.sqrt(np.maximum(between, 0.0)).sum() / (n * (n - 1))) if n > 1 else 0.0
