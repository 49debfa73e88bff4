"""The manifold that learns nothing: for spaces of which there is nothing to leave out."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from teachrl.models.manifolds.manifold import Array, Manifold, as_points
from teachrl.spaces import TaskSpace


class IdentityManifold(Manifold):
    """Every coordinate is its own latent.

    One or two coordinates are no more than a teacher can search anyway, so an autoencoder could
    only lose some of them: ``learn_manifold`` returns this one there.

    >>> IdentityManifold(TaskSpace(height=(0, 3), gap=(0, 6))).decode([[0.25, 1.0]]).tolist()
    [[0.25, 1.0]]
    """

    kind: ClassVar[str] = "identity"

    def __init__(self, space: TaskSpace) -> None:
        super().__init__(space, space.dimensions)

    def encode(self, points: ArrayLike) -> Array:
        """Return the points themselves."""
        return as_points(points, self.space.dimensions)

    def decode(self, latents: ArrayLike) -> Array:
        """Return the latents themselves."""
        return as_points(latents, self.latent_dimensions, "latents")

    def divergences(self, points: ArrayLike) -> Array:
        """Return nothing: its latents have no distribution."""
        as_points(points, self.space.dimensions)
        return np.zeros(0)

    @classmethod
    def of(cls, space: TaskSpace, options: Mapping[str, Any], arrays: Mapping[str, Any]) -> Self:
        """Make the manifold of ``space``; there is nothing else to it."""
        if options or arrays:
            raise ValueError(f"an identity has neither options nor arrays, got {[*options]}")
        return cls(space)
