"""Of many dimensions, those are shown in which something happens."""

import numpy as np

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
