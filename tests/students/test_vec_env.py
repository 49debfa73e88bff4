"""Tasks reach environments without lag, whatever the observations, students and processes."""

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    VecFrameStack,
    VecMonitor,
    VecNormalize,
)

from teachrl.students import TaskSlot, TaughtVecEnv, TeacherCallback, make_task_vec_env
from teachrl.students.vec_env import find_taught
from teachrl.teachers import PLR
from tests.students.worlds import Reach, ReachDict, ReachDiscrete, ReachImage, Scripted


def taught_env(env=Reach, n=3, seed=0, processes=False, **teacher):
    return TaughtVecEnv(make_task_vec_env(env, n, processes), Scripted(**teacher), seed)


def play(env, steps, seed=0):
    """Step with random actions and return everything that was seen, as bytes."""
    rng = np.random.default_rng(seed)
    observations = env.reset()
    seen = [observations]
    for _ in range(steps):
        actions = rng.uniform(-0.2, 1, (env.num_envs, 1)).astype(np.float32)
        observations, rewards, dones, infos = env.step(actions)
        last = [info.get("terminal_observation") for info in infos]
        seen += [observations, rewards, dones, *[x for x in last if x is not None]]
    return b"".join(np.asarray(x).tobytes() for x in seen)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_every_task_is_sampled_after_the_update_of_the_episode_before_it(n):
    env = taught_env(n=n)
    play(env, 100)
    log = env.teacher.log
    assert [kind for kind, _ in log[:n]] == ["sample"] * n
    kinds = [kind for kind, _ in log[n:]]
    assert kinds == ["update", "sample"] * (len(kinds) // 2)
    assert len(kinds) > 10


@pytest.mark.parametrize("env_class", [Reach, ReachDict, ReachImage])
def test_the_student_sees_the_first_observation_of_the_next_task(env_class):
    env = taught_env(env_class, n=2)
    env.reset()
    for _ in range(60):
        observations, _, dones, infos = env.step(np.ones((2, 1), np.float32))
        for i in np.flatnonzero(dones):
            began = env.get_attr("unwrapped")[i]
            expected, shown = began.observe(), observations
            if isinstance(expected, dict):
                expected, shown = expected["vector"], shown["vector"]
            np.testing.assert_array_equal(shown[i], expected)
            assert began.count == 0
            assert env.reset_infos[i] == {"began": began.task["distance"]}
            assert "terminal_observation" in infos[i]
    assert len(env.episodes) > 5


def test_the_terminal_observation_is_the_last_of_the_finished_episode():
    env = taught_env(n=1)
    env.reset()  # task distance 0 ends with its first step
    observations, _, dones, infos = env.step(np.ones((1, 1), np.float32))
    assert dones[0]
    assert infos[0]["terminal_observation"][1:].tolist() == [0.0, 1.0]
    assert observations[0][1:].tolist() == [1.0, 0.0]


def test_time_limits_stay_visible_to_the_student():
    env = taught_env(n=1)
    env.reset()
    seen = [env.step(-np.ones((1, 1), np.float32)) for _ in range(45)]
    limits = [infos[0]["TimeLimit.truncated"] for _, _, dones, infos in seen if dones[0]]
    assert limits.count(True) >= 1
    assert env.episodes["truncated"].tolist() == limits


def test_episodes_tell_what_was_played():
    env = taught_env(n=2)
    play(env, 80)
    episodes = env.teacher.episodes
    assert sorted({e.env_index for e in episodes}) == [0, 1]
    assert len({e.task.id for e in episodes}) == len(episodes)
    for e in episodes:
        assert e.reward == float(e.success)
        assert 1 <= e.length <= 20
        assert e.start_step % 2 == 0
        assert e.first_observation[1] == e.task.params[0]
    assert env.episodes["l"].tolist() == [e.length for e in episodes]


def test_an_episode_can_be_replayed_from_its_task_and_seed():
    env = taught_env(n=2)
    play(env, 80)
    episode = env.teacher.episodes[7]
    twin = Reach()
    observation, _ = twin.reset(seed=episode.seed, options={"task": episode.task.params})
    np.testing.assert_array_equal(observation, episode.first_observation)


def test_the_teacher_gets_raw_returns_under_normalisation():
    env = taught_env(n=2)
    outer = VecNormalize(VecMonitor(env), norm_reward=True)
    play(outer, 100)
    assert set(env.episodes["r"]) <= {0.0, 1.0}


@pytest.mark.parametrize("env_class", [Reach, ReachDict])
def test_processes_change_nothing(env_class):
    inside, outside = taught_env(env_class), taught_env(env_class, processes=True)
    try:
        if env_class is Reach:
            assert play(inside, 70) == play(outside, 70)
        else:
            for key in ("vector", "picture"):
                assert inside.reset()[key].tobytes() == outside.reset()[key].tobytes()
        assert inside.episodes["seed"].tolist() == outside.episodes["seed"].tolist()
        assert inside.teacher.log == outside.teacher.log
    finally:
        outside.close()


def test_processes_change_no_weight():
    weights = []
    for processes in (False, True):
        env = taught_env(n=2, processes=processes)
        student = PPO(
            "MlpPolicy", VecNormalize(VecMonitor(env)), n_steps=32, batch_size=32, seed=1
        ).learn(256)
        env.close()
        weights.append([p.detach().numpy().tobytes() for p in student.policy.parameters()])
    assert weights[0] == weights[1]


def test_the_seed_decides():
    assert play(taught_env(seed=0), 50) == play(taught_env(seed=0), 50)
    assert play(taught_env(seed=0), 50) != play(taught_env(seed=1), 50)


def test_a_rollout_of_unlearnt_tasks_is_counted_as_exploration():
    env = taught_env(n=2, explore=True)
    env.is_attended = True  # by this test, who learns nothing from it
    play(env, 30)
    assert (env.ledger.train, env.ledger.explore) == (0, 60)
    assert not env.episodes["learn"].any()


def test_frames_are_stacked_outside():
    env = VecFrameStack(taught_env(n=2), 3)
    env.reset()
    for _ in range(40):
        observations, _, dones, _ = env.step(np.ones((2, 1), np.float32))
        for i in np.flatnonzero(dones):
            assert not observations[i][:6].any()  # a new episode has no past frames


OFF_POLICY = {"learning_starts": 20, "buffer_size": 500, "batch_size": 16}


@pytest.mark.parametrize(
    ("student", "env_class", "options"),
    [
        (PPO, Reach, {"n_steps": 32, "batch_size": 32}),
        (PPO, ReachImage, {"policy": "CnnPolicy", "n_steps": 16, "batch_size": 16, "n_epochs": 1}),
        (A2C, ReachDict, {"policy": "MultiInputPolicy"}),
        (SAC, Reach, OFF_POLICY),
        (TD3, Reach, OFF_POLICY),
        (DQN, ReachDiscrete, OFF_POLICY),
    ],
)
def test_students_learn_under_it(student, env_class, options):
    env = taught_env(env_class, n=2)
    options = {"policy": "MlpPolicy", "seed": 0} | options
    model = student(env=VecMonitor(env), **options)
    model.learn(128, callback=TeacherCallback(every=10))
    assert len(env.episodes) >= 2
    assert env.ledger.train == model.num_timesteps
    assert env.ledger.gradient_samples > 0


def test_tqc_learns_under_it():
    contrib = pytest.importorskip("sb3_contrib")
    env = taught_env(n=2)
    contrib.TQC("MlpPolicy", env, seed=0, **OFF_POLICY).learn(64, callback=TeacherCallback())
    assert env.ledger.gradient_samples > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["PPO", "SAC"])
