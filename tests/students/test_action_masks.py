"""Students who are told which actions are legal are told so wherever they act."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO

from teachrl import teach
from teachrl.evaluation import TestSet, evaluate
from teachrl.spaces import TaskSpace
from teachrl.students import (
    GuidedStarts,
    Kickstart,
    TaughtVecEnv,
    TeacherCallback,
    make_task_vec_env,
)
from teachrl.students.action_masks import takes_masks
from teachrl.students.rollouts import StudentRollout
from teachrl.students.snapshot_library import expert_snapshots
from teachrl.teachers import SFL, VDS, Random
from tests.students.worlds import ReachDiscrete

SMALL = {"n_steps": 8, "batch_size": 8, "n_epochs": 1, "policy_kwargs": {"net_arch": [8]}}


class Corridor(gym.Env):
    """One of five actions is legal in each step; which, is not observed, and others are an error.

    Each legal step is worth 1, and an episode ends after as many as the task says.
    """

    task_space = TaskSpace(length=(1, 9, "int"))
    reward_range, mastery_threshold = (0.0, 9.0), 0.5
    observation_space = gym.spaces.Box(0, 9, (1,), np.float32)
    action_space: gym.Space[Any] = gym.spaces.Discrete(5)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = int((options or {}).get("task", [5])[0])
        return self.observe(), {}

    def step(self, action):
        if not self.is_legal(action):
            raise ValueError(f"{action} is illegal, {self.legal} is not")
        self.left -= 1
        over = self.left == 0
        return self.observe(), 1.0, over, False, {"is_success": True} if over else {}

    def observe(self):
        self.legal = int(self.np_random.integers(5))
        return np.float32([self.left])

    def is_legal(self, action):
        return action == self.legal

    def action_masks(self):
        return [action == self.legal for action in range(5)]


class Pairs(Corridor):
    """The same with two actions at once."""

    action_space = gym.spaces.MultiDiscrete([5, 3])

    def is_legal(self, action):
        return list(action) == [self.legal, self.legal % 3]

    def action_masks(self):
        return [*super().action_masks(), *(self.legal % 3 == action for action in range(3))]


class Tolerant(Corridor):
    """Takes any action, and must not be asked which are legal."""

    def is_legal(self, action):
        return True

    def action_masks(self):
        raise AssertionError("nobody has to know")


TESTS = TestSet.grid(Corridor.task_space, (9,), seed=5)
LENGTHS = TESTS.params[:, 0].tolist()


def student(world=Corridor, algorithm=MaskablePPO):
    return algorithm("MlpPolicy", world(), seed=0, device="cpu", **SMALL)


def taught(teacher, world=Corridor, algorithm=MaskablePPO):
    env = TaughtVecEnv(make_task_vec_env(world, n=2), teacher, seed=0)
    return algorithm("MlpPolicy", env, seed=0, device="cpu", **SMALL)


@pytest.mark.parametrize("world", [Corridor, Pairs])
@pytest.mark.parametrize("deterministic", [True, False])
def test_an_evaluation_plays_legal_actions(world, deterministic):
    for n_envs in (1, 4, 9):
        found = evaluate(student(world), world, TESTS, n_envs=n_envs, deterministic=deterministic)
        assert found.rewards.tolist() == LENGTHS


def test_environments_that_wait_are_not_asked():
    venv = make_task_vec_env(Corridor, 12)  # three of them never begin
    assert evaluate(student(), venv, TESTS).rewards.tolist() == LENGTHS


def test_processes_are_asked_too():
    found = evaluate(student(), Corridor, TESTS, n_envs=2, processes=True)
    assert found.rewards.tolist() == LENGTHS


def test_evaluations_in_the_course_of_a_run_play_legal_actions():
    run = teach(MaskablePPO, Corridor, Random(), steps=32, n_envs=2, options=SMALL, test_set=TESTS)
    assert run.evaluations.rewards.tolist() == [LENGTHS] * len(run.evaluations)
    assert evaluate(run.student, Corridor, TESTS).rewards.tolist() == LENGTHS


@pytest.mark.parametrize("world", [Corridor, Pairs])
def test_tasks_are_tried_out_by_legal_actions(world):
    model = taught(SFL(candidates=40, keep=20), world).learn(16, callback=TeacherCallback())
    assert model.get_env().teacher.mean_rate == 1.0


def test_a_guide_plays_legal_actions():
    env = GuidedStarts(Corridor(), student())
    env.guide_for(4)
    observation, info = env.reset(seed=0, options={"task": [9]})
    assert (info["guided"], observation.tolist()) == (4, [5.0])


def test_what_it_would_do_is_not_asked_where_nobody_knows_what_was_legal():
    with pytest.raises(ValueError, match=r"^VDS asks .* MaskablePPO .* action_masks .*: choose"):
        taught(VDS()).learn(16, callback=TeacherCallback())
    for model in (taught(VDS(), ReachDiscrete), taught(VDS(), algorithm=PPO), taught(SFL())):
        StudentRollout(model)


def test_snapshots_of_an_expert_are_not_taken_where_it_has_to_know_what_is_legal():
    with pytest.raises(ValueError, match=r"MaskablePPO has to know .*: give explore\(\) a policy"):
        expert_snapshots(student(), Corridor)


def test_an_expert_who_never_learnt_about_illegal_actions_kickstarts_nobody():
    learner, teacher = student(Tolerant, PPO), student(Tolerant)
    with pytest.raises(ValueError, match=r"^MaskablePPO chooses among legal actions.* such as PPO"):
        learner.learn(8, callback=Kickstart(teacher))
    student(ReachDiscrete, PPO).learn(8, callback=Kickstart(student(ReachDiscrete), weight=1.0))


def test_nothing_is_asked_for_students_and_worlds_without_masks():
    assert takes_masks(student(), Corridor())
    assert not takes_masks(student(ReachDiscrete), ReachDiscrete())
    assert not takes_masks(student(algorithm=PPO), Corridor())
    found = evaluate(student(algorithm=PPO), Tolerant, TESTS)
    assert found.rewards.tolist() == LENGTHS
    model = taught(SFL(candidates=8, keep=4), Tolerant, PPO).learn(16, callback=TeacherCallback())
    assert model.get_env().teacher.mean_rate == 1.0


class Told:
    """Writes down what it is told beside observations."""

    def __init__(self):
        self.heard = set()

    def predict(self, observation, deterministic=False, action_masks=None, **rest):
        self.heard |= {*rest, *([] if action_masks is None else ["action_masks"])}
        return np.zeros(len(observation), np.int64), None


def test_in_a_world_without_masks_a_student_hears_what_it_always_did():
    told = Told()
    evaluate(told, ReachDiscrete, TestSet.grid(ReachDiscrete.task_space, (2, 1)))
    assert told.heard == set()
