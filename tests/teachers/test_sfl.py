"""Sampling for learnability."""

import numpy as np
import pytest
from stable_baselines3 import PPO

from teachrl import teach
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.students.task_slot import TaskSlot
from teachrl.students.trials import Trials
from teachrl.teachers import SFL
from tests.students.worlds import Reach

SPACE = TaskSpace(x=(0, 1), y=(0, 1))


class Told:
    """Succeeds with probability x, or says nothing where y is high."""

    def __init__(self, steps=0):
        self.steps, self.asked = steps, 0

    def success_rates(self, params, seeds, episodes):
        self.asked += len(params) * episodes
        return np.where(params[:, 1] > 0.5, np.nan, params[:, 0])


def started(**options):
    given = {"candidates": 200, "keep": 20, "refresh_every": 1000} | options
    return SFL(**given).start(SPACE, stream(0, "teacher"))


def test_it_keeps_what_succeeds_half_of_the_time():
    teacher = started()
    teacher.study(Told())
    assert len(teacher.params) == 20
    assert np.abs(teacher.params[:, 0] - 0.5).max() < 0.15
    tasks = [teacher.sample() for _ in range(400)]
    learnable = [t for t in tasks if t.origin == "learnable"]
    assert len(learnable) == pytest.approx(200, abs=50)
    known = {(p.tobytes(), int(s)) for p, s in zip(teacher.params, teacher.seeds, strict=True)}
    assert {(t.params.tobytes(), t.seed) for t in learnable} <= known


def test_tasks_that_say_nothing_are_not_learnable():
    teacher = started()
    teacher.study(Told())
    assert teacher.params[:, 1].max() <= 0.5
    assert np.isfinite(list(teacher.metrics().values())).all()


def test_it_looks_again_when_it_is_time_and_not_before():
    teacher, told = started(), Told()
    for steps in (0, 500, 999, 1000, 1500, 2000):
        told.steps = steps
        teacher.study(told)
    assert told.asked == 3 * 200 * 4


def test_nothing_learnable_leaves_random_tasks():
    class Never(Told):
        def success_rates(self, params, seeds, episodes):
            return np.zeros(len(params))

    teacher = started()
    teacher.study(Never())
    assert {teacher.sample().origin for _ in range(50)} == {"random"}


def test_one_episode_each_is_refused():
    with pytest.raises(ValueError, match="episodes must be a whole number of at least 2"):
        started(episodes=1)
    with pytest.raises(ValueError, match="at most candidates"):
        started(keep=300)


def test_trials_play_every_task_and_count_their_steps():
    params = np.float32([[0.5, 0], [30.0, 0], [0.5, 1.0]])
    params[1, 0] = 10.0
    trials = Trials([TaskSlot(Reach()) for _ in range(2)])
    rates, steps = trials.success_rates(
        lambda seen: np.ones((len(seen), 1), np.float32), params, np.array([1, 2, 3]), episodes=3
    )
    assert rates.tolist() == [1.0, 1.0, 1.0]
    assert steps == 3 * (1 + 10 + 1) or steps > 30
    rates, steps = trials.success_rates(
        lambda seen: -np.ones((len(seen), 1), np.float32), params, np.array([1, 2, 3]), episodes=2
    )
    assert rates.tolist() == [0.0, 0.0, 0.0]
    assert steps == 3 * 2 * 20


def test_its_roll_outs_are_on_the_ledger():
    teacher = SFL(candidates=10, keep=5, episodes=2, refresh_every=300)
    run = teach(
        PPO,
        Reach,
        teacher,
        steps=600,
        evaluate_every=0,
        options={"n_steps": 100, "batch_size": 100, "policy_kwargs": {"net_arch": [8]}},
    )
    assert run.summary["evaluation"] >= 2 * 10 * 2
    assert run.summary["train"] == 600
