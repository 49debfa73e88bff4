"""A generative adversarial network of points in the unit cube (Mao et al., 2017, arXiv 1611.04076).

Its labelled variant (Florensa et al., 2018, arXiv 1705.06366) learns to generate what resembles the
good points and neither the bad ones nor its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teachrl.compiling import compiled
from teachrl.models.networks import (
    Network,
    Values,
    descend,
    draw_network,
    forward,
    input_gradient,
    weight_gradient,
)

Array = NDArray[np.float64]

_LEARNT = "weights", "squares"


class PointGAN:
    """A generator of points, and a discriminator that tells good points from bad and made-up ones.

    The discriminator is drawn towards 1 at good points and towards -1 at bad and at generated ones,
    and the generator towards points at which the discriminator says ``aim``.

    Args:
        dimensions: of a point, and of the generator's noise.
        rng: draws the weights.
        generator_layers: its hidden layers, of rectifiers.
        discriminator_layers: its hidden layers, of leaky rectifiers.
        rate: of both networks' RMSProp.
        batch: labelled points, and generated ones, of an iteration.
        aim: the c of the loss.

    >>> rng = np.random.default_rng(0)
    >>> gan = PointGAN(2, rng)
    >>> _ = gan.train(rng.normal(0.2, 0.05, (500, 2)), np.ones(500), 300, rng)
    >>> abs(gan.generate(rng.standard_normal((500, 2))).mean() - 0.2) < 0.1
    np.True_
    """

    def __init__(
        self,
        dimensions: int,
        rng: np.random.Generator,
        *,
        generator_layers: Sequence[int] = (256, 256),
        discriminator_layers: Sequence[int] = (128, 128),
        rate: float = 1e-3,
        batch: int = 64,
        aim: float = 1.0,
    ) -> None:
        self.dimensions, self.rate, self.batch, self.aim = dimensions, rate, batch, aim
        sizes = dimensions, *generator_layers, dimensions
        self.generator = draw_network(sizes, rng, is_bounded=True)
        sizes = dimensions, *discriminator_layers, 1
        self.discriminator = draw_network(sizes, rng, slope=0.1)

    def generate(self, noise: ArrayLike) -> Array:
        """Return the points (n, d) of the cube that standard normal noise (n, d) becomes."""
        made = _outputs(self.generator, np.ascontiguousarray(noise, np.float32))
        return (made.astype(np.float64) + 1) / 2

    def discriminate(self, points: ArrayLike) -> Array:
        """Return how good points (n, d) look, (n,): at most about 1, and about -1 if bad."""
        return _outputs(self.discriminator, _centred(points))[:, 0].astype(np.float64)

    def train(
        self, points: ArrayLike, labels: ArrayLike, iterations: int, rng: np.random.Generator
    ) -> tuple[float, float]:
        """Alternate one step of each network; return their mean losses, the generator's first.

        Args:
            points: labelled ones, (n, d).
            labels: 1 for good points and 0 for bad ones, (n,).
            iterations: steps of each network.
            rng: draws noise and batches.
        """
        known = _centred(points)
        signs = 2 * np.asarray(labels, np.float32) - 1
        if known.shape != (len(signs), self.dimensions) or not len(signs):
            raise ValueError(
                f"expected points (n, {self.dimensions}) and as many labels, got {known.shape} "
                f"and {signs.shape}"
            )
        shape = iterations, self.batch
        return _train(
            (self.generator, self.discriminator),
            (known, signs),
            rng.standard_normal((*shape, self.dimensions), np.float32),
            rng.integers(len(known), size=shape),
            (np.float32(self.rate), np.float32(self.aim)),
        )

    def state(self) -> dict[str, Any]:
        """Return weights and optimisers."""
        return {
            f"{name}_{part}": getattr(network, part).copy()
            for name, network in self._networks().items()
            for part in _LEARNT
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        for name, network in self._networks().items():
            for part in _LEARNT:
                values, present = np.asarray(state[f"{name}_{part}"]), getattr(network, part)
                if values.shape != present.shape:
                    raise ValueError(
                        f"expected {present.size} weights of the {name}, got {values.size}: saved "
                        "with layers of other sizes?"
                    )
                present[:] = values

    def _networks(self) -> dict[str, Network]:
        return {"generator": self.generator, "discriminator": self.discriminator}


@compiled
def _train(
    networks: tuple[Network, Network],
    labelled: tuple[Values, Values],
    noise: Values,
    chosen: NDArray[np.int64],
    settings: tuple[np.float32, np.float32],
) -> tuple[float, float]:
    """Make one step of each network per row of ``noise`` (t, n, d) and ``chosen`` (t, n)."""
    (generator, discriminator), (known, signs), (rate, aim) = networks, labelled, settings
    (steps, n), d = chosen.shape, known.shape[1]
    seen, errors = np.empty((2 * n, d), np.float32), np.empty((2 * n, 1), np.float32)
    losses = 0.0, 0.0
    for t in range(steps):
        made = forward(generator, noise[t])
        for i in range(n):
            seen[i], seen[n + i] = known[chosen[t, i]], made[-1][i]
        found = forward(discriminator, seen)
        for i in range(n):
            errors[i, 0] = found[-1][i, 0] - signs[chosen[t, i]]
            errors[n + i, 0] = found[-1][n + i, 0] + np.float32(1)
        weight_gradient(discriminator, found, errors * np.float32(1 / n))
        descend(discriminator, rate)
        found = forward(discriminator, made[-1])
        wishes = found[-1] - aim
        slopes = input_gradient(discriminator, found, wishes * np.float32(2 / n))
        weight_gradient(generator, made, slopes)
        descend(generator, rate)
        losses = losses[0] + np.mean(wishes**2), losses[1] + np.mean(errors**2)
    return losses[0] / max(steps, 1), losses[1] / max(steps, 1)


@compiled
def _outputs(network: Network, x: Values) -> Values:
    return forward(network, x)[-1]


def _centred(points: ArrayLike) -> Values:
    """Map the unit cube to [-1, 1], which is what the generator's tanh covers."""
    return (2 * np.asarray(points, np.float64) - 1).astype(np.float32)
