"""What a campaign does when runs fail, are lost, are busy elsewhere, or are asked to stop."""

import os
import signal
from dataclasses import replace

import pytest

from teachrl.campaigns import Campaign, CampaignError, supervision
from teachrl.campaigns.engines import Ended, Lost
from teachrl.campaigns.jobs import Ending
from teachrl.runs.folder import OtherConfigurationError, lock_folder
from teachrl.teachers import Random
from tests.campaigns.engines import ScriptedEngine, finish
from tests.campaigns.worlds import PRESET, TINY
from tests.students.worlds import Reach


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(supervision, "_TICK", 0.01)


def campaign(seeds=4):
    return Campaign.product(students=PRESET, envs=Reach, teachers=[Random()], seeds=seeds, **TINY)


def ended(job, kind, error="why"):
    return Ended(job.spec.path, Ending(kind=kind, error=error, details="Traceback"))


def test_all_runs_are_submitted_once_and_no_more_than_fit(tmp_path):
    engine = ScriptedEngine(slots=3)
    states = campaign(seeds=7).run(tmp_path, engine=engine)
    assert states == {f"random/seed_{n}": "done" for n in range(7)}
    assert [job.spec.seed for job in engine.submitted] == list(range(7))
    assert engine.most == 3
    assert engine.is_closed


def test_finished_runs_are_not_submitted_again(tmp_path):
    campaign().run(tmp_path, engine=ScriptedEngine())
    engine = ScriptedEngine()
    assert campaign(seeds=5).run(tmp_path, engine=engine)["random/seed_0"] == "done"
    assert [job.spec.seed for job in engine.submitted] == [4]


@pytest.mark.parametrize("how", ["failed", "stopped", "lost"])
def test_a_run_that_fails_has_its_retries_behind_all_others(how, tmp_path):
    def answer(job, attempt):
        if job.spec.seed == 0 and attempt <= 2:
            return Lost(job.spec.path, "why") if how == "lost" else ended(job, how)
        return finish(job, attempt)

    engine = ScriptedEngine(answer, slots=1)
    assert set(campaign(seeds=3).run(tmp_path, engine=engine, retries=2).values()) == {"done"}
    assert [job.spec.seed for job in engine.submitted] == [0, 1, 2, 0, 0]
    assert (tmp_path / "failures.txt").read_text().count("random/seed_0: why") == 2


@pytest.mark.parametrize("retries", [0, 2])
def test_a_run_that_always_fails_is_an_error_once_the_others_are_done(retries, tmp_path):
    def answer(job, attempt):
        return ended(job, "failed") if job.spec.seed == 1 else finish(job, attempt)

    engine = ScriptedEngine(answer)
    with pytest.raises(CampaignError, match=r"1 of 4 runs failed.*\n.*random/seed_1: why"):
        campaign().run(tmp_path, engine=engine, retries=retries)
    assert len(engine.submitted) == 4 + retries
    assert "Traceback" in (tmp_path / "failures.txt").read_text()
    assert sum(path.read_text() == "done\n" for path in tmp_path.glob("*/*/status")) == 3


@pytest.mark.parametrize("retries", [-1, 1.5, True, None])
def test_retries_are_counted(retries, tmp_path):
    with pytest.raises(ValueError, match="retries must be"):
        campaign().run(tmp_path, engine=ScriptedEngine(), retries=retries)


def test_what_another_process_writes_is_left_to_it_and_said(tmp_path, caplog):
    def answer(job, attempt):
        return ended(job, "busy") if job.spec.seed == 0 else finish(job, attempt)

    engine = ScriptedEngine(answer, slots=1)
    states = campaign(seeds=3).run(tmp_path, engine=engine)
    assert states == {
        "random/seed_0": "elsewhere",
        "random/seed_1": "done",
        "random/seed_2": "done",
    }
    assert [job.spec.seed for job in engine.submitted] == [0, 1, 2, 0]  # once more in the end
    assert "left to another process" in caplog.text


def test_what_another_process_gave_up_is_done_here(tmp_path):
    def answer(job, attempt):
        if job.spec.seed == 0 and attempt == 1:
            return ended(job, "busy")
        return finish(job, attempt)

    states = campaign().run(tmp_path, engine=ScriptedEngine(answer))
    assert set(states.values()) == {"done"}


