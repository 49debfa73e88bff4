"""Covar-GMM's published details, each of which a test would miss."""

import numpy as np
import pytest
from scipy import stats

from teachrl.core import Episode, Task
from teachrl.envs import play
from teachrl.models.mixtures import Mixture, MixtureChoice
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.teachers import CovarGMM, Random

SPACE = TaskSpace(x=(0, 10), y=(-1, 1))


def started(seed=0, space=SPACE, reward_range=(0.0, 1.0), **options):
    options = {"fit_every": 50, "max_gaussians": 4} | options
    return CovarGMM(**options).start(space, stream(seed, "teacher"), reward_range)


def teach(teacher, episodes, reward):
    tasks = []
    for i in range(episodes):
        tasks.append(task := teacher.sample())
        teacher.update(Episode(task, seed=0, reward=float(reward(task.params, i)), length=1))
    return tasks


def rising_left(params, i):
    """Rewards that rise on the left half, fall on the right one, and begin anew every 50."""
    time = (i % 50) / 50
    return time if params[0] < 5 else 1 - time


def test_a_fit_sees_task_and_time_and_scaled_reward(monkeypatch):
    seen = []
    monkeypatch.setattr(MixtureChoice, "fit", lambda self, points, rng: seen.append(points.copy()))
    teacher = started(fit_every=20, reward_range=(-150.0, 350.0))
    for i in range(40):
        task = Task(np.float32([2.5, 0.5]))
        teacher.update(Episode(task, seed=0, reward=-150.0 + 10 * i, length=1))
    assert [points.shape for points in seen] == [(20, 4), (20, 4)]
    for half, points in enumerate(seen):
        np.testing.assert_allclose(points[:, :2], 20 * [[0.25, 0.75]])
        np.testing.assert_allclose(points[:, 2], np.arange(20) / 20)  # from 0, never quite 1
        np.testing.assert_allclose(points[:, 3], (np.arange(20) + 20 * half) / 50)


def known_mixture():
    """Return three Gaussians whose rewards rise, fall, and rise thrice as much with time."""
    means = np.array([[0.2, 0.2, 0.5, 0.5], [0.8, 0.2, 0.5, 0.5], [0.5, 0.8, 0.5, 0.5]])
    covariances = np.repeat(np.diag([1e-6, 2e-6, 0.09, 0.09])[None], 3, axis=0)
    covariances[:, 2, 3] = covariances[:, 3, 2] = [0.01, -0.02, 0.03]
    covariances[:, 0, 1] = covariances[:, 1, 0] = 5e-7
    return Mixture(np.full(3, 1 / 3), means, covariances)


@pytest.mark.parametrize(
    ("absolute", "expected"), [(False, [1 / 4, 0, 3 / 4]), (True, [1 / 6, 2 / 6, 3 / 6])]
)
def test_a_gaussian_is_chosen_by_its_covariance_of_time_and_reward(absolute, expected):
    teacher = started(random_ratio=0.0, absolute=absolute)
    teacher.mixtures.best = known_mixture()
    tasks = [teacher.sample() for _ in range(3000)]
    origins = [task.origin for task in tasks]
    shares = [origins.count(f"gaussian {k}") / 3000 for k in range(3)]
    np.testing.assert_allclose(shares, expected, atol=0.03)
    mine = np.array([task.params for task in tasks if task.origin == "gaussian 2"])
    np.testing.assert_allclose(mine.mean(axis=0), [5, 0.6], atol=0.01)


def test_a_belief_is_of_tasks_alone():
    teacher = started()
    teacher.mixtures.best = known_mixture()
    belief = teacher.belief()
    np.testing.assert_allclose(belief["means"], [[0.2, 0.2], [0.8, 0.2], [0.5, 0.8]])
    np.testing.assert_allclose(belief["covariances"], 3 * [[[1e-6, 5e-7], [5e-7, 2e-6]]])
    np.testing.assert_allclose(belief["progress"], [0.01, -0.02, 0.03])
    assert teacher.metrics()["progress"] == pytest.approx(0.02 / 3)


def test_it_goes_where_rewards_rise_and_not_where_they_fall():
    tasks = teach(started(random_ratio=0.0), 1000, rising_left)
    assert (np.array([task.params[0] for task in tasks[500:]]) < 5.5).mean() > 0.85


def test_falling_rewards_count_if_they_shall():
    tasks = teach(started(random_ratio=0.0, absolute=True), 1000, rising_left)
    late = np.array([task.params[0] for task in tasks])
    assert 0.2 < (late < 5).mean() < 0.8


def test_without_any_progress_all_gaussians_are_equal():
    teacher = started(random_ratio=0.0)
    teacher.mixtures.best = known_mixture()
    teacher.mixtures.best.covariances[:, 2, 3] = [0.0, -0.1, -0.2]
    origins = [teacher.sample().origin for _ in range(3000)]
    shares = [origins.count(f"gaussian {k}") / 3000 for k in range(3)]
    np.testing.assert_allclose(shares, 1 / 3, atol=0.04)


def test_saved_in_the_middle_of_a_batch_it_goes_on():
    teacher, resumed = started(seed=0), started(seed=1)
    teach(teacher, 73, rising_left)
    resumed.restore(teacher.state())
    assert resumed.n_recent == 23
    a = [task.params.tolist() for task in teach(teacher, 100, rising_left)]
    assert a == [task.params.tolist() for task in teach(resumed, 100, rising_left)]


@pytest.mark.parametrize("dimensions", [1, 50])
@pytest.mark.parametrize(
    "reward", [lambda params, i: 0.0, lambda params, i: 1.0, lambda params, i: i % 2]
)
def test_degenerate_batches_do_no_harm(dimensions, reward):
    space = TaskSpace(x=(0, 1, "float", dimensions))
    teacher = started(space=space, fit_every=14, max_gaussians=14, random_ratio=0.0)
    same = Task(space.denormalize(np.full(dimensions, 0.3)))
    for i in range(28):
        teacher.update(Episode(same, seed=0, reward=float(reward(None, i)), length=1))
        assert space.contains(teacher.sample().params)
    teach(teacher, 56, reward)
    assert all(np.isfinite(array).all() for array in teacher.belief().values())
    assert np.isfinite([*teacher.metrics().values()]).all()


def test_the_tuned_values_are_those_of_the_benchmark():
    tuned, default = CovarGMM.tuned_for_walker(), CovarGMM()
    assert (tuned.fit_every, tuned.min_gaussians, tuned.max_gaussians) == (150, 2, 14)
    assert (tuned.random_ratio, tuned.absolute) == (0.1, False)
    assert (default.fit_every, default.min_gaussians, default.max_gaussians) == (250, 2, 10)
    assert default.random_ratio == 0.2


def test_bad_hyperparameters_are_refused_by_name():
    with pytest.raises(ValueError, match=r"CovarGMM.fit_every must be a whole number of at least"):
        started(fit_every=3)


@pytest.mark.slow
def test_it_teaches_the_toy_better_than_chance():
    ours = [play(CovarGMM.tuned_for_walker(), 12_000, seed).mastered for seed in range(5)]
    random = [play(Random(), 12_000, seed).mastered for seed in range(5)]
    assert stats.ttest_ind(ours, random, equal_var=False, alternative="greater").pvalue < 0.01
    assert np.mean(ours) > 25
