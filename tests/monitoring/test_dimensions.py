"""Of many dimensions, those are shown in which something happens."""

import numpy as np
import pytest

from teachrl.evaluation import TestSet
from teachrl.monitoring.dimensions import most_telling, most_used
from tests.monitoring.pictures import CUBE


def test_the_most_used_dimensions_are_the_farthest_from_uniform():
    unit = np.random.default_rng(0).random((2000, 13))
    unit[:, 7] = 0.5 + 0.2 * unit[:, 7]
    unit[:, 2] = np.where(unit[:, 2] < 0.7, 0.05, unit[:, 2])  # the extreme counts, not the middle
    assert most_used(CUBE, CUBE.denormalize(unit)) == (2, 7)
    assert most_used(CUBE, CUBE.denormalize(unit), 1) == (7,)
    assert len(most_used(CUBE, CUBE.denormalize(unit), 12)) == 12


def test_without_tasks_the_first_dimensions_are_as_good_as_any():
    assert most_used(CUBE, np.zeros((0, 13), np.float32)) == (0, 1)


def test_the_most_telling_dimensions_set_mastered_tasks_apart():
    tests = TestSet.uniform(CUBE, 500)
    unit = CUBE.normalize(tests.params)
    assert most_telling(tests, (unit[:, 5] < 0.3) & (unit[:, 9] > 0.5)) == (5, 9)


def test_all_or_no_tasks_mastered_is_no_obstacle():
    tests = TestSet.uniform(CUBE, 50)
    for mastered in (np.zeros(50, bool), np.ones(50, bool)):
        assert len(most_telling(tests, mastered)) == 2


@pytest.mark.parametrize("alike", [0.0, 0.1, 1.0])
def test_where_tasks_are_all_alike_the_spread_of_the_test_set_decides(alike):
    unit = np.full((60, 13), 0.5)
    unit[:, 4] = np.where(np.arange(60) % 2, 0.2, 0.8)  # two places, as a point mass has its gates
    unit[:, 8] += np.linspace(-0.05, 0.05, 60)
    tests = TestSet(CUBE, CUBE.denormalize(unit), np.arange(60))
    assert most_telling(tests, np.full(60, alike)) == (4, 8)


def test_how_often_tasks_are_mastered_tells_even_if_most_always_are():
    tests = TestSet.uniform(CUBE, 500)
    unit = CUBE.normalize(tests.params)
    assert most_telling(tests, np.where((unit[:, 5] < 0.7) & (unit[:, 9] > 0.2), 1.0, 0.0)) == (
        5,
        9,
    )
