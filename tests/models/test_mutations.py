"""Small changes to tasks."""

import numpy as np
import pytest

from teachrl.models.mutations import mutate, mutate_group, reflect
from teachrl.spaces import TaskSpace

SPACE = TaskSpace(height=(0, 3), steps=(1, 5, "int"), shape=(0, 4, "float", 3))


def changes(function, n=500, **options):
    rng = np.random.default_rng(0)
    start = SPACE.normalize(SPACE.pack(height=1.5, steps=3, shape=2))
    return start, np.array([function(start, SPACE, rng, **options) for _ in range(n)])


def test_one_edit_moves_one_coordinate_by_at_most_its_size():
    start, changed = changes(mutate, edits=1, size=0.05)
    moved = changed != start
    assert moved.sum(axis=1).max() == 1
    floats = [0, 2, 3, 4]
    assert np.abs(changed - start)[:, floats].max() <= 0.05
    assert 0.55 < moved.any(axis=1).mean() < 0.78  # one of three directions is to stay


def test_whole_numbers_move_by_one_and_stay_whole():
    _, changed = changes(mutate, edits=1, size=0.001)
    steps = SPACE.denormalize(changed)[:, 1]
    assert set(steps.tolist()) == {2.0, 3.0, 4.0}


def test_beyond_a_bound_it_is_reflected_and_does_not_pile_up():
    rng = np.random.default_rng(0)
    edge = np.array([0.01, 0.5, 0.01, 0.01, 0.01])
    changed = np.array([mutate(edge, SPACE, rng, edits=20, size=0.1) for _ in range(500)])
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert (changed == 0).mean() < 0.01
    assert [reflect(x) for x in (-0.25, 1.75, 3.5)] == [0.25, 0.25, 0.5]


def test_a_jump_forgets_where_it_was():
    _, changed = changes(mutate, edits=1, size=0.0, jump_ratio=1.0)
    assert np.abs(changed[:, 0] - 0.5).max() > 0.4


@pytest.mark.parametrize(("size", "vector"), [(3, {(2, 3, 4)}), (2, {(2, 3), (4,)})])
def test_a_group_moves_together(size, vector):
    start, changed = changes(mutate_group, edits=1, size=0.1, group_size=size)
    moved = changed != start
    assert {tuple(np.flatnonzero(row).tolist()) for row in moved} == {(0,), (1,)} | vector


def test_of_an_outline_one_corner_moves():
    space, rng = TaskSpace(poly_shape=(0, 4, "float", 12)), np.random.default_rng(0)
    start = np.full(12, 0.5)
    moved = [mutate_group(start, space, rng, edits=1, size=0.1) != start for _ in range(200)]
    corners = {tuple(np.flatnonzero(row).tolist()) for row in moved}
    assert corners == {(2 * i, 2 * i + 1) for i in range(6)}


@pytest.mark.parametrize("function", [mutate, mutate_group])
def test_a_size_of_nothing_moves_nothing(function):
    start, changed = changes(function, n=100, edits=5, size=0.0)
    assert (changed == start).all()


@pytest.mark.parametrize("function", [mutate, mutate_group])
def test_the_parent_is_left_alone(function):
    parent = np.full(5, 0.5)
    function(parent, SPACE, np.random.default_rng(0), edits=5, size=0.5)
    assert parent.tolist() == [0.5] * 5


@pytest.mark.parametrize("function", [mutate, mutate_group])
def test_every_coordinate_may_have_a_size_of_its_own(function):
    start, changed = changes(function, edits=1, size=(0.2, 0.0, 0.01, 0.1, 0.0))
    furthest = np.abs(changed - start).max(axis=0)
    assert furthest[[0, 2, 3, 4]] == pytest.approx([0.2, 0.01, 0.1, 0.0], rel=0.1)


def test_children_in_an_interval_are_turned_to_have_the_lower_number_first():
    space = TaskSpace(gap=(0, 10, "interval"))
    rng = np.random.default_rng(0)
    point = space.normalize(space.pack(gap=(4.9, 5)))
    children = [space.denormalize(mutate(point, space, rng, edits=3, size=0.2)) for _ in range(200)]
    assert all(space.contains(child) for child in children)
    assert np.array(children)[:, 0].min() < 4
