"""NaN and infinity stop a run at once, and can be reproduced."""

from functools import partial

import numpy as np
import pytest
from stable_baselines3 import PPO

from teachrl.core import Episode, Task
from teachrl.students import NonFiniteError, TaughtVecEnv, make_task_vec_env
from teachrl.students.failures import all_finite, replay, save_report
from tests.students.worlds import Broken, Reach, Scripted


@pytest.mark.parametrize("processes", [False, True])
@pytest.mark.parametrize("where", ["observation", "reward", "first observation"])
def test_it_stops_before_anyone_learns(where, processes):
    env = TaughtVecEnv(make_task_vec_env(partial(Broken, where), 2, processes), Scripted())
    with pytest.raises(NonFiniteError) as caught:
        PPO("MlpPolicy", env, n_steps=16, batch_size=16, seed=0).learn(100)
    env.close()
    message = str(caught.value)
    assert f"{where} is not finite" in message
    assert all(part in message for part in ("environment", "distance=", "seed", "teachrl replay"))
    assert all(np.isfinite(e.reward) for e in env.teacher.episodes)


def test_the_report_reproduces_it():
    env = TaughtVecEnv(make_task_vec_env(Broken, 2, when=5), Scripted())
    env.reset()
    for _ in range(4):
        env.step(np.full((2, 1), -0.5, np.float32))
    with pytest.raises(NonFiniteError) as caught:
        env.step(np.full((2, 1), -0.5, np.float32))
    assert "reward is not finite at step 5" in replay(caught.value.report)


def test_an_action_that_is_not_finite_never_reaches_the_environment():
    env = TaughtVecEnv(make_task_vec_env(Reach, 2), Scripted())
    env.reset()
    with pytest.raises(NonFiniteError, match="action is not finite") as caught:
        env.step(np.float32([[0.5], [np.nan]]))
    assert "environment 1" in str(caught.value)
    assert [e.count for e in env.get_attr("unwrapped")] == [0, 0]
    assert "action 1 of the student is not finite" in replay(caught.value.report)


def test_a_healthy_replay_says_so_and_a_foreign_object_is_not_called(tmp_path):
    env = TaughtVecEnv(make_task_vec_env(lambda: Broken(when=2), 1), Scripted())
    env.reset()
    env.step(np.float32([[-1]]))
    with pytest.raises(NonFiniteError) as caught:
        env.step(np.float32([[-1]]))
    with pytest.raises(ValueError, match="nothing else is made from a file"):
        replay(caught.value.report)
    assert "everything was finite" in replay(caught.value.report, Reach)
    with np.load(caught.value.report) as saved:
        fields = dict(saved)
    fields["source"] = '{"make": "os:getcwd", "options": {}, "importable": true}'
    np.savez(tmp_path / "evil.npz", **fields)
    with pytest.raises(ValueError, match="nothing else is made from a file"):
        replay(tmp_path / "evil.npz")


def test_a_replay_says_how_to_find_an_environment_of_ones_own():
    report = save_report(
        {"make": "no_such_module:World", "options": {}, "importable": True},
        Reach.task_space,
        Episode(Task(np.zeros(2, np.float32)), seed=7, reward=0.0, length=0),
        [],
    )
    with pytest.raises(ModuleNotFoundError, match=r"working directory, PYTHONPATH=\. finds it"):
        replay(report)


def test_all_finite_looks_everywhere():
    assert all_finite({"a": np.ones(3), "b": np.ones(2, np.uint8)})
    assert not all_finite({"a": np.ones(3), "b": np.float32([np.inf])})
    assert all_finite(3)
    assert not all_finite(float("nan"))
