"""A test set is played exactly as fixed, and nothing else notices."""

import random
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecFrameStack, VecNormalize

from teachrl.evaluation import TestSet, evaluate
from teachrl.spaces import TaskSpace
from teachrl.students import NonFiniteError, TaughtVecEnv, make_task_vec_env
from teachrl.students.normalizers import load_statistics, save_statistics
from tests.students.worlds import Broken, Reach, ReachDict, ReachDiscrete, ReachImage, Scripted

TESTS = TestSet.grid(Reach.task_space, (4, 3), seed=5)


class Walker:
    """A student that rounds the same way in batches of every size."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        position, distance = observation[:, 0], observation[:, 1]
        return np.clip(0.1 + distance - position, -1, 1)[:, None], None


class Remembering:
    """A recurrent student: it walks in every other step of an episode."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        if state is None:
            state = (np.zeros(len(observation)),)
        elif episode_start is not None:
            state = (np.where(episode_start, 0, state[0]),)
        return (state[0] % 2)[:, None], (state[0] + 1,)


class Stochastic(Walker):
    """A student that asks every global generator there is."""

    def __init__(self):
        self.action_space = gym.spaces.Box(-1, 1, (1,), seed=3)

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        noise = random.random() + np.random.rand() + torch.rand(()).item()  # noqa: NPY002
        return super().predict(observation)[0] * noise + self.action_space.sample(), None


def by_hand(student, env, tests):
    """Play every task in an environment of its own."""
    outcomes = []
    for params, seed in zip(tests.params, tests.seeds, strict=True):
        observation, _ = env.reset(seed=int(seed), options={"task": params})
        state, total, length, done = None, 0.0, 0, False
        while not done:
            actions, state = student.predict(observation[None], state=state)
            observation, reward, terminated, truncated, _ = env.step(actions[0])
            total, length, done = total + reward, length + 1, terminated or truncated
        outcomes.append((total, length))
    return np.array(outcomes).T.tolist()


@pytest.mark.parametrize("n_envs", [1, 3, 12, 50])
@pytest.mark.parametrize("student", [Walker(), Remembering()])
def test_every_task_is_played_once_with_its_own_seed_whatever_the_number_of_envs(student, n_envs):
    found = evaluate(student, Reach, TESTS, n_envs=n_envs)
    assert [found.rewards.tolist(), found.lengths.tolist()] == by_hand(student, Reach(), TESTS)
    assert len(set(found.lengths.tolist())) > 3
    assert found.successes.tolist() == found.rewards.tolist()


def test_processes_give_the_same():
    expected = evaluate(Walker(), Reach, TESTS)
    found = evaluate(Walker(), Reach, TESTS, n_envs=2, processes=True)
    assert found.lengths.tolist() == expected.lengths.tolist()


def test_the_seed_of_a_task_matters():
    tests = TestSet(Reach.task_space, np.float32([[10, 0]] * 30), np.arange(30))
    lengths = evaluate(Walker(), partial(Reach, limit=99), tests).lengths
    assert len(set(lengths.tolist())) > 1


def test_an_evaluation_sums_up():
    found = evaluate(Walker(), Reach, TESTS)
    assert found.share_mastered == found.mean_reward == found.rewards.mean() > 0.5
    assert found.steps == found.lengths.sum()
    rows = list(found.rows())
    assert len(rows) == 12
    assert rows[1] == {
        "task": 1,
        "seed": int(TESTS.seeds[1]),
        "distance": 0.0,
        "friction": 0.5,
        "reward": 1.0,
        "length": 1,
        "success": True,
        "mastered": True,
    }


class NoThreshold(Reach):
    """Reach that says when it succeeds, but not what mastery is."""

    mastery_threshold = None  # type: ignore[assignment]


class Silent(NoThreshold):
    """Reach that says neither."""

    def step(self, action):
        return (*super().step(action)[:4], {})


class Demanding(Reach):
    """Reach of which no return is good enough: mastery is more than the threshold."""

    mastery_threshold = 1.0


@pytest.mark.parametrize(("env", "mastered"), [(NoThreshold, 11), (Silent, 0), (Demanding, 0)])
def test_mastered_is_what_the_environment_declares(env, mastered):
    found = evaluate(Walker(), env, TESTS)
    assert found.mastered.sum() == mastered
    assert found.rewards.sum() == 11
    assert np.isnan(found.successes).all() == (env is Silent)
    assert next(found.rows())["success"] == (None if env is Silent else True)


