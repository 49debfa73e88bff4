"""Adam against PyTorch's."""

import copy

import numpy as np
import pytest
import torch

from teachrl.models.descent import Weights


def loss_of(weights, step):
    matrix, bias = weights
    return ((matrix * (step + 1)).sum() - 2).square() + (bias - 3).pow(4).sum()


def test_steps_are_those_of_adam():
    ours = Weights([(3, 4), (1, 4)], np.random.default_rng(0), rate=0.02)
    vector = ours.vector.detach().clone().requires_grad_()
    adam = torch.optim.Adam([vector], lr=0.02)
    for step in range(20):
        adam.zero_grad()
        loss_of([vector[:12].view(3, 4), vector[12:].view(1, 4)], step).backward()
        adam.step()
        ours.descend(loss_of(ours, step))
        torch.testing.assert_close(ours.vector.detach(), vector.detach(), rtol=1e-10, atol=1e-12)


def test_matrices_begin_normal_and_biases_zero():
    matrix, bias = Weights([(2, 100, 300), (2, 1, 300)], np.random.default_rng(0), rate=0.1)
    assert matrix.shape == (2, 100, 300)
    assert float(matrix.detach().std()) == pytest.approx(0.1, rel=0.02)
    assert not bias.any()


def test_restored_or_copied_it_goes_on():
    weights = Weights([(3, 4), (1, 4)], np.random.default_rng(0), rate=0.1)
    other = Weights([(3, 4), (1, 4)], np.random.default_rng(1), rate=0.1)
    for step in range(5):
        weights.descend(loss_of(weights, step))
    state = weights.state()
    twin = copy.deepcopy(weights)
    weights.descend(loss_of(weights, 5))
    other.restore(state)  # which what happened since must not have changed
    for each in (other, twin):
        each.descend(loss_of(each, 5))
        assert torch.equal(each.vector, weights.vector)
    with pytest.raises(ValueError, match="layers of other sizes"):
        Weights([(3, 5), (1, 5)], np.random.default_rng(1), rate=0.1).restore(state)


def test_derivatives_that_are_not_finite_are_refused_before_they_do_harm():
    weights = Weights([(1, 4)], np.random.default_rng(0), rate=0.1)
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        weights.descend(weights.vector.sqrt().sum() * torch.inf)
    assert np.isfinite(weights.state()["vector"]).all()


def test_a_matrix_of_one_row_is_no_bias():
    matrix, bias = Weights([(1, 500), (1, 500)], np.random.default_rng(0), rate=0.1)
    assert float(matrix.detach().std()) == pytest.approx(1, rel=0.1)
    assert not bias.any()
