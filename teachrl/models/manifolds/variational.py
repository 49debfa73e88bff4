"""Variational autoencoders of tasks (Kingma and Welling, 2014; Higgins et al., 2017: β)."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from teachrl.models.descent import Weights
from teachrl.models.manifolds.manifold import Array, Manifold, as_points
from teachrl.spaces import TaskSpace

_DEVIATIONS = 2.5  # of the aggregate posterior, that the cube of latents reaches to each side
_ANNEALED = 0.1  # share of the steps over which β rises from 0
_MEASURED = 10_000  # points whose codes tell how far they reach
_LOG_DEVIATIONS = -8.0, 4.0  # of a posterior: keeps its variance finite, whatever was learnt


@dataclass(frozen=True, kw_only=True)
class Training:
    """How an autoencoder is trained."""

    steps: int = 4_000  # of Adam
    batch: int = 128  # points of a step
    learning_rate: float = 1e-3
    beta: float = 1e-2  # weight of the divergence against the sum of squared errors

    def __post_init__(self) -> None:
        if min(self.steps, self.batch) < 1:
            raise ValueError(f"steps and batch must be 1 or more, got {self.steps}, {self.batch}")
        if not (0 < self.learning_rate <= 1 and 0 <= self.beta < np.inf):
            raise ValueError(
                "learning_rate must be in (0, 1] and beta finite and not negative, got "
                f"{self.learning_rate}, {self.beta}"
            )


class Autoencoder(ABC):
    """The networks of an autoencoder, without their weights.

    Args:
        dimensions: of a point.
        latents: of its code.
        hidden: neurons of a layer.
    """

    def __init__(self, dimensions: int, latents: int, hidden: int) -> None:
        if min(dimensions, latents, hidden) < 1:
            raise ValueError(
                "an autoencoder needs dimensions, latents and hidden neurons, 1 or more of each, "
                f"got {dimensions}, {latents}, {hidden}"
            )
        self.dimensions, self.latents, self.hidden = dimensions, latents, hidden

    @property
    @abstractmethod
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of its matrices and biases."""

    @abstractmethod
    def encode(self, layers: Sequence[Tensor], points: Tensor) -> Tensor:
        """Return means and then logarithms of deviations (n, 2k) of the codes of points (n, d)."""

    @abstractmethod
    def decode(self, layers: Sequence[Tensor], codes: Tensor) -> Tensor:
        """Return points (n, d) of the open unit cube, given codes (n, k)."""

    def canonical(self, points: Array) -> Array:
        """Return that one of equivalent points (n, d) which stands for them all."""
        return points


