"""Files that are damaged, foreign, of another version, or cannot be written."""

import errno
import json
import re
import shutil
import subprocess
import sys
import warnings
from collections import deque
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import PPO as SB3PPO
from stable_baselines3.common.callbacks import BaseCallback

from experiments.benchmarks.fuzz_loaders import fuzz, outcomes
from teachrl import TaskSpace, teach
from teachrl.cli import main as teachrl
from teachrl.digests import UntrustedFileError
from teachrl.files import DamagedFileError, read_npz, write_atomically
from teachrl.runs import Run
from teachrl.runs import checkpoints as checkpoints_module
from teachrl.runs.checkpoints import CheckpointMismatchError, checkpoints
from teachrl.runs.folder import RunFolder, RunFolderError
from teachrl.students.presets import PPOPreset
from teachrl.teachers import Random
from teachrl.training import resume
from tests.runs.test_logs import Counting
from tests.runs.worlds import ShortReach, Stop

PPO = PPOPreset(rollout=64, batch_size=32, n_epochs=1, net_arch=(8,))
ROOT = Path(__file__).parents[2]


def lesson(folder, env=ShortReach, stop=None, teacher=None, **options):
    settings = {"steps": 320, "n_envs": 2, "evaluate_every": 160, "checkpoint_every": 64}
    settings["callbacks"] = [Stop(stop)] if stop else []
    return teach(PPO, env, teacher or Random(), folder=folder, **settings | options)


class Watching(BaseCallback):
    """Calls a function at every step."""

    def __init__(self, call):
        super().__init__()
        self.call = call

    def _on_step(self):
        self.call()
        return True


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return lesson(tmp_path_factory.mktemp("finished") / "run").folder


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.raises(InterruptedError):
        lesson(folder, stop=250)
    return folder


@pytest.fixture
def copy(tmp_path):
    return lambda folder: Path(shutil.copytree(folder, tmp_path / "run"))


def contents(folder):
    return {
        str(path): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "status" and "tfevents" not in path.name
    }


def test_a_student_of_somebody_else_is_loaded_on_trust_only(finished, copy, capsys):
    folder = copy(finished)
    assert Run.load(folder).student.num_timesteps == 320
    SB3PPO("MlpPolicy", "Pendulum-v1", n_steps=8, batch_size=8).save(folder / "model.zip")
    with pytest.raises(UntrustedFileError, match=r"not what this run wrote.*trust=True"):
        _ = Run.load(folder).student
    assert Run.load(folder, trust=True).student.num_timesteps == 0
    with pytest.raises(SystemExit):
        teachrl(["evaluate", str(folder)])
    assert "--trust" in capsys.readouterr().err
    shutil.copy(folder / "best_model.zip", folder / "model.zip")
    (folder / "digests.json").unlink()
    with pytest.raises(UntrustedFileError, match=r"model\.zip"):
        _ = Run.load(folder).student
    teachrl(["evaluate", str(folder), "--trust"])
    assert "mastered" in capsys.readouterr().out


def test_a_student_written_just_before_a_crash_is_known(tmp_path):
    from teachrl.digests import read_known, write_known

    path = tmp_path / "model.zip"
    write_known(path, b"first")
    write_known(path, b"second")
    path.write_bytes(b"first")  # the digest was written and the file was not
    assert read_known(path) == b"first"
    write_known(path, b"third")
    path.write_bytes(b"first")
    with pytest.raises(UntrustedFileError):
        read_known(path)


def read_all(run):
    return run.config, run.episodes, run.evaluations


@pytest.mark.parametrize("name", ["config.json", "monitor.csv", "evaluations.csv"])
def test_one_flipped_bit_in_a_finished_run_is_found(finished, copy, name):
    folder = copy(finished)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(DamagedFileError, match=f"{name} has changed since it was written"):
        read_all(Run.load(folder))


def test_a_damaged_status_never_costs_a_finished_run(finished, copy):
    folder = copy(finished)
    (folder / "status").write_text("dome\n")
    before = contents(folder)
    with pytest.raises(DamagedFileError, match="status is damaged, it says 'dome'"):
        lesson(folder)
    (folder / "status").unlink()
    with pytest.raises(DamagedFileError, match="has no status"):
        lesson(folder)
    assert contents(folder) == before


