"""Invertible networks on the open unit cube (Dinh et al., 2017, arXiv 1605.08803).

With the details of the setter of Racanière et al. (2020, arXiv 1909.12892).
"""

from collections.abc import Sequence
from math import log, pi

import numpy as np
import torch
from torch import Tensor

from teachrl.models.descent import Weights

_BLOCKS = 3  # of three couplings each
_HIGHWAYS = 3  # layers of a coupling's networks that can pass their inputs on
_LEAST_SCALE = 0.01


class ConditionalFlow:
    """Points of the cube, made invertibly from normal noise, given a condition.

    Nine affine couplings, each of which keeps some coordinates (the first half, the others, or
    every other one) and scales and shifts the rest by functions of those and of the condition; then
    a sigmoid. Everything is float64.

    Args:
        dimensions: of a point.
        hidden: neurons of a layer.
        rng: draws the weights.
        rate: of Adam.

    >>> flow = ConditionalFlow(2, hidden=8, rng=np.random.default_rng(0), rate=1e-3)
    >>> noise, condition = torch.tensor([[0.3, -0.7]]).double(), torch.tensor([[0.5]]).double()
    >>> points, log_density = flow.forward(noise, condition)
    >>> again, same_density = flow.invert(points, condition)
    >>> bool(torch.allclose(again, noise)), bool(torch.allclose(log_density, same_density))
    (True, True)
    """

    def __init__(self, dimensions: int, hidden: int, rng: np.random.Generator, rate: float) -> None:
        self._kept = _couplings(dimensions)
        self._shapes = _shapes(dimensions, hidden)
        self.weights = Weights(self._shapes * len(self._kept), rng, rate)

    def forward(self, noise: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return the points (n, d) that noise (n, d) becomes, and their log-densities (n,).

        Args:
            noise: standard normal.
            condition: (n, 1).
        """
        x, stretched = noise, torch.zeros(len(noise), dtype=torch.float64)
        for kept, layers in self._layers():
            scales, shifts = _affine(x * kept, condition, layers, kept)
            x = x * scales + shifts
            stretched = stretched + scales.log().sum(dim=1)
        return torch.sigmoid(x), _log_normal(noise) - stretched - _log_squeezed(x)

    def invert(self, points: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return the noise (n, d) that becomes points (n, d), and their log-densities (n,)."""
        x = last = torch.logit(points)
        stretched = torch.zeros(len(points), dtype=torch.float64)
        for kept, layers in reversed(self._layers()):
            scales, shifts = _affine(x * kept, condition, layers, kept)
            x = (x - shifts) / scales
            stretched = stretched + scales.log().sum(dim=1)
        return x, _log_normal(x) - stretched - _log_squeezed(last)

    def _layers(self) -> list[tuple[Tensor, Sequence[Tensor]]]:
        """Return of each coupling, which coordinates it keeps (d,) and its networks' layers."""
        parts, size = [*self.weights], len(self._shapes)
        return [(kept, parts[i * size : (i + 1) * size]) for i, kept in enumerate(self._kept)]


def soft_positive(x: Tensor) -> Tensor:
    """Return x (arctan(x) / π + 1/2) + 1/π: close to x above zero, and of slow decay below."""
    return x * (torch.atan(x) / pi + 0.5) + 1 / pi


def _couplings(dimensions: int) -> list[Tensor]:
    """Return which coordinates (d,) each coupling keeps: ones, and zeros for those it changes."""
    places = np.arange(dimensions)
    first = places < dimensions // 2
    block = [torch.from_numpy(kept.astype(np.float64)) for kept in (first, ~first, places % 2 == 0)]
    return [kept for kept in block if not bool(kept.all())] * _BLOCKS


def _shapes(dimensions: int, hidden: int) -> list[tuple[int, ...]]:
    """Return the shapes of one coupling's weights; its two networks lie one behind the other."""
    highway = [(2, hidden, 2 * hidden), (2, 1, 2 * hidden)] * _HIGHWAYS
    first = [(2, dimensions + 1, hidden), (2, 1, hidden)]
    return [*first, *highway, (2, hidden, dimensions), (2, 1, dimensions)]


def _affine(
    kept_part: Tensor, condition: Tensor, layers: Sequence[Tensor], kept: Tensor
) -> tuple[Tensor, Tensor]:
    """Return scales and shifts (n, d) of all coordinates: 1 and 0 of those that are kept."""
    x = torch.cat([kept_part, condition], dim=1).expand(2, -1, -1)
    x = torch.tanh(torch.baddbmm(layers[1], x, layers[0]))
    for i in range(2, 2 + 2 * _HIGHWAYS, 2):
        gates, values = torch.baddbmm(layers[i + 1], x, layers[i]).chunk(2, dim=2)
        x = torch.lerp(x, torch.tanh(values), torch.sigmoid(gates))
    raw, shifts = torch.baddbmm(layers[-1], x, layers[-2])
    return torch.lerp(soft_positive(raw) + _LEAST_SCALE, torch.ones_like(raw), kept), shifts * (
        1 - kept
    )


def _log_normal(x: Tensor) -> Tensor:
    return -0.5 * (x.square() + log(2 * pi)).sum(dim=1)


def _log_squeezed(x: Tensor) -> Tensor:
    """Return the logarithm of the sigmoid's derivative, summed over coordinates."""
    return (torch.nn.functional.logsigmoid(x) + torch.nn.functional.logsigmoid(-x)).sum(dim=1)
