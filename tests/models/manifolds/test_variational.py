"""Autoencoders of tasks: what is descended, what is reached, and what stays the same."""

from itertools import product

import numpy as np
import pytest
import torch

from teachrl.models.manifolds import learn_manifold
from teachrl.models.manifolds import variational as module
from teachrl.models.manifolds.flat import FlatAutoencoder, FlatManifold
from teachrl.models.manifolds.variational import Training, loss
from teachrl.spaces import TaskSpace

CUBE = TaskSpace(shape=(0, 4, "float", 3))
MIXED = TaskSpace(shape=(0, 4, "float", 2), count=(1, 5, "int"), rate=(1e-4, 1, "log"))


def learnt(space=CUBE, seed=0, **options):
    options = {"steps": 30, "samples": 500, "batch": 32} | options
    return learn_manifold(space, np.random.default_rng(seed), **options)


@pytest.fixture(scope="module")
def cube():
    """Return a manifold of three coordinates that has learnt all there is."""
    return learnt(steps=600, samples=5_000, batch=128)


class Spy(FlatAutoencoder):
    """An autoencoder whose codes and points are known: two latents of three coordinates."""

    def encode(self, layers, points):
        return torch.cat([points[:, :2], torch.log(points[:, 1:] / 2)], dim=1)

    def decode(self, layers, codes):
        return torch.cat([codes, codes[:, :1] * 0 + 0.5], dim=1)


def test_the_loss_is_the_squared_error_and_beta_times_the_divergence():
    rng = np.random.default_rng(0)
    points, noise = rng.uniform(0.1, 0.9, (50, 3)), rng.standard_normal((50, 2))
    means, deviations = points[:, :2], points[:, 1:] / 2
    made = np.column_stack([means + deviations * noise, np.full(50, 0.5)])
    error = ((made - points) ** 2).sum(axis=1).mean()
    normal = torch.distributions.Normal
    codes = normal(torch.from_numpy(means), torch.from_numpy(deviations))
    divergence = torch.distributions.kl_divergence(codes, normal(0.0, 1.0)).sum(dim=1).mean().item()
    tensors = torch.from_numpy(points), torch.from_numpy(noise)
    for beta in (0.0, 0.3):
        value = loss(Spy(3, 2, 1), [], *tensors, beta).item()
        assert value == pytest.approx(error + beta * divergence)


def test_beta_rises_over_the_first_tenth_of_the_steps(monkeypatch):
    seen = []

    def noted(network, layers, points, noise, beta):
        seen.append(beta)
        return loss(network, layers, points, noise, beta)

    monkeypatch.setattr(module, "loss", noted)
    learnt(steps=40, beta=0.02)
    np.testing.assert_allclose(seen[:5], [0, 0.005, 0.01, 0.015, 0.02])
    assert seen[4:] == [0.02] * 36


def test_a_step_draws_its_batch_from_the_points_and_noise_of_its_own(monkeypatch):
    seen = []

    def noted(network, layers, points, noise, beta):
        seen.append((points.numpy().copy(), noise.numpy().copy()))
        return loss(network, layers, points, noise, beta)

    monkeypatch.setattr(module, "loss", noted)
    known = np.random.default_rng(1).random((7, 3))
    FlatManifold.learn(CUBE, known, np.random.default_rng(0), Training(steps=20, batch=64))
    batches = np.concatenate([points for points, _ in seen])
    assert {tuple(row) for row in batches.tolist()} == {tuple(row) for row in known.tolist()}
    noise = np.concatenate([noise for _, noise in seen])
    assert len(np.unique(noise)) == noise.size
    assert abs(noise.mean()) < 0.1
    assert noise.std() == pytest.approx(1.0, abs=0.1)


def test_latents_reach_two_and_a_half_deviations_of_the_codes_of_all_tasks():
    points = np.random.default_rng(1).random((400, 3))
    manifold = FlatManifold.learn(CUBE, points, np.random.default_rng(0), Training(steps=50))
    means, deviations = manifold.posterior(points)
    codes = means + deviations * np.random.default_rng(2).standard_normal((2000, *means.shape))
    np.testing.assert_allclose(manifold.reach, 2.5 * codes.reshape(-1, 3).std(axis=0), rtol=0.01)


def test_latents_stand_for_codes_of_every_sign_to_the_ends_of_the_reach():
    seen = []

    class Listening(FlatAutoencoder):
        def decode(self, layers, codes):
            seen.append(codes.numpy().copy())
            return super().decode(layers, codes)

    network, vector = Listening(3, 2, 4), learnt_vector(3, 2, 4)
    manifold = FlatManifold(CUBE, network, vector, [2.0, 3.0])
    manifold.decode([*product([0.0, 1.0], repeat=2), (0.5, 0.5), (0.75, 0.25)])
    expected = [[-2, -3], [-2, 3], [2, -3], [2, 3], [0, 0], [1, -1.5]]
    np.testing.assert_allclose(seen[0], expected)


def learnt_vector(*sizes):
    shapes = FlatAutoencoder(*sizes).shapes
    return np.random.default_rng(0).standard_normal(sum(np.prod(shape) for shape in shapes))


