"""Names, and objects that come with them."""

from fractions import Fraction
from functools import partial

import pytest

from teachrl.registry import Registry, UnknownNameError, from_config, to_config, to_json
from teachrl.spaces import TaskSpace
from tests.students.worlds import Reach

NUMBERS = Registry("number", {"fraction": "fractions:Fraction", "missing": "nowhere:Thing"})


def test_objects_are_imported_when_asked_for():
    assert NUMBERS["fraction"] is Fraction
    assert set(NUMBERS) == {"fraction", "missing"}
    with pytest.raises(ModuleNotFoundError):
        NUMBERS["missing"]


def test_an_unknown_name_gets_the_nearest_one():
    with pytest.raises(
        UnknownNameError, match=r"unknown number 'fractoin'\. Did you mean 'fraction'"
    ):
        NUMBERS["fractoin"]


def test_a_thing_knows_its_name():
    assert NUMBERS.name_of(Fraction) == "fraction"
    assert NUMBERS.name_of(int) is None


def test_a_class_with_options_survives_json():
    config = to_config(partial(Reach, limit=7))
    assert config == {
        "make": "tests.students.worlds:Reach",
        "options": {"limit": 7},
        "importable": True,
    }
    assert from_config(config, Reach)().limit == 7


def test_task_spaces_survive_and_other_objects_are_named():
    space = TaskSpace(height=(0, 3))
    assert to_json({"space": space, "act": print, "sizes": (1, 2)}) == {
        "space": {"task_space": space.to_json()},
        "act": {"object": "builtins:print"},
        "sizes": [1, 2],
    }


@pytest.mark.parametrize(
    "config",
    [
        {"make": "os:system", "options": {"command": "true"}, "importable": True},
        {"make": "fractions:Fraction", "options": {}, "importable": True},
        to_config(lambda: Reach(limit=3)),
    ],
)
def test_nothing_else_is_made_from_a_file(config):
    with pytest.raises(ValueError, match="nothing else is made from a file"):
        from_config(config, Reach)
