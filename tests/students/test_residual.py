"""A student corrects a frozen policy."""

from functools import partial

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from teachrl import teach
from teachrl.cli import main as teachrl
from teachrl.envs import PointMass
from teachrl.evaluation import evaluate
from teachrl.evaluation.test_sets import TestSet
from teachrl.runs import Run
from teachrl.students import ResidualAction
from teachrl.students.experts import Expert, Experts
from teachrl.students.presets import PPOPreset, SACPreset
from teachrl.teachers import Random
from teachrl.training import resume
from tests.students.stopping import StopAt
from tests.students.worlds import Reach, ReachDict, ReachDiscrete, ReachImage


class Recorded(Reach):
    """Reach that writes down what it is told to do."""

    def __init__(self):
        super().__init__()
        self.played = []

    def step(self, action):
        self.played.append(action)
        return super().step(action)


def swing(seen):
    """Act differently in every state, and out of bounds at times."""
    return [1.3 * np.sin(3 * seen[0])]


def play(env, act, steps=15, seed=0):
    observation, _ = env.reset(seed=seed, options={"task": np.float32([9, 0.5])})
    seen = [observation]
    for _ in range(steps):
        observation, *_ = env.step(act(observation))
        seen.append(observation)
    return seen


@pytest.mark.parametrize("observes_base", [True, False])
def test_a_residual_of_zero_is_the_base_exactly(observes_base):
    model = SAC("MlpPolicy", Reach(), seed=3, device="cpu")
    plain, inner = Recorded(), Recorded()
    env = ResidualAction(inner, model, scale=0.7, observes_base=observes_base)
    one = play(plain, lambda seen: model.predict(seen, deterministic=True)[0])
    two = play(env, lambda seen: np.zeros(1, np.float32))
    assert np.array_equal(np.stack(plain.played), np.stack(inner.played))
    assert inner.played[0].dtype == np.float32
    assert all(np.array_equal(a, b[:3]) for a, b in zip(one, two, strict=True))


def test_residuals_are_bounded_scaled_and_clipped_to_the_space():
    env = ResidualAction("Pendulum-v1", lambda seen: [0.5], scale=0.25)  # half of the range is 2
    played = []
    for residual in (0.0, 1.0, -1.0, 9.0, 0.5):
        env.reset(seed=0)
        env.step(np.float32([residual]))
        played.append(float(env.played[0]))
    assert played == pytest.approx([0.5, 1.0, 0.0, 1.0, 0.75])
    env = ResidualAction("Pendulum-v1", lambda seen: [1.9], scale=0.25)
    env.reset(seed=0)
    env.step(np.float32([1.0]))
    assert env.played.tolist() == [2.0]
    assert env.action_space == gym.spaces.Box(-1, 1, (1,), np.float32)


def test_each_entry_of_an_action_may_have_a_scale_of_its_own():
    env = ResidualAction("point-mass", lambda seen: [1.0, 1.0], scale=[0.1, 0.5])
    env.reset(seed=0)
    env.step(np.float32([1, 1]))
    assert env.played.tolist() == [2.0, 6.0]  # half of the range is 10


def test_the_student_sees_what_the_base_would_do():
    env = ResidualAction(Reach(), swing)
    for seen in play(env, lambda seen: np.float32([0.5])):
        assert seen[3] == np.float32(np.clip(swing(seen)[0], -1, 1))
    env = ResidualAction("Pendulum-v1", lambda seen: [-2 * seen[0]])
    seen, _ = env.reset(seed=0)
    assert seen[3] == pytest.approx(-seen[0])  # in [-1, 1], whatever the range of actions
    assert env.observation_space.contains(seen)


@pytest.mark.parametrize("world", [ReachDict, ReachImage])
def test_other_observations_get_a_key(world):
    env = ResidualAction(world(), lambda seen: [0.25])
    seen, _ = env.reset(seed=0)
    assert seen["base_action"].tolist() == [0.25]
    assert env.observation_space.contains(seen)
    model = PPO("MultiInputPolicy", env, n_steps=8, batch_size=8, n_epochs=1, device="cpu")
    model.learn(8)


def test_it_is_an_environment_as_gymnasium_wants_it():
    check_env(ResidualAction(Reach(), swing), skip_render_check=True)


def test_a_recurrent_base_remembers_one_episode():
    model = RecurrentPPO("MlpLstmPolicy", Reach(), seed=0, device="cpu")
    env, inner = ResidualAction(Recorded(), model), Recorded()
    zero = lambda seen: np.zeros(1, np.float32)  # noqa: E731
    for _ in range(2):  # and begins anew
        env.env.played.clear()
        inner.played.clear()
        play(env, zero)
        state, first = None, True
        observation, _ = inner.reset(seed=0, options={"task": np.float32([9, 0.5])})
        for _ in range(15):
            starts = np.array([first])
            action, state = model.predict(observation, state, starts, deterministic=True)
            first = False
            observation, *_ = inner.step(action)
        assert np.array_equal(np.stack(env.env.played), np.stack(inner.played))