def test_a_vec_env_can_be_used_again_and_stays_open():
    venv = make_task_vec_env(Reach, 5)
    first, again = (evaluate(Walker(), venv, TESTS) for _ in range(2))
    assert first.lengths.tolist() == again.lengths.tolist()
    few = evaluate(Walker(), venv, TESTS.subset(2))
    assert len(few.rewards) == 2
    venv.step(np.zeros((5, 1)))


def test_an_evaluation_that_was_interrupted_leaves_no_trace():
    class Leaving(Walker):
        def predict(self, observation, **rest):
            raise KeyboardInterrupt

    venv = make_task_vec_env(Reach, 5)
    with pytest.raises(KeyboardInterrupt):
        evaluate(Leaving(), venv, TESTS)
    found = evaluate(Walker(), venv, TESTS.subset(2))
    assert found.lengths.tolist() == evaluate(Walker(), Reach, TESTS.subset(2)).lengths.tolist()


@pytest.mark.parametrize("env", [ReachDict, ReachImage, ReachDiscrete])
def test_any_observation_and_action_works(env):
    policy = {ReachDict: "MultiInputPolicy", ReachImage: "CnnPolicy"}.get(env, "MlpPolicy")
    student = PPO(policy, env(), n_steps=8, batch_size=8, seed=0)
    tests = TESTS.subset(5)
    some, one = (evaluate(student, env, tests, n_envs=n) for n in (3, 1))
    assert some.lengths.tolist() == one.lengths.tolist()


def test_wrappers_that_a_student_is_used_to_can_be_put_around():
    venv = VecFrameStack(make_task_vec_env(Reach, 1), 4)
    student = PPO("MlpPolicy", venv, n_steps=8, batch_size=8, seed=0)
    wrap = partial(VecFrameStack, n_stack=4)
    three, one = (evaluate(student, Reach, TESTS, n_envs=n, wrap=wrap) for n in (3, 1))
    np.testing.assert_array_equal(three.lengths, one.lengths)
    with pytest.raises(ValueError, match="observation shape"):
        evaluate(student, Reach, TESTS)


def test_a_recurrent_student_of_sb3_contrib_can_be_evaluated():
    contrib = pytest.importorskip("sb3_contrib")
    student = contrib.RecurrentPPO("MlpLstmPolicy", Reach(), n_steps=8, batch_size=8, seed=0)
    three, one = (evaluate(student, Reach, TESTS, n_envs=n) for n in (3, 1))
    np.testing.assert_allclose(three.rewards, one.rewards)
    np.testing.assert_array_equal(three.lengths, one.lengths)


def normalized(seed=0):
    taught = TaughtVecEnv(make_task_vec_env(Reach, 2), Scripted(), seed)
    return VecNormalize(taught, gamma=0.9)


class Evaluating(BaseCallback):
    """Evaluates in every way there is, before every update."""

    def _on_step(self):
        return True

    def _on_rollout_end(self):
        for deterministic in (True, False):
            evaluate(
                self.model,
                Reach,
                TESTS.subset(4),
                normalizer=self.model.get_vec_normalize_env(),
                deterministic=deterministic,
            )


def train(callback):
    env = normalized()
    student = PPO("MlpPolicy", env, n_steps=32, batch_size=32, n_epochs=2, seed=1)
    student.learn(200, callback=callback)
    taught = env.venv
    parts = [p.detach().numpy().tobytes() for p in student.policy.parameters()]
    parts += [np.asarray(x).tobytes() for x in (env.obs_rms.mean, env.obs_rms.var, env.returns)]
    return parts, taught.teacher.log, taught.episodes["r"].tolist(), taught.steps


def test_training_is_the_same_with_and_without_evaluations():
    assert train(Evaluating()) == train(None)


def global_state(student):
    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        torch.get_rng_state().tolist(),
        student.action_space.np_random.bit_generator.state,
    )


def test_no_random_generator_is_disturbed_and_sampled_actions_repeat():
    student = Stochastic()
    before = global_state(student)
    first = evaluate(student, Reach, TESTS, deterministic=False)
    assert global_state(student) == before
    random.random(), np.random.rand(), torch.rand(1), student.action_space.sample()  # noqa: NPY002
    again = evaluate(student, Reach, TESTS, deterministic=False)
    assert again.lengths.tolist() == first.lengths.tolist()


def test_torch_uses_one_thread_for_the_time_being():
    class Counting(Walker):
        def predict(self, observation, **rest):
            self.threads = torch.get_num_threads()
            return super().predict(observation)

    student = Counting()
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        evaluate(student, Reach, TESTS)
        assert (student.threads, torch.get_num_threads()) == (1, 3)
    finally:
        torch.set_num_threads(before)


