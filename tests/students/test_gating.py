"""Tasks that are played and not learnt from."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import TRPO, MaskablePPO, RecurrentPPO
from sb3_contrib.common.recurrent.buffers import RecurrentRolloutBuffer
from stable_baselines3 import A2C, DQN, PPO, SAC
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback

from teachrl.core import Task
from teachrl.students import TaughtVecEnv, TeacherCallback, make_task_vec_env
from teachrl.students.gating import _sequences
from tests.students.worlds import Reach, ReachDict, ReachDiscrete, Scripted


def options(algorithm, **more):
    own = {"policy_kwargs": {"net_arch": [8]}, "device": "cpu", "seed": 0}
    if algorithm in (PPO, MaskablePPO):
        own |= {"n_steps": 16, "batch_size": 8, "n_epochs": 2}
    elif algorithm is A2C:
        own |= {"n_steps": 8}
    elif algorithm is TRPO:
        own |= {"n_steps": 16, "batch_size": 8}
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


def train(algorithm, teacher, world=Reach, *, n=4, steps=160, taken=None, **more):
    env = TaughtVecEnv(make_task_vec_env(world, n=n), teacher, seed=0)
    model = algorithm(policy_of(algorithm, world), env, **options(algorithm, **more))
    drawn = []
    if taken is not None:  # the sizes of the minibatches that the optimiser steps on
        optimizer = model.policy.optimizer
        optimizer.register_step_post_hook(lambda *_: taken.append(len(drawn[-1])))
    buffer = model.rollout_buffer if hasattr(model, "rollout_buffer") else model.replay_buffer
    callbacks = [TeacherCallback(), Watching(buffer, drawn)]
    plain = {"use_masking": False} if algorithm is MaskablePPO else {}
    model.learn(steps, callback=callbacks, **plain)
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


class OneStepDiscrete(ReachDiscrete, OneStep):
    """The same with two actions."""


EVERY = [
    (PPO, Reach),
    (A2C, Reach),
    (PPO, ReachDict),
    (SAC, Reach),
    (DQN, ReachDiscrete),
    (SAC, ReachDict),
    (RecurrentPPO, Reach),
    (RecurrentPPO, ReachDict),
    (MaskablePPO, ReachDiscrete),
    (TRPO, Reach),
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
        for samples in _sequences(buffer, chosen, batch, 2):
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


def only_first(learnt):
    """Return a teacher of whom only the first tasks are learnt from."""

    class OnlyFirst(Sorting):
        def explores(self, n):
            return n >= learnt

    return OnlyFirst()


NORMALIZING = [
    (RecurrentPPO, {}, OneStep),
    (A2C, {"normalize_advantage": True}, OneStep),
    (TRPO, {}, OneStep),
    (MaskablePPO, {}, OneStepDiscrete),
]


@pytest.mark.parametrize(("algorithm", "more", "world"), NORMALIZING)
def test_no_student_divides_by_the_deviation_of_a_single_step(algorithm, more, world):
    model, env, _ = train(algorithm, only_first(1), world=world, n=2, **more)
    assert env.ledger.train == 1
    assert torch.isfinite(weights(model)).all()
    assert env.ledger.gradient_samples == 0


def test_those_who_do_not_divide_learn_from_a_single_step():
    for algorithm, more in ((PPO, {}), (A2C, {}), (RecurrentPPO, {"normalize_advantage": False})):
        model, env, _ = train(algorithm, only_first(1), OneStep, n=2, steps=32, **more)
        assert env.ledger.gradient_samples == getattr(model, "n_epochs", 1)
        assert torch.isfinite(weights(model)).all()


@pytest.mark.parametrize("algorithm", [PPO, MaskablePPO])
def test_a_rest_of_one_step_is_no_minibatch_of_those_who_divide(algorithm):
    more = {"steps": 64, "target_kl": 100.0}  # which would count steps, and cuts nothing short
    model, env, drawn = train(algorithm, only_first(9), OneStepDiscrete, **more)
    assert env.ledger.train == 9
    assert env.ledger.gradient_samples == 2 * 9
    assert [len(seen) for seen in drawn] == ([8, 1] * 2 if algorithm is PPO else [9] * 2)
    assert torch.isfinite(weights(model)).all()


def test_of_what_trpo_takes_every_third_there_are_two():
    for n, trains in ((3, False), (4, True)):
        model, env, _ = train(TRPO, only_first(n), OneStep, steps=64, sub_sampling_factor=3)
        assert (env.ledger.gradient_samples > 0) is trains
        assert torch.isfinite(weights(model)).all()


CUT_SHORT = [(PPO, Reach), (RecurrentPPO, Reach), (MaskablePPO, ReachDiscrete)]


@pytest.mark.parametrize(("algorithm", "world"), CUT_SHORT)
@pytest.mark.parametrize("teacher", [Never, Sorting])
@pytest.mark.parametrize("target_kl", [1e-9, 1e-5, 100.0])
def test_an_epoch_that_target_kl_cuts_short_counts_as_far_as_it_went(
    algorithm, world, teacher, target_kl
):
    taken, more = [], {"n_steps": 19, "batch_size": 12, "n_epochs": 3}  # with a rest of four
    model, env, _ = train(algorithm, teacher(), world, taken=taken, target_kl=target_kl, **more)
    assert env.ledger.gradient_samples == sum(taken) > 0
    if teacher is Never:
        whole = model._n_updates * 4 * 19
        assert sum(taken) < whole if target_kl < 1 else sum(taken) == whole
    assert len(model.policy.optimizer._optimizer_step_post_hooks) == 1  # the test's own


def test_trpo_counts_a_rollout_once():
    taken = []
    model, env, _ = train(TRPO, Never(), taken=taken)
    assert env.ledger.gradient_samples == model._n_updates * 4 * 16
    assert sum(taken) == model.n_critic_updates * env.ledger.gradient_samples


class Ending(BaseCallback):
    """Ends a training in the middle of a rollout."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def _on_step(self):
        return self.n_calls < self.at