def test_a_base_may_be_another_one_for_other_tasks():
    models = [SAC("MlpPolicy", Reach(), seed=seed, device="cpu") for seed in (0, 1)]
    experts = [Expert(model) for model in models]
    regions = [({"distance": (0, 3)}, experts[0]), ({"distance": (5, 10)}, experts[1])]
    env = ResidualAction(Reach(), Experts.by_region(Reach.task_space, regions))
    for distance, model in ((2, models[0]), (8, models[1])):
        seen, _ = env.reset(seed=0, options={"task": np.float32([distance, 0])})
        assert seen[3] == model.predict(seen[:3], deterministic=True)[0][0]
    with pytest.raises(ValueError, match="nothing to correct"):
        env.reset(seed=0, options={"task": np.float32([4, 0])})


def test_what_cannot_be_corrected_is_refused():
    with pytest.raises(TypeError, match="Kickstart"):
        ResidualAction(ReachDiscrete(), lambda seen: 0)

    class Boundless(Reach):
        action_space = gym.spaces.Box(-np.inf, np.inf, (1,), np.float32)

    with pytest.raises(ValueError, match="no bounds"):
        ResidualAction(Boundless(), swing)
    for scale in (0, -0.1, 3, np.nan, [0.1, 0.2]):
        with pytest.raises(ValueError, match="scale"):
            ResidualAction(Reach(), swing, scale=scale)
    with pytest.raises(RuntimeError, match="reset"):
        ResidualAction(Reach(), swing).step([0.0])


def idly():
    return ResidualAction(Reach(), lambda seen: [0.0], scale=0.5)


def test_a_student_learns_what_the_base_cannot_do():
    """The base goes nowhere; the task is to go to the right, with half of the power."""
    for seed in range(2):
        venv = make_vec_env(idly, 4, seed=seed)
        student = PPO("MlpPolicy", venv, n_steps=64, batch_size=64, seed=seed, device="cpu")
        before, _ = evaluate_policy(student, venv, 8)
        student.learn(1500)
        assert (before, evaluate_policy(student, venv, 8)[0]) == (0, 1)


# --- runs -----------------------------------------------------------------------------------------


def idle(seen):
    return [0.3]


class ResidualReach(ResidualAction):
    """Reach with a base, so that its class alone makes it."""

    def __init__(self) -> None:
        super().__init__(Reach(), idle, scale=0.5)


PRESET = PPOPreset(rollout=64, batch_size=32, n_epochs=1, net_arch=(8,))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Return the folder of a run whose student is a base."""
    folder = tmp_path_factory.mktemp("base") / "run"
    teach(PRESET, PointMass, Random(), steps=128, folder=folder, evaluate_every=0)
    return folder


def test_run_folder_evaluation_and_command_line_rebuild_base_and_residual(tmp_path, base, capsys):
    make = partial(ResidualAction, env="point-mass", base=base, scale=0.3)
    tests = TestSet.uniform(PointMass.task_space, 3)
    settings = {"steps": 256, "test_set": tests, "checkpoint_every": 64}
    teach(PRESET, make, Random(), folder=tmp_path / "whole", **settings)
    stop = [StopAt(200)]
    with pytest.raises(KeyboardInterrupt):
        teach(PRESET, make, Random(), folder=tmp_path / "cut", callbacks=stop, **settings)
    resume(tmp_path / "cut")
    one, two = (Run.load(tmp_path / name) for name in ("whole", "cut"))
    for name in ("monitor.csv", "evaluations.csv"):
        assert (one.folder / name).read_bytes() == (two.folder / name).read_bytes()
    weights = [run.student.policy.state_dict() for run in (one, two)]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    rebuilt = one.env()
    assert isinstance(rebuilt, ResidualAction)
    again = evaluate(one.student, one.env, tests, normalizer=one.normalizer)
    assert again.rewards.tolist() == one.evaluations.rewards[-1].tolist()
    teachrl(["evaluate", str(one.folder)])
    told = " ".join(capsys.readouterr().out.split())  # the title breaks where its path is long
    assert f"mean return {again.mean_reward:.1f}" in told


def test_the_evaluated_student_is_base_and_residual_together(base):
    class Silent:
        action_space = gym.spaces.Box(-1, 1, (2,), np.float32)

        def predict(self, observations, **_):
            return np.zeros((len(observations), 2), np.float32), None

    run = Run.load(base)
    make = partial(ResidualAction, env="point-mass", base=base)
    tests = TestSet.uniform(PointMass.task_space, 4)
    together = evaluate(Silent(), make, tests, n_envs=1)
    alone = evaluate(run.student, PointMass, tests, n_envs=1, normalizer=run.normalizer)
    assert together.rewards.tolist() == alone.rewards.tolist()


def test_a_base_that_is_gone_is_named(tmp_path, base):
    make = partial(ResidualAction, env="point-mass", base=str(tmp_path / "gone"))
    with pytest.raises(FileNotFoundError, match="gone holds no trained student"):
        teach(PRESET, make, Random(), steps=64, folder=tmp_path / "run")


@pytest.mark.slow
def test_processes_give_the_same_run(tmp_path):
    weights = []
    for processes in (False, True):
        model = SAC("MlpPolicy", Reach(), seed=3, device="cpu")
        run = teach(
            SACPreset(learning_starts=40, buffer_size=500, batch_size=16, net_arch=(8,)),
            partial(_residual, model),
            Random(),
            steps=200,
            n_envs=2,
            processes=processes,
            evaluate_every=0,
            folder=tmp_path / str(processes),
        )
        weights.append(torch.cat([p.reshape(-1) for p in run.student.policy.parameters()]))
    assert torch.equal(*weights)


def _residual(model):
    return ResidualAction(Reach(), model, scale=0.4)
