"""Numbers are divided as well as they can be."""

from itertools import combinations

import numpy as np
import pytest

from teachrl.snapshots.clusters import k_means


def cost(values, labels):
    return sum(((values[labels == g] - values[labels == g].mean()) ** 2).sum() for g in set(labels))


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(5))
def test_no_division_is_better(k, seed):
    values = np.random.default_rng(seed).normal(size=9).round(1)
    points = np.sort(values)
    best = np.inf
    for cuts in combinations(range(1, 9), k - 1):
        labels = np.searchsorted(cuts, np.arange(9), side="right")
        best = min(best, cost(points, labels))
    found = k_means(values, k)
    assert cost(values, found) <= best + 1e-9


def test_it_is_as_good_as_sklearn_on_a_critics_values():
    from sklearn.cluster import KMeans

    values = np.random.default_rng(0).gamma(2, 50, size=800)
    theirs = KMeans(6, n_init=10, random_state=0).fit(values[:, None])
    ours = k_means(values, 6)
    assert cost(values, ours) <= theirs.inertia_ + 1e-6
    assert set(ours) == set(range(6))


def test_groups_are_numbered_from_the_lowest():
    assert k_means(np.array([5.0, 0.1, 9.0, 0.0, 5.1]), 3).tolist() == [1, 0, 2, 0, 1]


def test_there_are_no_empty_groups():
    assert k_means(np.array([1.0, 1.0, 2.0]), 6).tolist() == [0, 0, 1]
    assert k_means(np.zeros(4), 3).tolist() == [0, 0, 0, 0]
    assert k_means(np.zeros(0), 3).shape == (0,)


def test_far_from_zero_is_no_trouble():
    values = 1e9 + np.array([0.0, 0.1, 10.0, 10.1])
    assert k_means(values, 2).tolist() == [0, 0, 1, 1]


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="k=0"):
        k_means(np.zeros(3), 0)
    with pytest.raises(ValueError, match="finite"):
        k_means(np.array([0.0, np.nan]), 2)
