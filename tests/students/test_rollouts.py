"""What students tell their teachers, under every algorithm and wrapper."""

import numpy as np
import pytest
import torch
from sb3_contrib import TQC, RecurrentPPO
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.vec_env import VecFrameStack, VecMonitor, VecNormalize

from teachrl import teach
from teachrl.students.callback import TeacherCallback
from teachrl.students.making import make_task_vec_env
from teachrl.students.rollouts import StudentRollout, require_signals
from teachrl.students.vec_env import TaughtVecEnv
from teachrl.teachers import PLR
from tests.students.worlds import Reach, ReachDict, ReachDiscrete, Scripted


def small(**options):
    """Return options of a small student, anew: SB3 writes into them."""
    return {"policy_kwargs": {"net_arch": [8]}, "device": "cpu", **options}


def on(**options):
    return small(n_steps=16, batch_size=8, **options)


def off(**options):
    return small(learning_starts=10, batch_size=8, train_freq=4, **options)


class Asking(Scripted):
    """Asks for everything."""

    needs = frozenset({"values", "actions", "transitions", "first_observations"})

    def reset(self):
        super().reset()
        self.heard = []

    def study(self, rollout):
        first = rollout.first_observations(np.float32([[2, 0.5], [7, 0.5]]))
        self.heard.append(
            {
                "steps": rollout.steps,
                "first": first,
                "values": rollout.values(first),
                "actions": rollout.actions(first),
                "transitions": rollout.transitions(),
            }
        )


def taught_by(world=Reach, n=2, processes=False):
    return TaughtVecEnv(make_task_vec_env(world, n=n, processes=processes), Asking(), seed=0)


@pytest.mark.parametrize(
    ("algorithm", "world", "options"),
    [
        (PPO, Reach, on()),
        (A2C, Reach, small(n_steps=4)),
        (SAC, Reach, off()),
        (TD3, Reach, off()),
        (TQC, Reach, off()),
        (DQN, ReachDiscrete, off()),
    ],
)
def test_every_student_with_a_critic_answers(algorithm, world, options):
    env = taught_by(world)
    model = algorithm("MlpPolicy", env, seed=0, **options)
    model.learn(64, callback=TeacherCallback())
    heard = env.teacher.heard
    assert [h["steps"] for h in heard] == sorted({h["steps"] for h in heard})
    for h in heard:
        assert h["values"].shape == (2,)
        assert h["actions"].shape[0] == 2
        assert np.isfinite(h["values"]).all()
    assert sum(len(h["transitions"]) for h in heard) == heard[-1]["steps"]


def test_values_are_those_of_the_critic():
    env = taught_by()
    model = PPO("MlpPolicy", env, seed=0, **on())
    rollout = StudentRollout(model)
    seen = rollout.first_observations(np.float32([[2, 0.5], [7, 0.5]]))
    with torch.no_grad():
        expected = model.policy.predict_values(torch.as_tensor(seen)).numpy()[:, 0]
    np.testing.assert_allclose(rollout.values(seen), expected)
    assert rollout.discount == 0.99


def test_under_normalisation_it_takes_raw_observations_and_gives_raw_rewards():
    env = VecNormalize(VecMonitor(taught_by()))
    model = PPO("MlpPolicy", env, seed=0, **on())
    model.learn(64, callback=TeacherCallback())
    rollout = StudentRollout(model)
    seen = rollout.first_observations(np.float32([[2, 0.5], [7, 0.5]]))
    np.testing.assert_array_equal(rollout.normalize(seen), env.normalize_obs(seen))
    with torch.no_grad():
        inner = model.policy.predict_values(torch.as_tensor(env.normalize_obs(seen)))
    scale = np.sqrt(env.ret_rms.var + env.epsilon)
    assert scale != pytest.approx(1.0, abs=0.1)
    np.testing.assert_allclose(rollout.values(seen), inner.numpy()[:, 0] * scale, rtol=1e-6)
    np.testing.assert_array_equal(
        rollout.actions(seen), model.predict(env.normalize_obs(seen), deterministic=True)[0]
    )


def test_asking_changes_nothing_about_a_run():
    def weights(teacher):
        env = TaughtVecEnv(make_task_vec_env(Reach, n=2), teacher, seed=0)
        model = SAC("MlpPolicy", env, seed=0, **off()).learn(64, callback=TeacherCallback())
        return torch.cat([p.flatten() for p in model.policy.parameters()])

    assert torch.equal(weights(Asking()), weights(Scripted()))


