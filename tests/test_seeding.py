"""One root seed, many independent streams."""

import numpy as np
import pytest

from teachrl.seeding import derive_seed, draw_seed, stream


def test_a_stream_depends_on_seed_name_and_index_only():
    draws = {
        (seed, name, index): stream(seed, name, index).integers(2**62)
        for seed in (0, 1)
        for name in ("teacher", "env")
        for index in (0, 1)
    }
    assert len(set(draws.values())) == 8
    assert stream(0, "env", 1).integers(2**62) == draws[0, "env", 1]


def test_zero_is_a_seed_and_negative_numbers_are_not():
    assert stream(0, "teacher").random() == stream(0, "teacher").random()
    with pytest.raises(ValueError, match="0 or more, got -1"):
        stream(-1, "teacher")


def test_seeds_for_libraries_have_31_bits():
    seeds = [derive_seed(seed, "student") for seed in range(200)]
    seeds += [draw_seed(np.random.default_rng(seed)) for seed in range(200)]
    assert 0 <= min(seeds) <= max(seeds) < 2**31
    assert len(set(seeds)) == 400
