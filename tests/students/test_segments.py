"""Stretches of episodes as the critic saw them."""

import numpy as np
import pytest
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import VecNormalize

from teachrl.scores import SCORES, EpisodeScores
from teachrl.students import TaughtVecEnv, TeacherCallback, make_task_vec_env
from teachrl.students.rollouts import StudentRollout
from tests.students.worlds import Reach, Scripted


class Looking(Scripted):
    """Keeps all segments, and what the buffer held then."""

    needs = frozenset({"segments"})

    def reset(self):
        super().reset()
        self.rollouts = []

    def study(self, rollout):
        model = rollout.model
        kept = None
        if hasattr(model, "rollout_buffer"):
            names = ("rewards", "values", "advantages", "episode_starts", "returns")
            kept = {name: getattr(model.rollout_buffer, name).copy() for name in names}
        self.rollouts.append((rollout.segments(), kept, rollout))


def taught(n=3):
    return TaughtVecEnv(make_task_vec_env(Reach, n=n), Looking(), seed=0)


def ppo(env, **more):
    options = {"n_steps": 32, "batch_size": 32, "policy_kwargs": {"net_arch": [8]}, "seed": 0}
    return PPO("MlpPolicy", env, device="cpu", **options | more)


def test_segments_tile_the_rollout_and_name_its_tasks():
    env = taught()
    ppo(env).learn(3 * 32 * 4, callback=TeacherCallback())
    assert len(env.teacher.rollouts) == 4
    lengths = {}
    for segments, kept, _ in env.teacher.rollouts:
        for i in range(3):
            mine = [s for s in segments if s.env_index == i]
            assert sum(map(len, mine)) == 32
            for name in ("rewards", "values", "advantages"):
                joined = np.concatenate([getattr(s, name) for s in mine])
                np.testing.assert_allclose(joined, kept[name][:, i])
            starts = np.cumsum([0, *map(len, mine[:-1])])
            begun = kept["episode_starts"][starts, i].astype(bool).tolist()
            assert [s.is_start for s in mine] == begun
        for s in segments:
            lengths.setdefault(s.task_id, [0, s.params.tolist(), False])
            lengths[s.task_id][0] += len(s)
            lengths[s.task_id][2] |= s.is_complete
    for episode in env.teacher.episodes:
        assert lengths[episode.task.id] == [episode.length, episode.task.params.tolist(), True]
    ended = {episode.task.id for episode in env.teacher.episodes}
    assert all(done == (task in ended) for task, (_, _, done) in lengths.items())


def test_with_lambda_zero_advantages_are_the_td_errors_of_the_segment():
    env = taught()
    ppo(env, gae_lambda=0.0).learn(3 * 32 * 3, callback=TeacherCallback())
    for segments, _, _ in env.teacher.rollouts:
        for s in segments:
            following = np.append(s.values[1:], s.next_value)
            errors = s.rewards + s.discount * following - s.values
            np.testing.assert_allclose(errors, s.advantages, atol=1e-5)
            assert SCORES["one-step-td-error"](s, 0.0) == pytest.approx(np.abs(errors).mean())


def test_under_normalisation_they_are_in_raw_rewards():
    env = VecNormalize(taught())
    ppo(env).learn(3 * 32 * 3, callback=TeacherCallback())
    segments, kept, rollout = env.venv.teacher.rollouts[-1]
    scale = rollout._reward_scale()
    mine = np.concatenate([s.values for s in segments if s.env_index == 1])
    np.testing.assert_allclose(mine, scale * kept["values"][:, 1], rtol=1e-5)


def test_off_policy_an_episode_is_looked_back_on_when_it_ends(monkeypatch):
    asked, ask = [], StudentRollout.values

    def listen(rollout, observations):
        asked.append((observations, ask(rollout, observations)))
        return asked[-1][1]

    monkeypatch.setattr(StudentRollout, "values", listen)
    env = taught(2)
    model = SAC(
        "MlpPolicy", env, learning_starts=10, batch_size=8, train_freq=4, seed=0, device="cpu"
    )
    model.learn(200, callback=TeacherCallback())
    segments = [s for found, _, _ in env.teacher.rollouts for s in found]
    episodes = {episode.task.id: episode for episode in env.teacher.episodes}
    assert {episodes[s.task_id].terminated for s in segments} == {True, False}
    for s, (seen, values) in zip(segments, asked, strict=True):
        episode = episodes[s.task_id]
        assert len(s) == episode.length
        assert s.is_start
        assert s.is_complete
        assert seen[:, 2].tolist() == list(range(episode.length + 1))
        assert s.values.tolist() == values[:-1].tolist()
        following = 0.0 if episode.terminated else 0.99 * values[-1]  # where time ran out
        assert s.rewards[:-1].tolist() == [0.0] * (episode.length - 1)
        assert s.rewards[-1] == pytest.approx(episode.reward + following)
        # λ-returns by hand, from the back
        running, expected = 0.0, []
        after = np.append(s.values[1:], 0.0)
        for t in reversed(range(len(s))):
            running = s.rewards[t] + 0.99 * after[t] - s.values[t] + 0.99 * 0.95 * running
            expected.append(running)
        np.testing.assert_allclose(s.advantages, expected[::-1])


def test_stretches_of_one_episode_are_merged_by_steps_or_the_earlier_dropped():
    for merge, expected in ((True, 1.25), (False, 2.0)):
        scores = EpisodeScores(merge)
        assert scores.add(7, 1.0, 30, is_complete=False) is None
        copy = EpisodeScores(merge)
        copy.restore(scores.state())
        assert copy.add(7, 2.0, 10, is_complete=True) == expected
        assert copy.state() == {"partial": []}


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
def test_no_score_enters_that_is_not_finite(score):
    with pytest.raises(ValueError, match="task 7 must be finite"):
        EpisodeScores().add(7, score, 10, is_complete=True)


def test_episodes_that_never_end_are_forgotten():
    scores = EpisodeScores(memory=10)
    for task in range(100):
        scores.add(task, 1.0, 1, is_complete=False)
    assert len(scores.state()["partial"]) == 30
