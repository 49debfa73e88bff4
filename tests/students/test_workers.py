"""A process that dies or hangs is named with its task, and nothing lingers."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
import pytest
import torch

from teachrl import teach
from teachrl.evaluation import TestSet
from teachrl.evaluation.exam import Exam
from teachrl.runs import Run
from teachrl.runs.checkpoints import checkpoints
from teachrl.students import TaughtVecEnv, make_task_vec_env
from teachrl.students.failures import replay
from teachrl.students.presets import PPOPreset
from teachrl.students.workers import WorkerDiedError, _Line
from teachrl.teachers import Random
from tests.students.worlds import Reach, Scripted

PPO = PPOPreset(rollout=64, batch_size=32, n_epochs=1, net_arch=(8,))
ACTIONS = np.zeros((2, 1), np.float32)


class Deadly(Reach):
    """Reach that dies in its third step, by an error or at once, once ``path`` exists."""

    def __init__(self, how: str = "raise", path: str = "/") -> None:
        super().__init__()
        self.how, self.path = how, path

    def step(self, action):
        if self.count == 2 and Path(self.path).exists():
            if self.how == "raise":
                raise RuntimeError("the world ended")
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(action)


@pytest.mark.parametrize(
    ("how", "said"), [("raise", "ended with status 1"), ("kill", "was killed by SIGKILL")]
)
def test_a_dead_process_is_named_with_its_task(how, said):
    env = TaughtVecEnv(make_task_vec_env(Deadly, 2, processes=True, how=how), Scripted())
    processes = env.venv.processes
    env.reset()
    for _ in range(2):
        env.step(ACTIONS - 1)
    with pytest.raises(WorkerDiedError) as caught:
        env.step(ACTIONS - 1)
    started = time.monotonic()
    env.close()
    assert time.monotonic() - started < 5
    assert not any(process.is_alive() for process in processes)
    parts = (said, "environment 0", "Deadly", "step 3", "distance=0", "seed", "teachrl replay")
    assert all(part in str(caught.value) for part in parts)
    if how == "raise":
        assert "RuntimeError: the world ended" in replay(caught.value.report)


class Careless(Reach):
    """Reach with a draw from the global generators."""

    def draw(self) -> tuple[float, float]:
        return float(np.random.random()), float(torch.rand(()))  # noqa: NPY002


def test_worlds_that_draw_from_global_generators_do_not_draw_the_same():
    env = make_task_vec_env(Careless, 3, processes=True)
    draws = np.array(env.env_method("draw"))
    env.close()
    assert len(np.unique(draws)) == draws.size


class Hanging(Reach):
    """Reach that never comes back from its third step, or from its second reset."""

    def __init__(self, where: str = "step") -> None:
        super().__init__(limit=4)
        self.where, self.resets = where, 0

    def reset(self, *, seed=None, options=None):
        self.resets += 1
        while self.where == "reset" and self.resets == 2:
            time.sleep(0.1)
        return super().reset(seed=seed, options=options)

    def step(self, action):
        while self.where == "step" and self.count == 2:
            time.sleep(0.1)
        return super().step(action)


def play(env, steps):
    for _ in range(steps):
        env.step(ACTIONS - 1)


@pytest.mark.parametrize(("where", "step"), [("step", 3), ("reset", 0)])
def test_a_process_that_hangs_is_killed_and_named_with_its_task(where, step, monkeypatch):
    monkeypatch.setattr("teachrl.students.workers._PATIENCE", 1.0)  # with the one that hangs too
    venv = make_task_vec_env(Hanging, 2, processes=True, worker_timeout=1.0, where=where)
    env = TaughtVecEnv(venv, Scripted())
    env.reset()
    started = time.monotonic()
    with pytest.raises(WorkerDiedError) as caught:
        play(env, 4)
    env.close()
    assert 1.0 < time.monotonic() - started < 10
    assert not any(process.is_alive() for process in venv.processes)
    said = ("did not answer for 1 s", "worker_timeout=", "environment 0", "Hanging")
    again = (f"at step {step} of", "on task distance=", "with seed", "teachrl replay")
    assert all(part in str(caught.value) for part in (*said, *again))


class Slow(Reach):
    """Reach that takes its time."""

    def step(self, action):
        time.sleep(0.06)
        return super().step(action)


def test_playing_an_episode_again_may_take_longer_than_a_step():
    env = TaughtVecEnv(make_task_vec_env(Slow, processes=True, worker_timeout=0.6), Scripted())
    env.reset()
    for _ in range(15):
        env.step(ACTIONS[:1] - 1)
    state, episodes = env.state(), env.episodes
    started = time.monotonic()
    env.restore(state, episodes)
    assert time.monotonic() - started > 0.6
    env.close()


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan")])
def test_a_timeout_that_is_none_is_refused(timeout):
    with pytest.raises(ValueError, match="timeout must be None"):
        make_task_vec_env(Reach, processes=True, worker_timeout=timeout)


def test_time_in_which_all_processes_stand_still_does_not_count(monkeypatch):
    """As after Ctrl-Z: one look at the pipe may take any time, and an answer comes after it."""
    ours, theirs = Pipe()
    line = _Line(0, ours, None, timeout=5.0)
    looks = []

    def look(seconds):
        looks.append(seconds)
        if len(looks) == 2:
            theirs.send("at last")
        return ours.poll(0)

    monkeypatch.setattr(line, "_has_answer", look)
    assert line.recv() == "at last"
    assert looks == [1.0, 1.0]


def test_a_death_during_an_evaluation_is_named_too():
    venv = make_task_vec_env(Deadly, 2, processes=True)
    exam = Exam(venv, TestSet.grid(Reach.task_space, 2))
    exam.reset()
    for _ in range(2):
        exam.step(ACTIONS - 1)
    with pytest.raises(WorkerDiedError, match=r"Deadly.*on task distance=.*teachrl replay"):
        exam.step(ACTIONS - 1)
    venv.close()


def test_a_run_whose_process_died_goes_on(tmp_path):
    deadly = tmp_path / "deadly"
    env = partial(Deadly, "kill", str(deadly))
    lesson = {"steps": 320, "n_envs": 2, "evaluate_every": 0, "checkpoint_every": 64}

    class Trap(Random):
        traps = 1

        def sample(self):
            if Trap.traps and checkpoints(tmp_path / "run"):
                Trap.traps = 0
                deadly.touch()
            return super().sample()

    go = partial(teach, PPO, env, Trap(), processes=True, folder=tmp_path / "run", **lesson)
    with pytest.raises(WorkerDiedError, match="goes on with the same command"):
        go()
    assert Run.load(tmp_path / "run").status == "failed"
    assert checkpoints(tmp_path / "run")
    deadly.unlink()
    assert go().status == "done"


def test_closing_does_not_wait_for_answers_that_never_come():
    venv = make_task_vec_env(Reach, 2, processes=True)
    venv.reset()
    venv.env_method("begin", np.float32([5, 0]), 0)
    venv.step_async(ACTIONS)
    venv.remotes[0].recv()  # as an interrupt in the middle of step_wait
    venv.close()
    assert not any(process.is_alive() for process in venv.processes)


SCRIPT = """
import sys, time
sys.path.insert(0, sys.argv[1])
from teachrl.students import make_task_vec_env
from tests.students.worlds import Reach
if __name__ == "__main__":
    venv = make_task_vec_env(Reach, 2, processes=True)
    print(*[process.pid for process in venv.processes], flush=True)
    time.sleep(float(sys.argv[2]))
    raise SystemExit(3)
"""


def start(seconds):
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", SCRIPT, root, str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


def ends(pid):
    """Tell whether a process ends within some seconds."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
def test_a_script_that_forgets_to_close_ends_all_the_same():
    with start(0) as process:
        pids = process.stdout.readline().split()
        assert process.wait(timeout=60) == 3
    assert all(map(ends, pids))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_to_the_whole_group_leave_the_processes_to_the_run(number):
    with start(60) as process:
        pids = process.stdout.readline().split()
        for pid in pids:
            os.kill(int(pid), number)
        time.sleep(0.5)
        assert all(Path(f"/proc/{pid}").exists() for pid in pids)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert all(map(ends, pids))
