"""An expert's term in a student's loss."""

import numpy as np
import pytest
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from teachrl import Task, teach
from teachrl.evaluation.test_sets import TestSet
from teachrl.students import Kickstart, TaughtVecEnv, TeacherCallback, make_task_vec_env
from teachrl.students.divergences import answer, divergence_of
from teachrl.students.experts import Expert, Experts
from teachrl.students.kickstart_weights import (
    Constant,
    Exponential,
    External,
    Linear,
    Moment,
    ReturnRatio,
)
from teachrl.teachers import Random
from tests.students.worlds import Reach, ReachDict, ReachDiscrete, Scripted


def options(algorithm, seed=0, **more):
    own = {"policy_kwargs": {"net_arch": [16]}, "device": "cpu"} | (
        {} if seed is None else {"seed": seed}
    )
    if algorithm is PPO:
        own |= {"n_steps": 32, "batch_size": 16, "n_epochs": 3}
    elif algorithm is A2C:
        own |= {"n_steps": 32}
    else:
        own |= {"learning_starts": 20, "batch_size": 16, "train_freq": 4}
    return own | more


def envs(world, n=2):
    return make_vec_env(world, n_envs=n, seed=0)


def make(algorithm, world, seed=0, **more):
    return algorithm("MlpPolicy", envs(world), **options(algorithm, seed, **more))


def opinionated(algorithm, world, seed=1):
    """Return an untrained expert whose actions differ from one state to the next."""
    model = make(algorithm, world, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.policy.named_parameters():
            if parameter.ndim == 2 and "value" not in name and "target" not in name:
                parameter.add_(0.5 * torch.randn(parameter.shape, generator=generator))
    return model


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.policy.parameters()])


def distance(expert, student, form):
    states = np.random.default_rng(0).uniform([-2, 1, 0], [2, 1, 20], size=(64, 3))
    seen = torch.as_tensor(states, dtype=torch.float32)
    with torch.no_grad():
        measure = divergence_of("fkl", 1.0)
        return float(measure(answer(expert, form, seen), answer(student, form, seen)).mean())


class Stopping(BaseCallback):
    """Ends training after its first rollout, before it is learnt from."""

    def _on_step(self):
        return True

    def _on_rollout_end(self):
        self.model.train = lambda: None


EVERY = [
    (PPO, Reach, "gaussian"),
    (PPO, ReachDiscrete, "logits"),
    (A2C, ReachDiscrete, "logits"),
    (SAC, Reach, "squashed"),
    (TD3, Reach, "actions"),
    (DQN, ReachDiscrete, "logits"),
]


@pytest.mark.parametrize(("algorithm", "world", "form"), EVERY)
def test_every_student_comes_nearer_to_its_expert(algorithm, world, form):
    expert = opinionated(algorithm, world)
    quick = {"learning_rate": 0.01}
    alone, guided = make(algorithm, world, **quick), make(algorithm, world, **quick)
    before = distance(expert, guided, form)
    alone.learn(640)
    guided.learn(640, callback=Kickstart(expert, weight=100.0))
    after = distance(expert, guided, form)
    assert after < 0.7 * before
    assert after < 0.7 * distance(expert, alone, form)


@pytest.mark.parametrize(("algorithm", "world", "form"), EVERY)
@pytest.mark.parametrize("own", [None, 0.5])
def test_a_weight_of_zero_changes_no_bit(algorithm, world, form, own):
    expert = make(algorithm, world, seed=1)
    alone = make(algorithm, world).learn(160)
    guided = make(algorithm, world)
    guided.learn(160, callback=Kickstart(expert, weight=0.0, max_grad_norm=own))
    assert torch.equal(weights(alone), weights(guided))


