"""campaign.json: additions are welcome, changes are refused, nothing is lost."""

import json

import pytest

from teachrl.campaigns import Campaign
from teachrl.campaigns.record import Record, enter
from teachrl.files import DamagedFileError
from teachrl.runs.folder import OtherConfigurationError
from teachrl.teachers import ALPGMM, Random
from tests.campaigns.worlds import PRESET, TINY
from tests.students.worlds import Reach


def specs(**changes):
    usual = {"students": PRESET, "envs": Reach, "teachers": [Random()], "seeds": 2, **TINY}
    return Campaign.product(**{**usual, **changes}).runs


def test_a_record_survives_the_disk(tmp_path):
    written = enter(tmp_path, specs(teachers=[Random(), ALPGMM()]), restart=False)
    read = Record.load(tmp_path)
    assert read == written
    assert len(read.configurations) == 2
    assert read.config("alp-gmm/seed_1")["teacher"]["make"].endswith(":ALPGMM")
    assert Record.token_of(tmp_path) == read.token
    assert json.loads((tmp_path / "campaign.json").read_text())["token"] == read.token


def test_more_runs_may_join(tmp_path):
    token = enter(tmp_path, specs(), restart=False).token
    record = enter(tmp_path, specs(teachers=[ALPGMM()], seeds=[1, 2]), restart=False)
    assert record.token == token
    assert list(record.runs) == [
        "random/seed_0",
        "random/seed_1",
        "alp-gmm/seed_1",
        "alp-gmm/seed_2",
    ]


def test_entering_again_writes_the_same(tmp_path):
    enter(tmp_path, specs(), restart=False)
    before = (tmp_path / "campaign.json").read_bytes()
    enter(tmp_path, specs(), restart=False)
    assert (tmp_path / "campaign.json").read_bytes() == before


def test_a_changed_configuration_is_refused_and_nothing_is_written(tmp_path):
    enter(tmp_path, specs(), restart=False)
    before = (tmp_path / "campaign.json").read_bytes()
    with pytest.raises(OtherConfigurationError, match=r"n_envs: 2 there, 4 now") as refused:
        enter(tmp_path, specs(teachers=[ALPGMM(), Random()], n_envs=4), restart=False)
    assert "random/seed_0" in str(refused.value)
    assert "--restart" in str(refused.value)
    assert (tmp_path / "campaign.json").read_bytes() == before
    changed = enter(tmp_path, specs(n_envs=4), restart=True)
    assert changed.config("random/seed_0")["n_envs"] == 4


def test_a_changed_seed_is_a_changed_configuration(tmp_path):
    [first, second] = specs()
    enter(tmp_path, [first, second], restart=False)
    from dataclasses import replace

    with pytest.raises(OtherConfigurationError, match="seed: 1 there, 7 now"):
        enter(tmp_path, [first, replace(second, seed=7)], restart=False)


def test_runs_from_before_the_record_are_compared_too(tmp_path):
    folder = tmp_path / "random" / "seed_0"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"steps": 3, "seed": 0}')
    with pytest.raises(OtherConfigurationError, match="another configuration"):
        enter(tmp_path, specs(), restart=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2, "token": "x", "configurations": [], "runs": {}}',
        '{"format": 1, "token": "x", "configurations": [], "runs": {"a": [0, 0]}}',
        '{"format": 1, "token": "x", "configurations": [], "runs": {"a": "b"}}',
    ],
)
def test_a_damaged_record_is_an_error_that_names_it(text, tmp_path):
    (tmp_path / "campaign.json").write_text(text)
    with pytest.raises(DamagedFileError, match=r"campaign\.json"):
        enter(tmp_path, specs(), restart=False)
    assert (tmp_path / "campaign.json").read_text() == text


def test_no_record_has_no_token(tmp_path):
    assert Record.token_of(tmp_path / "nowhere") is None
