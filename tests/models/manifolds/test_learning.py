"""What a manifold is learnt from: uniform tasks, valid ones only, each in its canonical form."""

import numpy as np
import pytest
from scipy import stats

from teachrl.models.manifolds import IdentityManifold, learn_manifold
from teachrl.models.manifolds.learning import draw_points
from teachrl.spaces import TaskSpace

PAIR = TaskSpace(low=(0, 10), high=(0, 10), shape=(-1, 1))


def test_points_are_uniform_tasks_in_unit_coordinates():
    points = draw_points(PAIR, 4_000, np.random.default_rng(0))
    assert points.shape == (4_000, 3)
    for column in points.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3


def test_whole_numbers_are_where_the_environment_sees_them():
    space = TaskSpace(count=(1, 5, "int"), x=(0, 1), y=(0, 1))
    points = draw_points(space, 500, np.random.default_rng(0))
    np.testing.assert_allclose(np.unique(points[:, 0]), [0.1, 0.3, 0.5, 0.7, 0.9])


def test_invalid_tasks_are_drawn_again():
    points = draw_points(
        PAIR, 1_000, np.random.default_rng(0), valid=lambda tasks: tasks[:, 0] < 2.0
    )
    assert points.shape == (1_000, 3)
    assert stats.kstest(points[:, 0] / 0.2, "uniform").pvalue > 1e-3


def test_tasks_are_taken_in_their_canonical_form_once_they_are_valid():
    seen = []

    def valid(tasks):
        seen.append(tasks)
        return np.ones(len(tasks), bool)

    def ordered(tasks):
        return np.column_stack([np.sort(tasks[:, :2], axis=1), tasks[:, 2]])

    points = draw_points(PAIR, 300, np.random.default_rng(0), valid=valid, canonical=ordered)
    assert (points[:, 0] <= points[:, 1]).all()
    assert (np.concatenate(seen)[:, 0] > np.concatenate(seen)[:, 1]).any()
    assert np.concatenate(seen)[:, :2].max() > 9  # in the units of the space


def test_a_rule_that_nothing_fits_is_refused():
    with pytest.raises(ValueError, match=r"uniform tasks of .* 0 are valid: too few"):
        draw_points(PAIR, 10, np.random.default_rng(0), valid=lambda tasks: tasks[:, 0] < 0)


@pytest.mark.parametrize("dimensions", [1, 2])
def test_there_is_nothing_to_learn_of_two_coordinates(dimensions):
    space = TaskSpace(x=(0, 1, "float", dimensions))
    manifold = learn_manifold(space, np.random.default_rng(0))
    assert isinstance(manifold, IdentityManifold)
    assert manifold.latent_dimensions == dimensions
    points = np.random.default_rng(0).random((5, dimensions))
    np.testing.assert_array_equal(manifold.decode(manifold.encode(points)), points)
    assert manifold.divergences(points).size == 0


@pytest.mark.parametrize(
    ("kind", "dimensions", "latents"), [("flat", 12, 8), ("flat", 5, 5), ("sequence", 24, 16)]
)
def test_latents_are_no_more_than_coordinates(kind, dimensions, latents):
    space, rng = TaskSpace(x=(0, 1, "float", dimensions)), np.random.default_rng(0)
    options = {"kind": kind, "steps": 1, "batch": 4, "samples": 20}
    assert learn_manifold(space, rng, **options).latent_dimensions == latents
    assert learn_manifold(space, rng, latent_dimensions=3, **options).latent_dimensions == 3


@pytest.mark.slow
def test_what_is_decoded_is_valid_where_only_valid_tasks_were_learnt():
    def on_a_ring(tasks):
        return np.abs(np.hypot(tasks[:, 0] - 5, tasks[:, 1] - 5) - 3) < 0.7

    rng, options = np.random.default_rng(0), {"steps": 2_000, "samples": 20_000, "beta": 3e-3}
    ruled = learn_manifold(PAIR, rng, valid=on_a_ring, **options)
    latents = np.random.default_rng(1).random((2_000, 3))
    share = on_a_ring(PAIR.denormalize(ruled.decode(latents))).mean()
    uniform = on_a_ring(PAIR.uniform(rng, 20_000)).mean()
    assert share > uniform + 0.2
