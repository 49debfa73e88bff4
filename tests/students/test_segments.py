"""Stretches of episodes as the critic saw them."""

from dataclasses import replace

import numpy as np
import pytest
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import VecNormalize

from teachrl.rollouts import Segment
from teachrl.scores import SCORES, EpisodeScores, score_of
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


@pytest.mark.parametrize("clip", [10.0, 0.5])
def test_under_normalisation_rewards_are_those_earned_and_advantages_made_of_them(clip):
    """Each was divided by the deviation of its moment, which changes most in the first rollout."""
    env, earned = VecNormalize(taught(), clip_reward=clip), []
    step = env.venv.step_wait

    def listen():
        played = step()
        earned.append(played[1] * 1.0)
        return played

    env.venv.step_wait = listen
    model = ppo(env, gamma=0.9, gae_lambda=0.8)
    model.learn(3 * 32 * 2, callback=TeacherCallback())
    episodes = {episode.task.id: episode for episode in env.venv.teacher.episodes}
    for k, (segments, _, _) in enumerate(env.venv.teacher.rollouts):
        for i in range(3):
            end = 0
            for s in (s for s in segments if s.env_index == i):
                start, end = end, end + len(s)
                raw = np.array(earned)[32 * k + start : 32 * k + end, i]
                n = len(s) - (s.is_complete and not episodes[s.task_id].terminated)
                np.testing.assert_allclose(s.rewards[:n], raw[:n], rtol=1e-4, atol=1e-4)
                following = np.append(s.values[1:], s.next_value)
                errors = s.rewards + 0.9 * following - s.values
                expected = [
                    sum(0.72**j * error for j, error in enumerate(errors[t:]))
                    for t in range(len(s))
                ]
                np.testing.assert_allclose(s.advantages, expected, rtol=1e-3, atol=1e-3)


def test_without_a_future_nothing_follows():
    env = taught()
    ppo(env, gamma=0.0).learn(3 * 32, callback=TeacherCallback())
    for s in env.teacher.rollouts[0][0]:
        assert s.next_value == 0.0
        assert np.isfinite(SCORES["one-step-td-error"](s, 0.0))


@pytest.mark.parametrize("again", ["learn", "reset"])
def test_off_policy_an_abandoned_episode_leaves_nothing_behind(again):
    env = taught(2)
    model = SAC("MlpPolicy", env, learning_starts=10, batch_size=8, seed=0, device="cpu")
    model.learn(30, callback=TeacherCallback())
    if again == "reset":
        env.reset()
    model.learn(160, callback=TeacherCallback(), reset_num_timesteps=again == "learn")
    lengths = {episode.task.id: episode.length for episode in env.teacher.episodes}
    segments = [s for found, _, _ in env.teacher.rollouts for s in found]
    assert len(segments) > 5
    assert [len(s) for s in segments] == [lengths[s.task_id] for s in segments]
    assert max(map(len, env._begun)) <= 1, "nobody takes them off-policy"


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


def parts(cut, n=40):
    """Return an episode of task 7 in one segment, and in two."""
    rng = np.random.default_rng(0)
    rewards, values, advantages = rng.normal(size=(3, n))
    likely = rng.dirichlet(np.ones(3), size=n)

    def part(start, end):
        return Segment(
            task_id=7,
            params=np.float32([1.0]),
            seed=3,
            meta={},
            env_index=0,
            rewards=rewards[start:end],
            values=values[start:end],
            advantages=advantages[start:end],
            next_value=0.0 if end == n else values[end],
            discount=0.9,
            is_start=start == 0,
            is_complete=end == n,
            probabilities=lambda: [likely[start:end]],
        )

    return part(0, n), [part(0, cut), part(cut, n)]


@pytest.mark.parametrize("score", SCORES)
def test_stretches_of_one_episode_are_merged_by_steps_or_the_earlier_dropped(score):
    whole, (first, second) = parts(cut=30)
    for merge, expected in ((True, whole), (False, second)):
        scores = EpisodeScores(score, merge)
        assert scores.add(first) is None
        copy = EpisodeScores(score, merge)
        copy.restore(scores.state())
        found = score_of(score, copy.add(second), best_return=0.5)
        assert found == pytest.approx(SCORES[score](expected, 0.5))
        assert copy.state()["partial"].shape == (0, 3)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_no_score_enters_that_is_not_finite(score, bad):
    whole, _ = parts(cut=30)
    for array in (whole.advantages, whole.values, whole.probabilities()[0]):
        array[5] = bad
    with pytest.raises(ValueError, match="task 7 must be finite"):
        EpisodeScores(score).add(whole)


def test_episodes_that_never_end_are_forgotten():
    _, (first, _) = parts(cut=30)
    scores = EpisodeScores("l1-value-loss")
    for task in range(5_000):  # of as many environments
        scores.add(replace(first, task_id=task))
    assert len(scores.state()["partial"]) == 5_000
    scores.forget_others({3, 4_999, 6_000})
    assert scores.state()["partial"][:, 0].tolist() == [3, 4_999]
