"""What TeacherCallback logs."""

import numpy as np
import pytest
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from teachrl.students import TaughtVecEnv, TeacherCallback, make_task_vec_env
from tests.students.worlds import Reach, Scripted


class Talking(Scripted):
    def metrics(self):
        return {"mood": 0.5}


class Memory(Logger):
    """Remembers every dump."""

    def __init__(self):
        super().__init__(None, [])
        self.dumps = []

    def dump(self, step=0):
        self.dumps.append((step, dict(self.name_to_value)))
        super().dump(step)


def test_it_logs_teacher_tasks_and_ledger():
    env = TaughtVecEnv(make_task_vec_env(Reach, 2), Talking())
    student = PPO("MlpPolicy", VecMonitor(env), n_steps=64, batch_size=64, n_epochs=3, seed=0)
    student.set_logger(memory := Memory())
    student.learn(256, callback=TeacherCallback(every=100))
    assert [step for step, _ in memory.dumps] == [128, 256]
    values = memory.dumps[-1][1]
    assert values["teacher/mood"] == 0.5
    assert values["ledger/train"] == 256
    assert values["ledger/gradient_samples"] == 3 * 128
    assert 0 < values["time/teacher_share"] < 1
    first = int(memory.dumps[0][1]["curriculum/episodes"])
    recent = env.episodes.params[first : int(values["curriculum/episodes"])]
    assert values["curriculum/distance_mean"] == pytest.approx(recent[:, 0].mean())
    assert values["curriculum/friction_std"] == pytest.approx(recent[:, 1].std())
    assert {"rollout/ep_rew_mean", "time/fps"} <= values.keys()
    assert env.ledger.gradient_samples == 2 * 3 * 128


def test_it_counts_gradient_samples_off_policy():
    env = TaughtVecEnv(make_task_vec_env(Reach, 1), Scripted())
    student = SAC("MlpPolicy", env, learning_starts=10, batch_size=8, buffer_size=100, seed=0)
    student.learn(30, callback=TeacherCallback())
    assert env.ledger.gradient_samples == student._n_updates * 8 > 0


def test_it_says_where_it_belongs():
    with pytest.raises(TypeError, match="no TaughtVecEnv inside"):
        PPO("MlpPolicy", DummyVecEnv([Reach]), n_steps=8, batch_size=8).learn(
            8, callback=TeacherCallback()
        )


def test_logging_changes_no_weight():
    weights = []
    for callback in (None, TeacherCallback(every=1)):
        env = TaughtVecEnv(make_task_vec_env(Reach, 2), Scripted())
        student = PPO("MlpPolicy", env, n_steps=32, batch_size=32, seed=0).learn(128, callback)
        weights.append([p.detach().numpy().tobytes() for p in student.policy.parameters()])
    assert weights[0] == weights[1]
    assert np.isfinite(env.episodes["r"]).all()