@pytest.mark.parametrize("processes", [False, True])
def test_transitions_lead_from_what_was_seen_to_what_came_of_it(processes):
    env = taught_by(processes=processes)
    env.is_attended = True
    seen, reached, rewards, ends = [env.reset().copy()], [], [], []
    rng = np.random.default_rng(0)
    actions = [rng.uniform(-1, 1, (2, 1)).astype(np.float32) for _ in range(40)]
    for action in actions:
        observations, reward, dones, infos = env.step(action)
        last = [
            i["terminal_observation"] if d else o
            for o, d, i in zip(observations, dones, infos, strict=True)
        ]
        reached.append(np.stack(last))
        ends.append([d and not i["TimeLimit.truncated"] for d, i in zip(dones, infos, strict=True)])
        rewards.append(reward)
        seen.append(observations.copy())
    taken = env.transitions.take()
    env.close()
    assert np.any(ends)
    np.testing.assert_array_equal(taken.observations, np.concatenate(seen[:-1]))
    np.testing.assert_array_equal(taken.next_observations, np.concatenate(reached))
    np.testing.assert_array_equal(taken.actions, np.concatenate(actions))
    np.testing.assert_array_equal(taken.rewards, np.concatenate(rewards))
    np.testing.assert_array_equal(taken.terminated, np.concatenate(ends))
    assert taken.env_index.tolist() == [0, 1] * 40


def test_dict_observations_travel_as_dicts():
    env = taught_by(ReachDict)
    env.is_attended = True
    env.reset()
    env.step(np.zeros((2, 1), np.float32))
    assert env.transitions.take().observations["vector"].shape[0] == 2
    assert env.spares.first_observations(np.float32([[2, 0.5]]))["vector"].shape[0] == 1


def test_nothing_is_kept_for_teachers_who_do_not_ask():
    env = TaughtVecEnv(make_task_vec_env(Reach), Scripted(), seed=0)
    env.reset()
    env.step(np.zeros((1, 1), np.float32))
    with pytest.raises(ValueError, match="no step was played"):
        env.transitions.take()


def test_a_diverged_critic_is_reported():
    model = PPO("MlpPolicy", taught_by(), **on())
    with torch.no_grad():
        model.policy.value_net.weight.fill_(np.nan)
    with pytest.raises(ValueError, match=r"critic of PPO.*not finite"):
        StudentRollout(model).values(np.zeros((1, *model.observation_space.shape), np.float32))


def test_students_who_cannot_tell_are_refused_before_anything_is_made(tmp_path):
    with pytest.raises(ValueError, match=r"mean nothing to RecurrentPPO.*choose PPO"):
        teach(RecurrentPPO, Reach, Asking(), steps=64, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def of_sbx(algorithm):
    """Return a class that stands for SBX's of the same name; importing that takes seconds."""
    return type(algorithm.__name__, (algorithm,), {"__module__": f"sbx.{algorithm.__name__}"})


@pytest.mark.parametrize("needs", [{"segments"}, {"values"}, {"actions"}, {"transitions"}])
@pytest.mark.parametrize("algorithm", [PPO, SAC])
def test_of_sbx_only_those_are_refused_whose_critic_would_be_asked(algorithm, needs):
    class Needing(Scripted):
        pass

    Needing.needs = frozenset(needs)
    require_signals(Needing(), algorithm)
    if "values" in needs or (algorithm is SAC and "segments" in needs):
        with pytest.raises(
            ValueError, match=f"choose Stable-Baselines3's own {algorithm.__name__}"
        ):
            require_signals(Needing(), of_sbx(algorithm))
    else:
        require_signals(Needing(), of_sbx(algorithm))


def test_tasks_are_repeated_in_whole_rollouts_only(tmp_path):
    require_signals(PLR(on_done="same"), PPO)
    require_signals(PLR(), SAC)
    with pytest.raises(ValueError, match=r"those of SAC end after a few steps: choose PPO or A2C"):
        teach(SAC, Reach, PLR(on_done="same"), steps=64, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_stacked_observations_are_refused():
    env = VecFrameStack(taught_by(), 2)
    model = PPO("MlpPolicy", env, seed=0, **on())
    with pytest.raises(ValueError, match="VecFrameStack changes"):
        model.learn(64, callback=TeacherCallback())


def test_first_observations_need_a_spare_environment():
    from stable_baselines3.common.vec_env import DummyVecEnv

    from teachrl.students.task_slot import TaskSlot

    env = TaughtVecEnv(DummyVecEnv([lambda: TaskSlot(Reach())]), Asking(), seed=0)
    with pytest.raises(ValueError, match="make_task_vec_env"):
        env.spares.first_observations(np.float32([[2, 0.5]]))
