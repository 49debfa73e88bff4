"""Environments moved by one call play what they would play one by one, byte for byte."""

from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv
from stable_baselines3.common.vec_env.dummy_vec_env import DummyVecEnv as Plain

from teachrl import teach
from teachrl.envs import PointMass, SparseGoal
from teachrl.envs.batched import BatchedEnv
from teachrl.evaluation import TestSet, evaluate
from teachrl.runs.checkpoints import checkpoints
from teachrl.students import NonFiniteError, TaskSlot, TaughtVecEnv, make_task_vec_env
from teachrl.students.batched_vec_env import BatchedVecEnv
from teachrl.students.presets import PPOPreset, SACPreset
from teachrl.teachers import ALPGMM, Random
from tests.runs.test_resume import everything
from tests.students.worlds import Reach

WORLDS = [PointMass, partial(PointMass, friction=0.0), SparseGoal]


class Unbatched(PointMass):
    """The same world, whose own ``step`` keeps it from being moved with others."""

    def step(self, action):
        return super().step(action)


def seen(venv, steps=260):
    """Teach for some steps and return everything that came back."""
    env = TaughtVecEnv(venv, Random(), seed=0)
    rng = np.random.default_rng(0)
    found = [env.reset()]
    scale = env.action_space.high
    for _ in range(steps):
        actions = (scale * rng.uniform(-0.5, 1, (env.num_envs, 2))).astype(np.float32)
        observations, rewards, dones, infos = env.step(actions)
        found += [observations, rewards, dones]
        for info in infos:
            found += [info["TimeLimit.truncated"], info.get("is_success", 0)]
            found += [info.get("terminal_observation", 0)]
    found += [env.episodes[name] for name in ("r", "l", "seed", "id")]
    found += [env.episodes["success"], env.episodes.params]
    return [np.asarray(x).tobytes() for x in found]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("n", [1, 5])
def test_one_call_gives_the_same_bytes_as_one_by_one(world, n):
    batched = make_task_vec_env(world, n)
    assert isinstance(batched, BatchedVecEnv)
    assert seen(batched) == seen(DummyVecEnv([lambda: TaskSlot(world())] * n))


def test_processes_give_the_same_bytes():
    venv = make_task_vec_env(PointMass, 2, processes=True)
    assert isinstance(venv, SubprocVecEnv)
    try:
        assert seen(venv) == seen(make_task_vec_env(PointMass, 2))
    finally:
        venv.close()


def test_waiting_slots_stay_as_they_are_and_cost_nothing():
    venv = make_task_vec_env(SparseGoal, 3)
    venv.reset()
    venv.env_method("begin", np.float32([6, 6, 0.05]), 0, indices=[1])
    for _ in range(3):
        observations, rewards, dones, infos = venv.step(np.zeros((3, 2), np.float32))
        assert rewards.tolist() == [0, -1, 0]
        assert not dones.any()
    assert not observations[[0, 2]].any()
    assert venv.get_attr("rows")[0].steps.tolist() == [0, 3, 0]
    assert [sorted(info) for info in infos] == [["TimeLimit.truncated"]] * 3


def test_returned_arrays_are_not_written_to_later():
    venv = make_task_vec_env(PointMass, 2)
    for i in range(2):
        venv.env_method("begin", np.float32([0, 8, 0]), i, indices=[i])
    kept = venv.step(np.ones((2, 2), np.float32))[:3]
    before = [array.copy() for array in kept]
    venv.step(np.ones((2, 2), np.float32))
    for array, copy in zip(kept, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize(
    "make",
    [
        Unbatched,
        lambda: gym.wrappers.TimeLimit(PointMass(), 50),
        lambda: gym.make("teachrl/PointMass-v0"),
        Reach,
    ],
)
def test_what_would_not_notice_being_moved_by_one_call_is_stepped_one_by_one(make):
    assert type(make_task_vec_env(make, 2)) is Plain


def test_unequal_settings_are_not_mixed():
    frictions = iter([0.0, 1.0])
    venv = make_task_vec_env(lambda: PointMass(next(frictions)), 2)
    assert type(venv) is Plain
    slots = [TaskSlot(PointMass(friction)) for friction in (0.0, 1.0)]
    with pytest.raises(TypeError, match="with equal settings"):
        BatchedVecEnv(slots)


def test_a_picture_shows_the_row_of_its_environment():
    venv = make_task_vec_env(PointMass, 2, render_mode="rgb_array")
    for i, width in enumerate((0.5, 8)):
        venv.env_method("begin", np.float32([0, width, 0]), i, indices=[i])
    pictures = venv.env_method("render")
    assert pictures[0].tobytes() != pictures[1].tobytes()
    alone = PointMass(render_mode="rgb_array")
    alone.reset(seed=0, options={"task": [0, 8, 0]})
    assert pictures[1].tobytes() == alone.render().tobytes()
    assert len(venv.get_images()) == 2


def test_evaluation_gives_the_same_however_many_play_at_once():
    class Steady:
        def predict(self, observations, **_):
            return np.full((len(observations), 2), [0.3, -1.0], np.float32), None

    tests = TestSet.uniform(PointMass.task_space, 12)
    found = [evaluate(Steady(), PointMass, tests, n_envs=n) for n in (1, 5, 16)]
    found.append(evaluate(Steady(), Unbatched, tests, n_envs=3))
    assert {result.rewards.tobytes() for result in found} == {found[0].rewards.tobytes()}
    assert {result.lengths.tobytes() for result in found} == {found[0].lengths.tobytes()}
    assert np.ptp(found[0].rewards) > 0


def test_an_infinite_action_names_task_and_environment():
    env = TaughtVecEnv(make_task_vec_env(PointMass, 2), Random(), seed=0)
    env.reset()
    actions = np.zeros((2, 2), np.float32)
    actions[1, 0] = np.inf
    with pytest.raises(NonFiniteError, match=r"environment 1 at step 1.*gate_width"):
        env.step(actions)


class Stop(BaseCallback):
    """Fails in the middle of a rollout."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def _on_step(self):
        if self.num_timesteps >= self.at:
            raise InterruptedError
        return True


STUDENTS = {
    "ppo": PPOPreset(rollout=96, batch_size=32, n_epochs=2, net_arch=(8,)),
    "sac": SACPreset(learning_starts=60, buffer_size=300, batch_size=16, net_arch=(8,)),
}


def lesson(student, world, folder, callbacks=()):
    return teach(
        STUDENTS[student],
        world,
        ALPGMM(fit_every=4, max_gaussians=3),
        steps=700,
        n_envs=3,
        folder=folder,
        callbacks=callbacks,
        checkpoint_every=64,
        test_set=TestSet.uniform(world.task_space, 3),
        evaluate_every=350,
    )


@pytest.mark.parametrize(("student", "world"), [("ppo", PointMass), ("sac", SparseGoal)])
def test_a_run_is_the_same_batched_resumed_and_one_by_one(tmp_path, monkeypatch, student, world):
    unbroken = everything(lesson(student, world, tmp_path / "unbroken").folder)
    for step in (250, 555):
        with pytest.raises(InterruptedError):
            lesson(student, world, tmp_path / "resumed", [Stop(step)])
        assert checkpoints(tmp_path / "resumed")
    assert everything(lesson(student, world, tmp_path / "resumed").folder) == unbroken
    monkeypatch.setattr(BatchedEnv, "is_batchable", lambda _: False)
    assert everything(lesson(student, world, tmp_path / "one by one").folder) == unbroken
