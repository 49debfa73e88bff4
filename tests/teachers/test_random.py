"""Uniform tasks."""

import numpy as np
from scipy import stats

from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.teachers import Random


def test_tasks_are_uniform():
    teacher = Random().start(TaskSpace(a=(2, 4), b=(0, 1)), stream(0, "teacher"))
    tasks = np.array([teacher.sample().params for _ in range(2000)])
    for column, (low, high) in zip(tasks.T, [(2, 4), (0, 1)], strict=True):
        assert stats.kstest(column, "uniform", (low, high - low)).pvalue > 1e-3