def test_sbx_learns_under_it(name):
    sbx = pytest.importorskip("sbx")
    env = taught_env(n=2)
    options = {"n_steps": 32, "batch_size": 32} if name == "PPO" else OFF_POLICY
    getattr(sbx, name)("MlpPolicy", env, seed=0, **options).learn(128, callback=TeacherCallback())
    assert env.ledger.train == 128
    assert len(env.episodes) >= 2


def test_evaluating_on_it_is_refused():
    env = taught_env()
    student = PPO("MlpPolicy", env, n_steps=16, batch_size=16, seed=0).learn(64)
    log = list(env.teacher.log)
    for wrapped in (env, VecMonitor(env), VecNormalize(env)):
        with pytest.raises(RuntimeError, match=r"teachrl\.evaluation\.evaluate"):
            evaluate_policy(student, wrapped, warn=False)
    with pytest.raises(RuntimeError, match="feed its episodes to the teacher"):
        student.learn(64, callback=EvalCallback(env, eval_freq=1, verbose=0, warn=False))
    assert env.teacher.log[: len(log)] == log


def test_a_hidden_slot_is_refused():
    hidden = DummyVecEnv([lambda: Monitor(TaskSlot(Reach()))])
    with pytest.raises(TypeError, match="must be the outermost wrapper"):
        TaughtVecEnv(hidden, Scripted())


