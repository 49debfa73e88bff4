"""The bandit of fast and slow averages, step by step."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from teachrl.core import Episode, Task
from teachrl.envs import play
from teachrl.progress import FastSlowProgress
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.teachers import ProgressBandit, Random

SPACE = TaskSpace(x=(0, 10), n=(1, 2, "int"))  # 4 times 2 cells in these tests


def started(seed=0, space=SPACE, reward_range=(0.0, 1.0), **options):
    options = {"bins": 4} | options
    return ProgressBandit(**options).start(space, stream(seed, "teacher"), reward_range)


def finish(teacher, cell, reward):
    task = Task(SPACE.uniform(np.random.default_rng(0)), meta={"cell": cell})
    teacher.update(Episode(task, seed=0, reward=float(reward), length=1))


def teach(teacher, episodes, reward):
    tasks = []
    for i in range(episodes):
        tasks.append(task := teacher.sample())
        outcome = float(reward(task.meta["cell"], i))
        teacher.update(Episode(task, seed=0, reward=outcome, length=1))
    return tasks


def shares(teacher, n=6000):
    cells = [teacher.sample().meta["cell"] for _ in range(n)]
    return np.bincount(cells, minlength=teacher.grid.n_cells) / n


def test_tasks_are_uniform_at_first_and_lie_in_their_cell():
    teacher = started()
    np.testing.assert_allclose(shares(teacher), 1 / 8, atol=0.02)
    for task in (teacher.sample() for _ in range(50)):
        place, value = divmod(task.meta["cell"], 2)
        assert 2.5 * place <= task.params[0] <= 2.5 * (place + 1)
        assert task.params[1] == 1 + value


def test_cells_in_which_an_interval_is_the_wrong_way_round_are_not_played():
    space = TaskSpace(gap=(0, 10, "interval"))
    teacher = started(space=space)
    tasks = teach(teacher, 1000, lambda cell, i: i / 1000 if cell == 3 else 0.5)
    for task in tasks:
        assert teacher.grid.cell(space.normalize(task.params)) == task.meta["cell"]
    assert {task.meta["cell"] for task in tasks} == {0, 1, 2, 3, 5, 6, 7, 10, 11, 15}
    assert np.argmax(shares(teacher, 1000)) == 3
    belief = teacher.belief()
    assert belief["low"][np.argmax(belief["progress"])].tolist() == [0.0, 0.75]


def test_progress_is_that_of_fast_and_slow_averages():
    teacher, progress = started(), FastSlowProgress(8, 0.1, 0.01, 0.1)
    for i in range(200):
        cell, reward = i % 5, (i * 7 % 11) / 10
        finish(teacher, cell, reward)
        progress.measure(cell, reward)
    np.testing.assert_array_equal(teacher.progress.values, progress.values)


@pytest.mark.parametrize("options", [{}, {"quantile": 0.5}, {"steepness": 3.0}], ids=str)
def test_cells_are_chosen_by_the_sigmoid_of_standardised_progress(options):
    teacher = started(random_ratio=0.0, **options)
    for i in range(400):
        finish(teacher, i % 6, (i * i % 13 / 13) * (i % 6) / 5)  # two cells stay unmet
    known = teacher.progress.values[:6]
    scores = np.append((known - known.mean()) / known.std(), [0, 0])  # those count as average
    centre = stats.norm.ppf(options.get("quantile", 0.9))
    weights = expit(options.get("steepness", 1.0) * (scores - centre))
    np.testing.assert_allclose(shares(teacher), weights / weights.sum(), atol=0.02)


def test_a_share_of_the_tasks_is_uniform():
    teacher = started(random_ratio=0.3, steepness=50.0)
    teach(teacher, 300, lambda cell, i: min(1.0, i / 300) * (cell == 3))
    origins = [teacher.sample().origin for _ in range(4000)]
    assert origins.count("uniform") / 4000 == pytest.approx(0.3, abs=0.03)
    found = shares(teacher)
    assert found[3] > 0.7
    np.testing.assert_allclose(np.delete(found, 3), 0.3 / 8, atol=0.015)


@pytest.mark.parametrize("share", [lambda i: i / 400, lambda i: 1 - i / 400])
def test_it_follows_the_cell_whose_rewards_rise_or_fall(share):
    teacher = started(steepness=3.0)
    teach(teacher, 400, lambda cell, i: share(i) if cell == 3 else 0.5)
    found = shares(teacher, 1000)
    assert found[3] > 2 * np.delete(found, 3).max()


def test_successes_may_be_told_by_a_threshold():
    teacher = started(threshold=0.7, midpoint=0.5, fast=0.5, slow=0.1)
    for reward in (0.0, 0.69, 0.7):
        finish(teacher, 2, reward)
    assert teacher.progress.values[2] == pytest.approx(0.4)  # one success after two failures


def test_rewards_are_scaled_and_those_beyond_the_declared_range_clipped():
    wide, unit = started(reward_range=(-150.0, 350.0)), started()
    for reward in (-200.0, 400.0, 100.0):
        finish(wide, 1, reward)
    for reward in (0.0, 1.0, 0.5):
        finish(unit, 1, reward)
    np.testing.assert_allclose(wide.progress.values, unit.progress.values)
    assert wide.progress.values[1] > 0


def test_a_preview_never_explores():
    teacher = started(random_ratio=0.5, steepness=20.0)
    teach(teacher, 400, lambda cell, i: i / 400 if cell == 3 else 0.5)
    shown = teacher.preview(200, stream(0, "preview"))
    assert np.mean((shown[:, 0] >= 2.5) & (shown[:, 0] <= 5) & (shown[:, 1] == 2)) > 0.95


def test_a_belief_holds_the_cells_of_most_progress():
    teacher = started(space=TaskSpace(shape=(0, 1, "float", 3)), bins=10)
    teach(teacher, 3000, lambda cell, i: i % 2 if cell == 555 else 0.2)
    for _ in range(5):
        finish(teacher, 555, 1.0)
    belief = teacher.belief()
    shapes = {name: array.shape for name, array in belief.items()}
    assert shapes == {"low": (400, 3), "high": (400, 3), "progress": (400,)}
    np.testing.assert_allclose(belief["low"][np.argmax(belief["progress"])], 0.5)


def test_metrics_tell_how_far_it_got():
    teacher = started()
    for cell in range(6):
        finish(teacher, cell, 0.0)
    finish(teacher, 0, 1.0)
    metrics = teacher.metrics()
    assert metrics["met"] == 0.75
    assert metrics["progress"] == pytest.approx(teacher.progress.values[0] / 8)
    assert 1 < metrics["effective_cells"] < 8


@pytest.mark.parametrize("space", [TaskSpace(x=(0, 1)), TaskSpace(shape=(0, 1, "float", 12))])
@pytest.mark.parametrize("reward", [0.0, 0.3, 1.0])
def test_rewards_that_never_change_leave_it_uniform(space, reward):
    teacher = started(space=space, bins=None)
    with np.errstate(all="raise"):
        teach(teacher, 500, lambda cell, i: reward)
    assert teacher.metrics()["effective_cells"] == pytest.approx(teacher.grid.n_cells)


def test_one_cell_above_many_does_not_overflow():
    teacher = started(space=TaskSpace(shape=(0, 1, "float", 3)), bins=20, steepness=100.0)
    teacher.progress.visits[:] = 1
    finish(teacher, 17, 1.0)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert teacher.sample().params.shape == (3,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bins": 60_000}, "from 2 to 100,000 cells, got 120,000"),
        ({"slow": 0.2}, "slow must be positive and below fast, got 0.2 and 0.1"),
        ({"slow": 0.0}, "slow must be positive"),
        ({"fast": 1.5}, r"fast must be a number in \[0, 1\], got 1.5"),
        ({"midpoint": 0.0}, "midpoint"),
        ({"quantile": 1.0}, r"quantile must be a number in \[0.01, 0.99\]"),
        ({"steepness": -1}, "steepness"),
        ({"random_ratio": 2}, "random_ratio"),
        ({"threshold": 230}, r"threshold must be a number in \[0, 1\], got 230"),
    ],
)
def test_bad_hyperparameters_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        started(**options)


@pytest.mark.parametrize("reward", [np.nan, np.inf])
def test_a_reward_that_is_not_finite_is_refused_and_leaves_nothing(reward):
    teacher = started()
    with pytest.raises(ValueError, match="must be finite"):
        finish(teacher, 0, reward)
    assert teacher.progress.visits.sum() == 0


@pytest.mark.slow
def test_it_teaches_the_toy_better_than_chance():
    ours = [play(ProgressBandit(steepness=3.0), 8_000, seed).mastered for seed in range(3)]
    random = [play(Random(), 8_000, seed).mastered for seed in range(3)]
    assert min(ours) > max(random) + 10
