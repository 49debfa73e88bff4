"""Small fully connected networks and their gradients, compiled.

With a hundred neurons per layer and a batch of 64, frameworks spend more time between the products
of matrices than on them.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from teachrl.compiling import compiled

Values = NDArray[np.float32]

_DECAY = np.float32(0.9)
_EPSILON = np.float32(1e-10)


class Network(NamedTuple):
    """Layers of (leaky) rectifiers, a linear or a tanh layer at the end, and their optimiser.

    The optimiser is RMSProp (Tieleman and Hinton, 2012), whose averages begin at 1: the first steps
    are small.

    >>> network = draw_network((2, 8, 1), np.random.default_rng(0))
    >>> forward(network, np.zeros((5, 2), np.float32))[-1].shape
    (5, 1)
    """

    sizes: tuple[int, ...]  # inputs, neurons of each hidden layer, outputs
    slope: np.float32  # of a hidden neuron below zero
    is_bounded: bool  # whether tanh bends the outputs into (-1, 1)
    weights: Values  # of each layer, the matrix (n, m) and then the bias (m,)
    squares: Values  # the average squared derivative by each weight
    gradient: Values  # the latest derivatives


def draw_network(
    sizes: Sequence[int], rng: np.random.Generator, slope: float = 0.0, is_bounded: bool = False
) -> Network:
    """Draw weights from U(±√(6 / (inputs + outputs))) (Glorot and Bengio, 2010); biases are 0."""
    parts = []
    for n, m in pairwise(sizes):
        parts += [rng.uniform(-1, 1, n * m) * np.sqrt(6 / (n + m)), np.zeros(m)]
    weights = np.concatenate(parts).astype(np.float32)
    squares, gradient = np.ones_like(weights), np.zeros_like(weights)
    return Network(tuple(sizes), np.float32(slope), is_bounded, weights, squares, gradient)


@compiled
def forward(network: Network, x: Values) -> list[Values]:
    """Return inputs (n, d) and what every layer makes of them (n, m), the outputs last."""
    found, end, last = [x], 0, len(network.sizes) - 2
    for i in range(last + 1):
        n, m = network.sizes[i], network.sizes[i + 1]
        start, end = end, end + n * m + m
        bias, slope = network.weights[end - m : end], np.float32(1) if i == last else network.slope
        y = np.dot(found[i], network.weights[start : end - m].reshape(n, m))
        for row in range(len(y)):
            for c in range(m):
                value = y[row, c] + bias[c]
                y[row, c] = max(value, slope * value)
        found.append(np.tanh(y) if i == last and network.is_bounded else y)
    return found


@compiled
def weight_gradient(network: Network, found: list[Values], slopes: Values) -> None:
    """Fill in ``gradient``, given the derivatives of a loss by the outputs (n, m).

    Args:
        network: whose outputs they are.
        found: what :func:`forward` returned.
        slopes: the derivatives by the outputs.
    """
    slopes, start = _before_tanh(network, found, slopes), len(network.weights)
    for i in range(len(network.sizes) - 2, -1, -1):
        n, m = network.sizes[i], network.sizes[i + 1]
        start, end = start - n * m - m, start
        by_bias = network.gradient[end - m : end]
        by_bias[:] = np.float32(0)
        for row in range(len(slopes)):
            for c in range(m):
                by_bias[c] += slopes[row, c]
        np.dot(found[i].T, slopes, network.gradient[start : end - m].reshape(n, m))
        if i:
            slopes = _before_layer(network, found[i], slopes, network.weights[start : end - m])


@compiled
def input_gradient(network: Network, found: list[Values], slopes: Values) -> Values:
    """Return the derivatives (n, d) by the inputs; the arguments are the same."""
    slopes, start = _before_tanh(network, found, slopes), len(network.weights)
    for i in range(len(network.sizes) - 2, 0, -1):
        n, m = network.sizes[i], network.sizes[i + 1]
        start, end = start - n * m - m, start
        slopes = _before_layer(network, found[i], slopes, network.weights[start : end - m])
    n, m = network.sizes[0], network.sizes[1]
    by_inputs: Values = np.dot(slopes, network.weights[: n * m].reshape(n, m).T)
    return by_inputs


@compiled
def _before_tanh(network: Network, found: list[Values], slopes: Values) -> Values:
    return slopes * (np.float32(1) - found[-1] ** 2) if network.is_bounded else slopes


@compiled
def _before_layer(network: Network, neurons: Values, slopes: Values, matrix: Values) -> Values:
    """Return the derivatives by what enters a layer's rectifiers, given those by the next one's."""
    n, m = neurons.shape[1], slopes.shape[1]
    before: Values = np.dot(slopes, matrix.reshape(n, m).T)
    for row in range(len(before)):
        for c in range(n):
            before[row, c] *= np.float32(1) if neurons[row, c] > 0 else network.slope
    return before


@compiled
def descend(network: Network, rate: np.float32) -> None:
    """Make one step of RMSProp against ``gradient``."""
    weights, squares, gradient = network.weights, network.squares, network.gradient
    for i in range(len(weights)):
        squares[i] = _DECAY * squares[i] + (np.float32(1) - _DECAY) * gradient[i] ** 2
        # NumPy's division lets the loop run in parallel lanes; Python's looks for zeros each time.
        weights[i] -= rate * np.divide(gradient[i], np.sqrt(squares[i] + _EPSILON))
