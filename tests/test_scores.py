"""Scores on a world so small that they can be written down."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import DQN, PPO, SAC

from teachrl import teach
from teachrl.scores import SCORES
from teachrl.spaces import TaskSpace
from teachrl.students import TaughtVecEnv, TeacherCallback, make_task_vec_env
from teachrl.teachers import ACCEL, PLR, REPAIRED
from tests.students.worlds import Reach, ReachDict, ReachDiscrete, Scripted

DISCOUNT, SMOOTHING = 0.9, 0.5
VALUES = [0.5, 0.2, 0.8]
CHANCES = [[0.5, 0.5], [0.9, 0.1], [0.25, 0.75]]
BEST = 0.6

# Rewards 0, 0, 1; errors -0.32, 0.52, 0.2; so advantages are -0.0455, 0.61 and 0.2.
EXPECTED = {
    "positive-value-loss": 0.81 / 3,
    "l1-value-loss": 0.8555 / 3,
    "signed-advantage": 0.7645 / 3,
    "one-step-td-error": 1.04 / 3,
    "max-monte-carlo": 0.3 / 3,
    "clamped-max-monte-carlo": 0.5 / 3,
    "policy-entropy": (1 + 0.4689955936 + 0.8112781245) / 3,  # in bits, of which there is one
    "least-confidence": (0.5 + 0.1 + 0.25) / 3,
}


class Corridor(gym.Env):
    """Three states in a row, whatever is done; the last step pays 1."""

    task_space = TaskSpace(nothing=(0, 10), neither=(0, 1))
    reward_range, mastery_threshold = (0.0, 1.0), 0.5
    observation_space = gym.spaces.Discrete(3)
    action_space: gym.Space[Any] = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = 0
        return 0, {}

    def step(self, action):
        self.state += 1
        is_over = self.state == 3
        return min(self.state, 2), float(is_over), is_over, False, {}


class Switches(Corridor):
    """The same with two switches at once, of which the second is never likelier off than on."""

    action_space = gym.spaces.MultiBinary(2)


class Levers(Corridor):
    """The same with a lever of two places and one of three."""

    action_space = gym.spaces.MultiDiscrete([2, 3])


class Keeping(Scripted):
    """Keeps the first rollout's whole episodes."""

    needs = frozenset({"segments", "probabilities"})

    def reset(self):
        super().reset()
        self.first = []

    def study(self, rollout):
        if not self.first:
            self.first = [
                (segment, [part.copy() for part in segment.probabilities()])
                for segment in rollout.segments()
                if segment.is_start and segment.is_complete
            ]


def first_segments(world, logits):
    env = TaughtVecEnv(make_task_vec_env(world, n=2), Keeping(), seed=0)
    model = PPO(
        "MlpPolicy",
        env,
        n_steps=8,
        batch_size=16,
        gamma=DISCOUNT,
        gae_lambda=SMOOTHING,
        policy_kwargs={"net_arch": []},
        device="cpu",
    )
    with torch.no_grad():
        model.policy.value_net.weight[:] = torch.tensor([VALUES])
        model.policy.action_net.weight[:] = torch.tensor(logits, dtype=torch.float32).T
        for layer in (model.policy.value_net, model.policy.action_net):
            layer.bias[:] = 0
    model.learn(16, callback=TeacherCallback())
    assert len(env.teacher.first) == 4
    return env.teacher.first


def test_every_score_has_its_number_here():
    assert SCORES.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_scores_are_their_formulas(name):
    for segment, _ in first_segments(Corridor, np.log(CHANCES)):
        assert SCORES[name](segment, BEST) == pytest.approx(EXPECTED[name], rel=1e-5)


