"""A test set is the same tasks and seeds forever, or an error."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teachrl.envs import __file__ as envs_file
from teachrl.evaluation.test_sets import TestSet, default_test_set
from teachrl.spaces import TaskSpace
from teachrl.students import make_task_vec_env
from tests.students.worlds import Reach

ASSETS = Path(envs_file).parent / "assets"
STUMPS = TaskSpace(stump_height=(0, 3), obstacle_spacing=(0, 6))
HEXAGONS = TaskSpace(poly_shape=(0, 4, "float", 12))
MIXED = TaskSpace(rate=(1e-4, 1, "log"), count=(-2, 5, "int"), shape=(-1, 1, "float", 3))


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("stump_tracks", TestSet.grid(STUMPS, 10)),
        ("hexagon_tracks", TestSet.uniform(HEXAGONS, 100)),
    ],
)
def test_the_files_of_the_worlds_are_what_the_constructors_make(name, made, tmp_path):
    made.save(tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (ASSETS / f"{name}.csv").read_bytes()
    assert len(TestSet.load(ASSETS / f"{name}.csv", made.space)) == 100


@pytest.mark.parametrize("space", [STUMPS, HEXAGONS, MIXED])
def test_a_file_gives_the_same_float32_and_seeds_back(space, tmp_path):
    tests = TestSet.uniform(space, 50, seed=3)
    tests.save(tmp_path / "tests.csv")
    again = TestSet.load(tmp_path / "tests.csv", space)
    assert again.params.tobytes() == tests.params.tobytes()
    assert again.seeds.tolist() == tests.seeds.tolist()
    assert again.fingerprint == tests.fingerprint
    assert again.name == "tests"
    assert [path.name for path in tmp_path.iterdir()] == ["tests.csv"]


def test_the_fingerprint_depends_on_names_tasks_seeds_and_their_order_but_not_on_bounds():
    def fingerprint(space=STUMPS, params=((0, 1), (2, 3)), seeds=(4, 5)):
        return TestSet(space, np.float32(params), np.array(seeds)).fingerprint

    wider = TaskSpace(stump_height=(-1, 9), obstacle_spacing=(0, 6))
    renamed = TaskSpace(height=(0, 3), obstacle_spacing=(0, 6))
    assert fingerprint(wider) == fingerprint()
    changed = [
        fingerprint(renamed),
        fingerprint(params=((0, 1), (2, np.nextafter(np.float32(3), np.float32(0))))),
        fingerprint(seeds=(4, 6)),
        fingerprint(params=((2, 3), (0, 1)), seeds=(5, 4)),
    ]
    assert len({fingerprint(), *changed}) == 5
    assert fingerprint(params=((-0.0, 1), (2, 3))) == fingerprint()


def saved(folder):
    TestSet.grid(STUMPS, 2).save(folder / "tests.csv")
    return (folder / "tests.csv").read_text().splitlines()


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (2, "7,0.0,0.0", "has changed since it was written"),
        (2, "7,0.0", "line 3: expected 3 cells, got 2"),
        (2, "7,zero,0.0", "line 3: could not convert string to float: 'zero'"),
        (2, "7,9.0,0.0", "task 0: task parameter 'stump_height' must be a number in .0, 3., got 9"),
        (2, "7,nan,0.0", "task 0: task parameter 'stump_height'"),
        (2, "-7,0.0,0.0", "seeds must be 0 or more"),
        (1, "seed,height,obstacle_spacing", "expected the columns seed,stump_height,obst"),
        (0, "seed,stump_height", "line 1 must be # fingerprint"),
    ],
)
def test_a_file_that_was_tampered_with_is_refused(line, text, message, tmp_path):
    lines = saved(tmp_path)
    lines[line] = text
    (tmp_path / "tests.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=message):
        TestSet.load(tmp_path / "tests.csv", STUMPS)


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_a_file_that_was_cut_is_refused(keep, tmp_path):
    lines = saved(tmp_path)
    (tmp_path / "tests.csv").write_text("".join(f"{line}\n" for line in lines[:keep]))
    with pytest.raises(ValueError, match=r"tests"):
        TestSet.load(tmp_path / "tests.csv", STUMPS)


def test_windows_line_endings_change_nothing(tmp_path):
    lines = saved(tmp_path)
    (tmp_path / "tests.csv").write_bytes("\r\n".join([*lines, ""]).encode())
    assert len(TestSet.load(tmp_path / "tests.csv", STUMPS)) == 4


def test_tasks_and_seeds_must_match():
    with pytest.raises(ValueError, match="one seed per task"):
        TestSet(STUMPS, np.zeros((3, 2)), np.arange(2))
    with pytest.raises(ValueError, match="at least one task"):
        TestSet(STUMPS, np.zeros((0, 2)), np.arange(0))


def test_a_test_set_cannot_be_changed():
    tests = TestSet.grid(STUMPS, 2)
    with pytest.raises(ValueError, match="read-only"):
        tests.params[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        tests.seeds[0] = 1


@pytest.mark.parametrize("seed", [0, 1])
def test_seeds_and_uniform_tasks_come_from_the_seed_alone(seed):
    assert (
        TestSet.uniform(STUMPS, 9, seed).fingerprint == TestSet.uniform(STUMPS, 9, seed).fingerprint
    )
    assert TestSet.uniform(STUMPS, 9, seed).fingerprint != TestSet.uniform(STUMPS, 9, 7).fingerprint
    assert len(set(TestSet.grid(STUMPS, 10, seed).seeds.tolist())) == 100


@pytest.mark.parametrize("n", [20, 25, 30])
@pytest.mark.parametrize("tests", [TestSet.grid(STUMPS, 10), TestSet.uniform(STUMPS, 100)])
def test_a_subset_spreads_over_the_whole_range(tests, n):
    subset = tests.subset(n)
    unit = STUMPS.normalize(subset.params)
    assert len({tuple(task) for task in unit.tolist()}) == n
    assert unit.min() < 0.05
    assert unit.max() > 0.95
    distances = STUMPS.distance(tests.params[:, None], subset.params[None])
    assert distances.min(axis=1).max() < 0.25  # no task is far from the subset
    assert np.abs(unit.mean(axis=0) - 0.5).max() < 0.12
    assert subset.fingerprint == tests.subset(n).fingerprint


def test_a_subset_of_a_grid_is_a_coarser_grid_where_that_is_possible():
    subset = TestSet.grid(STUMPS, 10).subset(25)
    columns = [np.unique(subset.params[:, i]) for i in range(2)]
    assert [len(values) for values in columns] == [5, 5]
    np.testing.assert_allclose(columns[0], np.array([0, 2, 4, 7, 9]) / 3)
    line = TestSet.grid(TaskSpace(height=(0, 9)), 10).subset(4)
    assert line.params.ravel().tolist() == [0, 3, 6, 9]


def test_a_subset_keeps_tasks_with_their_seeds_in_their_order():
    tests = TestSet.uniform(HEXAGONS, 30)
    subset = tests.subset(8)
    rows = {
        tuple(p): (i, s)
        for i, (p, s) in enumerate(zip(tests.params.tolist(), tests.seeds, strict=True))
    }
    found = [rows[tuple(p)] for p in subset.params.tolist()]
    assert [s for _, s in found] == subset.seeds.tolist()
    assert [i for i, _ in found] == sorted(i for i, _ in found)
    assert tests.subset(30).fingerprint == tests.fingerprint


def test_equal_tasks_with_different_seeds_can_all_be_chosen():
    tests = TestSet(STUMPS, np.zeros((4, 2)), np.arange(4))
    assert tests.subset(3).seeds.tolist() == [0, 1, 2]


@pytest.mark.parametrize("n", [0, 5])
def test_a_subset_of_no_or_too_many_tasks_is_refused(n):
    with pytest.raises(ValueError, match="has 1 to 4 tasks"):
        TestSet.grid(STUMPS, 2).subset(n)


class WithFile(Reach):
    """An environment with a test set of its own."""

    task_space = STUMPS
    test_set = ASSETS / "stump_tracks.csv"


class Harder(WithFile):
    """The same tasks, and more."""

    task_space = TaskSpace(stump_height=(0, 9), obstacle_spacing=(0, 6))


class Easier(WithFile):
    """Not even all of the same tasks."""

    task_space = TaskSpace(stump_height=(0, 1), obstacle_spacing=(0, 6))


class Other(WithFile):
    """Other tasks altogether."""

    task_space = HEXAGONS


@pytest.mark.parametrize("env", [WithFile, WithFile(), Harder, make_task_vec_env(WithFile)])
def test_the_default_test_set_is_the_file_of_the_environment(env):
    tests = default_test_set(env)
    assert tests.fingerprint == TestSet.load(ASSETS / "stump_tracks.csv", STUMPS).fingerprint
    assert tests.name == "stump_tracks"


@pytest.mark.parametrize(
    ("env", "n", "size"), [(Reach, 100, 100), (Reach, 30, 25), (Easier, 100, 100), (Other, 40, 40)]
)
def test_without_a_fitting_file_it_is_a_grid_or_uniform(env, n, size):
    tests = default_test_set(env, n)
    assert len(tests) == size
    assert tests.space == env.task_space
    assert tests.fingerprint == default_test_set(env, n).fingerprint


class Late(Reach):
    """Reach that declares its tasks when it is made."""

    task_space: Any = None

    def __init__(self):
        super().__init__()
        self.task_space = Reach.task_space


@pytest.mark.parametrize("make", [partial(Reach, limit=3), Late])
def test_what_makes_an_environment_has_its_test_set(make):
    assert default_test_set(make, 25).fingerprint == default_test_set(Reach, 25).fingerprint


def test_an_environment_without_task_space_has_no_test_set():
    with pytest.raises(TypeError, match="declares no task_space"):
        default_test_set(object())


def test_a_changed_file_of_the_environment_is_an_error(tmp_path):
    lines = saved(tmp_path)
    (tmp_path / "tests.csv").write_text("\n".join([*lines[:-1], ""]))
    env = WithFile()
    env.test_set = tmp_path / "tests.csv"
    with pytest.raises(ValueError, match="has changed"):
        default_test_set(env)


def test_a_parameter_called_seed_does_not_hide_the_seed(tmp_path):
    space = TaskSpace(seed=(5, 9), length=(1, 2))
    tests = TestSet.uniform(space, 3)
    path = tmp_path / "set.csv"
    tests.save(path)
    assert path.read_text().splitlines()[1] == "seed,task.seed,length"
    assert TestSet.load(path, space).params.tolist() == tests.params.tolist()
