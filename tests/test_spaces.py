import copy
import json
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from teachrl.spaces import Parameter, TaskSpace

FLOATS = TaskSpace(height=(0, 3), spacing=(-6, 6))
MIXED = TaskSpace(shape=(0, 4, "float", 3), steps=(1, 5, "int"), rate=(1e-4, 1, "log"))
SPACES = [
    FLOATS,
    MIXED,
    TaskSpace(x=(1, 2)),
    TaskSpace(n=(-3, 4, "int", 2)),
    TaskSpace(r=(1, 9, "log")),
    TaskSpace(x=(0, 1), gap=(0, 10, "interval"), n=(1, 3, "int"), height=(-1, 5, "interval")),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_every_uniform_task_lies_in_the_space(space: TaskSpace) -> None:
    tasks = space.uniform(np.random.default_rng(0), 500)
    assert tasks.shape == (500, space.dimensions)
    assert tasks.dtype == np.float32
    assert all(task in space for task in tasks)
    assert space.uniform(np.random.default_rng(0)) in space


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_it_is_a_gymnasium_space(space: TaskSpace) -> None:
    assert gym.spaces.flatdim(space) == space.dimensions
    space.seed(0)
    assert all(space.sample() in space for _ in range(100))
    with pytest.raises(ValueError, match="masked"):
        space.sample(mask=np.ones(3))  # type: ignore[arg-type]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_unit_coordinates_and_back(space: TaskSpace) -> None:
    tasks = space.uniform(np.random.default_rng(0), 100)
    points = space.normalize(tasks)
    assert points.min() >= 0
    assert points.max() <= 1
    np.testing.assert_allclose(space.denormalize(points), tasks, rtol=1e-6, atol=1e-6)


def test_a_log_parameter_is_uniform_in_its_logarithm() -> None:
    space = TaskSpace(rate=(1e-4, 1, "log"))
    tasks = space.uniform(np.random.default_rng(0), 4_000)
    assert np.mean(tasks < 1e-2) == pytest.approx(0.5, abs=0.03)
    known = space.normalize([[1e-4], [1e-2], [1.0]])
    np.testing.assert_allclose(known, [[0.0], [0.5], [1.0]], atol=1e-7)


def test_whole_numbers_are_equally_likely_bounds_included() -> None:
    counts = np.unique(
        TaskSpace(n=(1, 5, "int")).uniform(np.random.default_rng(0), 5_000), return_counts=True
    )
    assert counts[0].tolist() == [1, 2, 3, 4, 5]
    assert counts[1].min() > 900


def test_points_outside_are_clipped_to_the_faces() -> None:
    np.testing.assert_array_equal(FLOATS.denormalize([[-1, 2], [2, -1]]), [[0, 6], [3, -6]])
    np.testing.assert_array_equal(FLOATS.clip([9, -9]), [3, -6])
    np.testing.assert_array_equal(FLOATS.normalize([9, -9]), [1, 0])
    np.testing.assert_allclose(MIXED.clip([-1, 2, 9, 3.4, 7]), [0, 2, 4, 3, 1])


def test_distances_are_measured_in_unit_coordinates() -> None:
    assert FLOATS.distance([0, 0], [3, 0]) == pytest.approx(1)
    assert FLOATS.distance([0, -6], [3, 6]) == pytest.approx(np.sqrt(2))
    assert FLOATS.distance(FLOATS.grid(3), [0, -6]).shape == (9,)


def test_a_grid_includes_the_bounds_and_moves_the_last_parameter_first() -> None:
    grid = FLOATS.grid((2, 3))
    assert grid.tolist() == [[0, -6], [0, 0], [0, 6], [3, -6], [3, 0], [3, 6]]
    np.testing.assert_allclose(TaskSpace(rate=(0.01, 1, "log")).grid(3), [[0.01], [0.1], [1.0]])
    assert TaskSpace(n=(1, 5, "int")).grid(5).tolist() == [[1], [2], [3], [4], [5]]
    for counts in (0, (2,), (2, 3, 4)):
        with pytest.raises(ValueError, match="positive counts"):
            FLOATS.grid(counts)


def test_a_grid_that_would_fill_the_memory_is_refused() -> None:
    for space, points in ((TaskSpace(x=(0, 1, "float", 50)), 10), (FLOATS, 1_000_000)):
        with pytest.raises(ValueError, match=r"would have 1e\+\d\d tasks: take fewer"):
            space.grid(points)


def test_what_is_no_row_of_numbers_is_no_task() -> None:
    for strange in ("ab", {"height": 1, "spacing": 2}, [[1], [2, 3]]):
        with pytest.raises(ValueError, match=r"a task of TaskSpace.* is 2 numbers, got"):
            FLOATS.require(strange)  # type: ignore[arg-type]


def test_tasks_are_packed_and_unpacked_by_name() -> None:
    named = {"shape": [0.5, 1.0, 2.0], "steps": 3, "rate": 0.01}
    task = MIXED.pack(**named)
    unpacked = MIXED.unpack(task)
    assert unpacked["shape"].tolist() == named["shape"]
    assert (unpacked["steps"], unpacked["rate"]) == (3, 0.01)
    assert isinstance(unpacked["steps"], int)
    assert MIXED.pack(shape=1.0, steps=3, rate=0.01).tolist()[:3] == [1, 1, 1]
    assert MIXED.names == ("shape[0]", "shape[1]", "shape[2]", "steps", "rate")
    with pytest.raises(ValueError, match="check \\['steep', 'steps'\\]"):
        MIXED.pack(shape=1.0, steep=3, rate=0.01)
    with pytest.raises(ValueError, match="'shape' has 3 values"):
        MIXED.pack(shape=[1.0, 2.0], steps=3, rate=0.01)
    with pytest.raises(ValueError, match="shape"):
        MIXED.unpack([1.0])


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ([4.1, 0, 0, 1, 1], r"'shape\[0\]' must be a number in \[0, 4\], got 4.1"),
        ([0, np.nan, 0, 1, 1], r"'shape\[1\]'.*got nan"),
        ([0, 0, np.inf, 1, 1], r"'shape\[2\]'.*got inf"),
        ([0, 0, 0, 2.5, 1], "'steps' must be a whole number"),
        ([0, 0, 0, 6, 1], "'steps'"),
        ([0, 0, 0, 1, 0], "'rate'"),
        ([0, 0, 0], r"has shape \(5,\), got \(3,\)"),
    ],
)
def test_what_is_no_task_is_refused_by_the_name_of_its_parameter(
    task: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        MIXED.require(task)
    assert task not in MIXED


def test_other_things_are_not_in_the_space() -> None:
    assert "easy" not in FLOATS
    assert None not in FLOATS
    assert [1.0, 0.0] in FLOATS


def test_bounds_that_float32_rounds_still_belong() -> None:
    space = TaskSpace(x=(0.1, 0.7))
    assert space.require([0.1]) in space
    assert space.require([0.7]) in space
    assert space.unpack([0.7]) == {"x": 0.7}


@pytest.mark.parametrize(
    "bounds",
    [
        (1, 1),
        (2, 1),
        (0, np.inf),
        (np.nan, 1),
        (0, "one"),
        (None, 1),
        ([0, 1], 2),
        (1, 1 + 1e-12),
        (0, 1, "log"),
        (-1, 1, "log"),
        (0, 1.5, "int"),
        (0, 2**25, "int"),
        (0, 1, "whole"),
        (0, 1, "float", 0),
        (0, 1, "float", 2.0),
        (0, 1, "float", True),
        (0,),
        5,
    ],
)
def test_bounds_that_make_no_sense_are_refused_by_name(bounds: Any) -> None:
    with pytest.raises(ValueError, match="'wind'"):
        TaskSpace(height=(0, 1), wind=bounds)


def test_a_space_without_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one parameter"):
        TaskSpace()


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_json_and_copies_give_an_equal_space(space: TaskSpace) -> None:
    again = TaskSpace.from_json(json.loads(json.dumps(space.to_json())))
    assert again == space == copy.deepcopy(space)
    assert hash(again) == hash(space)
    assert eval(repr(space), {"TaskSpace": TaskSpace}) == space
    np.testing.assert_array_equal(again.low, space.low)


def test_spaces_differ_by_name_kind_and_bounds() -> None:
    spaces = [
        TaskSpace(x=(1, 5)),
        TaskSpace(y=(1, 5)),
        TaskSpace(x=(1, 5, "int")),
        TaskSpace(x=(1, 6)),
        TaskSpace(x=(1, 5, "float", 2)),
    ]
    assert len(set(spaces)) == 5
    assert TaskSpace(x=Parameter(1, 5)) == spaces[0]
    assert spaces[0] != gym.spaces.Box(1, 5, (1,))


def test_nothing_warns_while_log_and_linear_parameters_mix() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MIXED.normalize(MIXED.denormalize(np.zeros((3, 5))))
        MIXED.grid(2)


GAPS = TaskSpace(x=(0, 1), gap=(0, 10, "interval"), height=(-1, 5, "interval"))


def test_an_interval_has_its_lower_number_first_whoever_makes_the_task() -> None:
    assert GAPS.dimensions == 5
    assert GAPS.clip([0.5, 7, 2, 4, -3]).tolist() == [0.5, 2, 7, -1, 4]
    assert GAPS.denormalize([0.5, 0.7, 0.2, 1.0, 0.0]).tolist() == [0.5, 2, 7, -1, 5]
    drawn = GAPS.uniform(np.random.default_rng(0), 500)
    assert (drawn[:, [1, 3]] <= drawn[:, [2, 4]]).all()
    assert drawn[:, 1].mean() == pytest.approx(10 / 3, abs=0.4)  # of the lower of two
    assert GAPS.unpack([0, 2, 7, 1, 1])["gap"].tolist() == [2, 7]
    assert GAPS.pack(x=0, gap=(2, 7), height=1).tolist() == [0, 2, 7, 1, 1]


def test_an_interval_the_wrong_way_round_is_no_task() -> None:
    assert GAPS.contains([0.5, 2, 2, 0, 1])
    assert not GAPS.contains([0.5, 7, 2, 0, 1])
    with pytest.raises(ValueError, match="'height' is an interval, the lower number first; got 3"):
        GAPS.require([0.5, 2, 7, 3, 1])


def test_a_grid_has_every_interval_once() -> None:
    grid = TaskSpace(gap=(0, 10, "interval")).grid(3)
    assert grid.tolist() == [[0, 0], [0, 5], [0, 10], [5, 5], [5, 10], [10, 10]]


def test_points_of_one_task_have_one_canonical_form() -> None:
    points = np.random.default_rng(0).random((50, 5))
    canonical = GAPS.canonical(points)
    np.testing.assert_allclose(canonical, GAPS.normalize(GAPS.denormalize(points)), atol=1e-6)
    np.testing.assert_array_equal(GAPS.canonical(canonical), canonical)
    assert (canonical[:, 0] == points[:, 0]).all()
    assert MIXED.canonical(points) is points


def test_draws_inside_a_box_are_uniform_over_its_canonical_points() -> None:
    gap, rng = TaskSpace(gap=(0, 10, "interval")), np.random.default_rng(0)
    low, high = np.array([0.0, 0.4]), np.array([0.6, 1.0])
    points = np.array([gap.draw_inside(low, high, rng) for _ in range(4000)])
    assert (points[:, 0] <= points[:, 1]).all()
    assert ((low <= points) & (points <= high)).all()
    is_both = (points[:, 0] > 0.4) & (points[:, 1] < 0.6)  # a triangle
    assert is_both.mean() == pytest.approx(0.02 / 0.34, abs=0.015)
    points = np.array([gap.draw_inside(high - 0.1, high - 0.1, rng) for _ in range(5)])
    np.testing.assert_allclose(points, [[0.5, 0.9]] * 5)


def test_a_box_is_tightened_around_its_canonical_points() -> None:
    gap = TaskSpace(x=(0, 1), gap=(0, 10, "interval"))
    low, high = gap.tightened(np.array([0.1, 0.5, 0.0]), np.array([0.2, 1.0, 0.6]))
    assert (low.tolist(), high.tolist()) == ([0.1, 0.5, 0.5], [0.2, 0.6, 0.6])
    low, high = gap.tightened(np.array([0.1, 0.5, 0.0]), np.array([0.2, 1.0, 0.5]))
    assert not (low < high).all()


def test_an_interval_has_two_numbers() -> None:
    assert TaskSpace.from_json(GAPS.to_json()) == GAPS
    assert TaskSpace(gap=(0, 1, "interval", 2)) == TaskSpace(gap=(0, 1, "interval"))
    with pytest.raises(ValueError, match="'gap': an interval has two numbers: leave the size out"):
        TaskSpace(gap=(0, 1, "interval", 4))


def test_whole_numbers_make_a_space_finite() -> None:
    assert TaskSpace(n=(-3, 4, "int", 2), m=(1, 5, "int")).n_tasks == 8 * 8 * 5
    assert TaskSpace(n=(1, 5, "int"), x=(0, 1)).n_tasks == np.inf
    assert TaskSpace(n=(1, 5, "int"), x=(0, 1)).n_values.tolist() == [5, np.inf]
