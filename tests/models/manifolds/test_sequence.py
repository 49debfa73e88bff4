"""Sets of points: their order does not matter, and both LSTMs are those of the formula."""

from itertools import permutations

import numpy as np
import pytest
import torch

from teachrl.models.manifolds import inspect_manifold, learn_manifold
from teachrl.models.manifolds.sequence import SequenceAutoencoder, counter_clockwise
from teachrl.spaces import TaskSpace

SQUARE = np.array([[0.9, 0.8], [0.1, 0.2], [0.8, 0.1], [0.2, 0.9]])


def learnt(n=4, seed=0, **options):
    space = TaskSpace(points=(0, 9, "float", 2 * n))
    options = {"kind": "sequence", "steps": 3, "samples": 200, "batch": 16} | options
    return learn_manifold(space, np.random.default_rng(seed), **options)


def test_points_are_put_counter_clockwise_from_the_smallest_angle():
    ordered = counter_clockwise(SQUARE.reshape(1, -1)).reshape(-1, 2)
    assert ordered.tolist() == [[0.1, 0.2], [0.8, 0.1], [0.9, 0.8], [0.2, 0.9]]
    away = ordered - ordered.mean(axis=0)
    assert (np.diff(np.arctan2(away[:, 1], away[:, 0])) > 0).all()


def test_every_set_of_a_batch_is_sorted_by_itself():
    sets = np.random.default_rng(0).random((20, 10))
    together = counter_clockwise(sets)
    for one, row in zip(sets, together, strict=True):
        np.testing.assert_array_equal(counter_clockwise(one[None])[0], row)
        x = row.reshape(-1, 2)
        assert sorted(x.tolist()) == sorted(one.reshape(-1, 2).tolist())
        away = x - x.mean(axis=0)
        assert (np.diff(np.arctan2(away[:, 1], away[:, 0])) > 0).all()


@pytest.mark.parametrize(
    "points",
    [
        SQUARE,
        np.random.default_rng(3).random((4, 2)),
        np.full((4, 2), 0.3),  # all in one place
        np.array([[0.1, 0.1], [0.3, 0.3], [0.5, 0.5], [0.9, 0.9]]),  # equal angles
        np.array([[0.1, 0.5], [0.3, 0.5], [0.7, 0.5], [0.9, 0.5]]),  # on the ray of ±π
        np.array([[0.1, 0.5], [0.1, 0.5], [0.7, 0.3], [0.7, 0.3]]),  # twins
    ],
)
def test_the_order_of_points_does_not_matter_to_the_last_bit(points):
    orders = np.array([points[list(order)].ravel() for order in permutations(range(4))])
    assert len(np.unique(counter_clockwise(orders), axis=0)) == 1
    manifold = learnt()
    alone = [manifold.encode(row[None])[0] for row in orders]
    assert len(np.unique(alone, axis=0)) == 1


def test_other_sets_have_other_codes():
    manifold = learnt()
    points = np.random.default_rng(0).random((50, 8))
    assert len(np.unique(manifold.encode(points), axis=0)) == 50


def parts(d, k, n, seed=0):
    network, rng = SequenceAutoencoder(d, k, n), np.random.default_rng(seed)
    layers = [torch.from_numpy(0.5 * rng.standard_normal(shape)) for shape in network.shapes]
    return network, layers


def theirs(module, matrix, bias, inputs, suffix=""):
    """Give one of torch's cells our weights; we put one bias on the forget gate at first."""
    n = matrix.shape[1] // 4
    bias = bias.clone()
    bias[0, n : 2 * n] += 1.0
    # Ours come as input, forget, output gate and news; torch's as input, forget, news, output.
    order = torch.cat([torch.arange(2 * n), torch.arange(3 * n, 4 * n), torch.arange(2 * n, 3 * n)])
    with torch.no_grad():
        getattr(module, f"weight_ih{suffix}").copy_(matrix[:inputs].T[order])
        getattr(module, f"weight_hh{suffix}").copy_(matrix[inputs:].T[order])
        getattr(module, f"bias_ih{suffix}").copy_(bias[0][order])
        getattr(module, f"bias_hh{suffix}").zero_()


def test_the_encoder_is_a_bidirectional_lstm_whose_last_cells_count():
    network, layers = parts(8, 3, 5)
    embed, embed_bias, step, step_bias, head, head_bias = layers[:6]
    inputs = embed.shape[1]
    lstm = torch.nn.LSTM(inputs, 5, bidirectional=True, batch_first=True).double()
    for way, suffix in enumerate(("_l0", "_l0_reverse")):
        theirs(lstm, step[way], step_bias[way], inputs, suffix)
    points = torch.from_numpy(np.random.default_rng(1).random((7, 8)))
    embedded = torch.tanh((2 * points - 1).reshape(7, 4, 2) @ embed + embed_bias)
    _, (_, cells) = lstm(embedded)
    expected = torch.cat([cells[0], cells[1]], dim=1) @ head + head_bias
    torch.testing.assert_close(network.encode(layers, points), expected)


def test_the_decoder_is_an_lstm_that_is_given_the_code_at_every_step():
    network, layers = parts(8, 3, 5)
    start, start_bias, step, step_bias, end, end_bias = layers[6:]
    cell = torch.nn.LSTMCell(3, 5).double()
    theirs(cell, step, step_bias, 3)
    codes = torch.from_numpy(np.random.default_rng(1).standard_normal((7, 3)))
    state = torch.tanh(codes @ start + start_bias).split(5, dim=1)
    expected = []
    for _ in range(4):
        state = cell(codes, state)
        expected.append(torch.sigmoid(state[0] @ end + end_bias))
    torch.testing.assert_close(network.decode(layers, codes), torch.cat(expected, dim=1))


@pytest.mark.slow
def test_it_learns_to_write_sets_again_in_their_order():
    manifold = learnt(n=4, steps=1_000, samples=20_000, batch=64)
    found = inspect_manifold(manifold, np.random.default_rng(1), samples=2_000)
    assert found.explained > 0.8
    assert found.diversity > 0.6 * found.data_diversity
    decoded = manifold.decode(np.random.default_rng(2).uniform(0.3, 0.7, (500, 8)))
    in_order = np.isclose(decoded, counter_clockwise(decoded)).all(axis=1)
    assert in_order.mean() > 0.8


@pytest.mark.parametrize("dimensions", [3, 7])
def test_half_a_point_is_refused(dimensions):
    space = TaskSpace(x=(0, 1, "float", dimensions))
    with pytest.raises(ValueError, match=rf"an even number of coordinates.*got {dimensions}"):
        learn_manifold(space, np.random.default_rng(0), kind="sequence", steps=1)
