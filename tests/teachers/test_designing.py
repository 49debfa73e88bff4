"""Minimax, PAIRED and REPAIRED: what a designer is rewarded for, and when it learns."""

from dataclasses import replace

import numpy as np
import pytest

from teachrl.core import Episode
from teachrl.models.lineages import ORIGINS
from teachrl.monitoring.buffers import is_buffer
from teachrl.rollouts import Segment
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.teachers import PAIRED, REPAIRED, Minimax
from teachrl.teachers.paired import REGRETS

SPACE = TaskSpace(x=(0, 10), n=(1, 5, "int"))
RANGE = (-100.0, 100.0)


class Told:
    """A rollout that says what it is told to say."""

    def __init__(self, playing=(), segments=(), others=None):
        self._playing, self._segments, self._others = playing, segments, others

    def running(self):
        return [task.meta for task in self._playing]

    def segments(self):
        return list(self._segments)

    @property
    def antagonist(self):
        return Told(segments=self._others or ())


class Overheard:
    """A designer who writes down what it is told."""

    def __init__(self, inner):
        self.inner, self.heard = inner, []

    def propose(self, n, rng):
        return self.inner.propose(n, rng)

    def learn(self, proposals, rewards):
        self.heard.append((proposals.points, rewards))

    def entropy(self):
        return 0.0


class Game:
    """Lets two students play designs one by one."""

    def __init__(self, kind, seed=0, **options):
        options = {"designer": "cross-entropy", "designs_per_update": 2} | options
        self.teacher = kind(**options).start(SPACE, stream(seed, "teacher"), RANGE)
        self.teacher.model = self.designer = Overheard(self.teacher.model)
        self.n = 0

    def task(self):
        self.n += 1
        return replace(self.teacher.sample(), id=self.n)

    def end(self, task, reward, student="student"):
        self.teacher.update(Episode(task, task.seed, reward, 3, student=student))

    def rewards(self):
        return [reward for _, rewards in self.designer.heard for reward in rewards]


@pytest.mark.parametrize(
    ("protagonist", "antagonist", "expected"),
    [
        ([0.2, 0.4], [0.9, 0.1], {"basic": 0.6, "flexible": 0.6, "unclipped": 0.6}),
        ([0.8, 0.6], [0.1, 0.3], {"basic": 0.0, "flexible": 0.6, "unclipped": -0.4}),
        ([0.9, 0.0], [0.5, 0.5], {"basic": 0.05, "flexible": 0.4, "unclipped": 0.05}),
        ([0.5], [0.5], {"basic": 0.0, "flexible": 0.0, "unclipped": 0.0}),
    ],
)
def test_regrets_are_those_calculated_by_hand(protagonist, antagonist, expected):
    found = {name: regret(protagonist, antagonist) for name, regret in REGRETS.items()}
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("regret", REGRETS)
def test_the_designer_is_rewarded_by_the_regret_of_each_of_its_points(regret):
    game = Game(PAIRED, regret=regret)
    first, second = game.task(), game.task()
    points = [game.teacher.open[name]["point"] for name in ("0", "1")]
    for reward in (-20.0, 0.0):
        game.end(first, reward)
    game.end(second, 50.0, "antagonist")
    game.end(second, 0.0)
    for reward in (60.0, 20.0):
        game.end(first, reward, "antagonist")
    game.teacher.study(Told())
    [(proposed, rewards)] = game.designer.heard
    np.testing.assert_array_equal(proposed, points)
    assert rewards.tolist() == pytest.approx([0.35, 0.25])  # shares of the range of 200


def test_whole_numbers_keep_the_point_that_was_proposed():
    game = Game(PAIRED)
    tasks = [game.task() for _ in range(2)]
    for task in tasks:
        game.end(task, 0.0)
        game.end(task, 10.0, "antagonist")
    game.teacher.study(Told())
    [(points, _)] = game.designer.heard
    assert all(task.params[1] == np.rint(task.params[1]) for task in tasks)
    cells = SPACE.normalize(np.stack([task.params for task in tasks]))
    assert np.abs(points - cells)[:, 1].max() > 1e-3


