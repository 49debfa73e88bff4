"""What a campaign consists of, and where its runs lie."""

from functools import partial

import numpy as np
import pytest

from teachrl.campaigns import Campaign, RunSpec
from teachrl.campaigns.specs import label
from teachrl.envs import StumpTracks
from teachrl.registry import UnknownNameError
from teachrl.students.presets import PPOPreset
from teachrl.teachers import ALPGMM, Random
from tests.campaigns.worlds import PRESET, TINY
from tests.students.worlds import Reach, ReachDict

ONE = {"path": "a", "student": PRESET, "env": Reach, "teacher": Random(), "steps": 9, "seed": 0}


def product(**changes):
    usual = {"students": PRESET, "envs": Reach, "teachers": [Random()], "seeds": 1, **TINY}
    return Campaign.product(**{**usual, **changes})


def paths(**changes):
    return [spec.path for spec in product(**changes).runs]


def test_one_student_in_one_environment_needs_no_folders_for_them():
    assert paths(teachers=[Random(), ALPGMM()], seeds=[3, 5]) == [
        "random/seed_3",
        "alp-gmm/seed_3",
        "random/seed_5",
        "alp-gmm/seed_5",
    ]


def test_every_list_has_a_folder_even_with_one_thing_in_it():
    made = paths(
        students=["ppo"], envs={"flat": Reach, "dict": ReachDict}, teachers={"t": ALPGMM()}
    )
    assert made == ["ppo/flat/t/seed_0", "ppo/dict/t/seed_0"]


def test_variants_override_what_all_share():
    campaign = product(variants={"few": {"n_envs": 1}, "many": {"n_envs": 8}})
    assert [spec.path for spec in campaign.runs] == ["few/random/seed_0", "many/random/seed_0"]
    assert [spec.config()["n_envs"] for spec in campaign.runs] == [1, 8]
    assert {spec.arguments["test_set"] for spec in campaign.runs} == {TINY["test_set"]}


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        ("sac", "sac"),
        (PPOPreset(gamma=0.9), "ppo,gamma-0.9"),
        (StumpTracks, "stump-tracks"),
        (partial(StumpTracks, max_episode_steps=9), "stump-tracks,max_episode_steps-9"),
        (Reach, "Reach"),
        ("ALE/Pong-v5", "ALE_Pong-v5"),
        (ALPGMM(fit_every=9), "alp-gmm,fit_every-9"),
    ],
)
def test_things_are_named_by_what_differs_from_their_defaults(thing, name):
    assert label(thing) == name


def test_an_algorithm_is_named_as_its_preset():
    from stable_baselines3 import PPO

    assert label(PPO) == "ppo"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"teachers": []}, ValueError, "at least one teacher"),
        ({"students": []}, ValueError, "at least one student"),
        ({"teachers": [Random(), Random()]}, ValueError, "the same: .* leave one of them out, or"),
        ({"teachers": ["random"]}, TypeError, "a teacher is an object"),
        ({"teachers": {"a/b": Random()}}, ValueError, "'a/b' cannot name a folder"),
        ({"teachers": {"..": Random()}}, ValueError, "cannot name a folder"),
        ({"teachers": {"x" * 121: Random()}}, ValueError, "at most 120 characters"),
        ({"seeds": 0}, ValueError, "seeds must be"),
        ({"seeds": [1, 1]}, ValueError, "without repeats"),
        ({"seeds": 1.5}, ValueError, "seeds must be a positive count .*, got 1.5"),
        ({"seeds": True}, ValueError, "seeds must be a positive count .*, got True"),
        ({"teachers": None}, TypeError, "teachers are a list such as .*, got None"),
        ({"teachers": {3: Random()}}, ValueError, "the teacher 3 cannot name a folder"),
        ({"seeds": [-1]}, ValueError, "seed must be an integer of at least 0"),
        ({"n_env": 4}, UnknownNameError, "Did you mean 'n_envs'"),
    ],
)
def test_bad_lists_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        product(**changes)


def test_seeds_may_be_numpys():
    assert RunSpec(**{**ONE, "seed": np.int64(3)}) == RunSpec(**{**ONE, "seed": 3})
    assert paths(seeds=[np.int64(3)]) == ["random/seed_3"]
    assert paths(seeds=np.arange(3, 4)) == ["random/seed_3"]
    assert paths(seeds=np.int64(1)) == ["random/seed_0"]


@pytest.mark.parametrize("path", ["/tmp/a", "../a", "a/../b", "a//b", "a/", ".", ""])
def test_paths_stay_in_the_campaign(path):
    with pytest.raises(ValueError, match="path must be like"):
        RunSpec(**{**ONE, "path": path})


@pytest.mark.parametrize(
    ("second", "message"), [("a", "the same path"), ("a/b", "in the folder of another run")]
)
def test_runs_do_not_share_a_folder(second, message):
    with pytest.raises(ValueError, match=message):
        Campaign([RunSpec(**ONE), RunSpec(**{**ONE, "path": second})])


def test_what_cannot_work_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="steps must be an integer of at least 1"):
        product(steps=0).run(tmp_path / "campaign", engine="this-process")
    assert not list(tmp_path.glob("campaign/*.json"))
