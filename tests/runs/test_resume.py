"""A run that was killed and resumed is the run that never stopped, byte for byte."""

import os
import signal
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from teachrl import teach
from teachrl.envs import ToyEnv
from teachrl.evaluation import TestSet
from teachrl.runs import Run
from teachrl.runs.checkpoints import checkpoints
from teachrl.students.failures import ReplayError
from teachrl.students.presets import DQNPreset, PPOPreset, SACPreset
from teachrl.teachers import ALPGMM
from teachrl.training import resume
from tests.runs.worlds import Stop
from tests.students.worlds import Reach, ReachDict, ReachDiscrete

STUDENTS = {
    "ppo": (PPOPreset(rollout=64, batch_size=32, n_epochs=2, net_arch=(8,)), Reach),
    "ppo-rewards": (
        PPOPreset(rollout=64, batch_size=32, n_epochs=1, net_arch=(8,), normalize_rewards=True),
        Reach,
    ),
    "sac": (
        SACPreset(learning_starts=60, buffer_size=150, batch_size=16, net_arch=(8,)),
        Reach,
    ),
    "dqn": (DQNPreset(learning_starts=60, buffer_size=500), ReachDiscrete),
    "toy": (PPOPreset(rollout=64, batch_size=32, n_epochs=1, net_arch=(8,)), ToyEnv),
    "dict": (PPOPreset(rollout=64, batch_size=32, n_epochs=1, net_arch=(8,)), ReachDict),
}


def lesson(name, folder, processes=False, callbacks=(), every=64):
    student, env = STUDENTS[name]
    return teach(
        student,
        env,
        ALPGMM(fit_every=10, max_gaussians=3),
        steps=400,
        n_envs=2,
        folder=folder,
        processes=processes,
        callbacks=callbacks,
        checkpoint_every=every,
        test_set=TestSet.grid(env().task_space, 2),
    )


def everything(folder):
    """Return all that is promised: episodes, evaluations, weights, teacher."""
    run = Run.load(folder)
    files = [(folder / name).read_bytes() for name in ("monitor.csv", "evaluations.csv")]
    weights = [p.detach().numpy().tobytes() for p in run.student.policy.state_dict().values()]
    statistics = []
    if (folder / "normalizer.npz").exists():  # not where there are only pictures
        with np.load(folder / "normalizer.npz") as saved:
            statistics = [saved[name].tobytes() for name in sorted(saved.files)]
    with np.load(folder / "teacher.npz") as saved:
        teacher = [saved[name].tobytes() for name in sorted(saved.files)]
    return files, weights, statistics, teacher


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    made = {}

    def get(name):
        if name not in made:
            made[name] = lesson(name, tmp_path_factory.mktemp(name) / "run").folder
        return everything(made[name])

    return get


@pytest.mark.parametrize("name", STUDENTS)
@pytest.mark.parametrize("at", [[90], [150, 310], [399]])
def test_an_interrupted_run_ends_as_if_it_had_never_stopped(tmp_path, unbroken, name, at):
    for step in at:
        with pytest.raises(InterruptedError):
            lesson(name, tmp_path / "run", callbacks=[Stop(step)])
        assert checkpoints(tmp_path / "run")
    lesson(name, tmp_path / "run")
    assert everything(tmp_path / "run") == unbroken(name)
    assert not (tmp_path / "run" / "checkpoint").exists()


def test_checkpoints_change_nothing(tmp_path, unbroken):
    lesson("ppo", tmp_path / "run", every=0)
    assert everything(tmp_path / "run") == unbroken("ppo")


