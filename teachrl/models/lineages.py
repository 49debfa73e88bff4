"""Where the tasks of a buffer came from, as arrays that can be stored and drawn."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]

ORIGINS = ("random", "easy", "mutation", "design", "other")


def origin_codes(origins: Sequence[str]) -> Counts:
    """Return the place of each origin in ``ORIGINS``, (n,); one that is not there is ``other``.

    >>> origin_codes(["mutation", "random", "dreamt"]).tolist()
    [2, 0, 4]
    """
    other = len(ORIGINS) - 1
    codes = [ORIGINS.index(origin) if origin in ORIGINS else other for origin in origins]
    return np.array(codes, np.int64)


def edges(serials: Counts, parents: Counts) -> Counts:
    """Return the rows of parents and their children, (m, 2), of parents that are still there.

    >>> edges(np.array([7, 3, 9]), np.array([3, -1, 5])).tolist()
    [[1, 0]]
    """
    rows = {serial: row for row, serial in enumerate(serials.tolist())}
    pairs = [(rows[parent], row) for row, parent in enumerate(parents.tolist()) if parent in rows]
    return np.array(pairs, np.int64).reshape(-1, 2)
