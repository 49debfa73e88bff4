"""Several independent networks that learn the same Q-function, to see where they disagree."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Layers = list[tuple[Array, Array]]  # weights (k, inputs, outputs) and biases (k, 1, outputs)

_BETAS = (0.9, 0.999)  # of Adam
_EPSILON = 1e-8


class QEnsemble:
    """``members`` perceptrons with tanh units, trained side by side by Adam.

    They share nothing: neither weights nor minibatches. Written in NumPy: torch would be slower at
    this size, and keeps a random state of its own. Each layer is one array, but the networks are
    gone through one by one: what a minibatch leaves behind then fits into the processor's cache,
    which makes a training twice as fast.

    Args:
        inputs: of each network; 0 if :meth:`widen` will tell.
        hidden: units of each hidden layer.
        members: number of networks, k.
        learning_rate: of Adam (Kingma and Ba, 2015, arXiv 1412.6980), with its usual constants.
        rng: draws the first weights, uniform in ±1/√inputs of a layer.

    >>> ensemble = QEnsemble(2, (8,), members=5, learning_rate=1e-3, rng=np.random.default_rng(0))
    >>> ensemble.predict(np.zeros((3, 2), np.float32)).shape
    (5, 3)
    """

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int],
        members: int,
        learning_rate: float,
        rng: np.random.Generator,
    ) -> None:
        self.learning_rate = learning_rate
        widths = [inputs, *hidden, 1]
        self._layers = [
            (
                _uniform(rng, before, (members, before, after)),
                _uniform(rng, before, (members, 1, after)),
            )
            for before, after in pairwise(widths)
        ]
        self._first, self._second = _zeros_like(self._layers), _zeros_like(self._layers)
        self._steps = 0

    @property
    def inputs(self) -> int:
        """Number of inputs of each network."""
        return int(self._layers[0][0].shape[1])

    @property
    def members(self) -> int:
        """Number of networks."""
        return int(self._layers[0][0].shape[0])

    def predict(self, inputs: Array) -> Array:
        """Return what each network makes of inputs (n, i) or (k, n, i): (k, n)."""
        each = inputs if inputs.ndim == 3 else [inputs] * self.members
        return np.stack([self._forward(k, x)[-1][:, 0] for k, x in enumerate(each)])

    def gradients(self, inputs: Array, targets: Array) -> tuple[float, Layers]:
        """Return the mean squared error, summed over networks, and its gradients.

        Args:
            inputs: (k, n, i), a minibatch for each network.
            targets: (k, n).
        """
        gradients = [
            (np.empty_like(weights), np.empty_like(biases)) for weights, biases in self._layers
        ]
        loss = 0.0
        for k in range(self.members):
            outputs = self._forward(k, inputs[k])
            error = outputs[-1] - targets[k][:, None]
            loss += float((error**2).mean())
            push = 2 * error / np.float32(len(error))
            for i in reversed(range(len(self._layers))):
                below, (by_weights, by_biases) = outputs[i], gradients[i]
                np.matmul(below.T, push, out=by_weights[k])
                push.sum(axis=0, out=by_biases[k, 0])
                if i:
                    push = push @ self._layers[i][0][k].T
                    push *= 1 - below**2
        return loss, gradients

    def step(self, inputs: Array, targets: Array) -> float:
        """Take one step of Adam on a minibatch for each network; return the loss before it."""
        loss, gradients = self.gradients(inputs, targets)
        self._steps += 1
        decay, decay2 = _BETAS
        rate = self.learning_rate * np.sqrt(1 - decay2**self._steps) / (1 - decay**self._steps)
        small = _EPSILON * np.sqrt(1 - decay2**self._steps)  # where torch has it
        for layer in zip(self._layers, gradients, self._first, self._second, strict=True):
            for value, gradient, first, second in zip(*layer, strict=True):
                first[:] += np.float32(1 - decay) * (gradient - first)
                second[:] += np.float32(1 - decay2) * (gradient**2 - second)
                value[:] -= np.float32(rate) * first / (np.sqrt(second) + np.float32(small))
        return loss

    def fit(
        self,
        inputs: Array,
        targets: Callable[[NDArray[np.int64]], Array],
        batches: int,
        rng: np.random.Generator,
    ) -> float:
        """Go through all inputs (n, i) once, every network in an order of its own.

        Args:
            inputs: (n, i).
            targets: returns what rows (k, m) of them should give by now, (k, m).
            batches: into which they are split; fewer if there are fewer rows.
            rng: draws the orders.

        Returns:
            The mean loss of the minibatches, summed over networks.
        """
        rows = np.tile(np.arange(len(inputs)), (self.members, 1))
        orders = rng.permuted(rows, axis=1)
        parts = np.array_split(orders, min(batches, len(inputs)), axis=1)
        return float(np.mean([self.step(inputs[part], targets(part)) for part in parts]))

    def widen(self, inputs: int, rng: np.random.Generator) -> None:
        """Give the networks further inputs, which count as 0 wherever they were missing so far.

        What they learnt stays exactly as it is. Networks without any inputs are only now begun.
        """
        weights, biases = self._layers[0]
        k, before, units = weights.shape
        fresh = _uniform(rng, inputs, (k, inputs - before, units))
        biases = biases if before else _uniform(rng, inputs, biases.shape)
        self._layers[0] = np.concatenate([weights, fresh], axis=1), biases
        for moments in (self._first, self._second):
            known, of_biases = moments[0]
            moments[0] = np.concatenate([known, np.zeros_like(fresh)], axis=1), of_biases

    def state(self) -> dict[str, Any]:
        """Return weights, Adam's moments and its number of steps."""
        parts = {"layers": self._layers, "first": self._first, "second": self._second}
        copies = {name: [[w.copy(), b.copy()] for w, b in part] for name, part in parts.items()}
        return copies | {"steps": self._steps}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        parts = [
            [(np.array(weights), np.array(biases)) for weights, biases in state[name]]
            for name in ("layers", "first", "second")
        ]
        self._layers, self._first, self._second = parts
        self._steps = int(state["steps"])

    def _forward(self, member: int, inputs: Array) -> list[Array]:
        """Return a network's inputs (n, i) and what each layer makes of them, (n, units).

        The last layer is without tanh.
        """
        outputs, last = [inputs], len(self._layers) - 1
        for i, (weights, biases) in enumerate(self._layers):
            made = outputs[-1] @ weights[member]
            made += biases[member]
            outputs.append(made if i == last else np.tanh(made, out=made))
        return outputs


def _uniform(rng: np.random.Generator, inputs: int, shape: tuple[int, ...]) -> Array:
    bound = 1 / np.sqrt(max(inputs, 1))
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def _zeros_like(layers: Layers) -> Layers:
    return [(np.zeros_like(weights), np.zeros_like(biases)) for weights, biases in layers]
