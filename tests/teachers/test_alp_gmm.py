"""ALP-GMM's published details, each of which a test would miss."""

import numpy as np
import pytest
from scipy import stats

from teachrl.core import Episode, Task
from teachrl.envs import play
from teachrl.models.mixtures import Mixture, MixtureChoice
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.teachers import ALPGMM, Random

SPACE = TaskSpace(x=(0, 10), y=(-1, 1))


def started(seed=0, space=SPACE, reward_range=(0.0, 1.0), **options):
    options = {"fit_every": 50, "max_gaussians": 4} | options
    return ALPGMM(**options).start(space, stream(seed, "teacher"), reward_range)


def teach(teacher, episodes, reward):
    tasks = []
    for i in range(episodes):
        tasks.append(task := teacher.sample())
        teacher.update(Episode(task, seed=0, reward=float(reward(task.params, i)), length=1))
    return tasks


def noisy_left(params, i):
    """Rewards that change on the left half only."""
    return (i % 2) * (params[0] < 5)


def test_before_the_first_fit_tasks_are_uniform():
    tasks = teach(started(fit_every=400), 400, noisy_left)
    assert {task.origin for task in tasks} == {"uniform"}
    x = np.array([task.params[0] for task in tasks]) / 10
    assert stats.kstest(x, "uniform").pvalue > 1e-3


def test_or_they_come_from_the_initial_gaussian():
    teacher = started(fit_every=400, initial_mean=(2.0, 0.5), initial_std=(0.05, 0.05))
    tasks = teach(teacher, 400, noisy_left)
    params = np.array([task.params for task in tasks])
    assert {task.origin for task in tasks} == {"initial"}
    np.testing.assert_allclose(params.mean(axis=0), [2.0, 0.5], atol=0.1)
    np.testing.assert_allclose(params.std(axis=0), [0.5, 0.1], rtol=0.15)


def test_it_fits_every_n_episodes_to_the_last_n():
    teacher = started()
    teach(teacher, 49, noisy_left)
    assert teacher.belief() == {}
    teach(teacher, 1, noisy_left)
    first = teacher.belief()["means"]
    teach(teacher, 49, noisy_left)
    assert teacher.belief()["means"] is first or (teacher.belief()["means"] == first).all()
    teach(teacher, 1, noisy_left)
    assert (
        teacher.belief()["means"].shape != first.shape or (teacher.belief()["means"] != first).any()
    )


def test_a_fit_sees_tasks_in_unit_coordinates_beside_their_progress(monkeypatch):
    seen, rewards = [], []
    monkeypatch.setattr(MixtureChoice, "fit", lambda self, points, rng: seen.append(points.copy()))
    teacher = started(fit_every=20)
    for i in range(40):
        rewards.append(noisy_left((0.0,), i))
        teacher.update(Episode(Task(np.float32([2.5, 0.5])), seed=0, reward=rewards[-1], length=1))
    assert [points.shape for points in seen] == [(20, 3), (20, 3)]
    np.testing.assert_allclose(seen[1][:, :2], 20 * [[0.25, 0.75]])
    np.testing.assert_array_equal(seen[0][:, 2], [0] * 6 + [1] * 14)  # rewards alternate
    np.testing.assert_array_equal(seen[1][:, 2], 1)


@pytest.mark.parametrize(
    "option",
    [
        {"criterion": "bic"},
        {"criterion": "aicc"},
        {"em_inits": 4},
        {"warm_start": True},
        {"memory": 20},
        {"fit_every": 40},
        {"min_gaussians": 4},
        {"max_gaussians": 6},
        {"random_ratio": 0.5},
        {"initial_mean": (5.0, 0.0), "initial_std": (0.1, 0.5)},
    ],
    ids=str,
)
def test_every_option_changes_the_curriculum(option):
    def curriculum(**options):
        teacher = started(**({"max_gaussians": 8} | options))
        return [task.params.tolist() for task in teach(teacher, 260, noisy_left)]

    assert curriculum(**option) != curriculum()


def test_a_belief_is_of_tasks_in_unit_coordinates():
    teacher = started()
    teach(teacher, 400, noisy_left)
    belief = teacher.belief()
    k = len(belief["weights"])
    shapes = {name: array.shape for name, array in belief.items()}
    assert shapes == {"weights": (k,), "means": (k, 2), "covariances": (k, 2, 2), "progress": (k,)}
    assert ((belief["means"] >= 0) & (belief["means"] <= 1)).all()
    metrics = teacher.metrics()
    assert metrics["gaussians"] == k
    assert 1 <= metrics["effective_gaussians"] <= k
    assert metrics["progress"] == pytest.approx(belief["weights"] @ belief["progress"])


