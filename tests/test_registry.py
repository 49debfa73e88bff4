import json
import sys
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest

from teachrl.core import Teacher
from teachrl.envs.toy import ToyEnv
from teachrl.registry import (
    Registry,
    UnknownNameError,
    from_config,
    import_object,
    object_path,
    to_config,
)
from teachrl.spaces import TaskSpace
from teachrl.teachers import TEACHERS, Random

NUMBERS = Registry("number", {"fraction": "fractions:Fraction", "decimal": "decimal:Decimal"})


def test_a_registry_is_a_table_of_names() -> None:
    assert list(NUMBERS) == ["fraction", "decimal"]
    assert len(NUMBERS) == 2
    assert NUMBERS["fraction"] is Fraction
    assert NUMBERS.name_of(Fraction) == "fraction"
    assert NUMBERS.name_of(int) is None


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    registry = Registry("tune", {"one": "wave:Wave_read"})
    sys.modules.pop("wave", None)
    assert list(registry) == ["one"]
    assert "wave" not in sys.modules
    assert registry["one"].__name__ == "Wave_read"


@pytest.mark.parametrize(
    ("typed", "meant"), [("alpgmm", "alp-gmm"), ("ALP-GMM", "alp-gmm"), ("randon", "random")]
)
def test_an_unknown_name_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(UnknownNameError, match=f"unknown teacher '{typed}'.*mean '{meant}'") as e:
        TEACHERS[typed]
    assert "oracle" in str(e.value)


def test_a_name_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(KeyError, match="Known: decimal, fraction") as error:
        NUMBERS["zzzzzz"]
    assert "Did you mean" not in str(error.value)


def test_objects_are_found_again_by_their_path() -> None:
    for thing in (Fraction, ToyEnv, ToyEnv.reset):
        assert import_object(object_path(thing)) is thing


def test_a_class_with_options_is_rebuilt_from_json() -> None:
    made = partial(partial(ToyEnv, dimensions=3, irrelevant=2), irrelevant=1)
    config = json.loads(json.dumps(to_config(made)))
    assert config["importable"]
    env = from_config(config, ToyEnv)()
    assert (env.student.dimensions, env.student.irrelevant) == (3, 1)


def test_options_of_many_kinds_come_back() -> None:
    options = {
        "space": TaskSpace(x=(0, 1), n=(1, 5, "int")),
        "layers": (64, 64),
        "nested": {"rate": np.float32(0.5), "n": np.int64(3)},
        "nothing": None,
    }
    config = json.loads(json.dumps(to_config(ToyEnv, options)))
    back = from_config(config, ToyEnv).keywords
    assert back["space"] == options["space"]
    assert back["layers"] == [64, 64]
    assert back["nested"] == {"rate": 0.5, "n": 3}
    assert back["nothing"] is None


def test_what_is_not_json_is_recorded_but_not_made_again() -> None:
    config = to_config(ToyEnv, {"activation": Fraction})
    assert config["options"]["activation"] == {"object": "fractions:Fraction"}
    with pytest.raises(ValueError, match="recorded by name only"):
        from_config(config, ToyEnv)


@pytest.mark.parametrize(
    "config",
    [
        {"make": "os:getcwd", "options": {}, "importable": True},
        {"make": "teachrl.teachers.random:Random", "options": {}, "importable": True},
        {"make": "teachrl.envs.toy:ToyEnv", "options": {}},
    ],
)
def test_files_make_subclasses_of_what_is_expected_and_nothing_else(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not an importable subclass of ToyEnv"):
        from_config(config, ToyEnv)


def test_a_lambda_is_described_as_not_importable() -> None:
    config = to_config(lambda: ToyEnv(dimensions=3))
    assert not config["importable"]
    with pytest.raises(ValueError, match="pass the object itself"):
        from_config(config, ToyEnv)


def test_arguments_without_names_are_noted_but_not_made_again() -> None:
    config = to_config(partial(ToyEnv, 3))
    assert config["options"] == {"*": [3]}
    with pytest.raises(ValueError, match="pass the object itself"):
        from_config(config, ToyEnv)


def test_a_teacher_comes_back_as_it_was_configured() -> None:
    assert from_config(to_config(Random, Random().config()), Teacher)() == Random()
