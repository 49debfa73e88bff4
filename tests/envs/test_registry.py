"""The table of environments."""

import gymnasium as gym
import pytest

import teachrl.envs
from teachrl.envs import ENVS
from teachrl.registry import UnknownNameError


def test_one_line_of_the_table_gives_an_environment_all_its_names() -> None:
    for path in ENVS.paths.values():
        name = path.partition(":")[2]
        assert f"teachrl/{name.removesuffix('Env')}-v0" in gym.registry
        assert name in teachrl.envs.__all__


def test_an_unknown_environment_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'stump-tracks'"):
        ENVS["stump_track"]
    with pytest.raises(AttributeError, match="no attribute 'StumpTrack'"):
        getattr(teachrl.envs, "StumpTrack")  # noqa: B009
