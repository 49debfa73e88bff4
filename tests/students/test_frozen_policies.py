"""Policies that act in an environment without being trained."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from teachrl import teach
from teachrl.spaces import TaskSpace
from teachrl.students.experts import Expert, Experts
from teachrl.students.frozen_policies import FrozenPolicy
from teachrl.students.normalizers import load_statistics, save_statistics
from teachrl.students.presets import PPOPreset
from teachrl.teachers import Random
from tests.students.worlds import Reach


def test_a_model_takes_its_likeliest_actions():
    env = gym.make("Pendulum-v1")
    for algorithm in (PPO, SAC):
        model = algorithm("MlpPolicy", "Pendulum-v1", seed=0, device="cpu")
        policy = FrozenPolicy(model, env)
        assert policy.begin(None)
        seen = np.float32([1, 0, 0.5])
        expected = model.predict(seen, deterministic=True)[0]
        assert policy.act(seen).tolist() == expected.tolist()
        assert policy.act(seen).dtype == np.float32


def test_discrete_actions_are_plain_numbers():
    model = DQN("MlpPolicy", "CartPole-v1", seed=0, device="cpu")
    policy = FrozenPolicy(model, gym.make("CartPole-v1"))
    policy.begin(None)
    assert type(policy.act(np.zeros(4, np.float32))) is int


def test_an_expert_sees_observations_as_in_its_training(tmp_path):
    venv = VecNormalize(make_vec_env("Pendulum-v1", 1, seed=0))
    model = PPO("MlpPolicy", venv, n_steps=64, batch_size=64, seed=0, device="cpu").learn(512)
    save_statistics(venv, tmp_path / "seen.npz")
    normalizer = load_statistics(tmp_path / "seen.npz")
    policy = FrozenPolicy(Expert(model, normalizer), gym.make("Pendulum-v1"))
    policy.begin(None)
    seen = np.float32([0.3, 0.9, 4.0])
    expected = model.predict(normalizer.normalize_obs(seen), deterministic=True)[0]
    assert policy.act(seen).tolist() == expected.tolist()
    assert policy.act(seen).tolist() != model.predict(seen, deterministic=True)[0].tolist()


def test_a_recurrent_policy_remembers_one_episode_in_one_environment():
    model = RecurrentPPO("MlpLstmPolicy", "Pendulum-v1", seed=0, device="cpu")
    env = gym.make("Pendulum-v1")
    one, two = FrozenPolicy(model, env), FrozenPolicy(model, env)
    seen = [np.float32([np.cos(t), np.sin(t), t]) for t in range(4)]
    one.begin(None)
    first = [one.act(s).tolist() for s in seen]
    assert one.act(seen[0]).tolist() != first[0]  # it remembers
    two.begin(None)
    assert two.act(seen[0]).tolist() == first[0]  # not what the other has seen
    one.begin(None)
    assert [one.act(s).tolist() for s in seen] == first
    state, expected = None, []
    for t, s in enumerate(seen):
        starts = np.array([t == 0])
        action, state = model.predict(s, state=state, episode_start=starts, deterministic=True)
        expected.append(action.tolist())
    assert first == expected


def test_experts_act_on_the_tasks_that_they_know():
    space = TaskSpace(distance=(0, 10), friction=(0, 1))
    near, far = (PPO("MlpPolicy", Reach(), seed=seed, device="cpu") for seed in (0, 1))
    regions = [({"distance": (0, 3)}, Expert(near)), ({"distance": (5, 10)}, Expert(far))]
    policy = FrozenPolicy(Experts.by_region(space, regions), Reach())
    seen = np.float32([0.5, 1, 1])
    for distance, model in ((1, near), (7, far)):
        assert policy.begin(np.float32([distance, 0]))
        assert policy.act(seen).tolist() == model.predict(seen, deterministic=True)[0].tolist()
    assert not policy.begin(np.float32([4, 0]))
    with pytest.raises(RuntimeError, match="nobody knows"):
        policy.act(seen)
    with pytest.raises(ValueError, match="need to know the task"):
        policy.begin(None)


def test_a_run_folder_is_a_policy(tmp_path):
    preset = PPOPreset(rollout=64, batch_size=32, n_epochs=1, net_arch=(8,))
    run = teach(preset, Reach, Random(), steps=128, folder=tmp_path / "run", evaluate_every=0)
    seen = np.float32([0.5, 1, 3])
    acted, before = [], torch.get_rng_state()
    for given in (tmp_path / "run", str(tmp_path / "run"), run):
        policy = FrozenPolicy(given, Reach())
        policy.begin(None)
        acted.append(policy.act(seen).tolist())
    assert torch.equal(torch.get_rng_state(), before)  # SB3 seeds generators when it loads
    normalized = run.normalizer.normalize_obs(seen)
    assert acted == [run.student.predict(normalized, deterministic=True)[0].tolist()] * 3
    (tmp_path / "run" / "model.zip").write_bytes(b"something else")
    with pytest.raises(ValueError, match="can run any code"):
        FrozenPolicy(tmp_path / "run", Reach())
    with pytest.raises(FileNotFoundError, match="holds no trained student"):
        FrozenPolicy(tmp_path / "nowhere", Reach())


def test_what_it_does_does_not_depend_on_torch_threads_nor_touch_generators():
    model = SAC("MlpPolicy", "Pendulum-v1", seed=0, device="cpu")
    policy = FrozenPolicy(model, gym.make("Pendulum-v1"))
    policy.begin(None)
    used, stock = [], model.policy.forward
    model.policy.forward = lambda *a, **k: used.append(torch.get_num_threads()) or stock(*a, **k)
    original = model.policy._predict
    model.policy._predict = lambda *a, **k: (
        used.append(torch.get_num_threads()),
        original(*a, **k),
    )[1]
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        policy.act(np.float32([1, 0, 0]))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert set(used) == {1}
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "action", [[np.nan], [np.inf], [0.0, 0.0], "left"], ids=["nan", "infinite", "shape", "text"]
)
def test_impossible_actions_are_refused(action):
    policy = FrozenPolicy(lambda seen: action, gym.make("Pendulum-v1"))
    policy.begin(None)
    with pytest.raises(ValueError, match=r"played|convert"):
        policy.act(np.zeros(3, np.float32))


def test_actions_are_clipped_and_discrete_ones_checked():
    policy = FrozenPolicy(lambda seen: [7.0], gym.make("Pendulum-v1"))
    assert policy.act(np.zeros(3)).tolist() == [2.0]
    for impossible in (2, 0.7, -1):
        policy = FrozenPolicy(lambda seen, action=impossible: action, gym.make("CartPole-v1"))
        with pytest.raises(ValueError, match="not in Discrete"):
            policy.act(np.zeros(4))
    policy = FrozenPolicy(lambda seen: seen[:1] > 0, gym.make("CartPole-v1"))
    assert [policy.act(np.float32([x, 0, 0, 0])) for x in (-1, 1)] == [0, 1]


def test_strangers_are_refused():
    with pytest.raises(TypeError, match="expected a model"):
        FrozenPolicy(3, gym.make("CartPole-v1"))
    model = PPO("MlpPolicy", "Pendulum-v1", device="cpu")
    with pytest.raises(ValueError, match="the expert's observations are"):
        FrozenPolicy(model, gym.make("CartPole-v1"))
