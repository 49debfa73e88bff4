"""One root seed becomes many named, independent streams of randomness."""

from zlib import crc32

import numpy as np


def stream(seed: int, name: str, index: int = 0) -> np.random.Generator:
    """Return the generator that belongs to ``name`` in the run rooted at ``seed``.

    The stream depends on the seed, the name and the index only, never on how many other streams
    were made before it, so adding one leaves all others as they were.

    >>> stream(0, "teacher").random() == stream(0, "teacher").random()
    True
    >>> stream(0, "env", 0).random() == stream(0, "env", 1).random()
    False
    """
    return np.random.default_rng(_sequence(seed, name, index))


def derive_seed(seed: int, name: str, index: int = 0) -> int:
    """Return a 31-bit seed for libraries that take an integer (torch, Gymnasium, SB3)."""
    return int(_sequence(seed, name, index).generate_state(1)[0] >> 1)


def draw_seed(rng: np.random.Generator) -> int:
    """Draw a 31-bit seed from a stream."""
    return int(rng.integers(2**31))


def _sequence(seed: int, name: str, index: int) -> np.random.SeedSequence:
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, got {seed}")
    return np.random.SeedSequence(entropy=seed, spawn_key=(crc32(name.encode()), index))
