"""Designers propose points of the unit cube, and learn from one reward per point."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Proposals(NamedTuple):
    """Points, and what their designer wants back together with their rewards."""

    points: Array  # (n, d), in the unit cube
    notes: Array  # (n, k)


class Designer(Protocol):
    """Prefers points of high reward; every point of the cube keeps a positive density."""

    def propose(self, n: int, rng: np.random.Generator) -> Proposals:
        """Draw ``n`` points; changes nothing but ``rng``."""

    def learn(self, proposals: Proposals, rewards: Array) -> None:
        """Learn from the rewards (n,) of points that were proposed earlier, in any order."""

    def entropy(self) -> float:
        """Return the differential entropy in nats; 0: uniform, the more negative the narrower."""

    def state(self) -> dict[str, Any]:
        """Return all it has learnt, as arrays and JSON values."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""


def require_rewards(proposals: Proposals, rewards: Array) -> None:
    """Refuse rewards that are not finite, or not one per point."""
    if np.shape(rewards) != (len(proposals.points),) or not len(rewards):
        raise ValueError(
            f"expected one reward for each of {len(proposals.points)} points, got an array of "
            f"shape {np.shape(rewards)}"
        )
    if not np.isfinite(rewards).all():
        raise ValueError(f"a designer learns from finite rewards, got {rewards}")
