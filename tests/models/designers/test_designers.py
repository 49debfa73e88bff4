"""Designers find what is rewarded, and can propose anything."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import beta

from teachrl.models.designers import Proposals
from teachrl.models.designers.beta import BetaDesigner
from teachrl.models.designers.cross_entropy import CrossEntropyDesigner

DESIGNERS = {
    "beta": BetaDesigner,
    "cross-entropy": lambda dimensions, _, **options: CrossEntropyDesigner(dimensions, **options),
}
BOTH = pytest.mark.parametrize("name", DESIGNERS)


def taught(name, reward, *, updates, seed=0, dimensions=2, n=16, **options):
    """Return a designer that was rewarded by a function of points, and its generator."""
    rng = np.random.default_rng(seed)
    designer = DESIGNERS[name](dimensions, rng, **options)
    for _ in range(updates):
        made = designer.propose(n, rng)
        designer.learn(made, reward(made.points))
    return designer, rng


def nearness(point):
    return lambda points: -np.linalg.norm(points - np.array(point), axis=1)


@BOTH
@pytest.mark.parametrize("best", [(0.2, 0.7), (0.95, 0.05)])
@pytest.mark.parametrize("seed", range(3))
def test_it_finds_the_best_point(name, best, seed):
    designer, rng = taught(name, nearness(best), updates=150, seed=seed, uniform_ratio=0.05)
    points = designer.propose(500, rng).points
    assert np.abs(np.median(points, axis=0) - best).max() < 0.12
    assert np.mean(nearness(best)(points)) > -0.2
    assert designer.entropy() < -1


@BOTH
def test_it_follows_a_best_point_that_moves(name):
    rng = np.random.default_rng(0)
    designer = DESIGNERS[name](1, rng)
    for best in (0.2, 0.8):
        for _ in range(150):
            made = designer.propose(16, rng)
            designer.learn(made, nearness((best,))(made.points))
    assert abs(np.median(designer.propose(500, rng).points) - 0.8) < 0.12


@BOTH
@pytest.mark.parametrize("updates", [0, 60])
def test_no_corner_is_out_of_reach(name, updates):
    designer, rng = taught(name, nearness((0.1, 0.1)), updates=updates)
    points = designer.propose(20_000, rng).points
    assert points.min() >= 0
    assert points.max() <= 1
    for corner in product((0, 1), repeat=2):
        assert np.abs(points - corner).max(axis=1).min() < 0.1


@BOTH
def test_a_share_is_uniform(name):
    designer, rng = taught(name, nearness((0.05, 0.05)), updates=100, uniform_ratio=0.2)
    points = designer.propose(5000, rng).points
    far = (points > 0.5).all(axis=1).mean()  # a quarter of the cube, where nothing is rewarded
    assert far == pytest.approx(0.2 / 4, abs=0.02)


@BOTH
def test_equal_rewards_lead_nowhere(name):
    designer, rng = taught(name, lambda points: np.ones(len(points)), updates=60)
    points = designer.propose(2000, rng).points
    np.testing.assert_allclose(points.mean(axis=0), 0.5, atol=0.1)
    assert points.std(axis=0).min() > 0.2


@BOTH
def test_the_scale_of_rewards_does_not_matter(name):
    small, rng = taught(name, lambda x: 1e-3 * nearness((0.2, 0.2))(x), updates=60)
    large, _ = taught(name, lambda x: 1e3 + 1e3 * nearness((0.2, 0.2))(x), updates=60)
    ends = [np.median(d.propose(500, rng).points, axis=0) for d in (small, large)]
    np.testing.assert_allclose(ends[0], ends[1], atol=0.05)


@BOTH
def test_it_goes_on_from_its_state(name):
    designer, _ = taught(name, nearness((0.2, 0.7)), updates=5)
    twin = DESIGNERS[name](2, np.random.default_rng(9))
    twin.restore(designer.state())
    ends = []
    for each in (designer, twin):
        stream = np.random.default_rng(3)
        for _ in range(3):
            made = each.propose(8, stream)
            each.learn(made, nearness((0.9, 0.9))(made.points))
        ends.append(each.propose(4, stream))
    np.testing.assert_array_equal(ends[0].points, ends[1].points)
    np.testing.assert_array_equal(ends[0].notes, ends[1].notes)


@BOTH
def test_a_state_of_another_space_is_refused(name):
    designer, rng = taught(name, nearness((0.2, 0.7)), updates=1)
    with pytest.raises(ValueError, match="expected a"):
        DESIGNERS[name](3, rng).restore(designer.state())


@BOTH
def test_global_randomness_is_left_alone(name):
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    taught(name, nearness((0.2, 0.7)), updates=2)
    assert np.array_equal(before[0], np.random.get_state()[1])  # noqa: NPY002
    assert torch.equal(before[1], torch.get_rng_state())


@BOTH
@pytest.mark.parametrize("rewards", [[1.0], [1.0, np.nan], [[1.0, 2.0]], []])
def test_rewards_are_finite_and_one_per_point(name, rewards):
    designer, rng = taught(name, nearness((0.2, 0.7)), updates=0)
    made = designer.propose(2, rng)
    made = made if len(rewards) else Proposals(made.points[:0], made.notes[:0])
    with pytest.raises(ValueError, match=r"one reward for each|finite rewards"):
        designer.learn(made, np.array(rewards))


@pytest.mark.parametrize("noise", [0, 4])
def test_the_noted_density_is_that_of_the_mixture(noise):
    rng = np.random.default_rng(0)
    designer = BetaDesigner(2, rng, uniform_ratio=0.3, noise=noise)
    made = designer.propose(50, rng)
    inputs = torch.from_numpy(made.notes[:, :-1].astype(np.float32))
    shapes = designer.ppo.policy.get_distribution(inputs).shapes
    first, second = (shape.detach().double().numpy() for shape in shapes)
    assert min(first.min(), second.min()) > 1
    by_beta = beta.pdf(made.points, first, second).prod(axis=1)
    np.testing.assert_allclose(np.exp(made.notes[:, -1]), 0.3 + 0.7 * by_beta, rtol=1e-4)


def test_drawing_agrees_with_the_noted_density():
    """The mean of 1 / density is the volume of the cube, wherever most of the points lie."""
    designer, rng = taught("beta", nearness((0.3,)), updates=30, dimensions=1)
    made = designer.propose(20_000, rng)
    assert np.mean(np.exp(-made.notes[:, -1])) == pytest.approx(1.0, abs=0.05)
    left = made.points[:, 0] < 0.25
    assert np.mean(np.exp(-made.notes[:, -1]) * left) == pytest.approx(0.25, abs=0.03)


def test_late_points_are_weighed_by_the_policy_that_drew_them(monkeypatch):
    rng = np.random.default_rng(0)
    designer = BetaDesigner(1, rng)
    late = designer.propose(8, rng)
    for _ in range(10):
        made = designer.propose(16, rng)
        designer.learn(made, nearness((0.9,))(made.points))
    seen = []
    monkeypatch.setattr(
        designer.ppo, "train", lambda: seen.append(designer.ppo.rollout_buffer.log_probs.ravel())
    )
    designer.learn(late, np.arange(8.0))
    np.testing.assert_allclose(seen[0], late.notes[:, -1], rtol=1e-6)


def test_a_tie_between_two_peaks_is_broken():
    """Both ends of a line are equally good: the best Beta around the middle is a flat one."""

    def at_the_ends(points):
        return -np.minimum(np.abs(points - 0.1), np.abs(points - 0.9))[:, 0]

    designer, rng = taught("beta", at_the_ends, updates=100, dimensions=1)
    points = designer.propose(2000, rng).points[:, 0]
    assert (np.abs(points - 0.5) < 0.2).mean() < 0.15


def test_the_elite_weighs_by_rank():
    designer = CrossEntropyDesigner(1, step=1.0, elite_ratio=0.5)
    points = np.array([[0.1], [0.2], [0.8], [0.9]])
    designer.learn(Proposals(points, np.zeros((4, 0))), np.array([4.0, 3.0, 2.0, 1.0]))
    weights = np.log(3) - np.log([1, 2])
    expected = weights @ [0.1, 0.2] / weights.sum()
    np.testing.assert_allclose(designer.mean, [expected])


def test_the_gaussian_does_not_collapse():
    designer, _ = taught("cross-entropy", nearness((0.5, 0.5)), updates=200, least_deviation=0.05)
    assert np.sqrt(np.linalg.eigvalsh(designer.covariance)).min() == pytest.approx(0.05, rel=0.5)
    assert np.sqrt(np.linalg.eigvalsh(designer.covariance)).min() >= 0.05 - 1e-9


def test_many_equally_good_points_do_not_make_the_others_as_good():
    """More than twice the elite share the best reward, so that each of them ranks below it."""
    designer, rng = CrossEntropyDesigner(1, step=1.0), np.random.default_rng(0)
    for n_best in (64, 70, 100):
        best, worse = rng.uniform(0, 0.4, n_best), rng.uniform(0.6, 1, designer.memory - n_best)
        points = np.concatenate([best, worse])[:, None]
        rewards = (points[:, 0] < 0.5).astype(float)
        designer.learn(Proposals(points, np.zeros((len(points), 0))), rewards)
        assert designer.mean[0] == pytest.approx(best.mean())
