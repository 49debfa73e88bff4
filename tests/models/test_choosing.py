import numpy as np
import pytest

from teachrl.models.choosing import choose, effective_number


def test_an_index_is_chosen_in_proportion_to_its_weight() -> None:
    rng, weights = np.random.default_rng(0), np.array([0.0, 1.0, 0.0, 3.0, 0.0])
    chosen = np.bincount([choose(weights, rng) for _ in range(8000)], minlength=5) / 8000
    np.testing.assert_allclose(chosen, weights / 4, atol=0.02)
    assert chosen[[0, 2, 4]].max() == 0


def test_without_any_weight_all_are_equal() -> None:
    rng = np.random.default_rng(0)
    chosen = np.bincount([choose(np.zeros(4), rng) for _ in range(8000)], minlength=4) / 8000
    np.testing.assert_allclose(chosen, 0.25, atol=0.02)


def test_as_many_equal_weights_are_as_uncertain() -> None:
    assert effective_number(np.array([0.2, 0.0, 0.2, 0.2])) == pytest.approx(3)
    assert effective_number(np.zeros(7)) == pytest.approx(7)
    assert effective_number(np.array([1e-9, 1.0])) == pytest.approx(1)