def test_without_a_whole_checkpoint_nothing_is_begun_again(stopped, copy):
    folder = copy(stopped)
    for path in checkpoints(folder):
        (path / "model.zip").write_bytes(b"not a zip")
    before = contents(folder)
    with (
        pytest.warns(UserWarning, match="passed over"),
        pytest.raises(DamagedFileError, match=r"no checkpoint of .* can be read.*restart=True"),
    ):
        lesson(folder)
    assert contents(folder) == before
    assert lesson(folder, restart=True).status == "done"


def test_a_checkpoint_with_a_missing_file_is_passed_over(stopped, copy):
    folder = copy(stopped)
    (checkpoints(folder)[0] / "model.zip").unlink()
    with pytest.warns(UserWarning, match="it has no model.zip"):
        assert lesson(folder).status == "done"


def test_episodes_that_were_lost_or_changed_are_missed(stopped, copy):
    folder = copy(stopped)
    monitor = folder / "monitor.csv"
    monitor.write_bytes(monitor.read_bytes().replace(b"1.0,", b"0.0,", 1))
    before = contents(folder)
    with pytest.raises(DamagedFileError, match=r"monitor\.csv is not what it was at"):
        lesson(folder)
    assert contents(folder) == before


class Wider(ShortReach):
    """ShortReach, observed with another range; the configuration does not tell."""

    observation_space = gym.spaces.Box(-90.0, 90.0, (3,), np.float32)


def as_stopped_by(folder, env):
    """Let a configuration say that the run was always of ``env``."""
    config = json.loads((folder / "config.json").read_text())
    config["env"]["make"] = f"{env.__module__}:{env.__qualname__}"
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "digests.json").unlink()


def test_a_checkpoint_of_another_environment_is_refused(stopped, copy):
    folder = copy(stopped)
    as_stopped_by(folder, Wider)
    before = contents(folder)
    with pytest.raises(CheckpointMismatchError, match=r"observations: .* there, .* now"):
        lesson(folder, Wider)
    assert contents(folder) == before


def test_another_environment_task_space_or_student_is_refused_by_the_folder(stopped, copy):
    folder = copy(stopped)
    other = type(
        "Other", (ShortReach,), {"task_space": TaskSpace(distance=(0, 9), friction=(0, 1))}
    )
    before = contents(folder)
    with pytest.raises(RunFolderError, match=r"env\.make: .*task_space\.distance"):
        lesson(folder, other)
    with pytest.raises(RunFolderError, match=r"student\.options\.gamma: 0\.99 there, 0\.9 now"):
        lesson(folder, options={"gamma": 0.9})
    assert contents(folder) == before


def test_a_checkpoint_of_another_version_is_refused(stopped, copy, monkeypatch):
    folder, real = copy(stopped), checkpoints_module.versions()
    monkeypatch.setattr(checkpoints_module, "versions", lambda: real | {"teachrl": "99"})
    with pytest.raises(CheckpointMismatchError, match="and this is 99: go on with that version"):
        lesson(folder)
    monkeypatch.setattr(checkpoints_module, "versions", lambda: real | {"torch": "99"})
    with pytest.warns(UserWarning, match=r"torch .*, now 99: the run goes on, but may not end"):
        assert lesson(folder).status == "done"