def test_actions_of_several_parts_count_as_one():
    """The entropy of a pair is the sum of both; the likeliest pair is that of the likeliest."""
    levers = np.log([[0.5, 0.5, 0.2, 0.2, 0.6]] * 3)
    for segment, parts in first_segments(Levers, levers):
        assert [part.shape for part in parts] == [(3, 2), (3, 3)]
        entropy = np.log(2) - (0.4 * np.log(0.2) + 0.6 * np.log(0.6))
        expected = entropy / (np.log(2) + np.log(3))
        assert SCORES["policy-entropy"](segment, 0.0) == pytest.approx(expected, rel=1e-5)
        assert SCORES["least-confidence"](segment, 0.0) == pytest.approx(1 - 0.5 * 0.6, rel=1e-5)
    switches = np.log([[1.0, 3.0]] * 3)  # odds of on
    for segment, parts in first_segments(Switches, switches):
        np.testing.assert_allclose(parts[1], [[0.25, 0.75]] * 3, rtol=1e-5)
        assert SCORES["least-confidence"](segment, 0.0) == pytest.approx(1 - 0.5 * 0.75, rel=1e-5)


def small(**options):
    return {"policy_kwargs": {"net_arch": [8]}, "device": "cpu", **options}


@pytest.mark.parametrize("score", ["policy-entropy", "least-confidence"])
@pytest.mark.parametrize("teacher", [PLR, ACCEL, REPAIRED])
def test_teachers_replay_by_what_the_student_is_unsure_of(teacher, score, tmp_path):
    options = {"designs_per_update": 8} if teacher is REPAIRED else {}
    made = teacher(score=score, capacity=20, **options)
    run = teach(
        PPO,
        ReachDiscrete,
        made,
        steps=1500,
        n_envs=2,
        folder=tmp_path,
        evaluate_every=0,
        options=small(n_steps=64, batch_size=64),
    )
    assert 0 < run.summary["explore"] < 1500  # replays are what it learns from


@pytest.mark.parametrize(("student", "world"), [(PPO, Reach), (PPO, ReachDict)])
def test_students_whose_spread_says_nothing_are_refused(student, world):
    env = TaughtVecEnv(make_task_vec_env(world, n=2), PLR(score="policy-entropy"), seed=0)
    policy = "MultiInputPolicy" if world is ReachDict else "MlpPolicy"
    model = student(policy, env, **small(n_steps=16, batch_size=8))
    with pytest.raises(ValueError, match=r"how likely each action is.*Box"):
        model.learn(64, callback=TeacherCallback())


@pytest.mark.parametrize(
    ("student", "world"), [(SAC, Reach), (DQN, ReachDiscrete), (RecurrentPPO, ReachDiscrete)]
)
def test_students_without_probabilities_are_refused_before_anything_is_made(
    student, world, tmp_path
):
    with pytest.raises(ValueError, match=r"choose PPO"):
        teach(student, world, PLR(score="least-confidence"), steps=64, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_who_did_not_ask_for_probabilities_is_told_so():
    class Forgetful(Scripted):
        needs = frozenset({"segments"})

        def study(self, rollout):
            for segment in rollout.segments():
                segment.probabilities()

    env = TaughtVecEnv(make_task_vec_env(Reach, n=2), Forgetful(), seed=0)
    model = SAC("MlpPolicy", env, **small(learning_starts=4, train_freq=30))
    with pytest.raises(ValueError, match="needs lack them"):
        model.learn(100, callback=TeacherCallback())


@pytest.mark.parametrize("world", [Reach, ReachDict])
def test_recurrent_students_replay_by_their_critics_surprise(world, tmp_path):
    policy = "MultiInputLstmPolicy" if world is ReachDict else "MlpLstmPolicy"
    run = teach(
        RecurrentPPO,
        world,
        PLR(capacity=20),
        steps=1500,
        n_envs=2,
        folder=tmp_path,
        evaluate_every=0,
        options=small(
            policy=policy,
            n_steps=64,
            batch_size=64,
            policy_kwargs={"net_arch": [8], "lstm_hidden_size": 4},
        ),
    )
    assert 0 < run.summary["explore"] < 1500
