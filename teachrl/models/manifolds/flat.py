"""The manifold of a flat vector of parameters, such as the twelve of a hexagon."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from teachrl.models.manifolds.variational import Autoencoder, VariationalManifold


class FlatAutoencoder(Autoencoder):
    """Two hidden layers of rectifiers to the code, and two back; a sigmoid at the end."""

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of its matrices and biases: the encoder's, then the decoder's."""
        d, k, n = self.dimensions, self.latents, self.hidden
        sizes = [(d, n), (n, n), (n, 2 * k), (k, n), (n, n), (n, d)]
        return [shape for a, b in sizes for shape in ((a, b), (1, b))]

    def encode(self, layers: Sequence[Tensor], points: Tensor) -> Tensor:
        """Return means and logarithms of deviations (n, 2k)."""
        return _perceptron(layers[:6], 2 * points - 1)

    def decode(self, layers: Sequence[Tensor], codes: Tensor) -> Tensor:
        """Return points (n, d)."""
        return torch.sigmoid(_perceptron(layers[6:], codes))


class FlatManifold(VariationalManifold):
    """What an autoencoder of perceptrons keeps of tasks.

    >>> import numpy as np
    >>> from teachrl.models.manifolds import learn_manifold
    >>> from teachrl.spaces import TaskSpace
    >>> rng, space = np.random.default_rng(0), TaskSpace(shape=(0, 4, "float", 12))
    >>> manifold = learn_manifold(space, rng, steps=20)
    >>> manifold.latent_dimensions, manifold.decode([[0.5] * 8]).shape
    (8, (1, 12))
    """

    kind: ClassVar[str] = "flat"
    autoencoder: ClassVar[type[Autoencoder]] = FlatAutoencoder
    default_latents: ClassVar[int] = 8
    default_hidden: ClassVar[int] = 128


def _perceptron(layers: Sequence[Tensor], x: Tensor) -> Tensor:
    for i in range(0, len(layers), 2):
        x = torch.addmm(layers[i + 1], torch.relu(x) if i else x, layers[i])
    return x
