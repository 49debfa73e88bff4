"""What is played where a snapshot brings its own task, and who is told."""

from functools import partial

import numpy as np
import pytest
from stable_baselines3 import A2C

from teachrl.envs.shuffled import ShuffledTasks
from teachrl.snapshots import SnapshotResets, SnapshotTasks
from teachrl.students import TaughtEnv, TaughtVecEnv, TeacherCallback, make_task_vec_env
from teachrl.teachers import Random
from tests.students.test_snapshots import (
    STAY,
    PlainShortLine,
    Scripted,
    ShortLine,
    short_library,
    walk,
)


def _tasks(library):
    return SnapshotTasks(ShortLine(), library, horizon=10)


def two_slopes(make=ShortLine):
    return short_library(make, tasks=[[0.5], [1.5]], episodes=4)


def _drawn(library):
    return SnapshotResets(ShortLine(), library, horizon=5, probability=0.7)


@pytest.mark.parametrize("make", [_drawn, _tasks])
def test_the_running_task_is_the_one_that_is_played(make):
    """An expert is asked about it; a line says its slope in what is seen."""
    env = TaughtVecEnv(make_task_vec_env(partial(make, two_slopes()), 3), Random(), 0)
    seen = env.reset()
    for _ in range(60):
        assert env.running_params()[:, 0].tolist() == pytest.approx(seen[:, 1].tolist())
        seen = env.step(np.zeros((3, 1), np.float32))[0]


@pytest.mark.parametrize("make", [_drawn, _tasks])
def test_episodes_under_way_begin_again_as_they_were_asked_for(make):
    """They go on as they were, with the same tasks."""
    made = [partial(make, two_slopes()) for _ in range(2)]
    one, two = (TaughtVecEnv(make_task_vec_env(each, 3), Random(), 0) for each in made)
    one.reset()
    asked = one.running_params()
    for step in range(60):
        one.step(np.zeros((3, 1), np.float32))
        asked = np.stack([running["slot"]["task"] for running in one.state()["running"]])
        if step > 10 and (asked != one.running_params()).sum() > 1:
            break
    assert (asked != one.running_params()).sum() > 1
    two.restore(one.state(), one.episodes)
    for _ in range(40):
        assert two.running_params().tolist() == one.running_params().tolist()
        steps = [env.step(np.zeros((3, 1), np.float32)) for env in (one, two)]
        assert steps[0][0].tolist() == steps[1][0].tolist()
    assert one.ledger == two.ledger
    assert str(one.state()) == str(two.state())


def test_what_a_teacher_chose_is_reported_as_it_was_played():
    teacher = Scripted()
    env = TaughtVecEnv(make_task_vec_env(partial(_tasks, two_slopes()), 2), teacher, 0)
    walk(env, 300)
    told = [episode for kind, episode in teacher.log if kind == "update"]
    for episode in told:
        assert episode.first_observation[1] == pytest.approx(episode.task.params[0])
        assert episode.task.origin == "random"
    assert sorted(episode.task.id for episode in told) == sorted(env.episodes["id"].tolist())
    from_snapshots = env.episodes.params[:, 1] > 0
    assert set(env.episodes.params[from_snapshots, 0].tolist()) == {0.5, 1.5}


def test_a_single_environment_reports_what_was_played_too():
    env = TaughtEnv(_tasks(two_slopes()), Scripted())
    for _ in range(20):
        seen, over = env.reset()[0], False
        while not over:
            *_, terminated, truncated, _ = env.step(STAY)
            over = terminated or truncated
        assert env.episodes.params[-1, 0] == pytest.approx(seen[1])


def test_shuffled_tasks_say_what_is_played_in_their_own_coordinates():
    env = ShuffledTasks(_drawn(two_slopes()), slices=4, seed=0)
    for seed in range(30):
        seen, info = env.reset(seed=seed, options={"task": np.float32([0.3])})
        asked = info["task"] if "partial" in info else np.float32([0.3])
        assert env.unshuffled(asked)[0] == pytest.approx(seen[1], abs=1e-5)


class _Pairs(Scripted):
    """Has two students play its tasks."""

    needs = frozenset({"antagonist"})


def test_two_students_play_the_same_tasks_from_snapshots():
    library = two_slopes(PlainShortLine)
    make = partial(_plain_tasks, library)
    env = TaughtVecEnv(make_task_vec_env(make, 2), _Pairs(), 0)
    model = A2C("MlpPolicy", env, n_steps=30, seed=0, device="cpu")
    model.learn(240, callback=TeacherCallback())
    played: dict[int, list] = {}
    for kind, episode in env.teacher.log:
        if kind == "update":
            seen = (*episode.task.params.tolist(), *episode.first_observation.tolist())
            played.setdefault(episode.task.id, []).append((episode.student, seen))
    both = [episodes for episodes in played.values() if len({who for who, _ in episodes}) == 2]
    assert len(both) > 5
    assert all(len({seen for _, seen in episodes}) == 1 for episodes in both)
    others = env.companion.taught.env_method("snapshot_steps")
    replayed = sum(env.env_method("snapshot_steps")) + sum(others)
    assert sum(others) > 0
    assert env.ledger.expert == library.steps + replayed


def _plain_tasks(library):
    return SnapshotTasks(PlainShortLine(), library, horizon=10)


def test_a_library_and_its_replays_are_on_the_ledger_without_a_schedule():
    library = two_slopes(PlainShortLine)
    env = TaughtVecEnv(make_task_vec_env(partial(_plain_tasks, library), 2), Random(), 0)
    assert env.ledger.expert == library.steps == 120
    walk(env, 100)
    replayed = sum(env.env_method("snapshot_steps"))
    assert replayed > 0
    assert env.ledger.expert == library.steps + replayed