def test_two_processes_cannot_go_on_with_one_run(stopped, copy, capsys):
    folder = copy(stopped)
    code = (
        "import fcntl, sys\nlock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(folder / ".lock")]
    before = contents(folder)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(RunFolderError, match="is being written by another process"):
            resume(folder)
        with pytest.raises(SystemExit):
            teachrl(["resume", str(folder)])
        assert "is being written by another process" in capsys.readouterr().err
        assert contents(folder) == before
        other.stdin.close()
    assert resume(folder).status == "done"


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_checkpoint_that_finds_no_room_costs_a_warning(tmp_path, monkeypatch):
    real, folder = checkpoints_module.save_tree, tmp_path / "run"
    calls = []

    def sometimes(path, tree):
        calls.append(path)
        (real if len(calls) != 2 else full)(path, tree)

    monkeypatch.setattr(checkpoints_module, "save_tree", sometimes)
    with pytest.warns(UserWarning, match="No space left.*stopped now goes on from step 64"):
        assert lesson(folder).status == "done"
    assert len(calls) == 4


class Remembering(Random):
    """Remembers the last returns in ``memory``."""

    memory: Any = staticmethod(list)

    def reset(self):
        self.returns = self.memory()

    def update(self, episode):
        self.returns = self.memory([*self.returns, episode.reward][-5:])


class InDeque(Remembering):
    memory = deque


class AsObjects(Remembering):
    memory = staticmethod(lambda values=(): np.array(values, object))


class InDequeLater(Remembering):
    """Remembers in a list, and in a deque from the fortieth episode on."""

    def update(self, episode):
        self.n_seen = getattr(self, "n_seen", 0) + 1
        if self.n_seen == 40:
            self.memory = deque
        super().update(episode)

    def _learnt(self):
        return {"returns": self.returns}


class Noting(Counting):
    """A callback whose state is a set, and is not there before training."""

    def _on_training_start(self):
        self.calls = {0}

    def _on_step(self):
        return True


UNSAVEABLE = {
    "in a deque": (InDeque(), [], "the state of InDeque .*got deque"),
    "as objects": (AsObjects(), [], "the state of AsObjects .*holds object"),
    "of a callback": (Random(), [Noting()], "the state of callback 0, Noting .*got set"),
}


@pytest.mark.parametrize("name", UNSAVEABLE)
def test_a_state_that_cannot_be_saved_is_found_before_anything_is_learnt(tmp_path, name):
    teacher, callbacks, reason = UNSAVEABLE[name]
    learnt, folder = [], tmp_path / "run"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        callbacks = [*callbacks, Watching(lambda: learnt.append(len(caught)))]
        assert lesson(folder, teacher=teacher, callbacks=callbacks).status == "done"
    before = [str(warning.message) for warning in caught[: learnt[0]]]
    assert not checkpoints(folder)
    [said] = [message for message in before if "no checkpoints" in message]
    assert re.search(f"a stopped run begins again: {reason}.*Let its state", said)


def test_a_state_that_cannot_be_saved_any_more_costs_a_warning(tmp_path):
    with pytest.warns(UserWarning, match=r"goes on from step \d+: .* saved any more .*got deque"):
        assert lesson(tmp_path / "run", teacher=InDequeLater()).status == "done"


def test_episodes_that_find_no_room_stop_a_run_that_goes_on_later(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(
            "teachrl.episodes.EpisodeWriter.write",
            lambda self, episode, step: full() if step > 200 else None,
        )
        with pytest.raises(RunFolderError, match=r"No space left.*goes on from the last"):
            lesson(folder)
    assert Run.load(folder).status == "failed"
    assert checkpoints(folder)


LIMITED = """
import resource, sys, warnings
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.runs.test_damage import lesson
limit = int(sys.argv[3])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
lesson(Path(sys.argv[2]))
"""


def test_a_kernel_that_refuses_to_write_further(tmp_path):
    """No file may have more than a few kilobytes: checkpoints fail, and then monitor.csv."""

    def start(limit):
        command = [sys.executable, "-c", LIMITED, str(ROOT), str(tmp_path / "run"), str(limit)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    first = start(3000)
    assert first.returncode == 1
    assert "the run in" in first.stderr
    assert "File too large" in first.stderr
    assert not list((tmp_path / "run").rglob("*.partial"))
    assert start(0).returncode == 0
    assert Run.load(tmp_path / "run").status == "done"


def test_a_write_that_fails_leaves_the_old_file_and_no_half(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, "old")
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, full)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_arrays_that_lie_about_their_size_are_refused(tmp_path):
    path = tmp_path / "lie.npz"
    np.savez(path, a=np.zeros(8))
    path.write_bytes(path.read_bytes().replace(b"(8,)", b"(9,)"))
    with pytest.raises(DamagedFileError, match=r"lie\.npz cannot be read"):
        read_npz(path)
    np.savez_compressed(path, a=np.zeros(1 << 20))
    with pytest.raises(DamagedFileError, match="compressed arrays are refused"):
        read_npz(path)
    np.savez(path, a=np.array([{}], object))
    with pytest.raises(DamagedFileError, match="which is never written"):
        read_npz(path)


def test_no_mutated_file_surprises_its_reader(tmp_path):
    counts = outcomes(fuzz(tmp_path, inputs=300, seed=1))
    assert counts.total() == 300
    assert not [outcome for outcome in counts if outcome.startswith("BAD")]
    assert counts["DamagedFileError"] > 100
    assert counts["read"] > 10


def test_a_folder_that_a_kill_left_half_made_is_no_stranger(tmp_path):
    (tmp_path / ".status.partial").touch()
    (tmp_path / "events.out.tfevents.1").touch()
    with RunFolder(tmp_path, {"seed": 0}) as folder:
        assert not folder.is_done
    assert not (tmp_path / ".status.partial").exists()
