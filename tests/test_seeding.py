import random

import numpy as np
import pytest

from teachrl.seeding import derive_seed, draw_seed, stream


def numbers(seed: int, name: str, index: int = 0) -> tuple[int, ...]:
    return tuple(map(int, stream(seed, name, index).integers(2**31, size=4)))


def test_a_stream_depends_on_seed_name_and_index_only() -> None:
    expected = numbers(0, "env", 3)
    for i in range(5):
        stream(0, "teacher", i).random(100)
    assert numbers(0, "env", 3) == expected


def test_streams_differ_by_seed_name_and_index() -> None:
    places = [(seed, name, i) for seed in (0, 1, 2) for name in ("env", "teacher") for i in (0, 1)]
    assert len({numbers(*place) for place in places}) == len(places)


def test_seed_zero_is_a_seed() -> None:
    assert numbers(0, "teacher") == numbers(0, "teacher") != numbers(1, "teacher")


@pytest.mark.parametrize("name", ["torch", "env"])
def test_derived_seeds_are_the_same_again_and_fit_31_bits(name: str) -> None:
    seeds = [derive_seed(root, name, i) for root in range(20) for i in range(20)]
    assert seeds == [derive_seed(root, name, i) for root in range(20) for i in range(20)]
    assert len(set(seeds)) == 400
    assert 0 <= min(seeds) <= max(seeds) < 2**31
    assert 0 <= draw_seed(stream(0, name)) < 2**31


def test_a_negative_seed_is_refused() -> None:
    for make in (stream, derive_seed):
        with pytest.raises(ValueError, match="seed must be 0 or more, got -1"):
            make(-1, "teacher")


def test_global_randomness_is_left_alone() -> None:
    before = str(np.random.get_state()), random.getstate()  # noqa: NPY002
    stream(0, "a").random()
    derive_seed(0, "b")
    assert (str(np.random.get_state()), random.getstate()) == before  # noqa: NPY002
