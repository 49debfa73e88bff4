"""A named box and its unit cube."""

import copy
import pickle

import numpy as np
import pytest

from teachrl.spaces import TaskSpace

SPACE = TaskSpace(
    height=(0, 3), steps=(1, 5, "int"), rate=(1e-4, 1, "log"), shape=(-2, 4, "float", 3)
)


def test_coordinates_are_named():
    assert SPACE.names == ("height", "steps", "rate", "shape[0]", "shape[1]", "shape[2]")
    assert SPACE.dimensions == 6


def test_unpacking_gives_what_a_user_would_write():
    named = SPACE.unpack([1.5, 4, 0.01, 0, 1, 2])
    assert (named["height"], named["steps"], named["rate"]) == (1.5, 4, 0.01)
    assert isinstance(named["steps"], int)
    assert named["shape"].tolist() == [0, 1, 2]
    np.testing.assert_array_equal(SPACE.pack(**named), np.float32([1.5, 4, 0.01, 0, 1, 2]))


def test_normalising_and_back_is_the_identity():
    tasks = SPACE.uniform(np.random.default_rng(0), 1000)
    np.testing.assert_allclose(
        SPACE.denormalize(SPACE.normalize(tasks)), tasks, rtol=1e-5, atol=1e-6
    )


def test_uniform_is_uniform_in_every_kind():
    tasks = SPACE.uniform(np.random.default_rng(0), 20_000)
    assert all(SPACE.contains(task) for task in tasks[:500])
    assert np.bincount(tasks[:, 1].astype(int))[1:] == pytest.approx(4000, rel=0.06)
    decades = np.floor(np.log10(tasks[:, 2])).astype(int)
    assert np.bincount(decades + 4)[:4] == pytest.approx(5000, rel=0.06)
    assert tasks[:, 0].mean() == pytest.approx(1.5, rel=0.03)


def test_clipping_moves_to_the_nearest_task():
    clipped = SPACE.clip([-1, 2.6, 7, 0, 9, -9])
    assert clipped.tolist() == [0, 3, 1, 0, 4, -2]
    assert SPACE.contains(clipped)


def test_distance_is_in_unit_coordinates():
    space = TaskSpace(a=(0, 10), b=(0, 1000))
    assert space.distance([0, 0], [10, 0]) == pytest.approx(1.0)
    assert space.distance([0, 0], [[10, 1000], [5, 0]]) == pytest.approx([np.sqrt(2), 0.5])


def test_the_grid_includes_the_bounds_last_parameter_fastest():
    grid = TaskSpace(a=(0, 3), b=(0, 6)).grid(4)
    assert grid[:5].tolist() == [[0, 0], [0, 2], [0, 4], [0, 6], [1, 0]]
    assert TaskSpace(rate=(0.01, 1, "log")).grid(3).ravel().tolist() == pytest.approx(
        [0.01, 0.1, 1]
    )
    with pytest.raises(ValueError, match="2 positive counts"):
        TaskSpace(a=(0, 3), b=(0, 6)).grid((3, 0))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_copies_are_equal(copied):
    assert copied(SPACE) == SPACE
    assert TaskSpace.from_json(SPACE.to_json()) == SPACE
    assert TaskSpace(height=(0, 3)) != SPACE


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((1, 1), "low < high"),
        ((2, 1), "low < high"),
        ((0, float("nan")), "finite"),
        ((0, float("inf")), "finite"),
        ((0, 1, "log"), "a log range is positive"),
        ((0, 1.5, "int"), "int bounds are whole"),
        ((0, 1, "odd"), "float, int or log"),
        ((0, 1, "float", 0), "positive whole number"),
        (3, r"expected \(low, high"),
        (("a", "b"), "bounds are numbers"),
    ],
)
def test_bad_bounds_are_refused_by_name(bounds, message):
    with pytest.raises(ValueError, match=f"'gap'.*{message}"):
        TaskSpace(gap=bounds)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ([1, 2, 0.1, 0, 0], "shape"),
        ([np.nan, 2, 0.1, 0, 0, 0], "'height'"),
        ([1, 2.5, 0.1, 0, 0, 0], r"'steps' must be a whole number in \[1, 5\], got 2.5"),
        ([1, 2, 0.1, 0, 0, 9], r"'shape\[2\]' must be a number in \[-2, 4\], got 9"),
        ([1, 2, np.inf, 0, 0, 0], "'rate'"),
    ],
)
def test_bad_tasks_are_refused_by_name(task, message):
    with pytest.raises(ValueError, match=message):
        SPACE.require(task)
    assert not SPACE.contains(task)


def test_an_empty_space_is_refused():
    with pytest.raises(ValueError, match="at least one parameter"):
        TaskSpace()
