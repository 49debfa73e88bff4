"""Hand-written gradients against PyTorch's."""

import numpy as np
import pytest
import torch

from teachrl.compiling import compiled
from teachrl.models.networks import (
    descend,
    draw_network,
    forward,
    input_gradient,
    weight_gradient,
)

CASES = [((3, 7, 5, 2), 0.0, True), ((2, 6, 1), 0.1, False), ((1, 1), 0.0, True)]


@compiled
def both_gradients(network, x, by_outputs):
    """Return outputs and derivatives by the inputs, and fill in those by the weights."""
    found = forward(network, x)
    weight_gradient(network, found, by_outputs)
    return found[-1], input_gradient(network, found, by_outputs)


def in_torch(network, x):
    """Return a network's outputs, and the tensors they are made of."""
    weights = torch.tensor(network.weights, dtype=torch.float64, requires_grad=True)
    start, n_layers = 0, len(network.sizes) - 1
    for i, (n, m) in enumerate(zip(network.sizes, network.sizes[1:], strict=False)):
        matrix = weights[start : start + n * m].view(n, m)
        x = x @ matrix + weights[start + n * m : start + n * m + m]
        start += n * m + m
        if i < n_layers - 1:
            x = torch.nn.functional.leaky_relu(x, float(network.slope))
    return (torch.tanh(x) if network.is_bounded else x), weights


@pytest.mark.parametrize(("sizes", "slope", "is_bounded"), CASES)
def test_outputs_and_gradients_are_those_of_torch(sizes, slope, is_bounded):
    rng = np.random.default_rng(0)
    network = draw_network(sizes, rng, slope, is_bounded)
    network.weights[:] = rng.normal(0, 0.7, len(network.weights))  # biases, too
    x = rng.standard_normal((9, sizes[0])).astype(np.float32)
    by_outputs = rng.standard_normal((9, sizes[-1])).astype(np.float32)
    inputs = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    outputs, weights = in_torch(network, inputs)
    outputs.backward(torch.tensor(by_outputs, dtype=torch.float64))

    ours, by_inputs = both_gradients(network, x, by_outputs)
    np.testing.assert_allclose(ours, outputs.detach(), atol=1e-5)
    np.testing.assert_allclose(network.gradient, weights.grad, atol=1e-4)
    np.testing.assert_allclose(by_inputs, inputs.grad, atol=1e-4)


def test_weights_begin_as_glorot_and_bengio_have_it():
    network = draw_network((100, 300, 2), np.random.default_rng(0))
    first, bias = network.weights[:30_000], network.weights[30_000:30_300]
    bound = np.sqrt(6 / 400)
    assert bound * 0.99 < np.abs(first).max() <= bound
    assert first.std() == pytest.approx(bound / np.sqrt(3), rel=0.02)
    assert not bias.any()


def test_a_step_is_divided_by_the_average_size_of_the_derivative():
    network = draw_network((1, 1), np.random.default_rng(0))
    network.weights[:], squares = [1.0, 2.0], np.ones(2)
    weights = network.weights.astype(np.float64)
    for gradient in ([0.5, 0.0], [-2.0, 1e-3], [1.0, 100.0]):
        network.gradient[:] = gradient
        descend(network, np.float32(0.01))
        squares = 0.9 * squares + 0.1 * np.square(gradient)
        weights -= 0.01 * np.array(gradient) / np.sqrt(squares + 1e-10)
        np.testing.assert_allclose(network.weights, weights, rtol=1e-5)
