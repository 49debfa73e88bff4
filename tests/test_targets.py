"""What an environment declares as the tasks that matter."""

from dataclasses import asdict

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from teachrl.spaces import TaskSpace
from teachrl.targets import Target

SPACE = TaskSpace(position=(-4, 4), width=(0.5, 8.5))
TWO = Target.gaussians([[-3, 4.5], [3, 4.5]], stds=(0.01, 0.1))


def test_a_uniform_target_fills_the_cube():
    points = Target.uniform().draw(SPACE, np.random.default_rng(0), 4000)
    assert points.min() >= 0
    assert points.max() <= 1
    np.testing.assert_allclose(points.mean(axis=0), 0.5, atol=0.02)
    np.testing.assert_allclose(np.cov(points.T), Target.uniform().moments(SPACE)[1], atol=0.005)


def test_gaussians_have_equal_weight_and_their_moments():
    points = TWO.draw(SPACE, np.random.default_rng(0), 20_000)
    assert (points[:, 0] < 0.5).mean() == pytest.approx(0.5, abs=0.02)
    mean, covariance = TWO.moments(SPACE)
    np.testing.assert_allclose(points.mean(axis=0), mean, atol=0.01)
    np.testing.assert_allclose(np.cov(points.T), covariance, atol=0.005)


def test_each_gaussian_has_its_share_of_an_even_draw():
    rng = np.random.default_rng(0)
    left = [int((TWO.draw_evenly(SPACE, rng, 7)[:, 0] < 0.5).sum()) for _ in range(40)]
    assert set(left) == {3, 4}
    alone = [float(TWO.draw_evenly(SPACE, rng, 1)[0, 0]) < 0.5 for _ in range(200)]
    assert np.mean(alone) == pytest.approx(0.5, abs=0.12)


def test_its_log_density_is_that_of_scipy():
    points = np.random.default_rng(0).random((50, 2))
    parts = [multivariate_normal(m, np.diag([0.01**2, 0.1**2])) for m in TWO.unit_means(SPACE)]
    expected = np.logaddexp(*(part.logpdf(points) for part in parts)) - np.log(2)
    np.testing.assert_allclose(TWO.log_density(SPACE, points), expected)
    uniform = Target.uniform().log_density(SPACE, [[0.5, 0.5], [0.5, 1.5]])
    assert uniform.tolist() == [0.0, -np.inf]


@pytest.mark.parametrize("target", [Target.uniform(), Target.gaussians([[5, 5]], 0.2)], ids=str)
def test_draws_have_the_lower_number_of_an_interval_first(target):
    space, rng = TaskSpace(gap=(0, 10, "interval")), np.random.default_rng(0)
    for points in (target.draw(space, rng, 100), target.draw_evenly(space, rng, 100)):
        assert (points[:, 0] <= points[:, 1]).all()


def test_samples_are_tasks():
    edge = Target.gaussians([[4, 8.5]], 0.5)
    assert all(SPACE.contains(t) for t in edge.sample(SPACE, np.random.default_rng(0), 100))


def test_it_survives_json_and_compares():
    assert Target.from_json(asdict(TWO)) == TWO
    assert Target.from_json(asdict(Target.uniform())) == Target.uniform() != TWO


@pytest.mark.parametrize("stds", [0.0, -1.0, np.nan, (0.1, 0.0)])
def test_deviations_are_positive(stds):
    with pytest.raises(ValueError, match="positive stds"):
        Target.gaussians([[0, 1]], stds)


@pytest.mark.parametrize(
    ("means", "stds"),
    [
        ([], 0.1),
        ([[]], 0.1),
        ([[0, 1], [2]], 0.1),
        ([["x", 1]], 0.1),
        ([[[0, 1]]], 0.1),
        ([[0, 1]], (0.1, 0.1, 0.1)),
        ([[0, 1]], "wide"),
    ],
)
def test_means_and_deviations_that_are_none_are_refused(means, stds):
    with pytest.raises(ValueError, match="a target needs finite means, a list of tasks, and"):
        Target.gaussians(means, stds)


def test_a_mean_outside_of_the_space_is_refused_by_name():
    with pytest.raises(ValueError, match="'position' must be a number in"):
        Target.gaussians([[5, 1]], 0.1).require(SPACE)
