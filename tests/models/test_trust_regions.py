"""Steps within a divergence, against what they should find."""

import numpy as np
import pytest

from teachrl.models.gaussians import Gaussian, divergence, fisher
from teachrl.models.trust_regions import constrained_step, natural_step

PRESENT = Gaussian.of([0.2, 0.3], [[0.02, 0.01], [0.01, 0.03]])
THERE = Gaussian.of([0.9, 0.9], [[0.001, 0], [0, 0.002]])


def nearness(to, present=PRESENT):
    def value(seen):
        distance, slope = divergence(seen, to.seen_from(present))
        return -distance, -slope

    return value


def farness(to, present=PRESENT):
    return lambda seen: divergence(seen, to.seen_from(present))


@pytest.mark.parametrize("max_kl", [0.01, 0.3, 3.0])
def test_a_natural_step_improves_within_the_region(max_kl):
    new = natural_step(nearness(THERE), PRESENT, max_kl)
    assert 0 < PRESENT.divergence(new) <= max_kl
    assert new.divergence(THERE) < PRESENT.divergence(THERE)


def test_it_follows_the_natural_gradient():
    new = natural_step(nearness(THERE), PRESENT, 1e-6).seen_from(PRESENT)
    gradient = nearness(THERE)(Gaussian.standard(2))[1]
    taken, natural = new.parameters, gradient / fisher(2)
    cosine = taken @ natural / np.linalg.norm(taken) / np.linalg.norm(natural)
    assert cosine == pytest.approx(1.0, abs=1e-6)
    assert np.linalg.norm(gradient / np.linalg.norm(gradient) - natural) > 0.1  # another direction


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_it_does_not_depend_on_units_or_on_the_scale_of_the_objective(scale):
    def scaled(seen):
        value, slope = nearness(THERE)(seen)
        return scale * value, scale * slope

    expected = natural_step(nearness(THERE), PRESENT, 0.1)
    np.testing.assert_allclose(natural_step(scaled, PRESENT, 0.1).mean, expected.mean)
    stretch = np.diag([1000.0, 1.0])
    present, there = (Gaussian(stretch @ g.mean, stretch @ g.factor) for g in (PRESENT, THERE))
    stretched = natural_step(nearness(there, present), present, 0.1)
    np.testing.assert_allclose(stretched.mean, stretch @ expected.mean)


def test_a_step_that_makes_the_objective_worse_is_not_accepted_though_it_is_within():
    def deceiving(seen):  # its gradient points away from where it is better
        value, slope = nearness(THERE)(seen)
        return value, -slope

    assert natural_step(deceiving, PRESENT, 0.1) is None


def test_a_step_that_is_better_but_too_far_is_not_accepted():
    def leap(candidate):  # better than any step, and outside of the region
        return THERE

    assert natural_step(nearness(THERE), PRESENT, 0.1, leap) is None


@pytest.mark.parametrize("slope", [0.0, np.nan])
def test_without_a_gradient_it_stays(slope):
    assert natural_step(lambda seen: (1.0, np.full(5, slope)), PRESENT, 0.1) is None


@pytest.mark.parametrize("d", [1, 2, 12])
def test_a_constrained_step_goes_to_the_border_of_the_region(d):
    rng = np.random.default_rng(d)
    present = Gaussian.of(rng.random(d), 0.04 * np.eye(d))
    there = Gaussian.of(rng.random(d) + 1, 1e-4 * np.eye(d))
    new = constrained_step(farness(there, present), [], present, 0.25)
    assert present.divergence(new) == pytest.approx(0.25, abs=1e-5)
    candidates = 0
    for _ in range(300):  # nothing else in the region is nearer
        noise = rng.normal(0, 0.05 / np.sqrt(len(fisher(d))), len(fisher(d)))
        parameters = new.seen_from(present).parameters + noise
        other = Gaussian.from_parameters(parameters).placed_at(present)
        if present.divergence(other) <= 0.25:
            candidates += 1
            assert other.divergence(there) >= new.divergence(there) * (1 - 1e-6)
    assert candidates > 20


def test_a_near_goal_is_reached_exactly():
    near = Gaussian.of([0.21, 0.3], [[0.02, 0.01], [0.01, 0.025]])
    new = constrained_step(farness(near), [], PRESENT, 0.25)
    np.testing.assert_allclose(new.mean, near.mean, atol=1e-3)
    np.testing.assert_allclose(new.covariance, near.covariance, atol=1e-4)


def test_further_constraints_are_kept():
    def not_right(seen):  # the mean stays left of where it is, in whitened coordinates
        slope = np.zeros((1, 5))
        slope[0, 0] = -1
        return np.array([-seen.mean[0]]), slope

    new = constrained_step(farness(THERE), [not_right], PRESENT, 0.25).seen_from(PRESENT)
    assert new.mean[0] <= 1e-6
    assert new.mean[1] > 0.1


def test_fifty_dimensions_are_no_obstacle():
    d, rng = 50, np.random.default_rng(0)
    present = Gaussian.of(rng.random(d), 0.04 * np.eye(d))
    there = Gaussian.of(rng.random(d), 0.01 * np.eye(d))
    new = constrained_step(farness(there, present), [], present, 0.25)
    assert present.divergence(new) == pytest.approx(0.25, abs=1e-4)
    assert new.divergence(there) < present.divergence(there)
