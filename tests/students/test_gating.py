"""Tasks that are played and not learnt from."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import RecurrentPPO
from sb3_contrib.common.recurrent.buffers import RecurrentRolloutBuffer
from stable_baselines3 import A2C, DQN, PPO, SAC

from teachrl.core import Task
from teachrl.students import TaughtVecEnv, TeacherCallback, make_task_vec_env
from teachrl.students.gating import _sequences
from tests.students.worlds import Reach, ReachDict, ReachDiscrete, Scripted


def options(algorithm, **more):
    own = {"policy_kwargs": {"net_arch": [8]}, "device": "cpu", "seed": 0}
    if algorithm is PPO:
        own |= {"n_steps": 16, "batch_size": 8, "n_epochs": 2}
    elif algorithm is A2C:
        own |= {"n_steps": 8}
    elif algorithm is RecurrentPPO:
        own |= {"n_steps": 16, "batch_size": 8, "n_epochs": 2}
        own["policy_kwargs"] |= {"lstm_hidden_size": 4}
    else:
        own |= {"learning_starts": 8, "batch_size": 8, "train_freq": 2}
    return own | more


def policy_of(algorithm, world=Reach):
    kind = "MultiInput" if world is ReachDict else "Mlp"
    return f"{kind}LstmPolicy" if algorithm is RecurrentPPO else f"{kind}Policy"


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
    model = algorithm(policy_of(algorithm, world), env, **options(algorithm, **more))
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
            seen = (seen["vector"] if isinstance(seen, dict) else seen)[:, 1].numpy()
            if hasattr(samples, "mask"):  # sequences are padded to one length
                seen = seen[samples.mask.numpy() > 0]
            self.drawn.append(seen)
            return samples

        self.buffer._get_samples = watching

    def _on_training_end(self):
        pass


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.policy.parameters()])


class OneStep(Reach):
    """Reach whose episodes are over at once."""

    def __init__(self):
        super().__init__(limit=1)


EVERY = [
    (PPO, Reach),
    (A2C, Reach),
    (PPO, ReachDict),
    (SAC, Reach),
    (DQN, ReachDiscrete),
    (SAC, ReachDict),
    (RecurrentPPO, Reach),
    (RecurrentPPO, ReachDict),
]


@pytest.mark.parametrize(("algorithm", "world"), EVERY)
def test_no_step_of_an_explored_task_is_trained_on(algorithm, world):
    _, env, drawn = train(algorithm, Sorting(), world)
    assert env.ledger.explore > 0
    assert env.ledger.train > 0
    seen = np.concatenate(drawn)
    assert len(seen)
    assert set(np.unique(seen)) == {2.0}


@pytest.mark.parametrize("algorithm", [PPO, RecurrentPPO])
def test_on_policy_every_other_step_is_trained_on_once_per_epoch(algorithm):
    _, env, drawn = train(algorithm, Sorting(), steps=64)
    assert sum(map(len, drawn)) == 2 * env.ledger.train == env.ledger.gradient_samples
    assert env.ledger.explore + env.ledger.train == 64


@pytest.mark.parametrize("algorithm", [PPO, SAC, RecurrentPPO])
def test_with_nothing_to_leave_out_no_bit_changes(algorithm):
    env = TaughtVecEnv(make_task_vec_env(Reach, n=4), Never(), seed=0)
    stock = algorithm(policy_of(algorithm), env, **options(algorithm)).learn(160)
    gated, _, _ = train(algorithm, Never())
    assert torch.equal(weights(stock), weights(gated))


@pytest.mark.parametrize("algorithm", [PPO, A2C, SAC, RecurrentPPO])
def test_with_nothing_to_learn_from_the_student_stays_as_it_is(algorithm):
    model, env, _ = train(algorithm, Always())
    fresh = algorithm(policy_of(algorithm), env, **options(algorithm))
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


@pytest.mark.parametrize("batch", [3, 4, 8, None])
def test_recurrent_sequences_run_over_nothing_that_is_left_out(batch):
    """Each begins with the memory of its first step, and goes on without a gap in one episode."""
    steps, n_envs = 10, 3
    box = gym.spaces.Box(-1, 1, (1,))
    buffer = RecurrentRolloutBuffer(steps, box, box, (steps, 1, n_envs, 1), "cpu", n_envs=n_envs)
    index = np.arange(steps * n_envs, dtype=np.float32).reshape(n_envs, steps).T  # once flattened
    buffer.reset()
    for name in ("observations", "values", "advantages", "returns"):
        getattr(buffer, name)[...] = index.reshape(getattr(buffer, name).shape)
    for name in ("hidden_states_pi", "cell_states_pi", "hidden_states_vf", "cell_states_vf"):
        getattr(buffer, name)[...] = index.reshape(steps, 1, n_envs, 1)
    buffer.episode_starts[[0, 4, 7]] = 1
    buffer.full = True
    left_out = {*range(14, 17), *range(20, 24)}
    chosen = np.array([i for i in range(30) if i not in left_out])
    for seed in range(20):
        np.random.seed(seed)  # noqa: NPY002 - SB3's stream
        seen = []
        for samples in _sequences(buffer, chosen, batch):
            n = len(buffer.seq_start_indices)
            places = samples.observations.numpy().reshape(n, -1)
            lengths = samples.mask.numpy().reshape(n, -1).sum(axis=1).astype(int)
            assert lengths.sum() > 1
            memories = samples.lstm_states.pi[0].numpy().reshape(-1)
            for row, length, memory in zip(places, lengths, memories, strict=True):
                first, last = row[0], row[length - 1]
                assert (row[:length] == np.arange(first, last + 1)).all()
                assert memory == first
                assert not {*range(int(first), int(last))} & {3, 6, 9, 13, 16, 19, 23, 26}
                seen.extend(row[:length].astype(int))
        assert sorted(seen) == chosen.tolist()


def test_a_recurrent_student_does_not_learn_from_a_single_step():
    class One(Sorting):
        def explores(self, n):
            return n > 0

    model, env, _ = train(RecurrentPPO, One(), world=OneStep, n=2)
    assert env.ledger.train == 1
    assert torch.isfinite(weights(model)).all()
    assert env.ledger.gradient_samples == 0


def test_a_saving_replay_buffer_is_refused():
    with pytest.raises(ValueError, match="optimize_memory_usage"):
        train(
            SAC,
            Sorting(),
            optimize_memory_usage=True,
            replay_buffer_kwargs={"handle_timeout_termination": False},
        )
