"""Students from classes, presets and names."""

import gymnasium as gym
import pytest
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import VecNormalize

from teachrl.registry import UnknownNameError
from teachrl.students import make_task_vec_env
from teachrl.students.presets import STUDENTS, PPOPreset, SACPreset, StudentSpec
from tests.students.worlds import Reach, ReachDict, ReachDiscrete, ReachImage


@pytest.mark.parametrize("name", STUDENTS)
def test_every_preset_makes_its_student(name):
    spec = StudentSpec.of(name, {})
    env = make_task_vec_env(ReachDiscrete if name == "dqn" else Reach, 2)
    model = spec.make(spec.wrap(env), seed=0)
    assert type(model) is spec.algorithm
    assert model.get_vec_normalize_env().norm_obs
    assert not model.get_vec_normalize_env().norm_reward


@pytest.mark.parametrize("n_envs", [1, 3, 16])
def test_the_ppo_rollout_is_shared_among_environments(n_envs):
    options = PPOPreset(rollout=4096).options(n_envs)
    assert options["n_steps"] == 4096 // n_envs
    assert "rollout" not in options


@pytest.mark.parametrize(
    ("n_envs", "freq", "updates"), [(1, 8, 1), (4, 2, 1), (8, 1, 1), (16, 1, 2)]
)
def test_sac_updates_keep_pace_with_all_environments(n_envs, freq, updates):
    options = SACPreset(steps_per_update=8).options(n_envs)
    assert (options["train_freq"], options["gradient_steps"]) == (freq, updates)


def test_a_class_takes_its_preset_and_overrides_win():
    spec = StudentSpec.of(SAC, {"gamma": 0.5})
    assert spec.options(1)["gamma"] == 0.5
    assert spec.options(1)["learning_starts"] == 10_000


def test_a_class_without_preset_stays_as_it_is():
    class Mine(PPO):
        pass

    assert StudentSpec.of(Mine, {}).options(4) == {}


def test_unknown_options_are_refused_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match="Did you mean 'learning_rate'"):
        StudentSpec.of(PPO, {"learningrate": 1})


@pytest.mark.parametrize(
    ("env", "policy", "keys"),
    [(Reach, "ActorCriticPolicy", None), (ReachDict, "MultiInputActorCriticPolicy", ["vector"])],
)
def test_policy_and_normalisation_follow_the_observations(env, policy, keys):
    spec = StudentSpec.of(PPO, {"n_steps": 8, "batch_size": 8})
    model = spec.make(spec.wrap(make_task_vec_env(env)), 0)
    assert type(model.policy).__name__ == policy
    assert model.get_vec_normalize_env().norm_obs_keys == keys


def test_pictures_are_not_normalised():
    spec = StudentSpec.of(PPO, {"n_steps": 8, "batch_size": 8})
    model = spec.make(spec.wrap(make_task_vec_env(ReachImage)), 0)
    assert type(model.policy).__name__ == "ActorCriticCnnPolicy"
    assert model.get_vec_normalize_env() is None


@pytest.mark.parametrize(
    ("env", "policy"),
    [
        (Reach, "RecurrentActorCriticPolicy"),
        (ReachImage, "RecurrentActorCriticCnnPolicy"),
        (ReachDict, "RecurrentMultiInputActorCriticPolicy"),
    ],
)
def test_an_algorithm_that_only_knows_recurrent_policies_gets_one(env, policy):
    contrib = pytest.importorskip("sb3_contrib")
    spec = StudentSpec.of(contrib.RecurrentPPO, {"n_steps": 8, "batch_size": 8})
    model = spec.make(spec.wrap(make_task_vec_env(env)), 0)
    assert type(model.policy).__name__ == policy


def test_an_algorithm_that_does_not_learn_from_steps_is_refused():
    contrib = pytest.importorskip("sb3_contrib")
    with pytest.raises(ValueError, match="ARS cannot be taught: it has neither rollouts nor"):
        StudentSpec.of(contrib.ARS, {})


def test_what_stable_baselines_asserts_is_a_sentence():
    spec = StudentSpec.of(PPO, {"n_steps": 1, "batch_size": 8})
    with pytest.raises(ValueError, match=r"PPO cannot be made: .*n_steps"):
        spec.make(make_task_vec_env(Reach), 0)


def test_rewards_can_be_normalised():
    spec = StudentSpec.of(PPOPreset(normalize_rewards=True, rollout=32, batch_size=32), {})
    env = spec.wrap(make_task_vec_env(Reach, 2))
    assert isinstance(env, VecNormalize)
    assert env.norm_reward


def test_nothing_else_is_a_student():
    with pytest.raises(TypeError, match="Stable-Baselines3 class"):
        StudentSpec.of(gym.Env, {})


def test_the_student_of_the_point_mass_is_the_published_one():
    options = PPOPreset.for_point_mass().options(n_envs=64)
    assert (options["n_steps"] * 64, options["batch_size"]) == (4096, 128)
    assert (options["gamma"], options["gae_lambda"]) == (0.95, 0.99)
    assert options["policy_kwargs"] == {"net_arch": [128, 128, 128]}