def test_who_has_not_finished_counts_for_nothing_and_not_for_zero():
    """Everyone who ends is far below zero: an unfinished episode must not look like a success."""
    game = Game(PAIRED, designs_per_update=1)
    only_student, only_antagonist, both = (game.task() for _ in range(3))
    game.end(only_student, -90.0)
    game.end(only_antagonist, -90.0, "antagonist")
    game.end(both, -90.0)
    game.end(both, -80.0, "antagonist")
    game.teacher.study(Told())
    assert game.rewards() == pytest.approx([0.05])


def test_a_design_is_judged_once_nobody_plays_it_any_more():
    game = Game(PAIRED, designs_per_update=1)
    task = game.task()
    game.end(task, 0.0)
    game.end(task, 20.0, "antagonist")
    game.teacher.study(Told(playing=[task]))
    assert game.rewards() == []
    game.end(task, 80.0, "antagonist")  # the episode that crossed into the next rollout
    game.teacher.study(Told())
    assert game.rewards() == pytest.approx([0.4])
    game.end(task, 100.0, "antagonist")  # nobody asks any more
    game.teacher.study(Told())
    assert len(game.rewards()) == 1


def test_designs_are_gathered_until_they_are_enough():
    game = Game(PAIRED, designs_per_update=3)
    for n in range(1, 8):
        task = game.task()
        game.end(task, 0.0)
        game.end(task, 10.0, "antagonist")
        game.teacher.study(Told())
        assert sum(len(r) for _, r in game.designer.heard) == n // 3 * 3
    assert game.teacher.metrics()["updates"] == 2


def test_after_an_update_proposals_of_the_former_designer_are_dropped():
    game = Game(PAIRED, designs_per_update=2)
    for _ in range(2):
        task = game.task()
        game.end(task, 0.0)
        game.end(task, 10.0, "antagonist")
    game.task()  # proposes ahead
    assert game.teacher.ahead
    game.teacher.study(Told())
    assert not game.teacher.ahead


def test_minimax_rewards_the_lowest_best_return():
    game = Game(Minimax)
    first, second = game.task(), game.task()
    for reward in (-60.0, 20.0, 0.0):
        game.end(first, reward)
    game.end(second, -100.0)
    game.teacher.study(Told())
    assert game.rewards() == pytest.approx([-0.6, 0.0])


@pytest.mark.parametrize("kind", [Minimax, PAIRED, REPAIRED])
@pytest.mark.parametrize("designer", ["beta", "cross-entropy"])
def test_a_designer_may_work_in_a_space_of_its_own(kind, designer):
    class Folded(kind):
        @property
        def design_dimensions(self):
            return 5

        def decode(self, points):
            return self.space.denormalize(points[:, 3:])

    teacher = Folded(designer=designer).start(SPACE, stream(0, "teacher"), RANGE)
    task = teacher.sample()
    point = teacher.open["0"]["point"]
    assert point.shape == (5,)
    np.testing.assert_array_equal(task.params, SPACE.denormalize(point[3:]))
    assert teacher.preview(3, np.random.default_rng(0)).shape == (3, 2)


@pytest.mark.parametrize("kind", [Minimax, PAIRED])
def test_metrics_tell_rewards_returns_entropy_and_distance(kind):
    game = Game(kind)
    for low in (-20.0, -40.0):
        task = game.task()
        game.end(task, low)
        game.end(task, 0.0, "antagonist")
    game.teacher.study(Told())
    metrics = game.teacher.metrics()
    assert metrics["student_return"] == pytest.approx(0.35)
    assert {"entropy", "distance", "designs", "updates"} <= metrics.keys()
    assert 0 <= metrics["distance"] < 0.1
    if kind is PAIRED:
        assert metrics["antagonist_return"] == pytest.approx(0.5)
        assert metrics["regret_mean"] == pytest.approx(0.15)
        assert metrics["regret_max"] == pytest.approx(0.2)
    else:
        assert metrics["reward_mean"] == pytest.approx(-0.35)


