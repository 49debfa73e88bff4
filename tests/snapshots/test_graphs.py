"""Attributes survive JSON, with all that they share."""

import json
from collections import deque
from enum import Enum

import gymnasium as gym
import numpy as np
import pytest

from teachrl.snapshots.graphs import pack, unpack
from teachrl.spaces import Parameter


class Colour(Enum):
    RED = 1


class Thing:
    """An object of this file, which is of no known package."""


class Known:
    """One that pretends to be of a known package."""

    def __init__(self):
        self.other = None


Known.__module__ = "teachrl.snapshots.graphs"


def test_values_come_back_as_they_were():
    values = {
        "scalars": [None, True, 3, 2.5, "text", float("inf")],
        "array": np.arange(6, dtype=np.int16).reshape(2, 3),
        "number": np.float32(0.1),
        "pair": (1, (2, 3)),
        "set": {3, 1},
        "queue": deque([1, 2], maxlen=2),
        "by_pair": {(0, 1): "a", 2: "b"},
    }
    again = unpack(pack(values))
    assert np.array_equal(again.pop("array"), values.pop("array"))
    assert again == values
    assert type(again["number"]) is np.float32
    assert again["queue"].maxlen == 2


def test_generators_go_on_where_they_were():
    for bits in (np.random.PCG64, np.random.MT19937, np.random.Philox):
        rng = np.random.Generator(bits(3))
        rng.random(7)
        again = unpack(pack({"rng": rng}))["rng"]
        assert again.random() == rng.random()


def test_what_was_shared_is_shared_again(monkeypatch):
    monkeypatch.setattr("teachrl.snapshots.graphs.Known", Known, raising=False)
    one, row = Known(), [1]
    one.other = one
    again = unpack(pack({"a": one, "b": [one, one], "row": row, "same": row}))
    assert again["a"].other is again["a"] is again["b"][0] is again["b"][1]
    assert again["row"] is again["same"]
    row.append(row)
    loop = unpack(pack({"row": row}))["row"]
    assert loop[1] is loop


def test_the_environment_itself_is_referred_to():
    env, new = Thing(), Thing()
    assert unpack(pack({"owner": env}, env), new)["owner"] is new


def test_what_is_no_data_is_left_out_with_all_that_holds_it():
    packed = pack({"kept": 1, "thing": Thing(), "row": [np.zeros(3), Thing()], "f": print})
    assert unpack(packed) == {"kept": 1}
    assert packed["arrays"] == {}


def test_a_container_seen_in_vain_is_saved_later():
    row = [1, 2]
    assert unpack(pack({"bad": [row, Thing()], "good": row})) == {"good": [1, 2]}


def test_spaces_and_classes_stay_the_environments():
    values = {"space": gym.spaces.Box(0, 1), "kind": Parameter, "enum": Colour, "kept": 1}
    assert unpack(pack(values)) == {"kept": 1}


STRANGERS = {  # and why they are refused
    "os:system": "is no class",
    "subprocess:Popen": "is no class",
    "gymnasium.nowhere:X": "is no class",
    "gymnasium:make": "is no class",
    "gymnasium.vector.async_vector_env:sys": "is no class",
    # A class that its module has imported, and one that deletes a file when it is forgotten.
    "gymnasium.vector.async_vector_env:Path": "is no class|does not belong there",
    "gymnasium.vector.async_vector_env:synchronize.tempfile._TemporaryFileCloser": "is no class",
    "teachrl.snapshots.graphs:Any": "is no class|does not belong there",
    "gymnasium.vector.async_vector_env:AsyncVectorEnv": "more than data",
    "gymnasium.core:Env": "more than data",
}


@pytest.mark.parametrize("path", STRANGERS)
def test_only_plain_classes_of_known_packages_are_made(path):
    nodes = [["object", path, {"node": 1}], ["dict", []]]
    with pytest.raises(ValueError, match=STRANGERS[path]):
        unpack({"graph": json.dumps([{"x": {"node": 0}}, nodes])})


def test_only_enumerations_are_looked_into():
    text = json.dumps([{"x": {"enum": ["teachrl.spaces:Parameter", "name"]}}, []])
    with pytest.raises(ValueError, match="is no enumeration"):
        unpack({"graph": text})


def test_unknown_bit_generators_are_refused():
    packed = {"graph": r'[{"x": {"node": 0}}, [["generator", "{\"bit_generator\": \"seed\"}"]]]'}
    with pytest.raises(ValueError, match="expected one of PCG64"):
        unpack(packed)
