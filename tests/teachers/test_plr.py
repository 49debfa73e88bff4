"""Prioritized level replay and ACCEL: what enters the buffer, and what leaves it when."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chisquare
from stable_baselines3 import PPO, SAC

from teachrl import teach
from teachrl.core import Episode
from teachrl.rollouts import Segment
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.teachers import ACCEL, PLR
from tests.students.worlds import Reach

SPACE = TaskSpace(x=(0, 10), y=(-1, 1), n=(1, 5, "int"))


class Told:
    """A rollout that says what it is told to say."""

    def __init__(self, segments, steps=0):
        self._segments, self.steps = segments, steps

    def segments(self):
        return self._segments


def started(kind=PLR, seed=0, **options):
    return kind(**({"capacity": 4, "min_fill": 0.5} | options)).start(
        SPACE, stream(seed, "teacher")
    )


def segment(task, advantages, complete=True, values=0.0):
    advantages = np.array(advantages, float)
    n = len(advantages)
    return Segment(
        task_id=task.id,
        params=task.params,
        seed=task.seed,
        meta=task.meta,
        env_index=0,
        rewards=np.zeros(n),
        values=np.broadcast_to(np.array(values, float), n).copy(),
        advantages=advantages,
        next_value=0.0,
        discount=0.99,
        is_start=True,
        is_complete=complete,
    )


class Play:
    """Lets tasks be played one by one, with made-up regrets."""

    def __init__(self, teacher):
        self.teacher, self.n = teacher, 0

    def task(self):
        self.n += 1
        return replace(self.teacher.sample(), id=self.n)

    def end(self, task, reward=1.0):
        self.teacher.update(Episode(task, task.seed, reward, 3))

    def whole(self, regret=1.0, reward=1.0):
        task = self.task()
        self.end(task, reward)
        self.teacher.study(Told([segment(task, [regret] * 3)]))
        return task


def test_nothing_is_replayed_before_the_buffer_is_full_enough():
    teacher = started(replay_ratio=1.0)
    play = Play(teacher)
    assert [play.whole().origin for _ in range(2)] == ["random", "random"]
    assert play.whole().origin == "replay"


def test_replays_are_the_same_task_and_seed_bit_for_bit():
    teacher = started(replay_ratio=1.0, min_fill=0.25)
    play = Play(teacher)
    first = play.whole()
    again = play.whole()
    assert again.origin == "replay"
    assert again.params.tobytes() == first.params.tobytes()
    assert again.seed == first.seed


@pytest.mark.parametrize("robust", [True, False])
def test_robust_learns_from_replays_only(robust):
    teacher = started(replay_ratio=0.5, robust=robust)
    play = Play(teacher)
    tasks = [play.whole() for _ in range(60)]
    learnt = {
        origin: {t.learn for t in tasks if t.origin == origin} for origin in ("random", "replay")
    }
    assert learnt == {"random": {not robust}, "replay": {True}}


def test_the_share_of_replays_is_the_ratio_or_at_most_the_fill():
    for schedule, expected in (("fixed", 0.8), ("proportionate", 0.5)):
        teacher = started(replay_ratio=0.8, schedule=schedule, capacity=100, min_fill=0.1)
        play = Play(teacher)
        while teacher.buffer.fill < 0.5:
            play.whole()
        teacher.update = lambda _: None
        replays = [teacher.sample().origin == "replay" for _ in range(2000)]
        assert np.mean(replays) == pytest.approx(expected, abs=0.04)


def test_a_task_enters_with_its_score_and_is_rescored_when_replayed():
    teacher = started(replay_ratio=1.0, min_fill=0.25, score_rate=0.5)
    play = Play(teacher)
    play.whole(regret=4.0, reward=2.0)
    assert teacher.buffer.scores.tolist() == [4.0]
    play.whole(regret=2.0, reward=1.0)
    entry = teacher.buffer.entry(0)
    assert (entry.score, entry.best_return, entry.plays) == (3.0, 2.0, 2)


def test_stretches_in_different_rollouts_make_one_score():
    teacher = started(merge_stretches=True)
    play = Play(teacher)
    task = play.task()
    teacher.study(Told([segment(task, [1.0] * 6, complete=False)]))
    assert not len(teacher.buffer)
    play.end(task)
    teacher.study(Told([segment(task, [5.0] * 2)]))
    assert teacher.buffer.scores.tolist() == [2.0]


@pytest.mark.parametrize(("weight", "expected"), [(0.0, 5.0), (0.25, 6.0), (1.0, 9.0)])
@pytest.mark.parametrize("order", [1, -1])
def test_a_task_that_several_environments_replay_has_one_score(weight, expected, order):
    teacher = started(replay_ratio=1.0, min_fill=0.25, max_weight=weight, score_rate=0.5)
    play = Play(teacher)
    play.whole(regret=3.0)
    twice = [play.task(), play.task()]
    for task, reward in zip(twice, (2.0, 4.0), strict=True):
        play.end(task, reward)
    told = [segment(task, [x] * n) for task, x, n in zip(twice, (1.0, 9.0), (90, 10), strict=True)]
    teacher.study(Told(told[::order]))
    entry = teacher.buffer.entry(0)
    assert (entry.score, entry.best_return, entry.plays) == ((3 + expected) / 2, 4.0, 3)


def test_a_new_task_that_was_repeated_enters_once_with_one_score():
    teacher = started(on_done="same", replay_ratio=0.0, score="max-monte-carlo")
    play = Play(teacher)
    told = []
    for reward, value in ((2.0, 1.0), (6.0, 3.0)):
        task = play.task()
        play.end(task, reward)
        told.append(segment(task, [0.0] * 5, values=value))
    teacher.study(Told(told))
    [score], entry = teacher.buffer.scores, teacher.buffer.entry(0)
    assert (score, entry.best_return, entry.plays) == (4.0, 6.0, 2)  # of 6 - 1 and 6 - 3


def test_every_replayed_episode_earns_a_child_whoever_else_replays_the_task():
    teacher = started(ACCEL, replay_ratio=1.0, min_fill=0.25, parents="all")
    play = Play(teacher)
    play.whole()
    twice = [play.task(), play.task()]
    for task in twice:
        play.end(task)
    teacher.study(Told([segment(task, [1.0]) for task in twice]))
    assert len(teacher.children) == 2


@pytest.mark.parametrize(
    ("score", "expected"), [("max-monte-carlo", 2.0), ("clamped-max-monte-carlo", 5.0)]
)
def test_stretches_before_a_best_return_is_known_count_as_the_others(score, expected):
    teacher = started(score=score, replay_ratio=0.0)
    play = Play(teacher)
    task = play.task()
    values = [0.0] * 30 + [20.0] * 30
    teacher.study(Told([segment(task, [0.0] * 60, complete=False, values=values)]))
    play.end(task, reward=10.0)
    teacher.study(Told([segment(task, [0.0] * 40, values=5.0)]))
    assert teacher.buffer.scores.tolist() == pytest.approx([expected])


def test_unfinished_episodes_never_enter():
    teacher = started()
    play = Play(teacher)
    for _ in range(20):
        task = play.task()
        teacher.study(Told([segment(task, [9.0] * 3, complete=False)]))
    assert not len(teacher.buffer)


def test_max_monte_carlo_remembers_the_best_return_of_task_and_seed():
    teacher = started(score="max-monte-carlo", replay_ratio=1.0, min_fill=0.25)
    play = Play(teacher)
    task = play.task()
    play.end(task, reward=10.0)
    teacher.study(Told([segment(task, [0.0], values=4.0)]))
    assert teacher.buffer.scores.tolist() == [6.0]
    task = play.task()
    play.end(task, reward=1.0)
    teacher.study(Told([segment(task, [0.0], values=9.0)]))
    assert teacher.buffer.scores.tolist() == [1.0]  # 10 - 9, not 1 - 9


def test_an_evicted_task_in_flight_is_new_again():
    teacher = started(replay_ratio=1.0, min_fill=0.25, capacity=1)
    play = Play(teacher)
    play.whole(regret=1.0)
    flying = play.task()
    assert flying.origin == "replay"
    other = replace(flying, id=99, seed=5, meta={"parent": -1})
    teacher.update(Episode(other, 5, 1.0, 3))
    teacher.study(Told([segment(other, [7.0] * 3)]))
    play.end(flying)
    teacher.study(Told([segment(flying, [3.0] * 3)]))
    assert teacher.buffer.scores.tolist() == [7.0]


def test_same_keeps_an_environment_on_its_task_until_the_rollout_ends():
    teacher = started(on_done="same", replay_ratio=0.0)
    play = Play(teacher)
    task = play.task()
    play.end(task)
    again = play.task()
    assert (again.params.tobytes(), again.seed, again.learn) == (
        task.params.tobytes(),
        task.seed,
        task.learn,
    )
    play.end(again)
    teacher.study(Told([segment(task, [1.0]), segment(again, [1.0])]))
    assert play.task().params.tobytes() != task.params.tobytes()


@pytest.mark.parametrize("kind", [PLR, ACCEL])
def test_a_proportional_priority_refuses_scores_below_zero(kind):
    with pytest.raises(ValueError, match=rf"{kind.__name__}.score max-monte-carlo may be negative"):
        started(kind, priority="proportional", score="max-monte-carlo")


def test_children_are_small_changes_of_what_was_replayed():
    options = {"parents": "all", "edits": 1, "edit_size": 0.02, "min_fill": 0.1, "capacity": 8}
    teacher = started(ACCEL, replay_ratio=1.0, **options)
    play = Play(teacher)
    first = play.whole()
    play.whole()  # a replay
    child = play.task()
    assert child.origin == "mutation"
    assert child.learn is False
    moved = SPACE.normalize(child.params) - SPACE.normalize(first.params)
    assert np.abs(moved[:2]).max() <= 0.02 + 1e-6
    assert child.params[2] in first.params[2] + [-1, 0, 1]
    play.end(child)
    teacher.study(Told([segment(child, [1.0] * 3)]))
    assert teacher.buffer.parents.tolist() == [-1, 0]


@pytest.mark.parametrize(("parents", "expected"), [("easiest", 3), ("hardest", 0), ("best", 1)])
def test_parents_are_chosen_by_the_stated_criterion(parents, expected):
    """Of a batch, the four best by flattened per-task numbers: never always the first one."""
    teacher = started(
        ACCEL,
        parents=parents,
        edits=1,
        edit_size=1e-9,
        capacity=20,
        min_fill=1.0,
        new_seed_ratio=0.0,
    )
    play = Play(teacher)
    rewards, regrets = [-5.0, 0.0, 1.0, 9.0, 2.0, 3.0], [0.5, 3.0, 0.4, 0.3, 0.2, 0.1]
    for regret in regrets:
        play.whole(regret=regret)
    for i in range(6):
        teacher.scored(teacher.buffer.entry(i), rewards[i])
    teacher._breed()
    assert len(teacher.children) == 6
    assert teacher.children[0]["parent"] == expected
    assert len({child["parent"] for child in teacher.children}) == 4
    assert teacher.children[0]["seed"] == teacher.buffer.entry(expected).seed


def test_a_parent_that_was_dropped_since_it_came_back_has_its_child_all_the_same():
    """What is scored after it in the same rollout may take its place: three in ten were lost."""
    teacher = started(ACCEL, parents="all", capacity=1, min_fill=1.0, edits=1)
    play = Play(teacher)
    first = play.whole(regret=1.0)
    teacher.scored(teacher.buffer.entry(0), 0.0)
    task = teacher._new()
    teacher.buffer.insert(task.params, SPACE.normalize(task.params), 7, score=9.0, best_return=0.0)
    teacher._breed()
    [child] = teacher.children
    assert np.abs(SPACE.normalize(child["params"]) - SPACE.normalize(first.params)).max() < 0.5
    assert child["parent"] == 0


def test_parents_are_chosen_among_several_however_few_a_rollout_ends():
    """An off-policy student learns after every few steps: one episode has ended, or none."""
    teacher = started(ACCEL, parents="hardest", capacity=20, min_fill=1.0, edits=1)
    play, replayed = Play(teacher), []
    for regret in range(20):
        play.whole(regret=float(regret))
    teacher.replay_ratio = 1.0
    while not teacher.children:
        task = play.task()
        play.end(task, reward=0.0)
        teacher.study(Told([segment(task, [float(task.meta["serial"])])]))
        replayed.append(task.meta["serial"])
    assert len(replayed) == len(teacher.children) == 8
    hardest = sorted(replayed, reverse=True)[:4]
    assert [child["parent"] for child in teacher.children] == hardest * 2
    assert not teacher.family


def test_new_tasks_come_from_the_easy_box():
    teacher = started(ACCEL, easy_low=(0, -1, 1), easy_high=(2, 0, 2))
    tasks = [teacher.sample() for _ in range(50)]
    params = np.array([t.params for t in tasks])
    assert {t.origin for t in tasks} == {"easy"}
    assert (params.max(axis=0) <= [2, 0, 2]).all()
    with pytest.raises(ValueError, match="give both"):
        started(ACCEL, easy_low=(0, -1, 1))
    with pytest.raises(ValueError, match="must not exceed"):
        started(ACCEL, easy_low=(5, -1, 1), easy_high=(2, 0, 2))


def test_whole_numbers_of_the_easy_box_are_equally_likely():
    teacher = started(ACCEL, easy_low=(0, -1, 2), easy_high=(2, 0, 4))
    params = np.array([teacher.sample().params for _ in range(3000)])
    counts = np.bincount(params[:, 2].astype(int), minlength=6)
    assert counts.tolist() == pytest.approx([0, 0, 1000, 1000, 1000, 0], abs=100)
    assert chisquare(np.histogram(params[:, 0], 8, (0, 2))[0]).pvalue > 1e-3


def test_children_may_be_their_parent_with_another_seed():
    options = {"replay_ratio": 1.0, "min_fill": 0.25, "parents": "all"}
    teacher = started(ACCEL, **options, seed_ratio=1.0, new_seed_ratio=0.0)
    play = Play(teacher)
    parent = play.whole()
    play.whole()
    child = teacher.sample()
    assert child.origin == "mutation"
    assert child.params.tobytes() == parent.params.tobytes()
    assert child.seed != parent.seed


@pytest.mark.parametrize("teacher", [PLR(capacity=20), ACCEL(capacity=20)])
@pytest.mark.parametrize("algorithm", [PPO, SAC])
def test_it_teaches_students_of_both_kinds(teacher, algorithm):
    options = {"policy_kwargs": {"net_arch": [8]}}
    options |= {"n_steps": 64, "batch_size": 64} if algorithm is PPO else {"learning_starts": 20}
    run = teach(algorithm, Reach, teacher, steps=1500, n_envs=2, evaluate_every=0, options=options)
    origins = set(run.episodes.origins)
    assert {"random", "replay"} <= origins
    assert ("mutation" in origins) == isinstance(teacher, ACCEL)
    assert run.summary["explore"] > 0


def test_however_many_episodes_a_rollout_has_all_are_scored():
    teacher = started(capacity=20_000)
    play = Play(teacher)
    tasks = [play.task() for _ in range(12_000)]
    for task in tasks:
        play.end(task)
    teacher.study(Told([segment(task, [1.0]) for task in tasks]))
    assert len(teacher.buffer) == 12_000
    assert not teacher.returns


@pytest.mark.parametrize("kind", [PLR, ACCEL])
def test_the_share_of_replays_is_that_of_all_tasks(kind):
    teacher = started(kind, replay_ratio=0.5)
    origins = []
    for _ in range(200):
        play = Play(teacher)
        origins.append(play.whole().origin)
    assert teacher.metrics()["replayed"] == origins.count("replay") / len(origins)
