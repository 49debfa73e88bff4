"""The numbers of an inspection are what they are called."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from teachrl.models.manifolds import (
    IdentityManifold,
    inspect_manifold,
    learn_manifold,
)
from teachrl.spaces import TaskSpace

SPACE = TaskSpace(shape=(0, 4, "float", 6))


class Halved(IdentityManifold):
    """Loses the last four coordinates, and half of the first two."""

    latent_dimensions = 2
    seen = None

    def __init__(self, space):
        super().__init__(space)
        self.latent_dimensions = 2

    def encode(self, points):
        return np.asarray(points)[:, :2]

    def decode(self, latents):
        self.seen = latents if self.seen is None else self.seen
        return np.column_stack([0.25 + np.asarray(latents) / 2, np.full((len(latents), 4), 0.5)])

    def divergences(self, points):
        return np.array([0.7, 0.009])


def test_it_tells_what_is_lost_and_what_is_reached():
    manifold = Halved(SPACE)
    found = inspect_manifold(manifold, np.random.default_rng(0), samples=2_000)
    assert found.spread == pytest.approx(np.sqrt(1 / 12), rel=0.02)
    lost = (2 * (1 / 12) / 4 + 4 / 12) / 6
    assert found.error == pytest.approx(np.sqrt(lost), rel=0.02)
    assert found.explained == pytest.approx(1 - 12 * lost, abs=0.02)
    assert found.divergences == (0.7, 0.009)
    assert found.active == 1
    assert manifold.seen.shape == (2_000, 2)
    assert found.diversity == pytest.approx(pdist(manifold.decode(manifold.seen)).mean())
    assert 0.45 < manifold.seen.mean() < 0.55  # uniform over the whole cube
    assert found.diversity < 0.3
    assert found.data_diversity > 0.9


def test_the_valid_are_counted_by_the_rule_in_task_units():
    manifold = Halved(SPACE)
    found = inspect_manifold(
        manifold, np.random.default_rng(0), samples=1_000, valid=lambda tasks: tasks[:, 0] < 2
    )
    assert found.valid == pytest.approx((manifold.seen[:, 0] < 0.5).mean())
    assert inspect_manifold(manifold, np.random.default_rng(0), samples=10).valid == 1.0


def test_what_leaves_the_space_is_no_task():
    class Beyond(Halved):
        def decode(self, latents):
            return super().decode(latents) + 0.3 * (np.asarray(latents)[:, :1] > 0.5)

    manifold = Beyond(SPACE)
    found = inspect_manifold(manifold, np.random.default_rng(0), samples=1_000)
    inside = (Beyond(SPACE).decode(manifold.seen) <= 1).all(axis=1)
    assert found.valid == pytest.approx(inside.mean())
    assert 0.5 < found.valid < 1


@pytest.mark.slow
def test_a_trained_manifold_beats_an_untrained_one():
    rng = np.random.default_rng
    trained, fresh = (learn_manifold(SPACE, rng(0), steps=steps) for steps in (1_000, 1))
    better, worse = (inspect_manifold(m, rng(1), samples=1_000) for m in (trained, fresh))
    assert better.explained > 0.8
    assert worse.explained < 0.2
    assert better.active == 6
    assert better.diversity > 0.8 * better.data_diversity


def test_two_points_are_enough_and_one_has_no_distance():
    found = inspect_manifold(IdentityManifold(SPACE), np.random.default_rng(0), samples=1)
    assert (found.diversity, found.data_diversity, found.explained) == (0.0, 0.0, 1.0)
    assert set(found.row()) == {
        "error",
        "explained",
        "KL (nats)",
        "active",
        "valid",
        "diversity",
        "of data",
    }
