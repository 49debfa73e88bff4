"""Gradient descent on one vector of weights that PyTorch differentiates by."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_DECAYS = 0.9, 0.999  # of the average derivative, and of its average square
_EPSILON = 1e-8


class Weights:
    """Matrices and biases in one vector, which Adam improves (Kingma and Ba, 2015, 1412.6980).

    Entries of a matrix (…, n, m) are drawn from N(0, 1 / n), and those of a bias (…, 1, m) are 0.

    Args:
        shapes: of matrices and their biases in turn; a matrix may have one row as well.
        rng: draws the weights.
        rate: of Adam.

    >>> weights = Weights([(2, 3), (1, 3)], np.random.default_rng(0), rate=0.1)
    >>> matrix, bias = weights
    >>> weights.descend((bias - 1).square().sum())
    >>> [*weights][1].detach().numpy().round(3)
    array([[0.1, 0.1, 0.1]])
    """

    def __init__(
        self, shapes: Sequence[tuple[int, ...]], rng: np.random.Generator, rate: float
    ) -> None:
        self.shapes, self.rate = tuple(shapes), rate
        parts = [
            np.zeros(shape) if i % 2 else rng.standard_normal(shape) / shape[-2] ** 0.5
            for i, shape in enumerate(shapes)
        ]
        self.vector = torch.from_numpy(np.concatenate([part.ravel() for part in parts]))
        self.vector.requires_grad_()
        self._averages = torch.zeros(2, len(self.vector), dtype=torch.float64)
        self._steps = 0

    def __iter__(self) -> Iterator[Tensor]:
        """Yield the matrices and biases."""
        parts = torch.split_with_sizes(self.vector, [int(np.prod(shape)) for shape in self.shapes])
        return (part.view(shape) for part, shape in zip(parts, self.shapes, strict=True))

    def descend(self, loss: Tensor) -> None:
        """Make one step against the derivatives of ``loss``; not finite ones are an error."""
        [gradient] = torch.autograd.grad(loss, self.vector)
        if not bool(torch.isfinite(gradient).all()):
            raise FloatingPointError(
                f"the loss is {loss.item()}, and its derivatives are not finite: lower the "
                "learning rate"
            )
        self._steps += 1
        with torch.no_grad():
            mean, square = self._averages
            mean.lerp_(gradient, 1 - _DECAYS[0])
            square.lerp_(gradient.square(), 1 - _DECAYS[1])
            unbiased = (1 - decay**self._steps for decay in _DECAYS)
            first, second = next(unbiased), next(unbiased)
            self.vector -= self.rate * (mean / first) / ((square / second).sqrt() + _EPSILON)

    def state(self) -> dict[str, Any]:
        """Return the weights, and what Adam remembers."""
        return {
            "vector": _copied(self.vector),
            "averages": _copied(self._averages),
            "steps": self._steps,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        vector, averages = np.array(state["vector"]), np.array(state["averages"])
        if vector.shape != self.vector.shape or averages.shape != self._averages.shape:
            raise ValueError(
                f"expected {len(self.vector)} weights, got {vector.size}: saved with layers of "
                "other sizes?"
            )
        with torch.no_grad():
            self.vector.copy_(torch.from_numpy(vector))
            self._averages.copy_(torch.from_numpy(averages))
        self._steps = int(state["steps"])


def _copied(tensor: Tensor) -> NDArray[np.float64]:
    return np.array(tensor.detach().numpy())
