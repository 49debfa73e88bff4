"""What a forgetting student forgets, and when."""

import numpy as np
import pytest
import torch
from stable_baselines3 import DQN, PPO, SAC, TD3
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecMonitor

from teachrl import teach
from teachrl.evaluation import TestSet
from teachrl.runs.checkpoints import checkpoints
from teachrl.students import TaughtVecEnv, make_task_vec_env
from teachrl.students.forgetting import Forgetting, forget
from teachrl.students.presets import PPOPreset, SACPreset
from teachrl.teachers import Random
from tests.runs.test_resume import everything
from tests.students.worlds import Reach, ReachDiscrete

OFF_POLICY = {"learning_starts": 20, "buffer_size": 400, "batch_size": 16}
STUDENTS = {
    "PPO": (PPO, Reach, {"n_steps": 32, "batch_size": 32}),
    "SAC": (SAC, Reach, OFF_POLICY),
    "SAC with learnt entropy": (SAC, Reach, OFF_POLICY | {"ent_coef": "auto_0.2"}),
    "TD3": (TD3, Reach, OFF_POLICY),
    "DQN": (DQN, ReachDiscrete, OFF_POLICY),
}


def make(name):
    student, env, options = STUDENTS[name]
    taught = TaughtVecEnv(make_task_vec_env(env, 2), Random(), seed=0)
    return student("MlpPolicy", VecMonitor(taught), seed=0, **options)


def weights(model):
    return {name: p.detach().clone() for name, p in model.policy.named_parameters()}


def optimizers(model):
    return [m.optimizer for m in model.policy.modules() if hasattr(m, "optimizer")]


@pytest.mark.parametrize("name", STUDENTS)
def test_networks_optimisers_and_buffer_begin_anew(name):
    model = make(name).learn(192)
    trained, modules = weights(model), [id(m) for m in model.policy.modules()]
    assert any(o.state for o in optimizers(model))
    forget(model)
    anew = weights(model)
    matrices = [n for n, p in anew.items() if p.dim() == 2]
    assert all(not torch.equal(anew[n], trained[n]) for n in matrices)
    assert [id(m) for m in model.policy.modules()] == modules
    assert not any(o.state for o in optimizers(model))
    for optimizer in optimizers(model):  # they move what the networks use
        known = {id(p) for p in model.policy.parameters()}
        assert {id(p) for group in optimizer.param_groups for p in group["params"]} <= known
    if name != "PPO":
        assert model.replay_buffer.size() == 0


@pytest.mark.parametrize("name", STUDENTS)
def test_new_weights_are_spread_as_first_ones_are(name):
    model = make(name)
    first = weights(model)
    model.learn(192)
    forget(model)
    for key, anew in weights(model).items():
        if anew.dim() == 2 and anew.numel() > 1000:
            assert float(anew.std()) == pytest.approx(float(first[key].std()), rel=0.2)


@pytest.mark.parametrize("name", ["SAC", "TD3", "DQN"])
def test_target_networks_forget_with_the_others(name):
    model = make(name).learn(192)
    forget(model)
    online, target = (
        (model.q_net, model.q_net_target) if name == "DQN" else (model.critic, model.critic_target)
    )
    for a, b in zip(online.parameters(), target.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_learnt_entropy_coefficient_goes_back_to_its_start():
    model = make("SAC with learnt entropy").learn(192)
    assert float(model.log_ent_coef.detach().exp()) != pytest.approx(0.2, rel=1e-6)
    forget(model)
    assert float(model.log_ent_coef.detach().exp()) == pytest.approx(0.2, rel=1e-6)
    assert not model.ent_coef_optimizer.state


class Watch(BaseCallback):
    """Notes, at the start of each rollout, the steps and how often it has been forgotten."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def _on_rollout_start(self):
        self.seen.append((self.num_timesteps, getattr(self.model, "times_forgotten", 0)))

    def _on_step(self):
        return True


@pytest.mark.parametrize("name", ["PPO", "SAC"])
def test_it_happens_at_each_multiple_and_never_at_the_start(name):
    model, watch = make(name), Watch()
    model.learn(320, callback=[Forgetting(every=100), watch])
    for steps, times in watch.seen:
        assert times == steps // 100
    assert watch.seen[0] == (0, 0)
    assert model.times_forgotten >= 2


def test_no_new_random_actions_follow():
    model = make("SAC")
    model.learn(100, callback=Forgetting(every=60))
    assert model.times_forgotten == 1
    assert model.num_timesteps > model.learning_starts
    assert model.replay_buffer.size() < 50


class Stop(BaseCallback):
    """Fails in the middle of a rollout."""

    def _on_step(self):
        if self.num_timesteps >= 260:
            raise InterruptedError
        return True


@pytest.mark.parametrize("name", ["ppo", "sac"])
def test_a_resumed_run_forgets_at_the_same_steps(tmp_path, name):
    student = {
        "ppo": PPOPreset(rollout=64, batch_size=32, n_epochs=2, net_arch=(8,)),
        "sac": SACPreset(learning_starts=40, buffer_size=300, batch_size=16, net_arch=(8,)),
    }[name]

    def lesson(folder, *callbacks):
        return teach(
            student,
            Reach,
            Random(),
            steps=400,
            n_envs=2,
            folder=folder,
            callbacks=[Forgetting(every=128), *callbacks],
            checkpoint_every=64,
            test_set=TestSet.grid(Reach.task_space, 2),
        )

    unbroken = lesson(tmp_path / "unbroken")
    with pytest.raises(InterruptedError):
        lesson(tmp_path / "resumed", Stop())
    assert checkpoints(tmp_path / "resumed")
    resumed = lesson(tmp_path / "resumed")
    assert resumed.student.times_forgotten == unbroken.student.times_forgotten == 3
    assert everything(resumed.folder) == everything(unbroken.folder)


def test_students_without_torch_networks_are_refused():
    class Jax:
        policy = None
        num_timesteps = 0
        logger = None

        def get_env(self):
            return None

    callback = Forgetting(every=10)
    callback.model = Jax()
    with pytest.raises(TypeError, match="Jax cannot forget"):
        callback._on_training_start()


@pytest.mark.parametrize("every", [0, -5, 1.5, True, np.float64(3)])
def test_a_number_of_steps_is_positive(every):
    with pytest.raises(ValueError, match="every must be a whole number"):
        Forgetting(every)
