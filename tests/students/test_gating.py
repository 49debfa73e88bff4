"""Tasks that are played and not learnt from."""

import numpy as np
import pytest
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import A2C, DQN, PPO, SAC

from teachrl.core import Task
from teachrl.students import TaughtVecEnv, TeacherCallback, make_task_vec_env
from tests.students.worlds import Reach, ReachDict, ReachDiscrete, Scripted


def options(algorithm, **more):
    own = {"policy_kwargs": {"net_arch": [8]}, "device": "cpu", "seed": 0}
    if algorithm is PPO:
        own |= {"n_steps": 16, "batch_size": 8, "n_epochs": 2}
    elif algorithm is A2C:
        own |= {"n_steps": 8}
    elif algorithm is not RecurrentPPO:
        own |= {"learning_starts": 8, "batch_size": 8, "train_freq": 2}
    return own | more


class Sorting(Scripted):
    """Explores the tasks that ``explores`` is true of; their distances are told apart by it."""

    def explores(self, n):
        return n % 2 == 1

    def sample(self):
        n = self.n_sampled = getattr(self, "n_sampled", -1) + 1
        explored = self.explores(n)
        return Task(np.float32([8.0 if explored else 2.0, 0.5]), learn=not explored)


class Never(Sorting):
    def explores(self, n):
        return False


class Always(Sorting):
    def explores(self, n):
        return True


def train(algorithm, teacher, world=Reach, n=4, steps=160, **more):
    env = TaughtVecEnv(make_task_vec_env(world, n=n), teacher, seed=0)
    policy = "MultiInputPolicy" if world is ReachDict else "MlpPolicy"
    model = algorithm(policy, env, **options(algorithm, **more))
    drawn = []
    buffer = model.rollout_buffer if hasattr(model, "rollout_buffer") else model.replay_buffer
    model.learn(steps, callback=[TeacherCallback(), Watching(buffer, drawn)])
    return model, env, drawn


class Watching(TeacherCallback):
    """Writes down what is trained on."""

    def __init__(self, buffer, drawn):
        super().__init__()
        self.buffer, self.drawn = buffer, drawn

    def _on_training_start(self):
        pass

    def _on_step(self):
        return True

    def _on_rollout_start(self):
        vars(self.buffer).pop("_get_samples", None)

    def _on_rollout_end(self):
        stock = self.buffer._get_samples

        def watching(*given, **named):
            samples = stock(*given, **named)
            seen = samples.observations
            self.drawn.append((seen["vector"] if isinstance(seen, dict) else seen)[:, 1].numpy())
            return samples

        self.buffer._get_samples = watching

    def _on_training_end(self):
        pass


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.policy.parameters()])


EVERY = [
    (PPO, Reach),
    (A2C, Reach),
    (PPO, ReachDict),
    (SAC, Reach),
    (DQN, ReachDiscrete),
    (SAC, ReachDict),
]


@pytest.mark.parametrize(("algorithm", "world"), EVERY)
def test_no_step_of_an_explored_task_is_trained_on(algorithm, world):
    _, env, drawn = train(algorithm, Sorting(), world)
    assert env.ledger.explore > 0
    assert env.ledger.train > 0
    seen = np.concatenate(drawn)
    assert len(seen)
    assert set(np.unique(seen)) == {2.0}


def test_on_policy_every_other_step_is_trained_on_once_per_epoch():
    _, env, drawn = train(PPO, Sorting(), steps=64)
    assert sum(map(len, drawn)) == 2 * env.ledger.train == env.ledger.gradient_samples
    assert env.ledger.explore + env.ledger.train == 64


@pytest.mark.parametrize("algorithm", [PPO, SAC])
def test_with_nothing_to_leave_out_no_bit_changes(algorithm):
    env = TaughtVecEnv(make_task_vec_env(Reach, n=4), Never(), seed=0)
    stock = algorithm("MlpPolicy", env, **options(algorithm)).learn(160)
    gated, _, _ = train(algorithm, Never())
    assert torch.equal(weights(stock), weights(gated))


@pytest.mark.parametrize("algorithm", [PPO, A2C, SAC])
def test_with_nothing_to_learn_from_the_student_stays_as_it_is(algorithm):
    model, env, _ = train(algorithm, Always())
    fresh = algorithm("MlpPolicy", env, **options(algorithm))
    assert torch.equal(weights(fresh), weights(model))
    assert env.ledger.as_dict()["gradient_samples"] == 0
    assert "train" not in vars(model)


def test_what_is_hidden_may_come_round_again_in_a_small_buffer():
    class First(Sorting):
        def explores(self, n):
            return n < 4

    model, _, _ = train(SAC, First(), steps=400, buffer_size=80)
    assert model.replay_buffer.full
    assert model.replay_buffer.n_hidden == 0


def test_draws_among_the_learnable_are_uniform():
    from teachrl.students.gating import _draw

    for share in (0.5, 0.01, 0.0005):
        mask = np.zeros((2000, 4), bool)
        places = np.random.default_rng(0).choice(8000, max(int(share * 8000), 4), replace=False)
        mask.reshape(-1)[places] = True
        rows, columns = _draw(mask, 20_000)
        counts = np.bincount(rows * 4 + columns, minlength=8000)
        assert counts[~mask.reshape(-1)].sum() == 0
        expected = 20_000 / len(places)
        assert ((counts[places] - expected) ** 2 / expected).sum() < len(places) + 6 * np.sqrt(
            2 * len(places)
        )


def test_a_recurrent_student_is_refused_when_it_matters():
    env = TaughtVecEnv(make_task_vec_env(Reach, n=2), Sorting(), seed=0)
    student = RecurrentPPO("MlpLstmPolicy", env, n_steps=16, batch_size=8, device="cpu")
    with pytest.raises(ValueError, match="whole sequences"):
        student.learn(64, callback=TeacherCallback())


def test_a_saving_replay_buffer_is_refused():
    with pytest.raises(ValueError, match="optimize_memory_usage"):
        train(
            SAC,
            Sorting(),
            optimize_memory_usage=True,
            replay_buffer_kwargs={"handle_timeout_termination": False},
        )
