"""Local workers: real processes that are killed, interrupted and left alone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from teachrl.campaigns import Campaign, CampaignError
from teachrl.campaigns.engines.local import LocalEngine, cores
from teachrl.evaluation import TestSet
from teachrl.runs import Run
from teachrl.runs.folder import lock_folder
from teachrl.teachers import Random
from tests.campaigns.worlds import PRESET, TINY, Fragile, fragile
from tests.students.worlds import Reach

ROOT = Path(__file__).resolve().parents[2]
RENAMED = (b"tests.campaigns.worlds:Fragile", b"tests.students.worlds:Reach")
FILES = ("monitor.csv", "evaluations.csv", "test_set.csv")


def campaign(env, seeds=2, **changes):
    arguments = {"checkpoint_every": 64, **TINY, **changes}
    return Campaign.product(
        students=PRESET, envs=env, teachers=[Random()], seeds=seeds, **arguments
    )


def records(folder):
    """Return what must not depend on how often a run was stopped."""
    return {
        f"{path.name}/{name}": (path / name).read_bytes().replace(*RENAMED)
        for path in sorted(folder.glob("random/seed_*"))
        for name in FILES
    }


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Two runs that nothing happened to."""
    folder = tmp_path_factory.mktemp("unbroken")
    campaign(Reach).run(folder, engine="this-process")
    return records(folder)


@pytest.mark.parametrize("ship", [False, True])
def test_runs_in_workers_are_runs_in_this_process(ship, unbroken, tmp_path):
    states = campaign(Reach).run(tmp_path, workers=2, ship=ship)
    assert states == {"random/seed_0": "done", "random/seed_1": "done"}
    assert records(tmp_path) == unbroken


@pytest.mark.parametrize("ship", [False, True])
@pytest.mark.parametrize("how", ["raise", "kill"])
def test_one_failure_is_retried_and_harms_no_other(how, ship, unbroken, tmp_path):
    """The world fails once: in one run, which ends as if it had not, from its checkpoint."""
    world = fragile(tmp_path, how=how)
    states = campaign(world).run(tmp_path / "c", workers=2, ship=ship)
    assert set(states.values()) == {"done"}
    assert records(tmp_path / "c") == unbroken
    said = (tmp_path / "c" / "failures.txt").read_text()
    assert ("SIGKILL" if how == "kill" else "the floor gave way") in said
    assert said.count("random/seed_") == 1


@pytest.mark.parametrize("ship", [False, True])
def test_a_run_that_failed_goes_on_from_its_checkpoint(ship, tmp_path):
    """The world fails in step 250 of 256: it would do so again, were they all played again."""
    world, root = fragile(tmp_path, when=250), tmp_path / "c"
    one = campaign(world, seeds=1, evaluate_every=0)
    with pytest.raises(CampaignError, match="the floor gave way"):
        one.run(root, workers=2, engine="local", ship=ship, retries=0)
    assert (root / "random/seed_0/status").read_text() == "failed\n"
    assert list((root / "random/seed_0/checkpoint").iterdir())
    (tmp_path / "marker").unlink()
    assert one.run(root, workers=2, ship=ship, retries=0) == {"random/seed_0": "done"}
    assert not (root / "random/seed_0/checkpoint").exists()


def test_a_run_that_always_dies_does_not_take_the_others_with_it(tmp_path):
    worlds = {"good": Reach, "bad": fragile(tmp_path, how="always")}
    with pytest.raises(CampaignError, match=r"1 of 2 runs failed") as failed:
        campaign(worlds, seeds=1).run(tmp_path / "c", workers=2, retries=1)
    assert "the floor gave way" in str(failed.value)
    assert (tmp_path / "c/good/random/seed_0/status").read_text() == "done\n"


def test_another_process_has_a_run(tmp_path, caplog):
    (tmp_path / "random").mkdir()
    with lock_folder(tmp_path / "random/seed_0"):
        states = campaign(Reach).run(tmp_path, workers=2)
    assert states == {"random/seed_0": "elsewhere", "random/seed_1": "done"}
    assert "left to another process" in caplog.text