@pytest.mark.parametrize("designer", ["beta", "cross-entropy"])
@pytest.mark.parametrize("kind", [Minimax, PAIRED])
def test_designs_move_to_where_the_regret_is(kind, designer):
    """The antagonist can do what the student cannot where x is high; nobody can beyond that."""
    teacher = kind(designer=designer).start(SPACE, stream(0, "teacher"), RANGE)
    before = teacher.preview(300, np.random.default_rng(0))[:, 0].mean()
    for n in range(1200):
        task = replace(teacher.sample(), id=n)
        x = float(task.params[0])
        teacher.update(Episode(task, 0, 50.0 - 10 * x, 3))
        teacher.update(Episode(task, 0, 50.0 if x < 8 else -50.0, 3, student="antagonist"))
        teacher.study(Told())
    x = teacher.preview(300, np.random.default_rng(0))[:, 0]
    assert x.mean() > before + 0.7
    share_beyond = (x > 8).mean()
    assert share_beyond > 0.6 if kind is Minimax else share_beyond < 0.4


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"regret": "deep"}, r"PAIRED.regret must be one of basic, flexible, unclipped"),
        ({"designer": "gamma"}, r"PAIRED.designer must be one of beta, cross-entropy"),
        ({"uniform_ratio": 0.0}, r"PAIRED.uniform_ratio must be a number in"),
        ({"designs_per_update": 0}, r"PAIRED.designs_per_update must be a whole number"),
        ({"noise": -1}, r"PAIRED.noise must be a whole number of at least 0"),
    ],
)
def test_hyperparameters_that_cannot_work_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        PAIRED(**options).start(SPACE, stream(0, "teacher"), RANGE)


def segment(task, advantages, complete=True):
    advantages = np.array(advantages, float)
    n = len(advantages)
    return Segment(
        task_id=task.id,
        params=task.params,
        seed=task.seed,
        meta=task.meta,
        env_index=0,
        rewards=np.zeros(n),
        values=np.zeros(n),
        advantages=advantages,
        next_value=0.0,
        discount=0.99,
        is_start=True,
        is_complete=complete,
    )


def repaired(**options):
    return Game(REPAIRED, **{"replay_ratio": 1.0, "min_fill": 0.1, "capacity": 10} | options)


def explore(game, *, student=1.0, antagonist=2.0):
    """Let both play a design, with those advantages."""
    task = game.task()
    game.end(task, 0.0)
    game.end(task, 10.0, "antagonist")
    segments = [segment(task, [student] * 3)], [segment(task, [antagonist] * 3)]
    game.teacher.study(Told((), *segments))
    return task


def test_designs_teach_nobody_and_replays_do():
    game = repaired()
    design = explore(game)
    replay = game.task()
    assert (design.origin, design.learn) == ("design", False)
    assert (replay.origin, replay.learn) == ("replay", True)
    assert game.teacher.counterpart(design) is design


def test_each_student_replays_its_own_buffer():
    game = repaired(replay_ratio=0.0, staleness=0.0)
    tasks = [explore(game, student=n, antagonist=9 - n) for n in range(8)]
    game.teacher.is_replaying = True
    replay = game.task()
    other = game.teacher.counterpart(replay)
    for found, expected in ((replay, tasks[-1]), (other, tasks[0])):
        assert found.params.tobytes() == expected.params.tobytes()
        assert found.seed == expected.seed
    best = [c.buffer.scores.max() for c in curators(game)]
    assert best == [7.0, 9.0]


def curators(game):
    return game.teacher.protagonist_curator, game.teacher.antagonist_curator


def test_the_designer_learns_from_no_replay_and_from_each_design_once():
    game = repaired(designs_per_update=1)
    explore(game)
    assert game.teacher.is_replaying
    assert game.designer.heard == []  # a rollout of replays comes next
    for _ in range(5):
        replay = game.task()
        other = replace(game.teacher.counterpart(replay), id=1000 + game.n)
        game.end(replay, -50.0)
        game.end(other, 100.0, "antagonist")
        game.teacher.study(Told((), [segment(replay, [1.0])], [segment(other, [1.0])]))
        assert game.designer.heard == []
    game.teacher.replay_ratio = 0.0
    game.teacher.study(Told())
    assert game.rewards() == pytest.approx([0.05])
    game.teacher.study(Told())
    assert len(game.rewards()) == 1


def test_nothing_is_replayed_before_both_buffers_are_full_enough():
    game = repaired(min_fill=0.3)
    for _ in range(2):
        explore(game)
        assert not game.teacher.is_replaying
    task = game.task()
    game.end(task, 0.0)
    game.end(task, 10.0, "antagonist")
    game.teacher.study(Told((), [segment(task, [1.0])]))  # the antagonist is still at it
    assert not game.teacher.is_replaying
    game.teacher.study(Told((), [], [segment(task, [1.0])]))
    assert not game.teacher.is_replaying  # its return was heard in an earlier rollout
    explore(game)
    assert game.teacher.is_replaying


