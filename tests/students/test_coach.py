"""A student that learns from feedback on its actions."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.distributions import CategoricalDistribution
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from teachrl import teach
from teachrl.runs import Run
from teachrl.students import COACH, EpisodicCOACH, TaughtVecEnv, TeacherCallback, make_task_vec_env
from teachrl.students.feedback import CriticTrainer, Delayed, Step
from teachrl.students.presets import A2CPreset
from teachrl.teachers import Random
from tests.students.stopping import StopAt
from tests.students.worlds import Reach, ReachDict, ReachDiscrete


class Ring(gym.Env):
    """States 0, 1, 2 in turn, whatever is done, in episodes of ``limit`` steps."""

    observation_space = gym.spaces.Box(0, 1, (3,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, limit=10_000):
        self.limit = limit

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return self._seen(), {}

    def step(self, action):
        self.count += 1
        return self._seen(), 1.0, False, self.count >= self.limit, {}

    def _seen(self):
        return np.eye(3, dtype=np.float32)[self.count % 3]


class Walk(gym.Env):
    """Eight places in a row; the right end pays, the left end does not."""

    observation_space = gym.spaces.Box(0, 1, (8,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.count = int(self.np_random.integers(1, 7)), 0
        return self._seen(), {}

    def step(self, action):
        self.place += 1 if action else -1
        self.count += 1
        over = self.place in (0, 7)
        return self._seen(), float(self.place == 7), over, self.count >= 30, {}

    def _seen(self):
        return np.eye(8, dtype=np.float32)[self.place]


def walk_quality(sign=1.0, discount=0.9):
    """Return the optimal Q of the walk."""
    steps = 7 - np.arange(8)
    value = discount ** (steps - 1.0)
    value[0], value[7] = 0.0, 0.0

    def quality(seen, actions):
        place = seen.argmax(axis=1)
        after = np.clip(place + np.where(np.asarray(actions) == 1, 1, -1), 0, 7)
        return sign * ((after == 7) + discount * value[after])

    return quality


class Says:
    """Says a list of things, and writes down what it saw."""

    def __init__(self, said):
        self.said, self.steps = said, []

    def __call__(self, step):
        self.steps.append((np.array(step.observations), np.array(step.actions)))
        n = len(step.actions)
        value = self.said[(len(self.steps) - 1) % len(self.said)]
        return np.full(n, value) if np.ndim(value) == 0 else np.tile(value, (n, 1))


def linear(env, algorithm=A2C, **options):
    """Return a student whose logits are linear in what it sees."""
    own = {"n_steps": 8, "seed": 0, "device": "cpu", "policy_kwargs": {"net_arch": []}}
    return algorithm("MlpPolicy", env, **own, **options)


def weights(model):
    return model.policy.action_net.weight.detach().numpy().astype(np.float64).copy()


def by_hand(start, bias, trainer, *, rate, decays, delay, episodes=None, discount=None):
    """Return the weights and biases that the published update leads to, for one-hot states."""
    table, bias = start.copy(), bias.copy()
    k = len(decays)
    traces = [(np.zeros_like(table), np.zeros_like(bias)) for _ in range(k)]
    played, clock = [], 0
    for t, (seen, actions) in enumerate(trainer.steps):
        if episodes and t % episodes == 0 and discount is not None:
            traces = [(np.zeros_like(table), np.zeros_like(bias)) for _ in range(k)]
            played, clock = [], 0
        played.append((seen[0].astype(np.float64), int(actions[0])))
        if len(played) > delay:
            state, action = played[-1 - delay]
            logits = table @ state + bias
            shares = np.exp(logits - logits.max())
            shares /= shares.sum()
            error = np.eye(2)[action] - shares  # ∇ log softmax
            traces = [
                (decay * w + np.outer(error, state), decay * b + error)
                for decay, (w, b) in zip(decays, traces, strict=True)
            ]
        said = np.atleast_1d(trainer.said[t % len(trainer.said)])
        weight = 1.0 if discount is None else discount**clock
        for value, (w, b) in zip(said, traces, strict=True):
            table += rate * weight * value * w
            bias += rate * weight * value * b
        clock += 1
    return table, bias


@pytest.mark.parametrize("delay", [0, 2])
@pytest.mark.parametrize("decay", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("algorithm", [A2C, PPO])
def test_the_update_is_the_published_one(algorithm, decay, delay):
    more = {"batch_size": 8} if algorithm is PPO else {}
    student = linear(Ring(limit=7), algorithm, **more)
    start, bias = weights(student), student.policy.action_net.bias.detach().numpy().copy()
    trainer = Says([1.0, -1.0, 0.0, 4.0, 0.0])
    coach = COACH(trainer, learning_rate=0.1, decays=(decay,), delay=delay)
    student.learn(32, callback=coach)
    settings = {"rate": 0.1, "decays": (decay,), "delay": delay}
    expected = by_hand(start, bias.astype(np.float64), trainer, **settings)
    assert np.abs(expected[0] - start).max() > 0.1
    assert weights(student) == pytest.approx(expected[0], abs=1e-5)
    assert student.policy.action_net.bias.detach().numpy() == pytest.approx(expected[1], abs=1e-5)


def test_feedback_chooses_among_traces():
    student = linear(Ring())
    start, bias = weights(student), student.policy.action_net.bias.detach().numpy().copy()
    trainer = Says([(1.0, 0.0), (0.0, 0.0), (0.0, -2.0)])
    student.learn(24, callback=COACH(trainer, learning_rate=0.1, decays=(0.2, 0.9)))
    settings = {"rate": 0.1, "decays": (0.2, 0.9), "delay": 0}
    expected = by_hand(start, bias.astype(np.float64), trainer, **settings)
    assert weights(student) == pytest.approx(expected[0], abs=1e-5)


@pytest.mark.parametrize("delay", [0, 2])
def test_episodic_coach_discounts_and_begins_anew(delay):
    student = linear(Ring(limit=5))
    start, bias = weights(student), student.policy.action_net.bias.detach().numpy().copy()
    trainer = Says([1.0, -1.0, 2.0])
    coach = EpisodicCOACH(trainer, discount=0.7, learning_rate=0.1, delay=delay)
    student.learn(32, callback=coach)
    settings = {"rate": 0.1, "decays": (1.0,), "delay": delay, "episodes": 5, "discount": 0.7}
    expected = by_hand(start, bias.astype(np.float64), trainer, **settings)
    assert weights(student) == pytest.approx(expected[0], abs=1e-5)


def test_environments_have_traces_of_their_own():
    """Two environments that do the same move the policy twice as far."""
    moved = []
    for n in (1, 2):
        student = linear(make_vec_env(Ring, n, seed=0))
        with torch.no_grad():  # one action is as good as certain
            student.policy.action_net.bias.copy_(torch.tensor([0.0, 4.0]))
        start = weights(student)
        student.learn(8 * n, callback=COACH(Says([1.0]), learning_rate=1e-4, decays=(0.5,)))
        moved.append(weights(student) - start)
    assert moved[1] == pytest.approx(2 * moved[0], rel=1e-2, abs=1e-9)


def test_rewards_and_the_critic_play_no_part():
    ends = []
    for scale in (1, 100):
        env = gym.wrappers.TransformReward(Ring(limit=7), lambda r, s=scale: s * r)
        student = linear(env)
        critic = student.policy.value_net.weight.detach().clone()
        student.learn(32, callback=COACH(Says([1.0, -1.0])))
        assert torch.equal(student.policy.value_net.weight, critic)
        ends.append(weights(student))
    assert np.array_equal(*ends)


def test_silence_changes_nothing_and_training_goes_on_as_ever_afterwards(tmp_path):
    student = linear(Ring(limit=7))
    before = [p.detach().clone() for p in student.policy.parameters()]
    student.learn(32, callback=COACH(Says([0.0])))
    pairs = zip(before, student.policy.parameters(), strict=True)
    assert all(torch.equal(old, new) for old, new in pairs)
    assert "train" not in vars(student)
    student.save(tmp_path / "student.zip")
    again = A2C.load(tmp_path / "student.zip", env=Ring(limit=7))
    again.learn(32)
    pairs = zip(before, again.policy.parameters(), strict=True)
    assert not all(torch.equal(old, new) for old, new in pairs)


def test_no_file_is_written_while_training_is_left_out(tmp_path):
    class Save(BaseCallback):
        def _on_rollout_start(self):
            assert "train" not in vars(self.model)

        def _on_training_end(self):
            assert "train" not in vars(self.model)

        def _on_step(self):
            return True

    linear(Ring()).learn(32, callback=[Save(), COACH(Says([1.0]))])


def test_trainers_see_raw_observations():
    trainer = Says([1.0])
    venv = VecNormalize(make_vec_env(Ring, 1, seed=0))
    linear(venv).learn(16, callback=COACH(trainer))
    assert np.array_equal(np.concatenate([seen for seen, _ in trainer.steps]), ring_states(16))


def ring_states(n):
    return np.eye(3, dtype=np.float32)[np.arange(n) % 3]


def test_dict_observations_and_continuous_actions():
    student = A2C("MultiInputPolicy", ReachDict(), n_steps=8, seed=0, device="cpu")
    before = student.policy.action_net.weight.detach().clone()
    seen = []

    def trainer(step):
        seen.append(step.observations["vector"].shape)
        assert step.action_space.contains(step.actions[0])
        return np.sign(step.actions[:, 0])

    student.learn(16, callback=COACH(trainer))
    assert set(seen) == {(1, 3)}
    assert not torch.equal(before, student.policy.action_net.weight)


def test_tasks_that_are_not_learnt_from_are_not():
    class NotNow(Random):
        def sample(self):
            return replace(super().sample(), learn=False)

    ends = []
    for teacher in (NotNow(), Random()):
        env = TaughtVecEnv(make_task_vec_env(ReachDiscrete, 2), teacher, 0)
        student = linear(env)
        start = weights(student)
        student.learn(64, callback=[TeacherCallback(), COACH(Says([1.0, -1.0]))])
        ends.append(np.abs(weights(student) - start).max())
        env.close()
    assert ends[0] == 0 < ends[1]


@pytest.mark.parametrize("algorithm", [DQN, SAC])
def test_students_without_such_a_policy_are_refused(algorithm):
    name = "CartPole-v1" if algorithm is DQN else "Pendulum-v1"
    with pytest.raises(TypeError, match="PPO or A2C"):
        algorithm("MlpPolicy", name, device="cpu").learn(8, callback=COACH(Says([1.0])))
    with pytest.raises(TypeError, match="use_sde"):
        A2C("MlpPolicy", "Pendulum-v1", use_sde=True, device="cpu").learn(
            8, callback=COACH(Says([1.0]))
        )


@pytest.mark.parametrize(
    "settings",
    [{"learning_rate": 0}, {"delay": -1}, {"delay": 0.5}, {"decays": ()}, {"decays": (1.1,)}],
)
def test_nonsense_is_refused(settings):
    with pytest.raises(ValueError, match=r"positive|delay|decay"):
        COACH(Says([1.0]), **settings)


@pytest.mark.parametrize("said", [np.nan, (1.0, 2.0)])
def test_feedback_that_means_nothing_is_refused(said):
    with pytest.raises(ValueError, match="expected finite feedback of shape"):
        linear(Ring()).learn(8, callback=COACH(Says([said])))


# --- trainers -------------------------------------------------------------------------------------


def shown(probabilities, actions, seen=None):
    shares = torch.as_tensor(np.atleast_2d(probabilities), dtype=torch.float32)
    policy = CategoricalDistribution(2).proba_distribution(shares.log())
    seen = np.zeros((len(shares), 1)) if seen is None else seen
    return Step(seen, np.array(actions), policy, gym.spaces.Discrete(2))


def test_praise_depends_on_what_the_student_usually_does():
    quality = lambda seen, actions: np.array([1.0, 3.0])[actions]  # noqa: E731
    trainer = CriticTrainer(quality)
    assert trainer(shown([[0.5, 0.5], [0.5, 0.5]], [0, 1])).tolist() == [-1, 1]
    assert trainer(shown([[0, 1], [1, 0]], [1, 0])).tolist() == [0, 0]  # nothing new
    middling = CriticTrainer(lambda seen, actions: np.array([1.0, 2.0, 3.0])[actions])
    policy = CategoricalDistribution(3)
    for shares, expected in (([0.8, 0.1, 0.1], 1), ([0.1, 0.1, 0.8], -1)):
        policy = CategoricalDistribution(3).proba_distribution(torch.tensor([shares]).log())
        step = Step(np.zeros((1, 1)), np.array([1]), policy, gym.spaces.Discrete(3))
        assert middling(step).tolist() == [expected]


def test_trainers_err_and_pay_attention_as_they_are_told():
    n = 4000
    step = shown(np.full((n, 2), 0.5), np.ones(n, int))
    said = CriticTrainer(lambda seen, actions: actions, accuracy=0.8, attention=0.5, seed=1)(step)
    assert np.mean(said != 0) == pytest.approx(0.5, abs=0.03)
    assert np.mean(said[said != 0] > 0) == pytest.approx(0.8, abs=0.03)
    one, two = (CriticTrainer(lambda s, a: a, attention=0.5, seed=2) for _ in range(2))
    one(step)
    two.restore(one.state())
    assert np.array_equal(one(step), two(step))


@pytest.mark.parametrize("algorithm", [DQN, SAC, TD3, DDPG])
def test_critics_of_trained_models_are_trainers(algorithm):
    name = "CartPole-v1" if algorithm is DQN else "Pendulum-v1"
    model = algorithm("MlpPolicy", name, seed=0, device="cpu")
    student = A2C("MlpPolicy", name, seed=1, device="cpu")
    env = gym.make(name)
    env.observation_space.seed(2)
    env.action_space.seed(3)
    seen = np.stack([env.observation_space.sample() for _ in range(60)]).clip(-5, 5)
    actions = np.stack([env.action_space.sample() for _ in range(60)])
    inputs = torch.as_tensor(seen)
    policy = student.policy.get_distribution(inputs)
    with torch.no_grad():
        if algorithm is DQN:
            table = model.q_net(inputs)
            chosen = table[range(60), actions]
            usual = (policy.distribution.probs * table).sum(dim=1)
        else:
            half = env.action_space.high[0]

            def critic(played):
                scaled = torch.as_tensor(played / half, dtype=torch.float32)
                return torch.cat(model.critic(inputs, scaled), dim=1).min(dim=1).values

            chosen = critic(actions)
            usual = critic(policy.mode().detach().numpy().clip(-half, half))
    said = CriticTrainer.of(model)(Step(seen, actions, policy, env.action_space))
    assert said.tolist() == torch.sign(chosen - usual).tolist()
    assert set(said.tolist()) == {-1.0, 1.0}


def test_models_without_critics_of_actions_are_refused():
    with pytest.raises(TypeError, match="no critic of actions"):
        CriticTrainer.of(PPO("MlpPolicy", "CartPole-v1", device="cpu"))


def test_a_slow_trainer_says_the_same_later():
    slow, steps = Delayed(Says([1.0, 2.0, 3.0, 4.0]), 2), []
    step = shown([[0.5, 0.5]], [1])
    steps = [float(slow(step)[0]) for _ in range(3)]
    other = Delayed(Says([9.0]), 2)
    other.restore(slow.state())
    assert steps == [0, 0, 1]
    assert [float(other(step)[0]) for _ in range(3)] == [2, 3, 9]


# --- learning -------------------------------------------------------------------------------------


def walked(seed, *, sign=1.0, coach=COACH, **settings):
    """Return the probabilities of going right that a student of the walk has learnt."""
    student = linear(Walk())
    student.set_random_seed(seed)
    trainer = CriticTrainer(walk_quality(sign))
    student.learn(1200, callback=coach(trainer, learning_rate=0.2, **settings))
    seen = torch.eye(8)[1:7]
    with torch.no_grad():
        return student.policy.get_distribution(seen).distribution.probs[:, 1].numpy()


@pytest.mark.parametrize("coach", [COACH, EpisodicCOACH])
def test_a_student_learns_a_walk_from_feedback_alone(coach):
    settings = {"decays": (0.3,)} if coach is COACH else {"discount": 0.9}
    assert min(walked(seed, coach=coach, **settings).min() for seed in range(3)) > 0.7


def test_the_sign_matters():
    assert max(walked(seed, sign=-1.0, decays=(0.0,)).max() for seed in range(2)) < 0.3


def right_in_the_ring(seen, actions):
    """Return whether an action is the one for its state; they differ from one to the next."""
    return np.asarray(actions) == (seen.argmax(axis=1) == 0)


def around(seed, delay):
    """Return the least probability of a right action, with a trainer who is one step late."""
    student = linear(Ring())
    student.set_random_seed(seed)
    trainer = Delayed(CriticTrainer(right_in_the_ring), 1)
    coach = COACH(trainer, learning_rate=0.1, delay=delay, decays=(0.0,))
    student.learn(800, callback=coach)
    with torch.no_grad():
        probabilities = student.policy.get_distribution(torch.eye(3)).distribution.probs
    return float(probabilities[range(3), [1, 0, 0]].min())


def test_a_slow_trainer_needs_a_student_who_knows_that():
    assert min(around(seed, delay=1) for seed in range(3)) > 0.9
    assert max(around(seed, delay=0) for seed in range(3)) < 0.7


# --- runs -----------------------------------------------------------------------------------------


def rightwards(seen, actions):
    return actions[:, 0]


@pytest.mark.parametrize("coach", [COACH, EpisodicCOACH])
def test_a_run_that_stops_goes_on_as_if_it_had_not(tmp_path, coach):
    def run(name, stop_at=None):
        trainer = Delayed(CriticTrainer(rightwards, attention=0.7), 2)
        callbacks = [coach(trainer, delay=2), *([StopAt(stop_at)] if stop_at else [])]
        return teach(
            A2CPreset(),
            Reach,
            Random(),
            steps=320,
            n_envs=2,
            folder=tmp_path / name,
            callbacks=callbacks,
            evaluate_every=0,
            checkpoint_every=40,
        )

    run("whole")
    for step in (100, 230):
        with pytest.raises(KeyboardInterrupt):
            run("cut", step)
    run("cut")
    one, two = (Run.load(tmp_path / name) for name in ("whole", "cut"))
    assert (one.folder / "monitor.csv").read_bytes() == (two.folder / "monitor.csv").read_bytes()
    states = [run.student.policy.state_dict() for run in (one, two)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert one.summary["gradient_samples"] == two.summary["gradient_samples"] > 100
    assert "train" not in vars(one.student)