def test_a_changed_configuration_touches_nothing(tmp_path):
    campaign(Reach, seeds=1).run(tmp_path, engine="this-process")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    stamps = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
    with pytest.raises(OSError, match="n_envs: 2 there, 4 now"):
        campaign(Reach, seeds=2, n_envs=4).run(tmp_path, workers=2)
    locks = {".campaign.lock", ".lock"}
    for path, (stamp, content) in stamps.items():
        assert path.read_bytes() == content
        assert path.name in locks or path.stat().st_mtime_ns == stamp
    assert not (tmp_path / "random/seed_1").exists()


def test_classes_of_a_script_travel_to_the_workers(tmp_path):
    """Without any ``if __name__ == "__main__"``, and from a folder that is not on the path."""
    script = tmp_path / "script.py"
    script.write_text(
        "from dataclasses import dataclass\n"
        "from teachrl import benchmark\n"
        "from teachrl.teachers import Random\n"
        "from tests.campaigns.worlds import PRESET, TINY\n"
        "from tests.students.worlds import Reach\n"
        "class Mine(Reach):\n"
        "    pass\n"
        "@dataclass(kw_only=True)\n"
        "class Own(Random):\n"
        "    share: float = 0.5\n"
        "results = benchmark(PRESET, Mine, [Own(share=0.25)], seeds=2, folder='c', workers=2, "
        "**TINY)\n"
        "print({name: len(runs) for name, runs in results.runs.items()})\n"
    )
    command = [sys.executable, str(script)]
    said = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )
    assert said.stdout == "{'Own,share-0.25': 2}\n"


LONG = """
import sys
from tests.campaigns.test_local import long
long().run(sys.argv[1], workers=2)
"""


def long():
    """Return a campaign that takes a while."""
    from tests.campaigns.worlds import Slow

    tests = TestSet.grid(Reach.task_space, 1)
    return campaign(Slow, steps=3000, test_set=tests, evaluate_every=0)


def environment():
    return os.environ | {"PYTHONPATH": str(ROOT)}


def wait_for(condition, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


def is_free(folder):
    try:
        lock_folder(folder).close()
    except OSError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_campaign_leaves_checkpoints_and_goes_on(number, tmp_path):
    """Ctrl-C, a scheduler's SIGTERM, and a campaign that is killed: the workers stop softly."""
    process = subprocess.Popen(
        [sys.executable, "-c", LONG, str(tmp_path)],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    runs = [tmp_path / "random" / f"seed_{n}" for n in (0, 1)]
    wait_for(lambda: all((r / "monitor.csv").exists() and lines(r) > 5 for r in runs))
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == -signal.SIGINT  # how Python ends by a KeyboardInterrupt
        assert "the same command goes on" in said
        assert all(map(is_free, runs))  # the workers are gone
    wait_for(lambda: all(map(is_free, runs)))
    for run in runs:
        assert Run.load(run).status == "running"
        assert list((run / "checkpoint").iterdir())
        assert 0 < lines(run) < 150  # of 3000 steps, in episodes of 20 at most
    assert set(long().run(tmp_path, workers=2).values()) == {"done"}
    assert all(Run.load(run).episodes["t"][-1] >= 2900 for run in runs)


def lines(run):
    return (run / "monitor.csv").read_text().count("\n")


def test_there_are_as_many_workers_as_cores():
    assert LocalEngine().slots() == cores() >= 1


@pytest.mark.parametrize("options", [{"workers": 0}, {"address": "auto"}])
def test_bad_options_of_the_engine_are_refused(options, tmp_path):
    with pytest.raises(ValueError, match=r"workers must be|is for clusters"):
        campaign(Reach).run(tmp_path, **options)


def test_the_last_words_of_a_worker_are_kept(tmp_path):
    """A crash below Python leaves no traceback, but often a line."""
    with pytest.raises(CampaignError, match=r"SIGABRT(.|\n)*last words"):
        campaign(Aborting, seeds=1).run(tmp_path, workers=2, retries=0)


class Aborting(Fragile):
    """A world that crashes as C code does."""

    def step(self, action):
        os.write(2, b"last words\n")
        os.abort()
