"""Which coordinates of a task space are worth a picture, when there are more than two."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teachrl.evaluation.test_sets import TestSet
from teachrl.spaces import Floats, TaskSpace

Array = NDArray[np.float64]

BINS = 10  # of a histogram: enough to see a hill, few enough for some hundred tasks


def most_used(space: TaskSpace, params: Floats, n: int = 2) -> tuple[int, ...]:
    """Return the ``n`` coordinates whose sampling is farthest from uniform, in their own order.

    The distance is the total variation between the histogram of a coordinate, in ten bins of the
    unit interval, and the flat one.

    >>> space = TaskSpace(a=(0, 1), b=(0, 1), c=(0, 1))
    >>> tasks = space.uniform(np.random.default_rng(0), 500) * np.float32([1, 0.1, 0.5])
    >>> most_used(space, tasks), most_used(space, tasks, 1)
    ((1, 2), (1,))
    """
    shares = np.array([_shares(unit) for unit in space.normalize(params).T])
    return _largest(np.abs(shares - 1 / BINS).sum(axis=1) / 2, n)


def most_telling(test_set: TestSet, mastered: ArrayLike, n: int = 2) -> tuple[int, ...]:
    """Return the ``n`` coordinates in which mastered tasks differ most from the others.

    Where all tasks are alike in that, there is no such difference, and the coordinates in which
    the test set is spread widest say most.

    Args:
        test_set: n tasks.
        mastered: (n,) whether each is, or how often; those above the mean count.
        n: how many coordinates.
    """
    often = np.asarray(mastered, dtype=np.float64)
    chosen = often > often.mean()
    unit = test_set.space.normalize(test_set.params)
    if chosen.all() or not chosen.any():
        return _largest(unit.std(axis=0), n)
    inside, outside = ([_shares(u) for u in unit[part].T] for part in (chosen, ~chosen))
    return _largest(np.abs(np.array(inside) - np.array(outside)).sum(axis=1) / 2, n)


def _shares(unit: Array) -> Array:
    """Return the histogram of unit coordinates, flat if there are none."""
    if not len(unit):
        return np.full(BINS, 1 / BINS)
    return np.histogram(unit, BINS, (0.0, 1.0))[0] / len(unit)


def _largest(values: Array, n: int) -> tuple[int, ...]:
    # Equal ones in their own order: argsort of the negative is stable, argpartition is not.
    return tuple(sorted(int(i) for i in np.argsort(-values, kind="stable")[:n]))
