"""What a teacher believes is drawn by the keys of its belief."""

import numpy as np
import pytest

from teachrl.monitoring.beliefs import is_drawable, shapes, target_outlines, values_of
from tests.monitoring.pictures import CUBE, gaussians


def test_a_gaussian_is_the_ellipse_of_two_standard_deviations_of_its_marginal():
    belief = gaussians(CUBE)
    [(outlines, values)] = shapes(belief, (1, 4))
    assert len(outlines) == 3
    assert values.tolist() == [0, 0.25, 0.5]
    for outline, mean, covariance in zip(
        outlines, belief["means"], belief["covariances"], strict=True
    ):
        away = outline - mean[[1, 4]]
        inverse = np.linalg.inv(covariance[np.ix_([1, 4], [1, 4])])
        np.testing.assert_allclose(np.einsum("ni,ij,nj->n", away, inverse, away), 4.0)
        np.testing.assert_allclose(outline[0], outline[-1])


def test_a_gaussian_of_one_coordinate_is_a_bell_at_its_mean():
    belief = {"means": np.array([[0.3, 0.6]]), "covariances": np.diag([0.01, 0.04])[None]}
    [([bell], values)] = shapes(belief, (1,))
    assert bell[bell[:, 1].argmax(), 0] == pytest.approx(0.6)
    assert bell[0, 0] == pytest.approx(0.6 - 3 * 0.2)
    assert values.tolist() == [1]


def test_a_covariance_that_rounding_made_indefinite_is_drawn():
    belief = {"means": np.zeros((1, 2)), "covariances": np.array([[[1, 1], [1, 1 - 1e-15]]])}
    [([ellipse], _)] = shapes(belief, (0, 1))
    assert np.isfinite(ellipse).all()


def test_a_box_is_its_four_corners():
    belief = {"low": np.array([[0.1, 0.2, 0.3]]), "high": np.array([[0.5, 0.6, 0.7]])}
    [([corners], _)] = shapes(belief, (0, 2))
    assert corners.tolist() == [[0.1, 0.3], [0.5, 0.3], [0.5, 0.7], [0.1, 0.7]]
    [([band], _)] = shapes(belief, (1,))
    assert band.tolist() == [[0.2, 0], [0.6, 0], [0.6, 1], [0.2, 1]]


def test_a_particle_is_a_disc_around_its_point():
    [(discs, values)] = shapes({"points": np.random.default_rng(0).random((5, 3))}, (2, 0))
    assert len(discs) == len(values) == 5
    [([disc], _)] = shapes({"points": np.array([[0.25, 0.75]])}, (0, 1))
    np.testing.assert_allclose(disc[:-1].mean(axis=0), [0.25, 0.75])


def test_a_belief_may_have_several_kinds_of_shapes():
    belief = gaussians(CUBE) | {"points": np.zeros((4, 13)), "low": np.zeros((1, 13))}
    kinds = list(shapes(belief, (0, 1)))
    assert [len(outlines) for outlines, _ in kinds] == [3, 4]  # "low" alone is no box
    assert kinds[1][1].tolist() == [1, 1, 1, 1]  # the progress belongs to the Gaussians


def test_values_colour_the_shapes_they_are_as_many_as():
    belief = {"progress": np.arange(3.0), "values": np.arange(2.0)}
    assert values_of(belief, 2).tolist() == [0, 1]
    assert values_of(belief, 3).tolist() == [0, 1, 2]
    assert values_of(belief, 1).tolist() == [1]


@pytest.mark.parametrize("belief", [{}, {"means": np.zeros((1, 2))}, {"weights": np.zeros(3)}])
def test_a_belief_without_shapes_is_not_drawable(belief):
    assert not is_drawable(belief)
    with pytest.raises(ValueError, match="drawn by means with covariances or low with high or poi"):
        list(shapes(belief, (0, 1)))


def test_a_target_is_outlined_too():
    wanted = {"target_means": np.full((1, 3), 0.5), "target_covariances": 0.01 * np.eye(3)[None]}
    [ellipse] = target_outlines(wanted, (0, 1))
    np.testing.assert_allclose(np.ptp(ellipse, axis=0), 0.4, atol=1e-3)  # two deviations each way
    assert target_outlines({}, (0, 1)) == []
    assert not is_drawable(wanted)  # what it wants is no belief
