"""What kickstarting refuses, and what it leaves behind where things go wrong."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from sb3_contrib import TRPO, RecurrentPPO
from stable_baselines3 import PPO, SAC, HerReplayBuffer
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.vec_env import VecFrameStack, VecNormalize

from teachrl import teach
from teachrl.runs.folder import OtherConfigurationError
from teachrl.students import Kickstart, TaughtVecEnv, make_task_vec_env
from teachrl.students.experts import Expert, Experts
from teachrl.students.kickstart_weights import External
from teachrl.teachers import Random
from teachrl.training import resume
from tests.students.stopping import StopAt
from tests.students.test_kickstarting import Ordered, envs, make, opinionated, options, weights
from tests.students.worlds import Reach, ReachDiscrete


class Wide(gym.ActionWrapper):
    """Takes actions of twice the size."""

    def __init__(self):
        super().__init__(Reach())
        inner = self.env.action_space
        self.action_space = spaces.Box(2 * inner.low, 2 * inner.high, dtype=np.float32)

    def action(self, action):
        return action / 2


class Goals(gym.Env):
    """A point that should be elsewhere, for hindsight."""

    observation_space = spaces.Dict(
        dict.fromkeys(
            ("observation", "achieved_goal", "desired_goal"), spaces.Box(-5, 5, (2,), np.float32)
        )
    )
    action_space = spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return {key: np.zeros(2, np.float32) for key in self.observation_space}, {}

    def compute_reward(self, achieved, desired, info):
        return -np.linalg.norm(achieved - desired, axis=-1)

    def step(self, action):
        self.steps += 1
        observation = {key: np.zeros(2, np.float32) for key in self.observation_space}
        return observation, 0.0, False, self.steps >= 10, {}


def test_actions_of_other_bounds_are_refused_with_both():
    """Off-policy policies act in units of their bounds: the same numbers would mean others."""
    expert = SAC("MlpPolicy", Wide(), **options(SAC))
    with pytest.raises(
        ValueError, match=r"the expert's actions are Box\(-2.0.*student's are Box\(-1"
    ):
        make(SAC, Reach).learn(60, callback=Kickstart(expert, weight=1.0))


def test_students_whose_steps_are_no_optimisers_are_refused():
    student = TRPO("MlpPolicy", envs(ReachDiscrete), n_steps=64, batch_size=32, device="cpu")
    with pytest.raises(TypeError, match="TRPO cannot be kickstarted"):
        student.learn(64, callback=Kickstart(make(PPO, ReachDiscrete), weight=1.0))


def test_sbx_is_refused_by_name():
    sbx = pytest.importorskip("sbx")
    student = sbx.PPO("MlpPolicy", envs(ReachDiscrete), n_steps=32, batch_size=16, seed=0)
    with pytest.raises(TypeError, match="of SBX computes its loss in JAX"):
        student.learn(64, callback=Kickstart(make(PPO, ReachDiscrete), weight=1.0))


def test_hindsight_is_refused():
    expert = SAC("MultiInputPolicy", Goals(), **options(SAC))
    student = SAC("MultiInputPolicy", Goals(), replay_buffer_class=HerReplayBuffer, **options(SAC))
    with pytest.raises(ValueError, match="HerReplayBuffer makes up the goals"):
        student.learn(60, callback=Kickstart(expert, weight=1.0))


def test_rows_that_nobody_saw_are_an_error():
    student = make(SAC, Reach)
    buffer = student.replay_buffer
    buffer.sample = lambda n, env=None: ReplayBuffer._get_samples(buffer, np.arange(n), env)
    with pytest.raises(RuntimeError, match="kickstarting cannot see which"):
        student.learn(60, callback=Kickstart(make(SAC, Reach, seed=1), weight=1.0))


def test_an_expert_whose_noise_follows_from_the_state_says_how_wide_it_is():
    expert = SAC("MlpPolicy", Reach(), use_sde=True, **options(SAC))
    seen = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)
    said = Expert(expert).answer("squashed", seen)
    with torch.no_grad():
        actor = expert.policy.actor
        latent = actor.latent_pi(torch.as_tensor(seen))
        deviations = torch.sqrt(latent**2 @ torch.exp(actor.log_std) ** 2 + 1e-6)
    torch.testing.assert_close(said.tensors[1].exp(), deviations, rtol=1e-3, atol=1e-4)
    assert not said.tensors[1].requires_grad


def test_a_squashing_expert_is_no_plain_gaussian():
    squashing = {"net_arch": [16], "squash_output": True}
    expert = PPO("MlpPolicy", Reach(), use_sde=True, device="cpu", policy_kwargs=squashing)
    with pytest.raises(ValueError, match="does not squash"):
        make(PPO, Reach).learn(64, callback=Kickstart(expert, weight=1.0))


@pytest.mark.parametrize("bound", [0.0, -1.0, float("nan")])
def test_a_clipping_that_pushes_away_is_refused(bound):
    with pytest.raises(ValueError, match="max_grad_norm must be None or positive"):
        Kickstart(make(PPO, Reach), max_grad_norm=bound)


def test_whoever_is_no_expert_hears_what_would_be():
    for given in ("runs/expert", {"near": make(PPO, Reach)}, None):
        with pytest.raises(TypeError, match=r"Run.load\(folder\); several of them"):
            Kickstart(given)


def test_models_are_experts_of_regions_and_tasks_must_be_named():
    model = make(PPO, Reach, seed=1)
    routed = Experts.by_region(Reach.task_space, [({"distance": (0, 5)}, model)])
    assert routed.experts[0].model is model
    with pytest.raises(ValueError, match="which expert is asked depends on the task"):
        make(PPO, Reach).learn(64, callback=Kickstart(routed, weight=1.0))


def test_a_model_brings_the_normalisation_it_is_trained_with():
    trained = PPO("MlpPolicy", VecNormalize(envs(Reach)), **options(PPO)).learn(64)
    normalizer = trained.get_vec_normalize_env()
    expert, seen = Expert(trained), np.ones((2, 3), np.float32)
    expected = normalizer.normalize_obs(seen)
    np.testing.assert_allclose(expert.normalizer.normalize_obs(seen), expected)
    trained.learn(64)
    assert not np.allclose(normalizer.normalize_obs(seen), expected)
    np.testing.assert_allclose(expert.normalizer.normalize_obs(seen), expected)  # it is frozen


def test_stacks_outside_of_normalisation_are_refused():
    env = VecFrameStack(VecNormalize(envs(Reach)), 2)
    expert = PPO("MlpPolicy", VecFrameStack(envs(Reach), 2), **options(PPO))
    with pytest.raises(ValueError, match="let VecNormalize be the outermost"):
        PPO("MlpPolicy", env, **options(PPO)).learn(64, callback=Kickstart(expert, weight=1.0))


class Picture(gym.Env):
    """Shows an image, of whose channels SB3 moves the axis."""

    observation_space = spaces.Box(0, 255, (36, 36, 3), np.uint8)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros((36, 36, 3), np.uint8), {}

    def step(self, action):
        return np.full((36, 36, 3), action, np.uint8), float(action), False, True, {}


def test_images_under_normalised_rewards_reach_the_expert():
    env = VecNormalize(envs(Picture), norm_obs=False)
    expert = opinionated(PPO, Picture)
    student = PPO("MlpPolicy", env, **options(PPO))
    before = weights(student).clone()
    student.learn(64, callback=Kickstart(expert, weight=1.0))
    assert not torch.equal(before, weights(student))


@pytest.mark.parametrize("max_grad_norm", [None, 0.5])
def test_a_training_that_fails_leaves_nothing_behind(max_grad_norm):
    student = make(PPO, ReachDiscrete)

    def fail(*_):
        raise KeyboardInterrupt

    step, student.policy.optimizer.step = student.policy.optimizer.step, fail
    kickstart = Kickstart(opinionated(PPO, ReachDiscrete), weight=1.0, max_grad_norm=max_grad_norm)
    with pytest.raises(KeyboardInterrupt):
        student.learn(64, callback=kickstart)
    student.policy.optimizer.step = step
    assert "train" not in vars(student)
    assert "zero_grad" not in vars(student.policy.optimizer)
    assert not student.policy.optimizer._optimizer_step_pre_hooks
    assert "_get_samples" not in vars(student.rollout_buffer)


def routed_critics():
    near, far = (Expert(make(SAC, Reach, seed=seed)) for seed in (1, 2))
    regions = [({"distance": (0, 5)}, near), ({"distance": (5, 10)}, far)]
    return Experts.by_region(Reach.task_space, regions)


def test_whose_rows_are_stored_is_known_in_the_next_training_too():
    env = TaughtVecEnv(make_task_vec_env(Reach, n=3), Ordered(), seed=0)
    student, kickstart = (
        SAC("MlpPolicy", env, **options(SAC)),
        Kickstart(routed_critics(), weight=1),
    )
    student.learn(120, callback=kickstart)
    student.learn(30, callback=kickstart, reset_num_timesteps=False)
    buffer = student.replay_buffer
    truth = (buffer.observations[: buffer.pos, :, 1] > 5).astype(int)
    np.testing.assert_array_equal(kickstart.state()["owners"][: buffer.pos], truth)


def test_rows_from_before_are_nobodys():
    env = TaughtVecEnv(make_task_vec_env(Reach, n=3), Ordered(), seed=0)
    student = SAC("MlpPolicy", env, **options(SAC)).learn(120)
    rows, kickstart = student.replay_buffer.pos, Kickstart(routed_critics(), weight=1.0)
    student.learn(30, callback=kickstart, reset_num_timesteps=False)
    assert (kickstart.state()["owners"][:rows] == -1).all()


def test_a_recurrent_expert_of_two_regions_lives_once():
    recurrent = RecurrentPPO("MlpLstmPolicy", envs(Reach), n_steps=32, batch_size=16, device="cpu")
    said = []

    class Noting(Kickstart):
        def _on_rollout_end(self):
            super()._on_rollout_end()
            said.append(self._answers._all.tensors[0].clone())

    expert = Expert(recurrent)
    for regions in ([(0, 10)], [(0, 5), (5, 10)]):
        expert.memory = None
        env = TaughtVecEnv(make_task_vec_env(Reach, n=2), Ordered(), seed=0)
        routed = Experts.by_region(env.task_space, [({"distance": r}, expert) for r in regions])
        PPO("MlpPolicy", env, **options(PPO)).learn(64, callback=Noting(routed, weight=0.1))
    assert torch.equal(said[0], said[1])


def test_a_weight_that_somebody_sets_outlives_a_stop():
    kickstart = Kickstart(make(PPO, Reach, seed=1), weight=External(0.5))
    make(PPO, Reach).learn(64, callback=kickstart)
    again = Kickstart(make(PPO, Reach, seed=1), weight=External(1.0))
    again.restore(kickstart.state())
    assert again.weight.value == 0.5


def test_a_run_goes_on_with_its_expert_or_not_at_all(tmp_path):
    expert = Expert(opinionated(PPO, Reach))

    def run(folder, *more):
        return teach(
            PPO,
            Reach,
            Random(),
            steps=256,
            n_envs=2,
            folder=tmp_path / folder,
            options=options(PPO, seed=None),
            evaluate_every=0,
            checkpoint_every=64,
            callbacks=[Kickstart(expert, weight=10.0), *more],
        )

    whole = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("stopped", StopAt(160))
    with pytest.raises(ValueError, match=r"callbacks \['Kickstart'\], got \[\]: call teach"):
        resume(tmp_path / "stopped")
    plain = {"steps": 256, "n_envs": 2, "evaluate_every": 0, "options": options(PPO, seed=None)}
    with pytest.raises(OtherConfigurationError, match="callbacks"):
        teach(PPO, Reach, Random(), folder=tmp_path / "stopped", **plain)
    again = resume(tmp_path / "stopped", callbacks=[Kickstart(expert, weight=10.0)])
    assert torch.equal(weights(whole.student), weights(again.student))