def test_repetitions_and_rollouts_make_one_score():
    game = repaired()
    task = game.task()
    own, _ = curators(game)
    game.teacher.study(Told([task], [segment(task, [4.0] * 2, complete=False)]))
    assert not len(own.buffer)
    game.end(task, 5.0)
    again = [segment(task, [1.0] * 4), segment(task, [2.0] * 2, complete=False)]
    game.teacher.study(Told([task], again))
    assert own.buffer.scores.tolist() == [2.0]
    game.end(task, 3.0)
    game.teacher.study(Told((), [segment(task, [8.0] * 4)]))
    [entry] = [own.buffer.entry(0)]
    assert len(own.buffer) == 1
    assert (entry.score, entry.best_return) == (4.0, 5.0)


def test_environments_that_replay_the_same_task_make_one_score():
    for order in (1, -1):
        game = repaired()
        explore(game)
        replays = [game.task(), game.task()]
        for replay, reward in zip(replays, (3.0, 20.0), strict=True):
            game.end(replay, reward)
        told = [segment(replays[0], [1.0] * 9), segment(replays[1], [11.0])]
        game.teacher.study(Told((), told[::order]))
        entry = curators(game)[0].buffer.entry(0)
        assert (entry.score, entry.best_return, entry.plays) == (2.0, 20.0, 3)


@pytest.mark.parametrize("score", ["max-monte-carlo", "clamped-max-monte-carlo"])
def test_the_best_return_counts_for_all_that_came_before_it(score):
    game = repaired(score=score)
    task = game.task()
    before = replace(segment(task, [0.0] * 3, complete=False), values=np.full(3, -1.0))
    game.teacher.study(Told([task], [before]))
    game.end(task, 7.0)
    game.teacher.study(Told((), [segment(task, [0.0])]))
    assert curators(game)[0].buffer.scores.tolist() == [7.75]  # 7 + 1 three times, then 7 - 0


def test_its_belief_is_the_picture_of_a_buffer():
    game = repaired()
    explore(game)
    belief = game.teacher.belief()
    assert is_buffer(belief)
    assert [ORIGINS[code] for code in belief["origins"]] == ["design"]


def test_a_run_too_short_to_replay_is_warned_of():
    teacher = repaired(capacity=100, min_fill=0.5).teacher
    assert teacher.concerns(50) == []
    assert "before 50 designs" in teacher.concerns(49)[0]


def test_a_replay_is_scored_anew():
    game = repaired()
    explore(game, student=1.0)
    replay = game.task()
    game.end(replay, 50.0)
    game.teacher.study(Told((), [segment(replay, [5.0] * 2)]))
    own, other = curators(game)
    assert own.buffer.scores.tolist() == [5.0]
    assert own.buffer.entry(0).best_return == 50.0
    assert other.buffer.scores.tolist() == [2.0]


def test_a_sum_of_scores_outlives_a_stop():
    game, twin = repaired(), repaired(seed=1)
    task = game.task()
    game.teacher.study(Told([task], [segment(task, [4.0] * 2, complete=False)]))
    curators(twin)[0].restore(curators(game)[0].state())
    for each in (game, twin):
        own, _ = curators(each)
        own.hear(Episode(task, task.seed, 1.0, 3))
        own.study([segment(task, [1.0] * 2)])
        assert own.buffer.scores.tolist() == [2.5]


def test_plays_are_episodes_and_not_rollouts():
    game = repaired(replay_ratio=0.0)
    task = game.task()
    for _ in range(5):
        game.end(task, 1.0)
        game.end(task, 1.0, "antagonist")
    game.teacher.study(Told((), [segment(task, [1.0])], [segment(task, [1.0])]))
    assert game.teacher.belief()["plays"].tolist() == [5]
    rest = [segment(task, [1.0], complete=False)]
    game.teacher.study(Told((), rest, rest))  # a rollout in which it was not finished again
    assert game.teacher.belief()["plays"].tolist() == [5]
