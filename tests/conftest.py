"""What every test process needs before anything is imported, and arbitrary numbers that repeat."""

import os

# One thread per process (see integration of torch on busy cores), and no window anywhere.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

import random
from collections.abc import Iterator
from zlib import crc32

import numpy as np
import pytest
import torch
from gymnasium.utils import seeding


@pytest.fixture(autouse=True)
def repeating(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make what a test leaves to chance the same each time it runs, whatever ran before it.

    Two draws within one test still differ, so that what must not depend on them is found out.
    """
    seed = crc32(request.node.nodeid.encode())
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the stream of models and worlds without a seed
    torch.manual_seed(seed)
    seeds: Iterator[int] = iter(range(seed, seed + 10**9))
    make = seeding.np_random
    monkeypatch.setattr(
        seeding, "np_random", lambda seed=None: make(next(seeds) if seed is None else seed)
    )
