"""The labelled least-squares GAN, step by step and as a whole."""

import copy

import numpy as np
import pytest
import torch

from teachrl.models.gan import PointGAN
from tests.models.test_networks import in_torch


def small(dimensions=2, seed=0, **options):
    options = {"generator_layers": (16,), "discriminator_layers": (16,), "batch": 8} | options
    return PointGAN(dimensions, np.random.default_rng(seed), **options)


@pytest.mark.parametrize("aim", [1.0, 0.0])
def test_an_iteration_is_a_step_of_the_discriminator_and_then_one_of_the_generator(aim):
    gan, rng = small(aim=aim, rate=1e-2), np.random.default_rng(1)
    gan.discriminator.weights[:] = rng.normal(0, 0.5, len(gan.discriminator.weights))
    before = copy.deepcopy(gan)
    points, labels = rng.random((30, 2)), rng.integers(0, 2, 30)
    losses = gan.train(points, labels, 1, np.random.default_rng(7))

    replay = np.random.default_rng(7)
    noise = torch.tensor(replay.standard_normal((1, 8, 2), np.float32)[0], dtype=torch.float64)
    chosen = replay.integers(30, size=(1, 8))[0]
    made, weights = in_torch(before.generator, noise)
    known = torch.tensor(2 * points[chosen] - 1)
    seen = torch.cat([known, made.detach()])
    wanted = torch.tensor(np.append(2.0 * labels[chosen] - 1, -np.ones(8)))
    judged, judging = in_torch(before.discriminator, seen)
    discriminating = (judged[:, 0] - wanted).square().mean()
    assert losses[1] == pytest.approx(discriminating.item(), rel=1e-4)
    [gradient] = torch.autograd.grad(discriminating, judging)
    after = before.discriminator.weights - _step(gradient, 1e-2)
    np.testing.assert_allclose(gan.discriminator.weights, after, atol=1e-5)

    judged, _ = in_torch(gan.discriminator, made)  # as it is after its own step
    generating = (judged - aim).square().mean()
    assert losses[0] == pytest.approx(generating.item(), rel=1e-4)
    [gradient] = torch.autograd.grad(generating, weights)
    after = before.generator.weights - _step(gradient, 1e-2)
    np.testing.assert_allclose(gan.generator.weights, after, atol=1e-5)


def _step(gradient, rate):
    """Return the first step of RMSProp whose average begins at 1."""
    return (rate * gradient / (0.9 + 0.1 * gradient.square()).sqrt()).numpy()


@pytest.mark.parametrize("dimensions", [1, 3, 50])
def test_the_generator_covers_exactly_the_cube(dimensions):
    gan, noise = small(dimensions), np.random.default_rng(1).standard_normal((500, dimensions))
    points = []
    for seed in range(5):
        weights = gan.generator.weights
        weights[:] = np.random.default_rng(seed).normal(0, 5, len(weights))
        points.append(gan.generate(noise))
    assert np.min(points) == pytest.approx(0.0, abs=1e-3)  # nothing beyond, which would be clipped
    assert np.max(points) == pytest.approx(1.0, abs=1e-3)


def test_it_generates_what_resembles_good_points_and_not_bad_ones():
    rng = np.random.default_rng(0)
    gan = PointGAN(2, rng)
    good, bad = rng.normal(0.2, 0.05, (50, 2)), rng.normal(0.8, 0.05, (50, 2))
    gan.train(np.concatenate([good, bad]), np.repeat([1, 0], 50), 500, rng)
    made = gan.generate(rng.standard_normal((500, 2)))
    assert (np.linalg.norm(made - 0.2, axis=1) < 0.25).mean() > 0.9
    assert gan.discriminate(good).mean() > gan.discriminate(bad).mean() + 0.4


def test_labels_decide_what_is_good():
    points = np.random.default_rng(0).random((40, 2))
    made = []
    for labels in (points[:, 0] < 0.5, points[:, 0] > 0.5):
        gan, rng = small(batch=32), np.random.default_rng(1)
        gan.train(points, labels, 400, rng)
        made.append(gan.generate(rng.standard_normal((300, 2)))[:, 0].mean())
    assert made[0] < made[1] - 0.2


def test_restored_it_trains_as_if_it_had_never_stopped():
    gan, rng = small(), np.random.default_rng(1)
    points, labels = rng.random((20, 2)), np.ones(20)
    gan.train(points, labels, 20, rng)
    other = small(seed=5)
    other.restore({name: array.copy() for name, array in gan.state().items()})
    for each in (gan, other):
        each.train(points, labels, 20, np.random.default_rng(2))
    np.testing.assert_array_equal(gan.generator.weights, other.generator.weights)
    np.testing.assert_array_equal(gan.discriminator.squares, other.discriminator.squares)
    with pytest.raises(ValueError, match="layers of other sizes"):
        small(generator_layers=(4,)).restore(gan.state())


@pytest.mark.parametrize("dimensions", [1, 50])
def test_points_that_coincide_leave_everything_finite(dimensions):
    gan, rng = small(dimensions), np.random.default_rng(1)
    gan.train(np.ones((1, dimensions)), [1], 300, rng)
    gan.train(np.zeros((3, dimensions)), [0, 0, 0], 300, rng)
    assert np.isfinite(gan.generator.weights).all()
    assert np.isfinite(gan.discriminate(gan.generate(np.ones((5, dimensions))))).all()
    assert gan.train(np.ones((1, dimensions)), [1], 0, rng) == (0.0, 0.0)


def test_points_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"expected points \(n, 2\) and as many labels"):
        small().train(np.ones((3, 2)), [1], 1, np.random.default_rng(0))
