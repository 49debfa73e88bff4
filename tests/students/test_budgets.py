"""A run that is too short for its teacher is told so, with numbers."""

import warnings
from dataclasses import replace

import pytest
from stable_baselines3 import PPO

from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.students import TaughtVecEnv, TeacherCallback, make_task_vec_env
from teachrl.teachers import ACCEL, PLR, REPAIRED, SFL, Random
from tests.students.worlds import Reach

IDLE = "replays nothing, and so teaches nobody, before 50 tasks"


class Limited(Reach):
    """Reach that declares its limit, which no episode falls short of."""

    max_episode_steps = 20

    def step(self, action):
        observation, reward, _, truncated, info = super().step(action)
        return observation, reward, False, truncated, info


class Few(Reach):
    """Reach with twelve different tasks."""

    task_space = TaskSpace(distance=(0, 5, "int"), friction=(0, 1, "int"))


def said(env, teacher, steps, n_steps=20):
    """Return what was warned of, each with the number of steps played until then."""
    taught = TaughtVecEnv(make_task_vec_env(env, 2), teacher, seed=0)
    student = PPO("MlpPolicy", taught, n_steps=n_steps, batch_size=40, n_epochs=1, seed=0)
    found = []

    def note(message, *_, **__):
        found.append((taught.steps, str(message)))

    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("teachrl.students.budgets.warnings.warn", note)
        student.learn(steps, callback=TeacherCallback())
    return found


@pytest.mark.parametrize("kind", [PLR, ACCEL])
def test_a_buffer_that_cannot_fill_is_told_at_the_start_and_after_a_tenth(kind):
    [first, second] = said(Limited, kind(capacity=100, min_fill=0.5), steps=400)
    assert first[0] == 0
    assert first[1].startswith(f"{kind.__name__} {IDLE}")
    assert first[1].endswith("400 steps give 20 episodes if each takes all its 20 steps")
    assert second[0] == 40
    assert second[1].endswith("400 steps give about 20 episodes: there were 2 in the first 40")


def test_without_a_known_limit_the_episodes_that_were_seen_tell():
    class Unknown(Limited):
        max_episode_steps = None

    [(steps, text)] = said(Unknown, PLR(capacity=100, min_fill=0.5), steps=400)
    assert steps == 40
    assert "about 20 episodes" in text
    [start, _] = said(Unknown, PLR(capacity=1000, min_fill=0.5), steps=400)
    assert start[1].endswith("400 steps give at most 400 episodes")


def test_a_run_shorter_than_its_rollout_is_as_long_as_that():
    class Unknown(Limited):
        max_episode_steps = None

    [_, (steps, text)] = said(Unknown, PLR(capacity=100, min_fill=0.5), steps=40, n_steps=100)
    assert steps == 200
    assert text.endswith("200 steps give about 10 episodes: there were 10 in the first 200")


def test_a_limit_that_episodes_fall_short_of_is_no_alarm_after_a_tenth():
    class Loose(Limited):
        max_episode_steps = 2000

    found = said(Loose, PLR(capacity=20, min_fill=0.5), steps=400)
    assert [steps for steps, _ in found] == [0]


def test_a_buffer_that_fills_is_not_talked_about():
    assert said(Limited, PLR(capacity=20, min_fill=0.5), steps=400) == []
    assert said(Limited, Random(), steps=100) == []


def test_fewer_tasks_than_the_buffer_holds_are_told_of_once():
    [(steps, text)] = said(Few, PLR(capacity=13, min_fill=0.1), steps=400)
    assert steps == 0
    assert "capacity is 13" in text
    assert "only 12 different tasks" in text
    assert said(Few, PLR(capacity=12, min_fill=0.1), steps=400) == []


@pytest.mark.parametrize(
    ("teacher", "expected"),
    [
        (REPAIRED(designer="cross-entropy", capacity=12), "REPAIRED.capacity is 12"),
        (SFL(candidates=20, keep=12), "SFL.keep is 12"),
    ],
)
def test_others_who_hold_tasks_are_told_of_too_few_as_well(teacher, expected):
    space = TaskSpace(distance=(0, 10, "int"))
    [concern] = teacher.start(space, stream(0, "teacher"), (0.0, 1.0)).concerns(1e6)
    assert concern.startswith(f"{expected}, but {space} has only 11 different tasks")
    assert teacher.start(Limited.task_space, stream(0, "teacher"), (0.0, 1.0)).concerns(1e6) == []


@pytest.mark.parametrize(
    "teacher",
    [
        REPAIRED(designer="cross-entropy", capacity=100, min_fill=0.1),
        PLR(capacity=100, min_fill=0.1, on_done="same"),
    ],
)
def test_where_tasks_are_repeated_rollouts_count_and_not_episodes(teacher):
    """Twenty episodes, but four rollouts of two environments, each with one task."""
    [first, second] = said(Limited, teacher, steps=400, n_steps=50)
    assert (first[0], second[0]) == (0, 100)
    for _, text in (first, second):
        assert text.startswith(f"{type(teacher).__name__} replays nothing")
        assert "8 in such a run" in text
    assert said(Limited, replace(teacher, min_fill=0.08), steps=400, n_steps=50) == []


def test_a_buffer_that_holds_every_task_once_must_be_small_enough():
    with pytest.raises(ValueError, match="would never replay: its buffer must hold 13 tasks"):
        said(Few, PLR(capacity=130, min_fill=0.1, least_distance=0.01), steps=400)
    assert said(Few, PLR(capacity=12, min_fill=1.0, least_distance=0.01), steps=800) == []
