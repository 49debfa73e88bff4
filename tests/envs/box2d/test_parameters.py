"""Which task spaces a track accepts, and what it starts with."""

import pytest

from teachrl import TaskSpace
from teachrl.envs import StumpTracks
from teachrl.envs.box2d.parameters import PARAMETERS, easiest_task, known_space
from teachrl.registry import UnknownNameError

WHOLE = TaskSpace(**{name: (0, 1, "float", size) for name, size in PARAMETERS.items()})


def test_any_of_the_parameters_may_be_taught() -> None:
    env = StumpTracks(task_space=WHOLE)
    env.reset(seed=0)
    assert env.task_space.dimensions == 5 + 10 + 12
    assert env.terrain.obstacles


def test_the_space_of_the_class_stays_as_it_is() -> None:
    StumpTracks(task_space=WHOLE)
    assert StumpTracks.task_space == TaskSpace(stump_height=(0, 3), obstacle_spacing=(0, 6))


def test_an_unknown_parameter_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match=r"'stump_hight'\. Did you mean 'stump_height'\?"):
        StumpTracks(task_space=TaskSpace(stump_hight=(0, 3)))


def test_a_vector_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(ValueError, match="'poly_shape' takes 12 values, got 1; declare it as"):
        known_space(TaskSpace(poly_shape=(0, 4)))


@pytest.mark.parametrize("name", ["stump_rot", "stump_width"])
def test_the_shape_of_stumps_without_stumps_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' shapes stumps, which need 'stump_height' too"):
        known_space(TaskSpace(**{name: (0, 1), "obstacle_spacing": (0, 6)}))


def test_the_easiest_task_has_low_obstacles_far_apart() -> None:
    space = TaskSpace(stump_height=(-3, 3), obstacle_spacing=(0, 6), roughness=(0, 2))
    assert easiest_task(space).tolist() == [-3, 6, 0]
