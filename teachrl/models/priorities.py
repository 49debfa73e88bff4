"""How scores become chances (Jiang et al., 2021, arXiv 2010.03934)."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Priority = Literal["rank", "proportional", "softmax", "top"]


def score_weights(
    scores: Array, priority: Priority, temperature: float, *, top: int = 4, epsilon: float = 0.0
) -> Array:
    """Return a weight (n,) for each of n > 0 scores, which fall.

    Args:
        scores: the highest first.
        priority: ``rank``, (1 / rank)^(1 / temperature); ``proportional``, the same power of the
            positive part; ``softmax``, exp(score / temperature); ``top``, ranks again, of the best
            few alone.
        temperature: the lower, the more the highest scores count.
        top: how many the best few are.
        epsilon: added to every score that weights are in proportion to.

    >>> score_weights(np.array([3.0, 1.0, -1.0]), "proportional", 0.5).round(2).tolist()
    [1.0, 0.11, 0.0]
    """
    n, power = len(scores), 1.0 / temperature
    if priority in {"rank", "top"}:
        ranks = np.arange(1, n + 1)
        return np.where((priority == "rank") | (ranks <= top), (1.0 / ranks) ** power, 0.0)
    if priority == "softmax":
        return np.asarray(np.exp((scores - scores[0]) * power))
    positive = np.maximum(scores, 0.0) + epsilon
    if not positive[0] > 0:
        return np.ones(n)
    return np.asarray((positive / positive[0]) ** power)  # the largest first: no overflow