@pytest.mark.parametrize("is_new", [False, True])
def test_a_training_that_was_cut_short_leaves_nothing_to_the_next_one(is_new):
    env = TaughtVecEnv(make_task_vec_env(Reach, n=4), Sorting(), seed=0)
    model = PPO("MlpPolicy", env, **options(PPO))
    teaching, drawn = TeacherCallback(), []
    model.learn(640, callback=[teaching, Ending(58)])
    watching = Watching(model.rollout_buffer, drawn)
    teaching = TeacherCallback() if is_new else teaching
    model.learn(64, callback=[teaching, watching], reset_num_timesteps=False)
    assert set(np.unique(np.concatenate(drawn))) == {2.0}


def test_a_training_that_ends_behind_the_gate_leaves_it_open():
    class Failing(Watching):
        def _on_rollout_end(self):
            raise InterruptedError

    env = TaughtVecEnv(make_task_vec_env(Reach, n=4), Sorting(), seed=0)
    model = PPO("MlpPolicy", env, **options(PPO))
    with pytest.raises(InterruptedError):
        model.learn(64, callback=[TeacherCallback(), Failing(model.rollout_buffer, [])])
    assert "get" in vars(model.rollout_buffer)
    (teaching := TeacherCallback()).init_callback(model)
    teaching.on_training_start({}, {})
    assert "get" not in vars(model.rollout_buffer)


def test_a_step_that_is_counted_twice_is_found_out():
    env = TaughtVecEnv(make_task_vec_env(Reach, n=4), Always(), seed=0)
    teaching = TeacherCallback()
    with pytest.raises(RuntimeError, match="list every TeacherCallback once"):
        PPO("MlpPolicy", env, **options(PPO)).learn(64, callback=[teaching, teaching])


class Shuffling(RolloutBuffer):
    """A rollout buffer of a user, which hands out minibatches in a way of its own."""

    def get(self, batch_size=None):
        yield from super().get(batch_size)


def test_a_rollout_buffer_of_a_user_is_refused_before_the_first_step():
    env = TaughtVecEnv(make_task_vec_env(Reach, n=4), Always(), seed=0)
    model = PPO("MlpPolicy", env, **options(PPO, rollout_buffer_class=Shuffling))
    with pytest.raises(ValueError, match=r"the Shuffling of PPO .* without rollout_buffer_class"):
        model.learn(64, callback=TeacherCallback())
    assert env.steps == 0


def test_a_rollout_buffer_of_a_user_is_refused_once_it_must_leave_something_out():
    _, env, _ = train(PPO, Never(), rollout_buffer_class=Shuffling)
    assert env.ledger.gradient_samples > 0
    with pytest.raises(ValueError, match="the Shuffling of PPO"):
        train(PPO, only_first(8), OneStep, rollout_buffer_class=Shuffling)


def test_a_saving_replay_buffer_is_refused():
    with pytest.raises(ValueError, match="optimize_memory_usage"):
        train(
            SAC,
            Sorting(),
            optimize_memory_usage=True,
            replay_buffer_kwargs={"handle_timeout_termination": False},
        )
