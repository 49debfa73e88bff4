"""Sinkhorn divergences against what is known of them."""

import numpy as np
import pytest

from teachrl.models.sinkhorn import barycentre, divergence_gradient, sinkhorn_divergence
from teachrl.models.transport import assign


def clouds(n=25, m=25, d=2):
    rng = np.random.default_rng(0)
    return 0.4 * rng.random((n, d)), 0.2 + 0.8 * rng.random((m, d))


@pytest.mark.parametrize("blur", [0.0, 0.02, 0.3])
def test_it_is_symmetric_and_positive(blur):
    x, y = clouds()
    assert sinkhorn_divergence(x, y, blur) == pytest.approx(sinkhorn_divergence(y, x, blur))
    assert sinkhorn_divergence(x, y, blur) > 0.01


@pytest.mark.parametrize("blur", [0.0, 0.02, 0.3])
def test_of_a_set_from_itself_it_is_zero_and_flat(blur):
    x, _ = clouds()
    assert sinkhorn_divergence(x, x[::-1].copy(), blur) == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(divergence_gradient(x, x.copy(), blur), 0.0, atol=1e-9)


def test_with_less_blur_it_approaches_exact_transport():
    x, y = clouds()
    exact = 0.5 * ((x - y[assign(x, y)]) ** 2).sum(axis=1).mean()
    errors = [abs(sinkhorn_divergence(x, y, blur) - exact) for blur in (0.3, 0.1, 0.03, 0.01)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-3 * exact
    assert sinkhorn_divergence(x, y, 0.0) == pytest.approx(exact)


def test_with_much_blur_only_the_means_count():
    x, y = clouds()
    shift = 0.5 * ((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum()
    assert sinkhorn_divergence(x, y, 20.0) == pytest.approx(shift, rel=0.01)


def test_two_points_have_a_closed_form():
    assert sinkhorn_divergence(np.zeros((1, 2)), np.array([[0.6, 0.8]]), 0.1) == pytest.approx(0.5)


def test_sets_may_differ_in_size_but_not_without_blur():
    x, y = clouds(20, 30)
    assert sinkhorn_divergence(x, y, 0.05) > 0
    with pytest.raises(ValueError, match="equally large, got 20 and 30 points"):
        sinkhorn_divergence(x, y, 0.0)


@pytest.mark.parametrize("blur", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_its_gradient_is_that_of_finite_differences(blur, d):
    x, y = clouds(12, 12, d)
    gradient, step = divergence_gradient(x, y, blur), 1e-5
    for i, k in ((0, 0), (5, d - 1), (11, d // 2)):
        moved = np.stack([x, x])
        moved[:, i, k] += [step, -step]
        up, down = (sinkhorn_divergence(each, y, blur) for each in moved)
        assert gradient[i, k] == pytest.approx((up - down) / (2 * step), rel=2e-3, abs=1e-6)


def test_an_exact_barycentre_lies_on_the_straight_ways():
    x, y = clouds()
    np.testing.assert_allclose(barycentre(x, y, 0.3, 0.0), 0.7 * x + 0.3 * y[assign(x, y)])


@pytest.mark.parametrize("blur", [0.01, 0.1])
def test_a_blurred_barycentre_is_where_its_objective_is_flat(blur):
    x, y = clouds()
    found = barycentre(x, y, 0.3, blur)
    pulls = 0.7 * divergence_gradient(found, x, blur) + 0.3 * divergence_gradient(found, y, blur)
    assert np.linalg.norm(25 * pulls, axis=1).mean() < 3e-3  # a step is half of that
    exact = barycentre(x, y, 0.3, 0.0)

    def objective(points):
        far = sinkhorn_divergence(points, y, blur)
        return 0.7 * sinkhorn_divergence(points, x, blur) + 0.3 * far

    assert objective(found) <= objective(exact) + 1e-6


def test_barycentres_of_coinciding_points_are_finite():
    points = np.full((10, 2), 0.5)
    np.testing.assert_allclose(barycentre(points, points, 0.5, 0.01), 0.5)
    np.testing.assert_allclose(barycentre(points, np.zeros((10, 2)), 0.5, 0.01), 0.25, atol=1e-3)


def test_what_is_no_transport_is_refused():
    x, y = clouds()
    with pytest.raises(ValueError, match="blur must be 0 or a positive number, got -1"):
        sinkhorn_divergence(x, y, -1.0)
    with pytest.raises(ValueError, match="got shapes"):
        divergence_gradient(x, y[:, :1], 0.1)