def test_generators_are_given_back_after_an_error_too():
    class Failing(Stochastic):
        def predict(self, observation, **rest):
            super().predict(observation)
            raise RuntimeError("enough")

    student = Failing()
    before = global_state(student)
    with pytest.raises(RuntimeError, match="enough"):
        evaluate(student, Reach, TESTS)
    assert global_state(student) == before


def test_an_epsilon_greedy_student_is_not_disturbed():
    student = DQN("MlpPolicy", ReachDiscrete(), buffer_size=100, learning_starts=10, seed=0)
    before = global_state(student)
    first = evaluate(student, ReachDiscrete, TESTS, deterministic=False)
    assert global_state(student) == before
    again = evaluate(student, ReachDiscrete, TESTS, deterministic=False)
    assert first.lengths.tolist() == again.lengths.tolist()


class Staring:
    """A student that always walks, and remembers what it saw last."""

    def predict(self, observation, **rest):
        self.seen = observation.copy()
        return np.ones((len(observation), 1)), None


def test_the_statistics_of_the_normalizer_are_used_and_not_updated(tmp_path):
    env = normalized()
    env.reset()
    for _ in range(30):
        env.step(np.ones((2, 1), np.float32))
    save_statistics(env, tmp_path / "statistics.npz")
    mean, count = env.obs_rms.mean.copy(), env.obs_rms.count
    student, seen = Staring(), []
    for normalizer in (None, env, load_statistics(tmp_path / "statistics.npz")):
        evaluate(student, Reach, TESTS, normalizer=normalizer)
        seen.append(student.seen)
    np.testing.assert_array_equal(seen[1], env.normalize_obs(seen[0]))
    np.testing.assert_array_equal(seen[2], seen[1])
    assert not np.allclose(seen[1], seen[0])
    assert (env.obs_rms.mean == mean).all()
    assert env.obs_rms.count == count


@pytest.mark.parametrize("wrap", [lambda e: e, VecNormalize])
def test_a_taught_environment_is_refused(wrap):
    taught = TaughtVecEnv(make_task_vec_env(Reach, 2), Scripted())
    with pytest.raises(TypeError, match="is taught: its episodes would go to the teacher"):
        evaluate(Walker(), wrap(taught), TESTS)
    assert taught.teacher.log == []


@pytest.mark.parametrize("student", [None, Walker, "model.zip"])
def test_what_cannot_play_is_refused(student):
    with pytest.raises(TypeError, match=r"a model with predict\(\), such as run.student; got"):
        evaluate(student, Reach, TESTS)


def test_a_list_is_no_test_set():
    with pytest.raises(TypeError, match=r"test_set must be a TestSet, .*; got \[\[0, 1\]\]"):
        evaluate(Walker(), Reach, [[0, 1]])


def test_wrappers_that_would_miss_the_beginning_of_an_episode_are_refused():
    with pytest.raises(TypeError, match="without further wrappers: give those as wrap="):
        evaluate(Walker(), VecFrameStack(make_task_vec_env(Reach, 2), 2), TESTS)


@pytest.mark.parametrize("where", ["reward", "observation", "first observation"])
def test_what_is_not_finite_stops_the_evaluation(where):
    tests = TestSet(Reach.task_space, np.float32([[9, 0]]), np.array([41]))
    with pytest.raises(NonFiniteError, match=rf"{where} is not finite.*distance=9.0.*seed 41"):
        evaluate(Walker(), partial(Broken, where=where), tests)


def test_an_action_that_is_not_finite_never_reaches_the_environment():
    class Lost(Walker):
        def predict(self, observation, **rest):
            return np.full((len(observation), 1), np.nan), None

    class Careful(Reach):
        def step(self, action):
            raise AssertionError("an action arrived")

    with pytest.raises(NonFiniteError, match="action is not finite"):
        evaluate(Lost(), Careful, TESTS)


def test_an_episode_that_may_never_end_is_warned_of_once(monkeypatch):
    monkeypatch.setattr("teachrl.evaluation.evaluating._ENDLESS", 15)
    # Two episodes of about twenty steps side by side, and one that is over at once.
    tests = TestSet(Reach.task_space, np.float32([[10, 1], [10, 1], [0, 0]]), np.arange(3))
    with pytest.warns(UserWarning, match="15 steps and is not over.*max_episode_steps") as caught:
        evaluate(Staring(), partial(Reach, limit=40), tests, n_envs=2)
    assert len(caught) == 1


def test_tasks_of_another_space_are_the_problem_of_the_environment():
    tests = TestSet.grid(TaskSpace(distance=(0, 10), friction=(0, 1), wind=(0, 1)), 2)
    with pytest.raises(ValueError, match="has shape"):
        evaluate(Walker(), Reach, tests)