def test_decoding_reaches_every_orthant_of_the_tasks_and_one_orthant_of_codes_does_not(cube):
    latents = np.random.default_rng(1).random((4_000, 3))
    everywhere, published = cube.decode(latents), cube.decode(0.5 + latents / 2)
    assert shares_of_orthants(everywhere).min() > 0.05
    assert shares_of_orthants(published).min() < 0.01


def shares_of_orthants(points):
    sides = (points > 0.5) @ (1 << np.arange(points.shape[1]))
    return np.bincount(sides, minlength=2 ** points.shape[1]) / len(points)


def test_encoding_is_the_inverse_of_decoding(cube):
    points = np.random.default_rng(1).random((500, 3))
    latents = cube.encode(points)
    assert ((latents >= 0) & (latents <= 1)).all()
    assert np.abs(cube.decode(latents) - points).mean() < 0.06
    inner = np.random.default_rng(2).uniform(0.3, 0.7, (500, 3))
    assert np.abs(cube.encode(cube.decode(inner)) - inner).mean() < 0.06


def test_codes_beyond_reach_are_the_faces_of_the_cube(cube):
    short = FlatManifold(CUBE, cube.network, cube.vector, np.full(3, 1e-3))
    latents = short.encode(np.random.default_rng(0).random((50, 3)))
    assert set(np.unique(latents)) == {0.0, 1.0}


def test_a_latent_with_nothing_to_tell_tells_nothing():
    def flattened(params):
        still = params.copy()
        still[:, 1:] = 2.0
        return still

    options = {"canonical": flattened, "steps": 500, "samples": 2_000, "beta": 0.03}
    manifold = learnt(TaskSpace(shape=(0, 4, "float", 4)), **options)
    points = np.full((1_000, 4), 0.5)
    points[:, 0] = np.random.default_rng(1).random(1_000)
    told = np.sort(manifold.divergences(points))
    assert told[-1] > 0.5
    assert (told[:-1] < 0.05).all()


def test_what_a_latent_tells_is_the_divergence_from_a_standard_normal():
    manifold = learnt()
    points = np.random.default_rng(1).random((100, 3))
    means, deviations = map(torch.from_numpy, manifold.posterior(points))
    normal = torch.distributions.Normal
    told = torch.distributions.kl_divergence(normal(means, deviations), normal(0.0, 1.0))
    np.testing.assert_allclose(manifold.divergences(points), told.mean(dim=0).numpy())


@pytest.mark.parametrize("kind", ["flat", "sequence"])
def test_the_same_generator_gives_the_same_manifold(kind):
    space, before = TaskSpace(shape=(0, 4, "float", 6)), torch.get_rng_state()
    ids = [learnt(space, seed, kind=kind, steps=4).id for seed in (0, 0, 1)]
    assert ids[0] == ids[1] != ids[2]
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("options", [{"steps": 1}, {"samples": 1}, {"batch": 1}, {"beta": 0.0}])
@pytest.mark.parametrize("space", [CUBE, MIXED, TaskSpace(x=(0, 1, "float", 50))])
def test_extremes_leave_everything_finite(space, options):
    manifold = learnt(space, **options)
    latents = np.repeat([[0.0], [1.0]], manifold.latent_dimensions, axis=1)
    points = manifold.decode(latents)
    assert ((points > 0) & (points < 1)).all()
    assert all(space.contains(task) for task in space.denormalize(points))
    assert np.isfinite(manifold.encode(np.ones((2, space.dimensions)))).all()
    assert np.isfinite(manifold.divergences(np.zeros((2, space.dimensions)))).all()


def test_a_rate_at_which_nothing_can_be_learnt_still_gives_finite_weights():
    assert np.isfinite(learnt(learning_rate=1.0, steps=100).vector).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(bad):
    manifold = learnt()
    wrong = np.full((2, 3), bad)
    for use in (manifold.encode, manifold.decode, manifold.divergences):
        with pytest.raises(ValueError, match=r"expected (points|latents) \(n, 3\).* with NaN or"):
            use(wrong)
    with pytest.raises(ValueError, match="finite"):
        FlatManifold.learn(CUBE, wrong, np.random.default_rng(0), Training(steps=1))
    with pytest.raises(ValueError, match="must be finite"):
        FlatManifold(CUBE, manifold.network, manifold.vector, manifold.reach + bad)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps and batch must be 1 or more, got 0, 32"),
        ({"batch": 0}, "steps and batch"),
        ({"learning_rate": 0.0}, r"learning_rate must be in \(0, 1\]"),
        ({"beta": np.nan}, "beta finite"),
        ({"beta": -1.0}, "beta finite"),
        ({"latent_dimensions": 0}, "1 or more of each, got 3, 0, 128"),
        ({"kind": "round"}, "a manifold is flat or sequence, got 'round'"),
        ({"samples": 0}, "there are none"),
    ],
)
def test_what_cannot_work_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        learnt(**options)


def test_one_latent_leads_from_one_end_of_the_tasks_to_another():
    line = learnt(latent_dimensions=1, steps=600, samples=5_000, batch=128)
    decoded = line.decode(np.linspace(0, 1, 50)[:, None])
    assert np.ptp(decoded, axis=0).max() > 0.3
