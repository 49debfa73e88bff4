"""Sampling for learnability."""

import numpy as np
import pytest
import torch
from stable_baselines3 import DQN, PPO, SAC, TD3

from teachrl import teach
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.students import TaughtVecEnv, TeacherCallback, make_task_vec_env
from teachrl.students.task_slot import TaskSlot
from teachrl.students.trials import Trials
from teachrl.teachers import SFL
from tests.students.worlds import Reach, ReachDiscrete

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


def test_a_few_learnable_tasks_do_not_take_the_share_of_many():
    class Once(Told):
        def success_rates(self, params, seeds, episodes):
            return np.where(np.arange(len(params)) < 2, 0.5, 0.0)

    teacher = started(random_ratio=0.0)
    teacher.study(Once())
    origins = [teacher.sample().origin for _ in range(1000)]
    assert origins.count("learnable") == pytest.approx(100, abs=35)  # two of keep=20


def test_few_episodes_each_are_refused():
    with pytest.raises(ValueError, match="episodes must be a whole number of at least 4"):
        started(episodes=3)
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
    teacher = SFL(candidates=10, keep=5, refresh_every=300)
    run = teach(
        PPO,
        Reach,
        teacher,
        steps=600,
        evaluate_every=0,
        options={"n_steps": 100, "batch_size": 100, "policy_kwargs": {"net_arch": [8]}},
    )
    assert run.summary["evaluation"] >= 2 * 10 * 4
    assert run.summary["train"] == 600


class Lottery(Reach):
    """The seed alone decides: a task with its seed always succeeds, or never."""

    def reset(self, *, seed=None, options=None):
        self.is_lucky = seed is not None and seed % 2 == 0
        return super().reset(seed=seed, options=options)

    def step(self, action):
        return self.observe(), float(self.is_lucky), True, False, {"is_success": self.is_lucky}


class Coin(Reach):
    """Every task is won by a step to the right, which only chance can take now and then."""

    def step(self, action):
        success = bool(np.ravel(action)[0] > 0)
        return self.observe(), float(success), True, False, {"is_success": success}


class CoinOfTwo(Coin):
    """The same with two actions."""

    action_space = ReachDiscrete.action_space


def taught(algorithm, world, teacher, steps=16, **options):
    env = TaughtVecEnv(make_task_vec_env(world, n=2), teacher, seed=0)
    small = {"policy_kwargs": {"net_arch": [8]}, "device": "cpu", **options}
    model = algorithm("MlpPolicy", env, seed=0, **small).learn(steps, callback=TeacherCallback())
    return model, env.teacher


def test_what_is_tried_out_is_what_is_taught_the_task_with_its_own_seed():
    rollout = {"n_steps": 8, "batch_size": 16}
    _, teacher = taught(PPO, Lottery, SFL(candidates=40, keep=20), **rollout)
    assert 0.2 < teacher.mean_rate < 0.8
    assert not len(teacher.params)  # no (params, seed) succeeds half of the time


STUDENTS = [
    (PPO, Coin, {"n_steps": 8, "batch_size": 16}),
    (SAC, Coin, {"learning_starts": 4, "batch_size": 4}),
    (DQN, CoinOfTwo, {"learning_starts": 4, "batch_size": 4, "exploration_final_eps": 0.9}),
]


@pytest.mark.parametrize(("algorithm", "world", "options"), STUDENTS)
def test_rates_are_those_of_the_policy_that_explores(algorithm, world, options):
    made = [taught(algorithm, world, SFL(candidates=40, keep=20), **options)[1] for _ in range(2)]
    assert len(made[0].params) > 5  # none, by actions that are always the same
    assert made[0].learnabilities.mean() > 0.1
    assert repr(made[0].state()) == repr(made[1].state())


class Idle(SFL):
    """Asks for the same roll-outs, and teaches random tasks all the same."""

    asks = True

    def study(self, rollout):
        if self.asks:
            rollout.success_rates(self.space.low[None], np.array([1]), 4)


class Silent(Idle):
    """Never asks."""

    asks = False


@pytest.mark.parametrize(("algorithm", "world", "options"), STUDENTS)
def test_trying_out_changes_nothing_about_the_training(algorithm, world, options):
    weights = []
    for teacher in (Idle(), Silent()):
        model, _ = taught(algorithm, world, teacher, steps=48, **options)
        weights.append(torch.cat([p.detach().flatten() for p in model.policy.parameters()]))
    assert torch.equal(*weights)


def test_a_student_whose_policy_draws_nothing_is_refused():
    with pytest.raises(ValueError, match="TD3, whose policy draws nothing, does always or never"):
        taught(TD3, Coin, SFL())


@pytest.mark.parametrize("algorithm", [PPO, SAC])
def test_noise_that_stays_the_same_tells_nothing_of_chances(algorithm):
    env = TaughtVecEnv(make_task_vec_env(Reach, n=2), SFL(), seed=0)
    model = algorithm("MlpPolicy", env, use_sde=True, device="cpu")
    with pytest.raises(ValueError, match=f"{algorithm.__name__} with use_sde.*use_sde=False"):
        model.learn(10, callback=TeacherCallback())


def test_looking_longer_than_the_run_is_warned_of():
    teacher = started(candidates=250, episodes=4)
    assert teacher.concerns(np.inf) == teacher.concerns(1_000) == []
    assert "SFL plays 1,000 episodes, each of 250 candidates 4 times" in teacher.concerns(999)[0]
