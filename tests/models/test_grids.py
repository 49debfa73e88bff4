import numpy as np
import pytest
from scipy import stats

from teachrl.models.grids import Grid, divide
from teachrl.spaces import TaskSpace

MIXED = TaskSpace(height=(0, 3), steps=(1, 5, "int"), rate=(1e-4, 1, "log"))


def test_cells_fill_the_cube_and_know_their_points() -> None:
    grid, rng = Grid((3, 1, 4)), np.random.default_rng(0)
    low, high = grid.boxes(np.arange(grid.n_cells))
    assert np.prod(high - low, axis=1).sum() == pytest.approx(1)
    for point in rng.random((200, 3)):
        around = np.flatnonzero(((low <= point) & (point < high)).all(axis=1))
        assert grid.cell(point) == around.item()
    assert grid.cell([0, 0, 0]) == 0
    assert grid.cell([1, 1, 1]) == grid.n_cells - 1


def test_points_are_drawn_uniformly_from_a_cell() -> None:
    grid, rng = Grid((2, 5)), np.random.default_rng(0)
    points = np.array([grid.draw(7, rng) for _ in range(500)])
    assert stats.kstest(points[:, 0], "uniform", args=(0.5, 0.5)).pvalue > 1e-3
    assert stats.kstest(points[:, 1], "uniform", args=(0.4, 0.2)).pvalue > 1e-3
    assert {grid.cell(point) for point in points} == {7}


def test_whole_numbers_have_a_cell_each() -> None:
    assert divide(MIXED, 8) == (8, 5, 8)
    grid, rng = Grid(divide(TaskSpace(steps=(1, 5, "int")), None)), np.random.default_rng(0)
    space = TaskSpace(steps=(1, 5, "int"))
    for cell in range(5):
        drawn = {float(space.denormalize(grid.draw(cell, rng))[0]) for _ in range(50)}
        assert drawn == {cell + 1.0}


def test_parameters_may_be_divided_by_name_and_others_not_at_all() -> None:
    assert divide(MIXED, {"rate": 12}) == (1, 1, 12)
    assert divide(TaskSpace(a=(0, 1), shape=(0, 4, "float", 3)), {"shape": 2}) == (1, 2, 2, 2)


@pytest.mark.parametrize(("dimensions", "bins"), [(1, 10), (3, 10), (4, 8), (6, 4), (12, 2)])
def test_the_usual_number_of_bins_shrinks_with_the_dimensions(dimensions: int, bins: int) -> None:
    space = TaskSpace(shape=(0, 1, "float", dimensions))
    assert divide(space, None) == (bins,) * dimensions
    assert divide(MIXED, None) == (10, 5, 10)


@pytest.mark.parametrize(
    ("space", "bins", "message"),
    [
        (TaskSpace(shape=(0, 1, "float", 6)), 10, r"to 100,000 cells, got 1,000,000 \(10 x 10 x"),
        (TaskSpace(shape=(0, 1, "float", 50)), None, r"got 1 \(1 x 1 x 1 x \.\.\. x 1\) from None"),
        (TaskSpace(n=(0, 10**6, "int")), None, "got 1,000,001"),
        (MIXED, {"height": 1}, "from 2 to 100,000 cells, got 1 "),
        (MIXED, {"weight": 3}, "bins names weight; the parameters are height, steps, rate"),
        (MIXED, 0, "bins must be whole numbers of at least 1, got 0"),
        (MIXED, {"rate": 2.5}, "got 2.5"),
    ],
)
def test_grids_that_make_no_sense_are_refused(space, bins, message) -> None:
    with pytest.raises(ValueError, match=message):
        divide(space, bins)


def test_another_grid_is_not_restored() -> None:
    Grid((2, 5)).restore(Grid((2, 5)).state())
    with pytest.raises(ValueError, match=r"grid of \(5, 2\) bins, got \[2, 5\]"):
        Grid((5, 2)).restore(Grid((2, 5)).state())
