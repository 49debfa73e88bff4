"""Whoever teaches, whatever the world: a run that was stopped ends as if it had not been."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stable_baselines3.common.noise import NormalActionNoise, OrnsteinUhlenbeckActionNoise

from teachrl import teach
from teachrl.envs import StumpTracks
from teachrl.evaluation import TestSet
from teachrl.monitoring.tensorboard import PictureCallback
from teachrl.runs.checkpoints import checkpoints
from teachrl.students.failures import ReplayError
from teachrl.students.presets import PPOPreset, SACPreset, TD3Preset
from teachrl.teachers import ALPGMM, PLR, TEACHERS, Random
from tests.runs.test_resume import everything
from tests.runs.worlds import (
    HiddenPast,
    PoleLength,
    ReachPicture,
    ReachPictureDict,
    ShortReach,
    Stop,
)
from tests.test_teachers import QUICK

PPO = PPOPreset(rollout=64, batch_size=32, n_epochs=1, net_arch=(8,))
SAC = SACPreset(learning_starts=60, buffer_size=300, batch_size=16, net_arch=(8,))
TD3 = TD3Preset(learning_starts=60, buffer_size=300, batch_size=16)
CAMERAS = {
    "ppo": (PPO, ReachPicture),
    "sac": (replace(SAC, batch_size=4), ReachPicture),
    "ppo-dict": (PPO, ReachPictureDict),
}


def stop_and_go_on(student, env, teacher, tmp_path, *, steps, stops, **options):
    """Teach without a stop and with some, and compare everything that is promised."""
    lesson = {
        "steps": steps,
        "n_envs": 2,
        "checkpoint_every": 64,
        "test_set": TestSet.uniform(env().task_space, 2),
        "evaluate_every": steps // 2,
        **options,
    }
    teach(student, env, teacher, folder=tmp_path / "whole", **lesson)
    for stop in stops:
        with pytest.raises(InterruptedError):
            teach(student, env, teacher, folder=tmp_path / "run", callbacks=[Stop(stop)], **lesson)
        newest = checkpoints(tmp_path / "run")[0]
        assert int(newest.name) > stop - 2 * lesson["checkpoint_every"]
    run = teach(student, env, teacher, folder=tmp_path / "run", **lesson)
    assert everything(tmp_path / "run") == everything(tmp_path / "whole")
    return run


def taught_by(teacher):
    """Return a student that tells the teacher what it asks, if one of the two does."""
    return SAC if "transitions" in teacher.needs else PPO


@pytest.mark.parametrize("name", TEACHERS)
def test_every_teacher_goes_on_as_if_nothing_had_happened(name: str, tmp_path: Path) -> None:
    teacher = TEACHERS[name](**QUICK.get(name, {}))
    run = stop_and_go_on(taught_by(teacher), ShortReach, teacher, tmp_path, steps=900, stops=[700])
    assert len(run.episodes) > 200


def test_a_replay_buffer_that_hides_steps_goes_on_however_often_it_stops(tmp_path, monkeypatch):
    """The buffer goes round, so that rows which were hidden hold what is learnt from, later."""
    monkeypatch.setattr(PictureCallback, "_outputs", lambda _: [])  # longer than all else
    student = replace(SAC, learning_starts=20, buffer_size=80, batch_size=8)
    teacher = PLR(capacity=10, replay_ratio=0.8)
    stop_and_go_on(student, ShortReach, teacher, tmp_path, steps=400, stops=[150, 290])


@pytest.mark.parametrize("name", CAMERAS)
def test_pictures_whose_channels_come_last_go_on(name, tmp_path):
    """SB3 puts them first in a wrapper of its own, which the checkpoint must not stumble over."""
    student, world = CAMERAS[name]
    stop_and_go_on(student, world, Random(), tmp_path, steps=200, stops=[130])


@pytest.mark.parametrize("student", [TD3, SAC], ids=["td3", "sac"])
def test_noise_that_remembers_nothing_goes_on_in_many_environments(student, tmp_path):
    """SB3 makes it into a ``VectorizedActionNoise`` before anybody can look."""
    options = {"action_noise": NormalActionNoise(np.zeros(1), np.full(1, 0.2))}
    options["policy_kwargs"] = {"net_arch": [8]}
    stop_and_go_on(student, ShortReach, Random(), tmp_path, steps=300, stops=[200], options=options)


def test_noise_that_is_correlated_has_no_checkpoints(tmp_path):
    noise = OrnsteinUhlenbeckActionNoise(np.zeros(1), np.full(1, 0.2))
    options = {"action_noise": noise, "policy_kwargs": {"net_arch": [8]}}
    with pytest.warns(UserWarning, match="OrnsteinUhlenbeckActionNoise forgets its state"):
        teach(TD3, ShortReach, Random(), steps=80, n_envs=2, folder=tmp_path, options=options)


@pytest.mark.parametrize("student", [PPO, SAC], ids=["ppo", "sac"])
@pytest.mark.slow
def test_stump_tracks_go_on(student, tmp_path):
    """An episode of the tracks is in its middle, and is played again up to there."""
    teacher = ALPGMM(fit_every=10, max_gaussians=3)
    stop_and_go_on(student, StumpTracks, teacher, tmp_path, steps=500, stops=[200, 450])


@pytest.mark.parametrize("processes", [False, True])
def test_a_world_of_somebody_else_goes_on(tmp_path, processes):
    teacher = ALPGMM(fit_every=10, max_gaussians=3)
    stop_and_go_on(PPO, PoleLength, teacher, tmp_path, steps=400, stops=[300], processes=processes)


def test_a_world_with_a_hidden_past_is_found_out(tmp_path):
    """Seed 1 is one where what outlives a reset shows before the checkpoint."""
    lesson = {"steps": 800, "n_envs": 2, "checkpoint_every": 64, "evaluate_every": 0, "seed": 1}
    with pytest.raises(InterruptedError):
        teach(PPO, HiddenPast, Random(), folder=tmp_path, callbacks=[Stop(700)], **lesson)
    before = (tmp_path / "monitor.csv").read_bytes()
    with pytest.raises(ReplayError, match="its reset does not make everything anew"):
        teach(PPO, HiddenPast, Random(), folder=tmp_path, **lesson)
    assert (tmp_path / "monitor.csv").read_bytes() == before