def test_the_term_stands_in_the_loss_of_ppo_before_its_clipping():
    """One update, written out: surrogate, value and divergence in one loss, then one clipping."""
    expert = opinionated(PPO, ReachDiscrete)
    given = {"n_epochs": 1, "batch_size": 64, "max_grad_norm": 0.1, "learning_rate": 1.0}
    given["policy_kwargs"] = {"net_arch": [16], "optimizer_class": torch.optim.SGD}
    given["policy_kwargs"]["optimizer_kwargs"] = {}
    student = make(PPO, ReachDiscrete, **given)
    student.learn(64, callback=Kickstart(expert, weight=3.0))
    by_hand = make(PPO, ReachDiscrete, **given)
    by_hand.learn(64, callback=Stopping())
    buffer = by_hand.rollout_buffer
    [data] = list(buffer.get(64))
    values, log_prob, _ = by_hand.policy.evaluate_actions(
        data.observations, data.actions.long().flatten()
    )
    advantages = (data.advantages - data.advantages.mean()) / (data.advantages.std() + 1e-8)
    ratio = torch.exp(log_prob - data.old_log_prob)
    surrogate = -torch.min(advantages * ratio, advantages * ratio.clamp(0.8, 1.2)).mean()
    value = torch.nn.functional.mse_loss(data.returns, values.flatten())
    ours = torch.log_softmax(
        by_hand.policy.get_distribution(data.observations).distribution.logits, 1
    )
    with torch.no_grad():
        theirs = expert.policy.get_distribution(data.observations).distribution
    divergence = (theirs.probs * (theirs.logits - ours)).sum(1).mean()
    by_hand.policy.optimizer.zero_grad()
    (surrogate + 0.5 * value + 3.0 * divergence).backward()
    torch.nn.utils.clip_grad_norm_(by_hand.policy.parameters(), 0.1)
    by_hand.policy.optimizer.step()
    torch.testing.assert_close(weights(student), weights(by_hand), rtol=1e-5, atol=1e-7)