def test_monitor_inside_the_slot_is_fine():
    env = TaughtVecEnv(DummyVecEnv([lambda: TaskSlot(Monitor(Reach()))]), Scripted())
    play(env, 30)
    assert len(env.episodes)


def test_environments_without_slots_are_refused():
    with pytest.raises(TypeError, match="make_task_vec_env"):
        TaughtVecEnv(DummyVecEnv([Reach]), Scripted())


@pytest.mark.parametrize("wrapper", [VecMonitor, VecNormalize])
def test_vec_wrappers_inside_are_refused(wrapper):
    with pytest.raises(TypeError, match="must go outside TaughtVecEnv"):
        TaughtVecEnv(wrapper(make_task_vec_env(Reach)), Scripted())


def test_an_environment_without_task_space_is_refused():
    with pytest.raises(TypeError, match="declares no task_space"):
        make_task_vec_env(lambda: gym.make("CartPole-v1"))


def test_different_task_spaces_are_refused():
    class Other(Reach):
        task_space = type(Reach.task_space)(distance=(0, 5), friction=(0, 1))

    with pytest.raises(ValueError, match="different task spaces"):
        TaughtVecEnv(
            DummyVecEnv([lambda: TaskSlot(Reach()), lambda: TaskSlot(Other())]), Scripted()
        )


def test_a_task_outside_the_box_is_refused():
    env = taught_env(n=1)
    env.teacher.sample = lambda: __import__("teachrl").Task(np.float32([11, 0]))
    with pytest.raises(ValueError, match="'distance' must be a number in"):
        env.reset()


def test_a_teacher_that_needs_more_is_refused():
    class Needy(Scripted):
        needs = frozenset({"telepathy"})

    with pytest.raises(ValueError, match="Needy needs telepathy"):
        TaughtVecEnv(make_task_vec_env(Reach), Needy())


def test_a_teacher_of_successes_wants_to_know_what_success_is():
    class Judged(Scripted):
        needs = frozenset({"success"})

    class Undeclared(Reach):
        mastery_threshold = None

    with pytest.raises(ValueError, match=r"Judged learns from success.*mastery_threshold"):
        TaughtVecEnv(make_task_vec_env(Undeclared), Judged())
    assert TaughtVecEnv(make_task_vec_env(Reach), Judged()).teacher.needs


def test_a_missing_reward_range_is_announced():
    class Undeclared(Reach):
        reward_range = None

    with pytest.warns(UserWarning, match="declares no reward_range"):
        TaughtVecEnv(make_task_vec_env(Undeclared), Scripted())


@pytest.mark.parametrize("n", [0, -1, 1.5, True])
def test_a_number_of_environments_is_positive(n):
    with pytest.raises(ValueError, match="positive int"):
        make_task_vec_env(Reach, n)


def test_an_unknown_environment_name_gets_the_nearest_one():
    with pytest.raises(KeyError, match="Did you mean 'stump-tracks'"):
        make_task_vec_env("stump-track")


def test_a_taught_env_is_found_under_wrappers():
    env = taught_env()
    assert find_taught(VecNormalize(VecMonitor(env))) is env
    with pytest.raises(TypeError, match="no TaughtVecEnv inside"):
        find_taught(DummyVecEnv([Reach]))


def test_a_teacher_whom_nobody_tells_of_rollouts_does_not_teach():
    env = TaughtVecEnv(make_task_vec_env(Reach, n=2), PLR(), seed=0)
    model = PPO("MlpPolicy", env, n_steps=16, batch_size=16, device="cpu")
    with pytest.raises(RuntimeError, match=r"PLR needs segments, tasks that .* TeacherCallback"):
        model.learn(64)
    model.learn(64, callback=TeacherCallback())
    with pytest.raises(RuntimeError, match="needs tasks that are not learnt from, for which"):
        play(taught_env(n=2, explore=True), 1)
