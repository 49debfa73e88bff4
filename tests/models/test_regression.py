"""Nadaraya-Watson regression against its formula."""

import numpy as np
import pytest

from teachrl.models.regression import NadarayaWatson


def by_formula(points, values, bandwidth, query):
    """Return the prediction at one point, by sorting."""
    distances = np.linalg.norm(points - query, axis=1)
    order = np.argsort(distances)
    nearest = order[: max(1, len(points) // 2)]
    nearest = nearest[distances[nearest] <= 3 * bandwidth]
    nearest = nearest if len(nearest) else order[:10]
    exponents = -0.5 * (distances[nearest] / bandwidth) ** 2
    weights = np.exp(exponents - exponents.max())
    return weights @ values[nearest] / weights.sum()


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("n", [1, 2, 37])
@pytest.mark.parametrize("bandwidth", [0.02, 0.1, 0.5])
def test_predictions_are_those_of_the_formula(d, n, bandwidth):
    rng = np.random.default_rng(0)
    points, values, queries = rng.random((n, d)), rng.random(n), rng.random((60, d))
    expected = [by_formula(points, values, bandwidth, query) for query in queries]
    model = NadarayaWatson(points, values, bandwidth)
    np.testing.assert_allclose(model.predict(queries), expected, rtol=1e-12)


def test_data_beyond_three_bandwidths_do_not_count():
    model = NadarayaWatson(np.array([[0.0], [2.99], [3.01], [99.0]]), np.arange(4.0), 1.0)
    assert 0 < model.predict(np.array([[0.0]]))[0] < 1
    without = NadarayaWatson(np.array([[0.0], [3.01], [99.0], [99.0]]), np.arange(4.0), 1.0)
    assert without.predict(np.array([[0.0]]))[0] == 0.0


def test_only_the_nearest_half_of_the_data_counts():
    points = np.array([[0.3], [0.1], [0.4], [0.2]])
    model = NadarayaWatson(points, np.array([100.0, 1.0, 100.0, 1.0]), 1.0)
    assert model.predict(np.zeros((1, 1)))[0] == pytest.approx(1.0)


def test_data_at_the_same_distance_count_alike():
    points = np.array([[0.1], [-0.1], [0.1], [-0.1]])
    model = NadarayaWatson(points, np.array([0.0, 1.0, 2.0, 3.0]), 1.0)
    assert model.predict(np.zeros((1, 1)))[0] == pytest.approx(1.5)


def test_far_from_all_data_the_ten_nearest_count():
    """As published; were nothing known there, uniform particles would wait for ever."""
    points = np.linspace(0, 0.01, 30)[:, None]
    model = NadarayaWatson(points, (np.arange(30) >= 12).astype(float), 0.1)
    assert model.predict(np.array([[0.9], [1e6]])).tolist() == pytest.approx([1.0, 1.0])
    assert 0 < model.predict(np.array([[0.0]]))[0] < 1


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8, 2.0])
def test_the_first_candidate_above_the_threshold_is_found(threshold):
    rng = np.random.default_rng(0)
    model = NadarayaWatson(rng.random((200, 2)), rng.random(200), 0.03)
    candidates = rng.random((80, 1, 2)) + 0.1 * rng.random((80, 20, 2))
    predicted = model.predict(candidates.reshape(-1, 2)).reshape(80, 20)
    expected = [
        int(np.argmax(row > threshold) if (row > threshold).any() else np.argmax(row))
        for row in predicted
    ]
    assert model.first_above(candidates, threshold).tolist() == expected


def test_what_is_no_data_is_refused():
    with pytest.raises(ValueError, match="n > 0 data, got shapes"):
        NadarayaWatson(np.zeros((0, 2)), np.zeros(0), 1.0)
    with pytest.raises(ValueError, match="n > 0 data, got shapes"):
        NadarayaWatson(np.zeros((3, 2)), np.zeros(2), 1.0)
    with pytest.raises(ValueError, match="bandwidth must be positive, got 0"):
        NadarayaWatson(np.zeros((3, 2)), np.zeros(3), 0.0)
