"""Worlds whose past outlives episodes are evaluated as they are by then, and left so."""

from dataclasses import dataclass

import numpy as np
import pytest

from teachrl import Task, Teacher, teach
from teachrl.envs import ToyEnv
from teachrl.evaluation import TestSet, evaluate
from teachrl.evaluation.exam import Exam
from teachrl.students import make_task_vec_env
from teachrl.students.presets import PPOPreset
from tests.students.worlds import Reach

PPO = PPOPreset(rollout=32, batch_size=32, n_epochs=1, net_arch=(8,))
LINE = ToyEnv(dimensions=1).task_space
CUBES = TestSet(LINE, ((np.arange(10)[:, None] + 0.5) / 10).astype(np.float32), np.arange(10))


class Practising:
    """A student that always practises."""

    def predict(self, observations, **_):
        return np.ones(len(observations), int), None


@dataclass(kw_only=True)
class TwoCubes(Teacher):
    """Teaches the first cube, then the second."""

    first: int = 200  # samples

    def reset(self):
        self.samples = 0

    def sample(self):
        self.samples += 1
        return Task(np.float32([0.05 if self.samples < self.first else 0.15]))


def practised(n_envs, times, processes=False):
    """Return environments of which the first has practised; the others never did."""
    venv = make_task_vec_env(ToyEnv, n_envs, processes, dimensions=1)
    toy = ToyEnv(dimensions=1)
    for params, count in times.items():
        for _ in range(count):
            toy.student.play([params])
    venv.env_method("restore_world", toy.state(), indices=[0])
    return venv


@pytest.mark.parametrize("n_envs", [1, 3])
def test_each_test_episode_begins_from_the_same_past(n_envs):
    """The ninth practice of the second cube, or the 76th of the first, would show elsewhere."""
    venv = practised(n_envs, {0.05: 75, 0.15: 7})
    before = venv.env_method("past", indices=[0])[0]
    for _ in range(2):
        rewards = evaluate(Practising(), venv, CUBES).rewards
        np.testing.assert_allclose(rewards, [0.76, 0.08, *[0] * 8], atol=1e-9)
    after = venv.env_method("past")
    for past in after:
        assert past["student"]["competence"].tolist() == before["student"]["competence"].tolist()


def test_processes_evaluate_the_same_past():
    venv = practised(2, {0.05: 75, 0.15: 7}, processes=True)
    assert evaluate(Practising(), venv, CUBES).rewards.tolist()[:2] == [0.76, 0.08]
    venv.close()


@pytest.mark.parametrize("n_envs", [1, 2])
def test_a_run_on_the_toy_is_evaluated_on_what_was_taught(n_envs):
    run = teach(
        PPO,
        lambda: ToyEnv(dimensions=1),
        TwoCubes(first=200 * n_envs),  # each environment has counters of its own
        steps=1024 * n_envs,
        n_envs=n_envs,
        evaluate_every=512 * n_envs,
        test_set=CUBES,
    )
    first, *_, last = run.evaluations.rewards
    assert first.max() <= 0.01
    assert last[0] > 0.75
    assert last[1] > 0.2
    assert last[2:].max() <= 0.01


def test_a_world_without_a_past_is_not_asked_to_restore_one(monkeypatch):
    venv = make_task_vec_env(Reach, 2)
    exam = Exam(venv, TestSet.grid(Reach.task_space, 2))
    asked = []
    method = venv.env_method
    monkeypatch.setattr(
        venv, "env_method", lambda name, *a, **k: asked.append(name) or method(name, *a, **k)
    )
    exam.reset()
    assert "restore_world" not in asked
    assert asked.count("begin") == 2