@pytest.mark.parametrize("name", ["ppo", "sac"])
def test_a_run_in_processes_is_resumed_too(tmp_path, unbroken, name):
    with pytest.raises(InterruptedError):
        lesson(name, tmp_path / "run", processes=True, callbacks=[Stop(200)])
    lesson(name, tmp_path / "run", processes=True)
    assert everything(tmp_path / "run") == unbroken(name)


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, unbroken):
    with pytest.raises(InterruptedError):
        lesson("ppo", tmp_path / "run", callbacks=[Stop(300)])
    newest, older = checkpoints(tmp_path / "run")
    state = newest / "state.npz"
    state.write_bytes(state.read_bytes()[: state.stat().st_size // 2])
    with pytest.warns(UserWarning, match="passed over for the one before"):
        lesson("ppo", tmp_path / "run")
    assert older.name < newest.name
    assert everything(tmp_path / "run") == unbroken("ppo")


def test_the_folder_alone_is_enough_to_go_on(tmp_path, unbroken):
    with pytest.raises(InterruptedError):
        lesson("ppo", tmp_path / "run", callbacks=[Stop(200)])
    assert resume(tmp_path / "run").status == "done"
    assert everything(tmp_path / "run") == unbroken("ppo")


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"use_sde": True}, "state-dependent exploration"), ({"n_steps": 32}, None)],
)
def test_what_cannot_be_continued_exactly_has_no_checkpoints(tmp_path, options, reason):
    student = PPOPreset(rollout=64, batch_size=32, n_epochs=1, net_arch=(8,))
    with warnings.catch_warnings(record=True) as caught, pytest.raises(InterruptedError):  # noqa: PT012
        warnings.simplefilter("always")
        teach(
            student,
            Reach,
            ALPGMM(),
            steps=300,
            n_envs=2,
            folder=tmp_path / "run",
            options=options,
            evaluate_every=0,
            callbacks=[Stop(200)],
        )
    said = [str(warning.message) for warning in caught]
    assert bool(checkpoints(tmp_path / "run")) == (reason is None)
    assert any("a stopped run begins again" in message for message in said) == bool(reason)


def test_two_checkpoints_are_kept(tmp_path):
    with pytest.raises(InterruptedError):
        lesson("ppo", tmp_path / "run", callbacks=[Stop(390)])
    kept = [int(path.name) for path in checkpoints(tmp_path / "run")]
    assert len(kept) == 2
    assert kept[0] > kept[1] >= 64


def test_a_world_that_does_not_play_the_same_again_is_found_out(tmp_path):
    class Drifting(Reach):
        played = 0

        def reset(self, *, seed=None, options=None):
            _, info = super().reset(seed=seed, options=options)
            self.position += Drifting.played
            Drifting.played += 1
            return self.observe(), info

    student = PPOPreset(rollout=64, batch_size=32, n_epochs=1, net_arch=(8,))
    go = partial(teach, student, Drifting, ALPGMM(), steps=300, n_envs=2, folder=tmp_path / "run")
    with pytest.raises(InterruptedError):
        go(callbacks=[Stop(200)], checkpoint_every=64, evaluate_every=0)
    with pytest.raises(ReplayError, match="is not what it was: its reset does not make everything"):
        go(checkpoint_every=64, evaluate_every=0)


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from tests.runs.test_resume import lesson
if __name__ == "__main__":
    lesson(sys.argv[3], Path(sys.argv[1]))
"""


def start(folder, name):
    root = str(Path(__file__).parents[2])
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder), root, name])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ppo", "sac"])
def test_a_run_killed_at_random_moments_ends_the_same(tmp_path, unbroken, name):
    rng = np.random.default_rng(0)
    folder = tmp_path / "run"
    for _ in range(3):
        process = start(folder, name)
        while not checkpoints(folder) and process.poll() is None:
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.5))
        process.kill()
        process.wait()
    assert start(folder, name).wait() == 0
    assert everything(folder) == unbroken(name)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_before_it_stops(tmp_path, unbroken, number):
    folder = tmp_path / "run"
    process = start(folder, "ppo")
    while not (folder / "monitor.csv").exists():
        time.sleep(0.02)
    os.kill(process.pid, number)
    process.wait()
    if Run.load(folder).status != "done":
        assert checkpoints(folder)
    assert start(folder, "ppo").wait() == 0
    assert everything(folder) == unbroken("ppo")
