"""One writer at a time, one configuration for life."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from teachrl.runs.folder import RunFolder, RunFolderError
from teachrl.runs.versions import git_revision, versions

CONFIG = {"seed": 0, "teacher": {"make": "x", "options": {"a": 1}}, "git": "abc"}


def test_it_knows_whether_it_is_finished(tmp_path):
    with RunFolder(tmp_path / "run", CONFIG) as folder:
        assert (folder.path / "status").read_text() == "running\n"
        assert not folder.is_done
    assert (tmp_path / "run" / "status").read_text() == "done\n"
    with RunFolder(tmp_path / "run", CONFIG) as folder:
        assert folder.is_done


def test_an_exception_leaves_it_failed_and_it_begins_again(tmp_path):
    with pytest.raises(KeyError), RunFolder(tmp_path / "run", CONFIG) as folder:  # noqa: PT012
        (folder.path / "monitor.csv").write_text("half")
        raise KeyError
    assert (tmp_path / "run" / "status").read_text() == "failed\n"
    with RunFolder(tmp_path / "run", CONFIG) as folder:
        assert not folder.is_done
        assert not (folder.path / "monitor.csv").exists()


def test_versions_and_revision_may_differ_but_nothing_else(tmp_path):
    with RunFolder(tmp_path / "run", CONFIG):
        pass
    with RunFolder(tmp_path / "run", CONFIG | {"git": "def", "versions": {"torch": "9"}}) as folder:
        assert folder.is_done
    other = CONFIG | {"teacher": {"make": "x", "options": {"a": 2}}}
    with pytest.raises(RunFolderError, match=r"teacher\.options\.a: 1 there, 2 now"):
        RunFolder(tmp_path / "run", other).__enter__()


def fail(path, written):
    with pytest.raises(KeyError), RunFolder(path, CONFIG):  # noqa: PT012
        for name, text in written.items():
            (path / name).parent.mkdir(exist_ok=True)
            (path / name).write_text(text)
        raise KeyError


@pytest.mark.parametrize(
    "written", [{}, {"monitor.csv": "#{}\nr,l,t\n", "evaluations.csv": "step\n0\n"}]
)
def test_a_run_that_failed_before_its_first_episode_gives_way(tmp_path, written):
    fail(tmp_path / "run", written)
    with RunFolder(tmp_path / "run", CONFIG | {"seed": 1}) as folder:
        assert json.loads((folder.path / "config.json").read_text())["seed"] == 1
        assert not (folder.path / "monitor.csv").exists()


def test_a_failed_run_with_episodes_is_kept(tmp_path):
    fail(tmp_path / "run", {"monitor.csv": "#{}\nr,l,t\n1,2,3\n"})
    with pytest.raises(RunFolderError, match="seed: 0 there, 1 now"):
        RunFolder(tmp_path / "run", CONFIG | {"seed": 1}).__enter__()
    assert (tmp_path / "run" / "monitor.csv").exists()


def test_a_restart_removes_only_what_a_run_has_written(tmp_path):
    with RunFolder(tmp_path / "run", CONFIG):
        (tmp_path / "run" / "notes.txt").write_text("mine")
        (tmp_path / "run" / "model.zip").write_text("old")
    with RunFolder(tmp_path / "run", CONFIG | {"seed": 1}, restart=True):
        assert (tmp_path / "run" / "notes.txt").exists()
        assert not (tmp_path / "run" / "model.zip").exists()


def test_a_killed_run_is_running_on_paper_and_can_be_begun_again(tmp_path):
    code = (
        "import sys, time; from teachrl.runs.folder import RunFolder\n"
        "with RunFolder(sys.argv[1], {'seed': 0}): print('go', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run")], stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        with pytest.raises(RunFolderError, match="another process"):
            RunFolder(tmp_path / "run", {"seed": 0}).__enter__()
        os.kill(process.pid, signal.SIGKILL)
    time.sleep(0.1)
    assert (tmp_path / "run" / "status").read_text() == "running\n"
    with RunFolder(tmp_path / "run", {"seed": 0}) as folder:
        assert not folder.is_done


def test_versions_name_what_shapes_a_run():
    assert {"python", "numpy", "torch", "gymnasium", "stable-baselines3"} <= versions().keys()
    assert git_revision() is None or len(git_revision().rstrip("+")) == 40