def test_a_gaussian_of_negative_mean_progress_is_never_chosen():
    teacher = started(random_ratio=0.0)
    means = np.array([[0.2, 0.2, -0.1], [0.8, 0.8, 0.3], [0.5, 0.5, 0.1]])
    teacher.mixtures.best = Mixture(np.full(3, 1 / 3), means, np.full((3, 1, 1), 1e-6) * np.eye(3))
    tasks = [teacher.sample() for _ in range(2000)]
    origins = [task.origin for task in tasks]
    shares = [origins.count(f"gaussian {k}") / 2000 for k in range(3)]
    np.testing.assert_allclose(shares, [0, 0.75, 0.25], atol=0.03)
    mine = np.array([task.params for task in tasks if task.origin == "gaussian 1"])
    np.testing.assert_allclose(mine.mean(axis=0), [8, 0.6], atol=0.01)
    assert teacher.metrics()["effective_gaussians"] == pytest.approx(1.755, abs=1e-3)


def test_it_goes_where_rewards_change():
    tasks = teach(started(random_ratio=0.0), 1000, noisy_left)
    late = np.array([task.params[0] for task in tasks[500:]])
    assert (late < 5.5).mean() > 0.85


def test_the_random_share_stays_uniform():
    teacher = started(random_ratio=0.3)
    teach(teacher, 100, noisy_left)
    origins = [teacher.sample().origin for _ in range(2000)]
    assert origins.count("uniform") / 2000 == pytest.approx(0.3, abs=0.04)


def test_gaussians_are_chosen_in_proportion_to_their_progress():
    teacher = started(random_ratio=0.0)
    teach(teacher, 100, noisy_left)
    progress = np.maximum(teacher.belief()["progress"], 0)
    origins = [teacher.sample().origin for _ in range(4000)]
    shares = [origins.count(f"gaussian {k}") / 4000 for k in range(len(progress))]
    np.testing.assert_allclose(shares, progress / progress.sum(), atol=0.03)


def test_without_any_progress_all_gaussians_are_equal():
    teacher = started(random_ratio=0.0)
    teach(teacher, 50, lambda params, i: 0.5)
    k = len(teacher.belief()["progress"])
    origins = [teacher.sample().origin for _ in range(3000)]
    np.testing.assert_allclose(
        [origins.count(f"gaussian {i}") / 3000 for i in range(k)], 1 / k, atol=0.04
    )


def test_rewards_are_scaled_before_progress_is_measured():
    wide = started(reward_range=(-150.0, 350.0))
    unit = started()
    a = teach(wide, 300, lambda params, i: -150 + 500 * noisy_left(params, i))
    b = teach(unit, 300, noisy_left)
    assert [t.params.tolist() for t in a] == [t.params.tolist() for t in b]


def test_a_preview_never_explores():
    teacher = started(random_ratio=1.0)
    teach(teacher, 200, lambda params, i: (i % 2) * (params[0] < 2))
    assert (teacher.preview(300, stream(0, "preview"))[:, 0] < 5).mean() > 0.6


def test_the_tuned_values_are_those_of_the_benchmark():
    tuned = ALPGMM.tuned_for_walker()
    assert (tuned.fit_every, tuned.min_gaussians, tuned.max_gaussians) == (150, 2, 9)
    assert tuned.random_ratio == 0.05
    assert (ALPGMM().fit_every, ALPGMM().max_gaussians, ALPGMM().random_ratio) == (250, 10, 0.2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fit_every": 3}, "fit_every must be a whole number of at least 4, got 3"),
        ({"min_gaussians": 0}, "min_gaussians"),
        ({"max_gaussians": 1}, "max_gaussians must be a whole number of at least 2"),
        ({"random_ratio": 1.5}, r"random_ratio must be a number in \[0, 1\], got 1.5"),
        ({"criterion": "xic"}, "criterion must be one of aic, bic, aicc"),
        ({"memory": 3}, "memory"),
        ({"initial_mean": (1.0,), "initial_std": (0.1,)}, "initial_mean must be 2 numbers"),
        ({"initial_mean": (1.0, 0.0)}, "initial_mean and initial_std go together"),
    ],
)
def test_bad_hyperparameters_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        started(**options)


@pytest.mark.parametrize("reward", [np.nan, np.inf])
def test_a_reward_that_is_not_finite_is_refused_and_leaves_nothing(reward):
    teacher = started()
    with pytest.raises(ValueError, match="must be finite"):
        teacher.update(Episode(Task(np.float32([1, 0])), seed=0, reward=reward, length=1))
    assert len(teacher.progress) == 0


@pytest.mark.slow
def test_it_teaches_the_toy_better_than_chance():
    ours = [play(ALPGMM.tuned_for_walker(), 12_000, seed).mastered for seed in range(5)]
    random = [play(Random(), 12_000, seed).mastered for seed in range(5)]
    assert stats.ttest_ind(ours, random, equal_var=False, alternative="greater").pvalue < 0.01
