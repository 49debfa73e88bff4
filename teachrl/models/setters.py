"""Points of a wanted chance of success (Racanière et al., 2020, arXiv 1909.12892)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from teachrl.models.descent import Weights
from teachrl.models.flows import ConditionalFlow

Array = NDArray[np.float64]

_LEAST_CHANCE = 1e-8
_MARGIN = 1e-4  # of the cube, where the density of a success is measured no more


class Setter:
    """A flow that makes points of a wanted chance of success, and a judge of their chances.

    The judge learns from outcomes. The flow learns that the judge shall agree with what was wanted
    (feasibility), that points which succeeded shall be likely (validity), and that its points shall
    differ (coverage).

    Args:
        dimensions: of a point.
        rng: draws the weights.
        hidden: neurons of a layer of the flow.
        judge_layers: the judge's hidden layers, all of them, of tanh.
        rate: of Adam, for both.
        blur: points that succeeded are shifted by up to that much in each coordinate.

    >>> rng = np.random.default_rng(0)
    >>> setter = Setter(2, rng, hidden=8, rate=1e-2)
    >>> for points in rng.random((60, 50, 2)):
    ...     _ = setter.learn(points, points[:, 0] < 0.5, rng)
    >>> setter.judge([[0.1, 0.5], [0.9, 0.5]]).round().tolist()
    [1.0, 0.0]
    """

    def __init__(
        self,
        dimensions: int,
        rng: np.random.Generator,
        *,
        hidden: int = 128,
        judge_layers: Sequence[int] = (64, 64, 64),
        rate: float = 3e-4,
        blur: float = 0.05,
    ) -> None:
        self.dimensions, self.blur = dimensions, blur
        self.flow = ConditionalFlow(dimensions, hidden, rng, rate)
        sizes = (dimensions, *judge_layers, 1)
        self.judge_weights = Weights(
            [s for n, m in pairwise(sizes) for s in ((n, m), (1, m))], rng, rate
        )

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return points (n, d), and the chance of success (n,) that was wanted of each."""
        chances = draw_chances(n, rng)
        return self.make(rng.standard_normal((n, self.dimensions)), chances), chances

    def make(self, noise: Array, chances: Array) -> Array:
        """Return the points (n, d) that normal noise (n, d) becomes, given wanted chances (n,)."""
        with torch.no_grad():
            points, _ = self.flow.forward(torch.from_numpy(noise), _column(chances))
        return np.array(points.numpy())

    def judge(self, points: ArrayLike) -> Array:
        """Return the chance of success (n,) that the judge gives points (n, d)."""
        with torch.no_grad():
            return np.array(torch.sigmoid(self._judge(_tensor(points))).numpy())

    def learn(
        self, points: ArrayLike, successes: ArrayLike, rng: np.random.Generator
    ) -> dict[str, float]:
        """Make one step of both networks, and return their losses.

        Without a success among the points, validity asks nothing.

        Args:
            points: that were attempted, (n, d).
            successes: whether each attempt succeeded, (n,).
            rng: draws what the flow makes meanwhile, as many points.
        """
        tried, outcomes = _tensor(points), _tensor(successes)
        judging = torch.nn.functional.binary_cross_entropy_with_logits(self._judge(tried), outcomes)
        self.judge_weights.descend(judging)
        noise = torch.from_numpy(rng.standard_normal(tried.shape))
        wanted = _column(draw_chances(len(tried), rng))
        made, log_density = self.flow.forward(noise, wanted)
        terms = {
            "feasibility": (self._judge(made) - wanted[:, 0].logit()).square().mean(),
            "validity": -self._log_density(tried[outcomes > 0.5], rng),
            "coverage": log_density.mean(),
        }
        self.flow.weights.descend(sum(terms.values(), torch.zeros(())))
        losses = {"judge": judging} | terms
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def state(self) -> dict[str, Any]:
        """Return weights and optimisers."""
        return {"flow": self.flow.weights.state(), "judge": self.judge_weights.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        self.flow.weights.restore(state["flow"])
        self.judge_weights.restore(state["judge"])

    def _judge(self, points: Tensor) -> Tensor:
        """Return the logarithm (n,) of success's odds."""
        x, layers = points, [*self.judge_weights]
        for i in range(0, len(layers), 2):
            x = torch.addmm(layers[i + 1], x if i == 0 else torch.tanh(x), layers[i])
        return x[:, 0]

    def _log_density(self, points: Tensor, rng: np.random.Generator) -> Tensor:
        """Return the mean log-density of points that are blurred, whatever chance was wanted."""
        if not len(points):
            return torch.zeros((), dtype=torch.float64)
        blurred = points + self.blur * torch.from_numpy(rng.random(points.shape))
        inside = blurred.clamp(_MARGIN, 1 - _MARGIN)
        _, log_density = self.flow.invert(inside, _column(draw_chances(len(points), rng)))
        return log_density.mean()


def draw_chances(n: int, rng: np.random.Generator) -> Array:
    """Draw wanted chances of success (n,), uniform but for the impossible and the certain."""
    return rng.uniform(_LEAST_CHANCE, 1 - _LEAST_CHANCE, n)


def _tensor(values: ArrayLike) -> Tensor:
    return torch.from_numpy(np.array(values, np.float64))


def _column(values: Array) -> Tensor:
    return torch.from_numpy(values)[:, None]
