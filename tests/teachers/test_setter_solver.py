"""Setter-Solver's published details, each of which a test would miss."""

import numpy as np
import pytest
import torch
from scipy import stats

from teachrl.core import Episode, Task
from teachrl.envs import play
from teachrl.models.setters import Setter
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.teachers import Random, SetterSolver

SPACE = TaskSpace(x=(0, 10), y=(-1, 1))


def started(seed=0, space=SPACE, **options):
    options = {"train_every": 10, "hidden": 4, "judge_layers": (4,)} | options
    return SetterSolver(**options).start(space, stream(seed, "teacher"))


def answer(teacher, task, success):
    teacher.update(Episode(task, seed=0, reward=0.0, length=1, success=success))


def teach(teacher, episodes, succeeds):
    tasks = []
    for i in range(episodes):
        tasks.append(task := teacher.sample())
        answer(teacher, task, bool(succeeds(task.params, i)))
    return tasks


def test_both_networks_make_a_step_after_every_batch(monkeypatch):
    seen = []

    def learn(self, points, successes, rng):
        seen.append((points.copy(), successes.copy()))
        return {"judge": 0.5}

    monkeypatch.setattr(Setter, "learn", learn)
    teacher = started(train_every=3)
    for i in range(6):
        answer(teacher, Task(np.float32([i, 0.5])), success=i % 2 == 0)
    assert len(seen) == 2
    np.testing.assert_allclose(seen[1][0], [[0.3, 0.75], [0.4, 0.75], [0.5, 0.75]])
    assert seen[1][1].tolist() == [0, 1, 0]
    assert teacher.metrics() == {"judge_loss": 0.5}


def test_the_hyperparameters_reach_the_networks(monkeypatch):
    made = []
    monkeypatch.setattr(
        "teachrl.teachers.setter_solver.Setter", lambda d, rng, **given: made.append((d, given))
    )
    started(hidden=7, judge_layers=(3, 5), learning_rate=0.01, blur=0.2)
    assert made == [(2, {"hidden": 7, "judge_layers": (3, 5), "rate": 0.01, "blur": 0.2})]


def test_tasks_are_the_setters_and_of_every_feasibility():
    teacher = started(train_every=400)
    tasks = [teacher.sample() for _ in range(400)]
    wanted = np.array([task.meta["feasibility"] for task in tasks])
    assert stats.kstest(wanted, "uniform").pvalue > 1e-3
    rng = stream(0, "teacher")
    again = Setter(2, rng, hidden=4, judge_layers=(4,))
    points, chances = again.draw(400, rng)
    np.testing.assert_array_equal(wanted, chances)
    np.testing.assert_array_equal([task.params for task in tasks], SPACE.denormalize(points))


def test_tasks_made_ahead_are_dropped_when_the_setter_has_changed():
    teacher = started(train_every=10)
    drawn = [teacher.sample() for _ in range(13)]  # three more than a batch
    assert len(teacher.ahead) == 7
    for task in drawn[:10]:
        answer(teacher, task, True)
    assert len(teacher.ahead) == 0
    with torch.no_grad():
        [*teacher.setter.flow.weights][-1].add_(5.0)
    assert SPACE.normalize(teacher.sample().params)[1] > 0.9


def test_episodes_need_not_match_the_tasks_sampled_last():
    teacher = started(train_every=10)
    tasks = [teacher.sample() for _ in range(40)]
    for i in np.random.default_rng(0).permutation(40)[:35]:
        answer(teacher, tasks[i], bool(i % 2))
    assert teacher.n_played == 5
    assert np.isfinite([*teacher.metrics().values()]).all()


@pytest.mark.parametrize("dimensions", [1, 50])
@pytest.mark.parametrize("succeeds", [lambda p, i: 0, lambda p, i: 1, lambda p, i: i % 2])
def test_degenerate_batches_do_no_harm(dimensions, succeeds):
    space = TaskSpace(x=(0, 1, "float", dimensions))
    teacher = started(space=space, train_every=5)
    for task in teach(teacher, 100, succeeds):
        assert space.contains(task.params)
    assert all(np.isfinite(array).all() for array in teacher.belief().values())
    assert np.isfinite([*teacher.metrics().values()]).all()
    same = Task(space.denormalize(np.full(dimensions, 0.3)))
    for i in range(50):
        answer(teacher, same, bool(succeeds(None, i)))
    assert np.isfinite([*teacher.metrics().values()]).all()


def test_saved_in_the_middle_of_a_batch_it_goes_on():
    teacher, resumed = started(seed=0), started(seed=1)
    teach(teacher, 57, lambda params, i: i % 2)
    resumed.restore(teacher.state())
    a = [task.params.tolist() for task in teach(teacher, 60, lambda params, i: i % 2)]
    assert a == [task.params.tolist() for task in teach(resumed, 60, lambda params, i: i % 2)]


def test_a_belief_is_tasks_and_what_the_judge_says_of_them():
    teacher = started()
    belief = teacher.belief()
    assert belief["points"].shape == (200, 2)
    np.testing.assert_allclose(belief["values"], teacher.setter.judge(belief["points"]))


def test_teaching_leaves_torchs_generator_alone():
    before = torch.get_rng_state()
    teach(started(), 30, lambda params, i: i % 2)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_episode_that_says_nothing_of_success_is_refused():
    teacher = started()
    with pytest.raises(ValueError, match="SetterSolver learns from successes, and the episode of"):
        answer(teacher, teacher.sample(), None)
    assert SetterSolver.needs == {"success"}


def test_the_tuned_values_are_those_of_the_benchmark():
    tuned, default = SetterSolver.tuned_for_walker(), SetterSolver()
    assert (tuned.train_every, tuned.hidden, tuned.blur) == (50, 64, 0.1)
    assert (default.train_every, default.hidden, default.blur) == (100, 128, 0.05)
    assert (default.judge_layers, default.learning_rate) == ((64, 64, 64), 3e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_every": 0}, "train_every must be a whole number of at least 1, got 0"),
        ({"hidden": 0}, "hidden"),
        ({"learning_rate": np.nan}, "learning_rate"),
        ({"blur": -0.1}, r"blur must be a number in \[0, 1\], got -0.1"),
        (
            {"judge_layers": (4, 0)},
            r"judge_layers must be whole numbers .*, got \(4",
        ),
    ],
)
def test_bad_hyperparameters_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        started(**options)


@pytest.mark.slow
def test_it_teaches_the_toy_better_than_chance():
    ours = [play(SetterSolver.tuned_for_walker(), 6_000, seed).mastered for seed in range(3)]
    random = [play(Random(), 6_000, seed).mastered for seed in range(3)]
    assert stats.ttest_ind(ours, random, equal_var=False, alternative="greater").pvalue < 0.05
    assert min(ours) > max(random)
