"""The three losses of the setter, and that of its judge."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from teachrl.models.setters import Setter, draw_chances


def small(dimensions=2, seed=0, **options):
    options = {"hidden": 8, "judge_layers": (8,), "blur": 0.1, "rate": 1e-3} | options
    return Setter(dimensions, np.random.default_rng(seed), **options)


def replayed(setter, points, successes, seed):
    """Return the losses of :meth:`Setter.learn`, written down once more."""
    rng = np.random.default_rng(seed)
    noise = torch.from_numpy(rng.standard_normal(points.shape))
    wanted = torch.from_numpy(draw_chances(len(points), rng))
    made, density = setter.flow.forward(noise, wanted[:, None])
    judged = setter._judge(made)
    won = points[successes]
    blurred = np.clip(won + 0.1 * rng.random(won.shape), 1e-4, 1 - 1e-4)
    chances = torch.from_numpy(draw_chances(len(won), rng))[:, None]
    _, likely = setter.flow.invert(torch.from_numpy(blurred), chances)
    return {
        "feasibility": (judged - torch.log(wanted / (1 - wanted))).square().mean(),
        "validity": -likely.mean(),
        "coverage": density.mean(),
    }


def test_the_setter_descends_its_three_losses_and_the_judge_cross_entropy():
    setter, rng = small(), np.random.default_rng(1)
    points = rng.random((20, 2))
    points[0] = 0.99  # blurred, it would leave the cube
    successes = points.sum(axis=1) > 1
    chances = setter.judge(points)
    entropy = -np.log(np.where(successes, chances, 1 - chances)).mean()
    judging = setter.judge_weights.vector.detach().clone()
    before = setter.flow.weights.vector.detach().clone()
    losses = setter.learn(points, successes, np.random.default_rng(5))
    assert losses["judge"] == pytest.approx(entropy)
    assert not torch.equal(setter.judge_weights.vector, judging)

    moved = setter.flow.weights.vector.detach() - before
    with torch.no_grad():
        setter.flow.weights.vector.copy_(before)
    expected = replayed(setter, points, successes, seed=5)
    for name, loss in expected.items():
        assert losses[name] == pytest.approx(loss.item(), rel=1e-9), name
    total = torch.stack([*expected.values()]).sum()
    [gradient] = torch.autograd.grad(total, setter.flow.weights.vector)
    expected_move = -1e-3 * gradient / (gradient.abs() + 1e-8)  # Adam's first step
    torch.testing.assert_close(moved, expected_move, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("layers", [(64, 64, 64), (5,), (3, 4)])
def test_the_judge_has_all_its_layers(layers):
    setter = small(dimensions=4, judge_layers=layers)
    sizes = (4, *layers, 1)
    expected = sum((n + 1) * m for n, m in pairwise(sizes))
    assert len(setter.judge_weights.vector) == expected
    matrices = [*setter.judge_weights][::2]
    x = torch.full((1, 4), 0.3, dtype=torch.float64)
    for i, matrix in enumerate(matrices):
        x = (torch.tanh(x) if i else x) @ matrix  # biases are 0 at first
    assert setter.judge([[0.3] * 4])[0] == pytest.approx(torch.sigmoid(x).item())


@pytest.mark.parametrize("dimensions", [1, 2, 50])
@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_batches_without_a_success_or_a_failure_give_finite_losses(dimensions, outcome):
    setter, rng = small(dimensions), np.random.default_rng(1)
    for _ in range(20):
        losses = setter.learn(np.full((5, dimensions), 0.5), np.full(5, outcome), rng)
        assert np.isfinite([*losses.values()]).all()
        assert (losses["validity"] == 0) == (outcome == 0)
    assert np.isfinite(setter.state()["flow"]["vector"]).all()
    assert np.isfinite(setter.draw(50, rng)[0]).all()


@pytest.mark.slow
def test_it_makes_points_of_the_wanted_chance_where_points_succeeded():
    setter = small(hidden=32, judge_layers=(32, 32), rate=3e-3, blur=0.02)
    rng = np.random.default_rng(1)
    for _ in range(600):
        points = rng.random((50, 2))
        setter.learn(points, rng.random(50) < 1 - points[:, 0], rng)
    noise = rng.standard_normal((300, 2))
    easy, hard = (setter.make(noise, np.full(300, chance)) for chance in (0.9, 0.1))
    assert easy[:, 0].mean() < hard[:, 0].mean() - 0.3
    assert easy[:, 1].std() > 0.1  # coverage: the other coordinate is as it likes
    np.testing.assert_allclose(setter.judge([[0.1, 0.5], [0.9, 0.5]]), [0.9, 0.1], atol=0.15)


def test_restored_it_learns_as_if_it_had_never_stopped():
    setter, other = small(seed=0), small(seed=1)
    points, successes = np.random.default_rng(0).random((6, 2)), np.arange(6) % 2 > 0
    for seed in range(3):
        setter.learn(points, successes, np.random.default_rng(seed))
    other.restore(setter.state())
    losses = [each.learn(points, successes, np.random.default_rng(9)) for each in (setter, other)]
    assert losses[0] == losses[1]
    assert torch.equal(setter.flow.weights.vector, other.flow.weights.vector)


def test_wanted_chances_have_finite_odds():
    chances = draw_chances(10_000, np.random.default_rng(0))
    assert np.isfinite(np.log(chances / (1 - chances))).all()
    assert chances.mean() == pytest.approx(0.5, abs=0.02)
