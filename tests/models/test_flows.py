"""The conditional flow, numerically."""

import numpy as np
import pytest
import torch

from teachrl.models.flows import ConditionalFlow, soft_positive


def wild(dimensions, seed=0, hidden=8, spread=0.5):
    """Return a flow far from where it begins."""
    flow = ConditionalFlow(dimensions, hidden, np.random.default_rng(seed), rate=1e-3)
    with torch.no_grad():
        noise = np.random.default_rng(seed + 1).normal(0, spread, len(flow.weights.vector))
        flow.weights.vector += torch.from_numpy(noise)
    return flow


def with_raw_scales(flow, plus):
    """Shift what the scales are made of, in all couplings."""
    with torch.no_grad():
        for bias in [*flow.weights][9::10]:
            bias[0] += plus
    return flow


def inputs(n, dimensions, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.standard_normal((n, dimensions))), torch.from_numpy(
        rng.random((n, 1))
    )


@pytest.mark.parametrize("dimensions", [1, 2, 3, 5, 50])
def test_the_inverse_is_the_inverse(dimensions):
    flow = wild(dimensions, spread=0.5 if dimensions < 50 else 0.05)
    noise, condition = inputs(20, dimensions)
    points, density = flow.forward(noise, condition)
    assert ((points > 0) & (points < 1)).all()
    again, same_density = flow.invert(points, condition)
    torch.testing.assert_close(again, noise, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(same_density, density, rtol=1e-4, atol=1e-4)
    assert points.dtype == torch.float64


@pytest.mark.parametrize("dimensions", [1, 2, 3, 6])
def test_the_density_is_that_of_the_jacobian(dimensions):
    flow = wild(dimensions)
    noise, condition = inputs(6, dimensions)
    _, density = flow.forward(noise, condition)
    for i in range(6):
        jacobian = torch.autograd.functional.jacobian(
            lambda z, i=i: flow.forward(z[None], condition[i : i + 1])[0][0], noise[i]
        )
        normal = torch.distributions.Normal(0.0, 1.0).log_prob(noise[i]).sum()
        expected = normal - torch.linalg.slogdet(jacobian).logabsdet
        torch.testing.assert_close(density[i], expected)


def test_densities_sum_to_one_over_the_square():
    flow = with_raw_scales(wild(2, spread=0.1), plus=1.0)  # wide enough for a grid
    axis = (np.arange(150) + 0.5) / 150
    grid = torch.from_numpy(np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2))
    for chance in (0.1, 0.9):
        _, density = flow.invert(grid, torch.full((len(grid), 1), chance, dtype=torch.float64))
        assert density.exp().mean().item() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 8])
def test_every_coordinate_depends_on_the_noise_of_all_and_on_the_condition(dimensions):
    flow = wild(dimensions)
    noise, condition = inputs(1, dimensions)
    both = torch.cat([noise, condition], dim=1)[0]
    jacobian = torch.autograd.functional.jacobian(
        lambda x: flow.forward(x[None, :-1], x[None, -1:])[0][0], both
    )
    assert (jacobian.abs() > 0).all()


def test_there_are_nine_couplings_of_three_kinds():
    flow = wild(5)
    kept = [each.tolist() for each in flow._kept]
    assert kept == 3 * [[1, 1, 0, 0, 0], [0, 0, 1, 1, 1], [1, 0, 1, 0, 1]]
    assert all(0.0 in each for each in (k.tolist() for k in wild(1)._kept))


def test_a_coupling_has_a_tanh_layer_three_highways_and_a_linear_one():
    weights = ConditionalFlow(2, 7, np.random.default_rng(0), rate=1e-3).weights
    one_network = 3 * 7 + 7 + 3 * (7 * 14 + 14) + 7 * 2 + 2
    assert len(weights.vector) == 9 * 2 * one_network


def test_scales_are_positive_and_fall_off_slowly():
    x = torch.tensor([-1000.0, -10.0, 0.0, 2.0, 1000.0], dtype=torch.float64)
    assert (soft_positive(x) > 0).all()
    assert soft_positive(x)[2] == pytest.approx(1 / np.pi)
    assert soft_positive(x)[4] == pytest.approx(1000, rel=1e-3)
    assert soft_positive(x)[3] == pytest.approx(2 * (np.arctan(2) / np.pi + 0.5) + 1 / np.pi)
    assert (soft_positive(x)[:2] > torch.nn.functional.softplus(x)[:2]).all()


def test_no_scale_is_below_a_hundredth():
    flow, (noise, condition) = with_raw_scales(wild(1), plus=-1e6), inputs(4, 1)
    points, density = flow.forward(noise, condition)
    normal = torch.distributions.Normal(0.0, 1.0).log_prob(noise)[:, 0]
    squeezed = (points * (1 - points)).log()[:, 0]
    torch.testing.assert_close(density, normal - 3 * np.log(0.01) - squeezed, atol=1e-3, rtol=0)