def test_sb3_still_zeroes_gradients_right_before_it_makes_them():
    """Kickstarting stands on this order; should a release change it, this test says so."""
    for algorithm, world, _ in EVERY:
        model, calls = make(algorithm, world), []
        actor = getattr(model.policy, "actor", None)
        optimizer = model.policy.optimizer if actor is None else actor.optimizer
        parameter = optimizer.param_groups[0]["params"][0]
        parameter.register_hook(lambda _, calls=calls: calls.append("gradient"))
        zero, step = optimizer.zero_grad, optimizer.step
        optimizer.zero_grad = lambda *a, zero=zero, calls=calls: (calls.append("zero"), zero(*a))[1]
        optimizer.step = lambda *a, step=step, calls=calls: (calls.append("step"), step(*a))[1]
        model.learn(96)
        moves = [c for c in calls if c != "gradient"]
        assert moves
        assert moves == ["zero", "step"] * (len(moves) // 2), algorithm.__name__
        between = "".join(c[0] for c in calls).split("z")[1:]
        assert all("g" in piece.split("s")[0] for piece in between), algorithm.__name__


def test_by_itself_its_gradient_is_clipped_to_the_given_norm():
    expert = opinionated(PPO, ReachDiscrete)
    given = {"n_epochs": 1, "batch_size": 64, "max_grad_norm": 1e9}
    seen = []

    class Recording(Kickstart):
        def _on_rollout_end(self):
            super()._on_rollout_end()
            self.model.policy.optimizer.register_step_pre_hook(
                lambda o, *_: seen.append([p.grad.clone() for p in o.param_groups[0]["params"]])
            )

    for norm in (1e-3, 0.5):
        make(PPO, ReachDiscrete, **given).learn(
            64, callback=Recording(expert, weight=1e4, max_grad_norm=norm)
        )
    make(PPO, ReachDiscrete, **given).learn(64, callback=Recording(expert, weight=0.0))
    small, large, none = (torch.cat([g.flatten() for g in grads]) for grads in seen)
    assert float((small - none).norm()) == pytest.approx(1e-3, rel=0.02)
    assert float((large - none).norm()) == pytest.approx(0.5, rel=0.02)


def test_nothing_is_left_on_the_model(tmp_path):
    expert, student = make(PPO, Reach, seed=1), make(PPO, Reach)
    names = sorted(student.policy.state_dict())
    student.learn(128, callback=Kickstart(expert, weight=1.0))
    assert "zero_grad" not in vars(student.policy.optimizer)
    assert "_get_samples" not in vars(student.rollout_buffer)
    assert sorted(student.policy.state_dict()) == names
    student.save(tmp_path / "student.zip")
    loaded = PPO.load(tmp_path / "student.zip", env=envs(Reach))
    loaded.learn(64, callback=Kickstart(expert, weight=1.0), reset_num_timesteps=False)


class Ordered(Scripted):
    """Teaches tasks of two kinds in turn."""

    def sample(self):
        task = super().sample()
        params = task.params.copy()
        params[0] = 2.0 if len(self.log) % 2 else 8.0
        return type(task)(params)


@pytest.mark.parametrize("algorithm", [PPO, SAC])
def test_each_state_is_referred_to_the_expert_of_its_task(algorithm):
    env = TaughtVecEnv(make_task_vec_env(Reach, n=3), Ordered(), seed=0)
    asked = []

    class Listening(Expert):
        def answer(self, form, observations):
            asked.append((self.kind, set(observations[:, 1].tolist())))
            return super().answer(form, observations)

    experts = [Listening(make(algorithm, Reach, seed=s)) for s in (1, 2)]
    experts[0].kind, experts[1].kind = 2.0, 8.0
    routed = Experts.by_region(
        env.task_space, [({"distance": (0, 5)}, experts[0]), ({"distance": (5, 10)}, experts[1])]
    )
    model = algorithm("MlpPolicy", env, **options(algorithm))
    model.learn(192, callback=Kickstart(routed, weight=1.0))
    assert {kind for kind, _ in asked} == {2.0, 8.0}
    assert all(seen == {kind} for kind, seen in asked)


def test_tasks_that_nobody_knows_are_left_to_the_student():
    env = TaughtVecEnv(make_task_vec_env(Reach, n=2), Ordered(), seed=0)
    nobody = Experts([Expert(make(PPO, Reach, seed=1))], lambda params: np.full(len(params), -1))
    guided = PPO("MlpPolicy", env, **options(PPO)).learn(64, callback=Kickstart(nobody, weight=5.0))
    env = TaughtVecEnv(make_task_vec_env(Reach, n=2), Ordered(), seed=0)
    alone = PPO("MlpPolicy", env, **options(PPO)).learn(64)
    assert torch.equal(weights(alone), weights(guided))


def test_the_expert_of_the_most_similar_mastered_task_is_asked():
    space = Reach.task_space
    model = make(PPO, Reach)
    experts = [
        Expert(model, mastered=np.float32([[1, 0], [2, 0]])),
        Expert(model, mastered=np.float32([[8, 1]])),
        Expert(model, mastered=np.empty((0, 2), np.float32)),
    ]
    nearest = Experts.nearest(space, experts, farthest=0.3)
    owners = nearest.owner(np.float32([[1.5, 0.1], [9, 0.9], [5, 0.5]]))
    assert owners.tolist() == [0, 1, -1]


def test_an_expert_gets_its_own_normalisation_of_raw_observations():
    seen = []

    class Listening(Expert):
        def answer(self, form, observations):
            seen.append(np.array(observations))
            return super().answer(form, observations)

    env = VecNormalize(envs(Reach))
    student = PPO("MlpPolicy", env, **options(PPO))
    other = VecNormalize(envs(Reach))
    other.obs_rms.mean = np.array([100.0, 100.0, 100.0])
    other.training = False
    expert = Listening(make(PPO, Reach, seed=1), normalizer=other)
    student.learn(64, callback=Kickstart(expert, weight=1.0))
    [raw] = seen
    assert raw.shape == (64, 3)
    # Raw counters are whole numbers, and rows go environment by environment.
    np.testing.assert_array_equal(raw[:, 2], np.rint(raw[:, 2]))
    for before, after in zip(raw[:31, 2], raw[1:32, 2], strict=True):
        assert after in (before + 1, 0)
    with torch.no_grad():
        expected = answer(expert.model, "gaussian", torch.as_tensor(other.normalize_obs(raw)))
    torch.testing.assert_close(expert.answer("gaussian", raw).tensors[0], expected.tensors[0])


def test_dict_observations_are_routed_too():
    expert = PPO("MultiInputPolicy", envs(ReachDict), **options(PPO, seed=1))
    alone = PPO("MultiInputPolicy", envs(ReachDict), **options(PPO))
    alone.learn(64)
    student = PPO("MultiInputPolicy", envs(ReachDict), **options(PPO))
    student.learn(64, callback=Kickstart(expert, weight=10.0))
    assert not torch.equal(weights(alone), weights(student))


def test_steps_that_are_left_out_do_not_confuse_whose_rows_are_drawn():
    class Exploring(Ordered):
        def sample(self):
            task = super().sample()
            return type(task)(task.params, learn=task.params[0] < 5)

    asked = []

    class Listening(Expert):
        def answer(self, form, observations):
            asked.append(set(observations[:, 1].tolist()))
            return super().answer(form, observations)

    env = TaughtVecEnv(make_task_vec_env(Reach, n=3), Exploring(), seed=0)
    student = SAC("MlpPolicy", env, **options(SAC))
    guided = Kickstart(Listening(make(SAC, Reach, seed=1)), weight=1.0)
    student.learn(192, callback=[TeacherCallback(), guided])
    assert asked
    assert all(seen == {2.0} for seen in asked)


def test_a_recurrent_expert_follows_the_student_with_its_own_memory():
    expert = RecurrentPPO(
        "MlpLstmPolicy", envs(Reach), n_steps=32, batch_size=16, seed=1, device="cpu"
    )
    student, heard = make(PPO, Reach), []

    class Recording(Kickstart):
        def _on_rollout_end(self):
            super()._on_rollout_end()
            heard.append((self._answers._states, self._answers._all))

    student.learn(64, callback=Recording(Expert(expert), weight=1.0))
    states, answers = heard[0]
    state, expected = None, []
    for seen in states:
        start = seen[:, 2] == 0  # the first step of an episode
        action, state = expert.predict(seen, state, start, deterministic=True)
        expected.append(action)
    means = answers.tensors[0].reshape(2, 32, 1).numpy()  # environment by environment
    clipped = np.clip(means.swapaxes(0, 1), -1, 1)
    np.testing.assert_allclose(clipped, np.stack(expected), atol=1e-5)
    with pytest.raises(ValueError, match="on-policy student"):
        make(SAC, Reach).learn(64, callback=Kickstart(Expert(expert), weight=1.0))


def test_other_spaces_are_refused_with_both():
    with pytest.raises(ValueError, match=r"Discrete\(2\), the student's are Box"):
        make(PPO, Reach).learn(64, callback=Kickstart(make(PPO, ReachDiscrete), weight=1.0))


def test_weights_fall_as_they_say():
    assert [Linear(2.0, until=100)(Moment(s, None, None, None)) for s in (0, 50, 100, 500)] == [
        2,
        1,
        0,
        0,
    ]
    assert Exponential(1.0, half_life=10)(Moment(10_000, None, None, None)) == 0.0
    assert Constant(0.5)(Moment(7, None, None, None)) == 0.5
    ratio = ReturnRatio(start=3.0, floor=-100)
    moments = [Moment(0, r, 300.0, None) for r in (-100.0, 100.0, 300.0, 500.0)]
    assert [ratio(m) for m in moments] == [3.0, 1.5, 0.0, 0.0]
    assert ReturnRatio(expert_return=1.0)(Moment(0, 0.25, None, 0.0)) == 0.75


def test_the_default_weight_wants_to_know_the_returns():
    expert = make(PPO, Reach, seed=1)
    with pytest.raises(ValueError, match="expected floor and expert_return"):
        make(PPO, Reach).learn(64, callback=Kickstart(expert))
    known = Expert(expert, expected_return=0.9)
    env = TaughtVecEnv(make_task_vec_env(Reach, n=2), Ordered(), seed=0)
    student = PPO("MlpPolicy", env, **options(PPO)).learn(64, callback=Kickstart(known))
    assert student.num_timesteps == 64


def test_a_ratio_of_returns_needs_an_expert_above_the_floor():
    with pytest.raises(ValueError, match="expected floor < expert_return, got 5 and 3"):
        ReturnRatio(expert_return=3, floor=5)
    with pytest.warns(UserWarning, match="no more than the floor"):
        assert ReturnRatio()(Moment(0, 3.0, -1.0, 0.0)) == 0.0


class Easy(Random):
    """Knows one task."""

    def sample(self):
        return Task(np.float32([1, 0]))


def test_students_are_compared_with_experts_on_the_tasks_they_played():
    """A mean over all tasks says nothing to a student that a curriculum gave easy ones."""
    space, near, far = Reach.task_space, np.float32([[1, 0]]), np.float32([[9, 0]])
    tasks = np.concatenate([near, far])
    good = Expert(make(PPO, Reach, seed=1), measured=(tasks, np.float32([0.8, 0.2])))
    nowhere = Experts([good], lambda params: np.where(params[:, 0] < 5, 0, -1))
    asked = np.float32([[2, 0], [8, 0]])
    assert Experts.of(good).returns_on(space, asked).tolist() == pytest.approx([0.8, 0.2])
    assert np.isnan(nowhere.returns_on(space, asked)).tolist() == [False, True]
    assert Experts.of(Expert(good.model)).returns_on(space, asked) is None

    seen = []
    env = TaughtVecEnv(make_task_vec_env(Reach, n=2), Easy(), seed=0)
    listening = Kickstart(good, weight=lambda moment: seen.append(moment) or 1.0)
    PPO("MlpPolicy", env, **options(PPO)).learn(128, callback=listening)
    assert seen[-1].expert_return == pytest.approx(0.8)
    assert seen[-1].student_return == pytest.approx(env.episodes["r"][-100:].mean())


@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_a_senseless_weight_is_refused(value):
    with pytest.raises(ValueError, match="finite and not negative"):
        make(PPO, Reach).learn(64, callback=Kickstart(make(PPO, Reach), weight=External(value)))


def test_a_run_is_an_expert_that_knows_what_it_masters(tmp_path):
    run = teach(
        PPO,
        Reach,
        Random(),
        steps=256,
        folder=tmp_path,
        test_set=TestSet.grid(Reach.task_space, 3),
        options=options(PPO, seed=None),
    )
    expert = run.expert()
    assert expert.expected_return == pytest.approx(run.evaluations.rewards[-1].mean())
    assert len(expert.mastered) == run.evaluations.mastered[-1].sum()
    taught = teach(
        PPO,
        Reach,
        Random(),
        steps=128,
        evaluate_every=0,
        options=options(PPO, seed=None),
        callbacks=[Kickstart(run, weight=1.0)],
    )
    assert taught.student.num_timesteps >= 128


def test_whose_the_stored_steps_are_outlives_a_stop():
    def routed():
        experts = [Expert(make(SAC, Reach, seed=s)) for s in (1, 2)]
        near = ({"distance": (0, 5)}, experts[0])
        return Experts.by_region(Reach.task_space, [near, ({"distance": (5, 10)}, experts[1])])

    env = TaughtVecEnv(make_task_vec_env(Reach, n=3), Ordered(), seed=0)
    student, first, then = SAC("MlpPolicy", env, **options(SAC)), Kickstart(routed()), None
    first.weight = Constant(1.0)
    student.learn(120, callback=first)
    saved = first.state()
    rows = saved["owners"][: student.replay_buffer.pos]
    assert set(np.unique(rows)) == {0, 1}
    then = Kickstart(routed(), weight=1.0)
    then.restore(saved)
    student.learn(60, callback=then, reset_num_timesteps=False)
    np.testing.assert_array_equal(then.state()["owners"][: len(rows)], rows)


def test_the_memory_of_a_recurrent_expert_outlives_a_stop():
    expert = Expert(
        RecurrentPPO("MlpLstmPolicy", envs(Reach), n_steps=32, batch_size=16, device="cpu")
    )
    student = make(PPO, Reach)
    first = Kickstart(expert, weight=1.0)
    student.learn(64, callback=first)
    saved = first.state()
    seen, starts = np.ones((2, 3), np.float32), np.array([False, True])
    expected = expert.follow("gaussian", seen, starts)
    expert.memory = saved["memories"]["0"]
    again = expert.follow("gaussian", seen, starts)
    assert torch.equal(expected.tensors[0], again.tensors[0])