class VariationalManifold(Manifold):
    """What a variational autoencoder keeps of tasks.

    Latents b in the unit cube stand for the code z = (2b - 1) c, where c is 2.5 times the standard
    deviation of the codes of all tasks. So every direction away from 0 is within reach; CLUTR's own
    teacher acts on (0, 1) in each latent, which is one orthant of many.

    Args:
        space: whose tasks they are.
        network: the autoencoder.
        vector: its weights, one behind the other.
        reach: c, one per latent.
    """

    autoencoder: ClassVar[type[Autoencoder]]
    default_latents: ClassVar[int]
    default_hidden: ClassVar[int]  # neurons of a layer

    def __init__(
        self, space: TaskSpace, network: Autoencoder, vector: ArrayLike, reach: ArrayLike
    ) -> None:
        super().__init__(space, network.latents)
        self.network = network
        self.vector, self.reach = np.array(vector, np.float64), np.array(reach, np.float64)
        sizes = [prod(shape) for shape in network.shapes]
        if network.dimensions != space.dimensions:
            raise ValueError(
                f"an autoencoder of {network.dimensions} numbers cannot stand for {space}"
            )
        if self.vector.shape != (sum(sizes),) or self.reach.shape != (network.latents,):
            raise ValueError(
                f"expected {sum(sizes)} weights and the reach of {network.latents} latents, got "
                f"shapes {self.vector.shape} and {self.reach.shape}: of layers of other sizes?"
            )
        if not (np.isfinite(self.vector).all() and np.isfinite(self.reach).all()):
            raise ValueError("the weights of a manifold must be finite")
        parts = torch.split_with_sizes(torch.from_numpy(self.vector), sizes)
        self._layers = [part.view(s) for part, s in zip(parts, network.shapes, strict=True)]

    @classmethod
    def learn(
        cls,
        space: TaskSpace,
        points: ArrayLike,
        rng: np.random.Generator,
        training: Training,
        latent_dimensions: int | None = None,
    ) -> Self:
        """Train an autoencoder on points (n, d) of the unit cube.

        Each step descends the sum of squared errors plus β times the divergence of a point's code
        from N(0, I), both averaged over a batch; β rises linearly from 0 over the first tenth.
        """
        network = cls.network_for(space, latent_dimensions)
        known = network.canonical(as_points(points, network.dimensions))
        if not len(known):
            raise ValueError("a manifold is learnt from points, and there are none")
        vector = _train(network, known, rng, training)
        unit = cls(space, network, vector, np.ones(network.latents))
        means, deviations = unit.posterior(known[:_MEASURED])
        spread = np.sqrt(means.var(axis=0) + np.square(deviations).mean(axis=0))
        return cls(space, network, vector, _DEVIATIONS * spread)

    @classmethod
    def network_for(cls, space: TaskSpace, latent_dimensions: int | None = None) -> Autoencoder:
        """Return the networks for tasks of ``space``, or raise if there can be none.

        By default with as many latents as its kind has, but no more than there are coordinates.
        """
        usual = min(cls.default_latents, space.dimensions)
        latents = usual if latent_dimensions is None else latent_dimensions
        return cls.autoencoder(space.dimensions, latents, cls.default_hidden)

    @classmethod
    def of(cls, space: TaskSpace, options: Mapping[str, Any], arrays: Mapping[str, Any]) -> Self:
        """Make the manifold whose :meth:`options` and :meth:`arrays` these are."""
        return cls(space, cls.autoencoder(space.dimensions, **options), **arrays)

    def canonical(self, points: Array) -> Array:
        """Return that one of equivalent points (n, d) which stands for them all."""
        return self.network.canonical(points)

    def encode(self, points: ArrayLike) -> Array:
        """Return the latents (n, k) of points (n, d): those beyond reach lie on the cube's faces.

        The mean of a point's code counts.
        """
        means, _ = self.posterior(points)
        return np.clip((means / self.reach + 1) / 2, 0.0, 1.0)

    def decode(self, latents: ArrayLike) -> Array:
        """Return the points (n, d) of the unit cube that latents (n, k) stand for."""
        unit = as_points(latents, self.latent_dimensions, "latents")
        with torch.no_grad():
            codes = torch.from_numpy((2 * unit - 1) * self.reach)
            return np.array(self.network.decode(self._layers, codes).numpy())

    def posterior(self, points: ArrayLike) -> tuple[Array, Array]:
        """Return means and standard deviations (n, k) of the codes of points (n, d)."""
        known = self.network.canonical(as_points(points, self.space.dimensions))
        with torch.no_grad():
            means, logs = _gaussian(self.network.encode(self._layers, torch.from_numpy(known)))
            return np.array(means.numpy()), np.array(logs.exp().numpy())

    def divergences(self, points: ArrayLike) -> Array:
        """Return what each latent tells about points (n, d), in nats, (k,)."""
        means, deviations = self.posterior(points)
        terms = means**2 + deviations**2 - 1 - 2 * np.log(deviations)
        return np.asarray(terms.mean(axis=0) / 2)

    def options(self) -> dict[str, Any]:
        """Return the sizes of the network."""
        return {"latents": self.network.latents, "hidden": self.network.hidden}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return weights and reach."""
        return {"vector": self.vector.copy(), "reach": self.reach.copy()}


def _train(
    network: Autoencoder, points: Array, rng: np.random.Generator, training: Training
) -> Array:
    """Return the weights after all steps."""
    weights = Weights(network.shapes, rng, training.learning_rate)
    data, annealed = torch.from_numpy(points), _ANNEALED * training.steps
    for step in range(training.steps):
        batch = data[torch.from_numpy(rng.integers(len(points), size=training.batch))]
        noise = torch.from_numpy(rng.standard_normal((training.batch, network.latents)))
        beta = training.beta * min(1.0, step / annealed)
        weights.descend(loss(network, [*weights], batch, noise, beta))
    return np.array(weights.state()["vector"])


def loss(
    network: Autoencoder, layers: Sequence[Tensor], points: Tensor, noise: Tensor, beta: float
) -> Tensor:
    """Return the mean over points (n, d) of the squared error plus β times the divergence.

    Args:
        network: the autoencoder.
        layers: its weights.
        points: of the unit cube.
        noise: standard normal, (n, k).
        beta: weight of the divergence.
    """
    means, logs = _gaussian(network.encode(layers, points))
    made = network.decode(layers, means + logs.exp() * noise)
    error = (made - points).square().sum(dim=1)
    divergence = (means.square() + (2 * logs).exp() - 1 - 2 * logs).sum(dim=1) / 2
    return (error + beta * divergence).mean()


def _gaussian(codes: Tensor) -> tuple[Tensor, Tensor]:
    """Return means, and logarithms of deviations within bounds."""
    means, logs = codes.chunk(2, dim=1)
    return means, logs.clamp(*_LOG_DEVIATIONS)