def test_the_lock_of_a_lost_worker_is_waited_for(tmp_path):
    """A node that is out of reach may write on: its run is not to be left to it for good."""

    def answer(job, attempt):
        if job.spec.seed == 0 and attempt <= 6:
            return Lost(job.spec.path, "no answer") if attempt == 1 else ended(job, "busy")
        return finish(job, attempt)

    engine = ScriptedEngine(answer)
    assert set(campaign().run(tmp_path, engine=engine).values()) == {"done"}
    assert [job.spec.seed for job in engine.submitted].count(0) == 7


@pytest.mark.parametrize(
    ("kind", "error"), [("refused", OtherConfigurationError), ("unshared", CampaignError)]
)
def test_a_mistake_for_all_runs_stops_the_campaign(kind, error, tmp_path):
    engine = ScriptedEngine(lambda job, _: ended(job, kind, "a reason"), slots=2)
    with pytest.raises(error, match="a reason"):
        campaign(seeds=9).run(tmp_path, engine=engine)
    assert len(engine.submitted) == 2
    assert engine.is_closed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_what_runs_and_begins_nothing_more(number, tmp_path):
    def answer(job, attempt):
        if job.spec.seed == 1:
            os.kill(os.getpid(), number)
        return finish(job, attempt)

    engine, before = ScriptedEngine(answer, slots=2), signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
        campaign(seeds=9).run(tmp_path, engine=engine)
    assert [job.spec.seed for job in engine.submitted] == [0, 1, 2]
    assert engine.is_closed
    assert signal.getsignal(number) is before
    assert set(campaign(seeds=9).run(tmp_path, engine=ScriptedEngine()).values()) == {"done"}


def test_a_second_interrupt_does_not_wait(tmp_path):
    class Deaf(ScriptedEngine):
        def events(self, seconds):
            os.kill(os.getpid(), signal.SIGINT)
            return []

    engine = Deaf()
    with pytest.raises(KeyboardInterrupt):
        campaign().run(tmp_path, engine=engine)
    assert engine.is_closed


def test_restart_removes_these_runs_and_no_others(tmp_path):
    campaign(seeds=3).run(tmp_path, engine=ScriptedEngine())
    (tmp_path / "random" / "seed_0" / "notes.md").write_text("mine")
    engine = ScriptedEngine()
    campaign(seeds=2).run(tmp_path, engine=engine, restart=True)
    assert [job.spec.seed for job in engine.submitted] == [0, 1]
    assert (tmp_path / "random" / "seed_0" / "notes.md").exists()
    assert (tmp_path / "random" / "seed_2" / "status").read_text() == "done\n"


@pytest.mark.parametrize("wrong", [{"engine": "slurm"}, {"workers": 0}, {"workers": "x"}])
def test_a_restart_with_a_mistake_removes_nothing(wrong, tmp_path):
    campaign().run(tmp_path, engine=ScriptedEngine())
    before = (tmp_path / "campaign.json").read_bytes()
    with pytest.raises((KeyError, ValueError), match=r"unknown engine|workers must be"):
        campaign().run(tmp_path, restart=True, **wrong)
    assert (tmp_path / "random" / "seed_0" / "status").read_text() == "done\n"
    assert (tmp_path / "campaign.json").read_bytes() == before


def test_restart_does_not_remove_what_another_process_writes(tmp_path):
    campaign().run(tmp_path, engine=ScriptedEngine())
    with (
        lock_folder(tmp_path / "random" / "seed_0"),
        pytest.raises(OSError, match="another process"),
    ):
        campaign().run(tmp_path, engine=ScriptedEngine(), restart=True)
    assert (tmp_path / "random" / "seed_0" / "status").read_text() == "done\n"


def test_a_shipped_run_is_locked_while_it_is_away(tmp_path):
    def answer(job, attempt):
        with pytest.raises(OSError, match="another process"):
            lock_folder(job.root / job.spec.path)
        return finish(job, attempt)

    engine = ScriptedEngine(answer)
    campaign().run(tmp_path, engine=engine, ship=True)
    assert all(job.ship and job.packed is not None for job in engine.submitted)
    lock_folder(tmp_path / "random" / "seed_0").close()


def test_a_run_that_arrives_damaged_has_failed(tmp_path):
    def answer(job, attempt):
        event = finish(job, attempt)
        broken = replace(event.ending, packed=b"nonsense")
        (job.root / job.spec.path / "status").write_text("running\n")
        return replace(event, ending=broken)

    with pytest.raises(CampaignError, match="did not arrive whole"):
        campaign(seeds=1).run(tmp_path, engine=ScriptedEngine(answer), ship=True, retries=0)
    assert (tmp_path / "random" / "seed_0" / "status").read_text() == "running\n"
