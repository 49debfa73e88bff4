"""Subgoals in files."""

import json

import numpy as np
import pytest

from teachrl.files import DamagedFileError
from teachrl.subgoals import OraclePlanner, Subgoal, SubgoalFile, Subgoals
from tests.subgoals.worlds import make, solve

pytest.importorskip("minigrid")

NAME = "MiniGrid-DoorKey-5x5-v0"
GOOD = {"kind": "reach", "position": [3, 3]}


def made(seeds=(3, 5, 8)):
    make(seed=None)  # registers
    return SubgoalFile.made(NAME, OraclePlanner(), seeds)


def test_a_file_comes_back_as_it_was(tmp_path):
    file = made()
    path = file.save(tmp_path / "subgoals.json")
    loaded = SubgoalFile.load(path)
    assert (loaded.environment, loaded.worlds) == (NAME, file.worlds)
    assert set(file.worlds) == {3, 5, 8}
    first = json.loads(path.read_text())["worlds"][0]["subgoals"]
    assert first[0].keys() == {"kind", "position", "thing"}


def test_a_student_in_its_worlds_gets_its_subgoals(tmp_path):
    loaded = SubgoalFile.load(made().save(tmp_path / "subgoals.json"))
    env = Subgoals(make(seed=None), loaded)
    env.reset(seed=5)
    assert env.plan == OraclePlanner().subgoals(make(seed=5), 5)
    _, last = solve(env)
    assert last[2]
    assert last[4]["subgoals_completed"] == 3


def test_other_seeds_choose_among_its_worlds_and_always_the_same_one():
    env = Subgoals(make(seed=None), made())
    plans = []
    for seed in (*range(100, 120), *range(100, 120)):
        env.reset(seed=seed)
        plans.append(env.plan)
    assert plans[:20] == plans[20:]
    assert set(plans) == set(env.source.worlds.values())


def test_without_a_seed_chance_chooses_among_its_worlds():
    def drawn(seed):
        env = Subgoals(make(seed=None), made())
        env.reset(seed=seed)
        plans = []
        for _ in range(12):
            env.reset()
            plans.append(env.plan)
        return plans

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)
    assert set(drawn(0)) == set(made().worlds.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format must be 1, got 2"),
        ({"environment": None}, "environment must be an id"),
        ({"worlds": {}}, "worlds must be a list, got dict"),
        ({"worlds": []}, "one world or more"),
        ({"worlds": [7]}, "world 0: expected seed and subgoals"),
        ({"worlds": [{"seed": 0, "subgoals": [GOOD], "note": ""}]}, "world 0: expected seed and"),
        ({"worlds": [{"seed": -1, "subgoals": [GOOD]}]}, "world 0: seed must be a whole number"),
        ({"worlds": [{"seed": True, "subgoals": [GOOD]}]}, "world 0: seed must be a whole number"),
        ({"worlds": [{"seed": 0, "subgoals": GOOD}]}, "world 0: subgoals must be a list"),
        ({"worlds": [{"seed": 0, "subgoals": []}]}, "none for seed 0"),
        ({"worlds": 2 * [{"seed": 0, "subgoals": [GOOD]}]}, "world 1: seed 0 is there twice"),
        ({"worlds": [{"seed": 0, "subgoals": [GOOD, {}]}]}, "world 0, subgoal 1: expected kind"),
        (
            {"worlds": [{"seed": 0, "subgoals": [GOOD | {"kind": "jump"}]}]},
            "world 0, subgoal 0: kind must be one of",
        ),
        (
            {"worlds": [{"seed": 0, "subgoals": [GOOD | {"position": [1, None]}]}]},
            "world 0, subgoal 0: position must be",
        ),
        (
            {"worlds": [{"seed": 0, "subgoals": [GOOD | {"reward": 1}]}]},
            "world 0, subgoal 0: expected kind, position and thing",
        ),
    ],
)
def test_malformed_files_are_refused_with_the_place(tmp_path, change, message):
    content = {"format": 1, "environment": NAME, "worlds": [{"seed": 0, "subgoals": [GOOD]}]}
    path = tmp_path / "subgoals.json"
    path.write_text(json.dumps(content))
    SubgoalFile.load(path)
    path.write_text(json.dumps(content | change))
    with pytest.raises(DamagedFileError, match=message) as caught:
        SubgoalFile.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1', '{"format": NaN}', "\x00\xff"])
def test_what_is_no_json_object_is_refused(tmp_path, text):
    path = tmp_path / "subgoals.json"
    path.write_text(text)
    with pytest.raises(DamagedFileError, match=path.name):
        SubgoalFile.load(path)


def test_subgoals_of_another_environment_are_refused():
    with pytest.raises(ValueError, match="of MiniGrid-DoorKey-5x5-v0, got MiniGrid-DoorKey-6x6-v0"):
        Subgoals(make("DoorKey-6x6"), made())


def test_subgoals_that_make_no_sense_in_their_world_are_refused_before_training():
    worlds = {0: [Subgoal("reach", (3, 3))], 4: [Subgoal("pickup", (1, 1), "red ball")]}
    with pytest.raises(
        ValueError, match=r"seed 4: pick up the red ball at \(1, 1\): there is none"
    ):
        Subgoals(make(seed=None), SubgoalFile(NAME, worlds))


def test_a_world_without_known_subgoals_is_not_made_up():
    with pytest.raises(ValueError, match="seed 4 are not known"):
        made().subgoals(make(seed=4), 4)


def test_a_known_seed_draws_nothing():
    rng = np.random.default_rng(0)
    assert made().chosen_seed(8, rng) == 8
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state
