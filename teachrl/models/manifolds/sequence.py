"""The manifold of a set of points, such as the control points of a closed curve."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from teachrl.models.manifolds.manifold import Array
from teachrl.models.manifolds.variational import Autoencoder, VariationalManifold

_EMBEDDING = 16  # numbers that a point becomes
_FORGET = 1.0  # bias of the forget gates: at first, a cell remembers


class SequenceAutoencoder(Autoencoder):
    """A bidirectional LSTM over the points of a set, and an LSTM that writes them again.

    A point (2d vector) is embedded; the code depends on the last cells of both directions. The
    decoder is given the code at every step, and one point comes out of each. Points are read
    counter-clockwise, so that their order in the task does not matter.
    """

    def __init__(self, dimensions: int, latents: int, hidden: int) -> None:
        super().__init__(dimensions, latents, hidden)
        if dimensions % 2 or dimensions < 4:
            raise ValueError(
                "a set of points is x, y, x, y, ...: an even number of coordinates, 4 or more; got "
                f"{dimensions}. A flat manifold takes any number"
            )

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of its matrices and biases: the encoder's, then the decoder's."""
        k, n, e = self.latents, self.hidden, _EMBEDDING
        encoder = [(2, e), (1, e), (2, e + n, 4 * n), (2, 1, 4 * n), (2 * n, 2 * k), (1, 2 * k)]
        start, step, end = [(k, 2 * n), (1, 2 * n)], [(k + n, 4 * n), (1, 4 * n)], [(n, 2), (1, 2)]
        return [*encoder, *start, *step, *end]

    def encode(self, layers: Sequence[Tensor], points: Tensor) -> Tensor:
        """Return means and logarithms of deviations (n, 2k)."""
        embed, embed_bias, step, step_bias, head, head_bias = layers[:6]
        steps = 2 * points.view(len(points), -1, 2) - 1
        embedded = torch.tanh(steps @ embed + embed_bias).transpose(0, 1)  # (points, n, e)
        ways = torch.stack([embedded, embedded.flip(0)], dim=1)  # forward and backward
        state = cell = points.new_zeros(2, len(points), self.hidden)
        for inputs in ways:
            gates = torch.baddbmm(step_bias, torch.cat([inputs, state], dim=2), step)
            state, cell = _remember(gates, cell)
        return torch.addmm(head_bias, torch.cat([cell[0], cell[1]], dim=1), head)

    def decode(self, layers: Sequence[Tensor], codes: Tensor) -> Tensor:
        """Return points (n, d), in the order in which they come out."""
        start, start_bias, step, step_bias, end, end_bias = layers[6:]
        state, cell = torch.tanh(torch.addmm(start_bias, codes, start)).chunk(2, dim=1)
        made = []
        for _ in range(self.dimensions // 2):
            gates = torch.addmm(step_bias, torch.cat([codes, state], dim=1), step)
            state, cell = _remember(gates, cell)
            made.append(torch.addmm(end_bias, state, end))
        return torch.sigmoid(torch.cat(made, dim=1))

    def canonical(self, points: Array) -> Array:
        """Return the points in counter-clockwise order; see :func:`counter_clockwise`."""
        return counter_clockwise(points)


class SequenceManifold(VariationalManifold):
    """What an autoencoder of LSTMs keeps of sets of points in the plane: x, y, x, y, ...

    >>> from teachrl.models.manifolds import learn_manifold
    >>> from teachrl.spaces import TaskSpace
    >>> rng, space = np.random.default_rng(0), TaskSpace(corners=(0, 9, "float", 6))
    >>> manifold = learn_manifold(space, rng, kind="sequence", steps=5)
    >>> triangle, turned = [0.1, 0.1, 0.9, 0.2, 0.5, 0.8], [0.9, 0.2, 0.5, 0.8, 0.1, 0.1]
    >>> (manifold.encode([triangle]) == manifold.encode([turned])).all()
    np.True_
    """

    kind: ClassVar[str] = "sequence"
    autoencoder: ClassVar[type[Autoencoder]] = SequenceAutoencoder
    default_latents: ClassVar[int] = 16
    default_hidden: ClassVar[int] = 48


def counter_clockwise(points: Array) -> Array:
    """Sort the points of each set (n, d) by their angle around the set's centroid.

    The smallest angle, of those in [-π, π], comes first. The result depends on the set alone, to
    the last bit: sums and ties are taken in the order of x and y.

    >>> counter_clockwise(np.array([[1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]])).tolist()
    [[0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0]]
    """
    pairs = points.reshape(len(points), -1, 2)
    pairs = _taken(pairs, np.lexsort((pairs[..., 1], pairs[..., 0])))
    away = pairs - pairs.mean(axis=1, keepdims=True)
    angles = np.arctan2(away[..., 1], away[..., 0])
    order = np.argsort(angles, axis=1, kind="stable")
    return _taken(pairs, order).reshape(points.shape)


def _taken(pairs: Array, order: Any) -> Array:
    return np.take_along_axis(pairs, order[..., None], axis=1)


def _remember(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Return state and cell after a step (Hochreiter and Schmidhuber, 1997), given its gates."""
    enter, forget, leave, news = gates.chunk(4, dim=-1)
    cell = torch.sigmoid(forget + _FORGET) * cell + torch.sigmoid(enter) * torch.tanh(news)
    return torch.sigmoid(leave) * torch.tanh(cell), cell
