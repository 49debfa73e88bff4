"""Constrained self-paced learning's published rules, each of which a test would miss."""

import numpy as np
import pytest
from scipy import stats

from teachrl.core import Episode, Task
from teachrl.envs import play
from teachrl.models.gaussians import Gaussian
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.targets import Target
from teachrl.teachers import ConstrainedSelfPaced, Random

SPACE = TaskSpace(x=(0, 10), y=(-1, 1))
CORNER = {"initial_mean": (1.0, -0.8), "initial_std": (0.1, 0.1)}
TARGET = Target.gaussians([[8.0, 0.6]], 0.05)


def started(seed=0, space=SPACE, target=TARGET, reward_range=(0.0, 1.0), **options):
    options = {"update_every": 40} | CORNER | options
    return ConstrainedSelfPaced(**options).start(
        space, stream(seed, "teacher"), reward_range, target
    )


def updated(teacher, reward):
    """Play until the next update, and return how far it moved."""
    before = Gaussian(teacher.gaussian.mean, teacher.gaussian.factor)
    for _ in range(teacher.update_every):
        task = teacher.sample()
        unit = teacher.space.normalize(task.params)
        teacher.update(Episode(task, 0, float(reward(unit)), length=1))
    return before.divergence(teacher.gaussian)


def played_by_many(teacher, n_envs, updates, reward):
    """Play with so many tasks in flight, which end in any order, and return all performances."""
    rng, measured = np.random.default_rng(0), []
    tasks = [teacher.sample() for _ in range(n_envs)]
    while teacher.n_updates < updates:
        late = rng.integers(n_envs)
        before = teacher.n_updates
        teacher.update(Episode(tasks[late], 0, float(reward(rng)), length=1))
        tasks[late] = teacher.sample()
        measured += [teacher.measured] * (teacher.n_updates - before)
    return measured


def always(unit):
    return 1.0


def to_the_right(unit):
    return unit[0]


def test_until_the_bound_is_reached_it_goes_where_rewards_are_high():
    left = Target.gaussians([[0.5, 0.0]], 0.05)
    teacher = started(target=left, initial_mean=(3.0, 0.0), performance_bound=0.6)
    first = teacher.gaussian.mean[0]
    for _ in range(4):
        updated(teacher, to_the_right)
        assert not teacher.is_bound_reached
    assert teacher.gaussian.mean[0] > first + 0.1


@pytest.mark.parametrize("dimensions", [8, 12])
@pytest.mark.filterwarnings("error")
def test_in_many_dimensions_it_goes_there_too(dimensions):
    """What the search finds lies far outside the trust region there."""
    middle = {"initial_mean": (0.5,) * dimensions, "initial_std": (0.1,) * dimensions}
    space = TaskSpace(x=(0, 1, "float", dimensions))
    teacher = started(space=space, target=Target.uniform(), update_every=50, **middle)
    accepted, rewards = [], []
    for _ in range(12):
        assert updated(teacher, lambda unit: 0.75 - unit.mean()) <= teacher.max_kl + 1e-6
        accepted.append(teacher.is_accepted)
        rewards.append(teacher.measured)
    assert np.mean(accepted) > 0.9
    assert np.mean(rewards[-3:]) > np.mean(rewards[:3]) + 0.05


def test_once_it_is_reached_it_goes_to_the_target_for_good():
    left = Target.gaussians([[0.5, 0.0]], 0.05)
    teacher = started(target=left, initial_mean=(3.0, 0.0), performance_bound=0.6)
    while not teacher.is_bound_reached:
        updated(teacher, to_the_right)
    assert teacher.metrics()["bound_reached"] == 1
    best = teacher.gaussian.mean[0]
    updated(teacher, lambda unit: 0.1)
    assert teacher.is_bound_reached  # though rewards are low now
    for _ in range(30):
        updated(teacher, always)
    np.testing.assert_allclose(teacher.gaussian.mean, [0.05, 0.5], atol=0.01)
    np.testing.assert_allclose(teacher.gaussian.stds, 0.05, rtol=0.05)
    assert best > 0.3


def test_it_stops_where_rewards_would_fall_below_the_bound():
    teacher = started(performance_bound=0.5, update_every=100)
    for _ in range(60):
        updated(teacher, lambda unit: unit[0] < 0.45)
    means = []
    for _ in range(20):
        updated(teacher, lambda unit: unit[0] < 0.45)
        means.append(teacher.gaussian.mean.copy())
    assert 0.3 < np.mean(means, axis=0)[0] < 0.7  # the target is at 0.8
    assert np.mean(means, axis=0)[1] == pytest.approx(0.8, abs=0.05)  # which costs nothing


@pytest.mark.parametrize("max_kl", [0.02, 0.25, 1.0])
def test_every_update_goes_to_the_border_of_the_trust_region_and_not_beyond(max_kl):
    teacher = started(max_kl=max_kl)
    for _ in range(3):
        assert updated(teacher, always) == pytest.approx(max_kl, rel=0.01)


def test_a_loss_of_performance_is_not_accepted():
    teacher = started(performance_bound=0.8)
    updated(teacher, always)
    assert teacher.is_bound_reached
    assert abs(updated(teacher, lambda unit: 0.2)) < 1e-12  # nothing in reach is good enough
    assert teacher.metrics()["accepted"] == 0
    assert updated(teacher, always) > 0


def test_estimates_may_miss_the_bound_by_a_twentieth(monkeypatch):
    """Whatever the search returns: performance may be lost, but only so much."""
    module = "teachrl.teachers.constrained_self_paced.constrained_step"
    for lost, is_accepted in ((0.96, True), (0.94, False)):
        teacher = started(performance_bound=0.5)
        teacher.is_bound_reached = True
        nearer = Gaussian(teacher.gaussian.mean + 0.01, teacher.gaussian.factor)
        monkeypatch.setattr(module, lambda *_, nearer=nearer: nearer)
        monkeypatch.setattr(
            "teachrl.teachers.constrained_self_paced.reweighted_mean",
            lambda *_, lost=lost: (lost * 0.5, np.zeros(5)),
        )
        updated(teacher, always)
        assert teacher.is_accepted == is_accepted


@pytest.mark.parametrize("fault", ["nowhere", "too far", "overflowing", "worse", "too narrow"])
@pytest.mark.filterwarnings("error")
def test_where_the_search_fails_a_step_along_the_gradient_does(fault, monkeypatch):
    teacher = started(std_floor=0.1, kl_threshold=1.0)
    present = teacher.gaussian
    found = {
        "nowhere": None,
        "too far": Gaussian(present.mean + 0.2, present.factor),
        "overflowing": Gaussian(present.mean, 1e200 * present.factor),
        "worse": Gaussian(present.mean - 0.01, present.factor),
        "too narrow": Gaussian(present.mean + 0.01, 0.95 * present.factor),
    }[fault]
    module = "teachrl.teachers.constrained_self_paced.constrained_step"
    monkeypatch.setattr(module, lambda *_: found)
    before = teacher.metrics()["kl_to_target"]
    assert 0.1 < updated(teacher, always) <= teacher.max_kl
    assert teacher.gaussian.stds.min() >= 0.1 * (1 - 1e-9)
    assert teacher.metrics()["kl_to_target"] < before
    nearer = Gaussian(present.mean + 0.01, present.factor)
    teacher.gaussian = present
    monkeypatch.setattr(module, lambda *_: nearer)
    updated(teacher, always)
    assert teacher.gaussian is nearer


def test_deviations_stay_above_the_floor_while_the_target_is_far():
    teacher, narrowest = started(std_floor=0.08, kl_threshold=1.0), []
    for _ in range(40):
        is_far = teacher.metrics()["kl_to_target"] > 1.0
        updated(teacher, always)
        narrowest += [teacher.gaussian.stds.min()] * is_far
    assert min(narrowest) >= 0.08 * (1 - 1e-5)
    assert min(narrowest) < 0.085  # it would be narrower
    np.testing.assert_allclose(teacher.gaussian.stds, 0.05, rtol=0.05)


@pytest.mark.parametrize("initial_std", [0.08, 0.03])
def test_the_floor_holds_deviations_back_but_not_the_mean(initial_std):
    options = {"initial_std": (initial_std, initial_std), "std_floor": 0.08, "kl_threshold": 1.0}
    teacher = started(**options)
    for _ in range(5):
        assert updated(teacher, always) == pytest.approx(0.25, rel=0.01)
        assert teacher.gaussian.stds.min() >= initial_std * (1 - 1e-5)


def test_deviations_go_down_to_the_floor_and_stop_there():
    above = {"initial_mean": (8.0, 0.6), "initial_std": (0.1, 0.1)}
    teacher = started(**above, std_floor=0.08, kl_threshold=0.1)
    assert updated(teacher, always) > 0
    np.testing.assert_allclose(teacher.gaussian.stds, 0.08, rtol=1e-3)


def test_a_target_of_several_gaussians_counts_as_it_is():
    """Its moments describe a wide Gaussian between the two, where nothing is wanted."""
    two = Target.gaussians([[1.0, -0.8], [9.0, 0.8]], 0.05)
    teacher = started(target=two, initial_mean=(3.0, -0.6))
    for _ in range(30):
        updated(teacher, always)
    np.testing.assert_allclose(teacher.gaussian.mean, [0.1, 0.1], atol=0.02)
    np.testing.assert_allclose(teacher.gaussian.stds, 0.05, rtol=0.15)


def test_tasks_are_drawn_inside_the_space():
    teacher = started(initial_mean=(0.0, -1.0))
    points = np.array([teacher.sample().meta["point"] for _ in range(500)])
    assert (points >= 0).all()
    half = stats.halfnorm(scale=0.1)  # what is outside is drawn again, not moved to the border
    assert stats.kstest(points[:, 0], half.cdf).pvalue > 1e-3
    teacher.gaussian.mean = np.array([0.5, 0.5])
    teacher.gaussian.factor = 1e6 * np.eye(2)
    points = np.array([teacher.sample().meta["point"] for _ in range(500)])
    assert stats.kstest(points[:, 0], "uniform").pvalue > 1e-3
    teacher.gaussian = Gaussian(np.array([5.0, 0.5]), 0.01 * np.eye(2))
    params = np.array([teacher.sample().params for _ in range(50)])
    np.testing.assert_allclose(params[:, 0], 10.0, atol=0.01)


def test_at_a_corner_of_many_dimensions_tasks_are_drawn_there_too():
    """Of a hundred draws none is inside; uniform ones would be anywhere."""
    cube = {"initial_mean": (0.05,) * 20, "initial_std": (0.1,) * 20}
    teacher = started(space=TaskSpace(x=(0, 1, "float", 20)), target=Target.uniform(), **cube)
    points = np.array([teacher.sample().meta["point"] for _ in range(100)])
    inside = stats.truncnorm(-0.5, 9.5, loc=0.05, scale=0.1)
    assert stats.kstest(points.ravel(), inside.cdf).pvalue > 1e-3


def test_late_episodes_count_with_the_density_they_were_drawn_from():
    teacher = started(update_every=2000, performance_bound=1.0)
    tasks = [teacher.sample() for _ in range(2000)]
    teacher.gaussian = Gaussian(
        teacher.gaussian.mean + np.array([0.05, 0]), teacher.gaussian.factor
    )
    for task in tasks:
        reward = teacher.space.normalize(task.params)[0]
        teacher.update(Episode(task, 0, reward, length=1))
    plain = np.mean([task.meta["point"][0] for task in tasks])
    assert plain < 0.13
    assert teacher.metrics()["performance"] > plain + 0.03


@pytest.mark.parametrize("n_envs", [1, 8, 32])
def test_equal_rewards_are_the_performance_however_many_tasks_are_in_flight(n_envs):
    for reward, is_enough in ((0.5, False), (0.9, True)):
        teacher = started(target=Target.uniform(), update_every=20)
        measured = played_by_many(teacher, n_envs, 40, lambda rng, reward=reward: reward)
        np.testing.assert_allclose(measured, reward, rtol=1e-9)
        assert teacher.is_bound_reached == is_enough


@pytest.mark.parametrize("n_envs", [1, 8, 32])
def test_performance_is_among_the_rewards_however_many_tasks_are_in_flight(n_envs):
    """Of late tasks a few are likely now and were not: they took it to several times the bound."""
    for seed in range(2):
        teacher = started(seed, target=Target.uniform(), update_every=20)
        measured = played_by_many(teacher, n_envs, 40, lambda rng: rng.choice([0.4, 0.6]))
        assert min(measured) >= 0.4 - 1e-9
        assert max(measured) <= 0.6 + 1e-9
        assert not teacher.is_bound_reached


@pytest.mark.parametrize(
    ("reward_range", "reward"),
    [((0.0, 1.0), 0.5), ((-1.0, 1.0), 0.3), ((-150.0, 350.0), -100.0)],
)
def test_equal_rewards_are_no_reason_to_move(reward_range, reward):
    """Whatever their range adds to them."""
    teacher = started(reward_range=reward_range)
    for _ in range(5):
        assert updated(teacher, lambda unit: reward) == 0
        assert teacher.metrics()["accepted"] == 0


def test_it_goes_where_rewards_are_high_though_their_range_begins_far_below():
    """Without a baseline, what the range adds outweighs the slope, and moves what has none."""
    middle = {"initial_mean": (5.0, 0.0), "initial_std": (0.15, 0.15)}
    spreads, rng = [], np.random.default_rng(0)
    for seed in range(6):
        teacher = started(seed, reward_range=(-150.0, 350.0), update_every=50, **middle)
        for _ in range(15):
            updated(teacher, lambda unit: -100 + 60 * (0.5 - unit[0]) + rng.normal(0, 5))
        assert teacher.gaussian.mean[0] < 0.05
        spreads.append(teacher.gaussian.stds[1])
    assert np.median(spreads) > 0.1  # which noise makes drift, either way


def test_rewards_are_scaled():
    unit, wide = started(), started(reward_range=(-150.0, 350.0))
    for _ in range(5):
        updated(unit, to_the_right)
        updated(wide, lambda params: -150 + 500 * params[0])
    np.testing.assert_allclose(unit.gaussian.mean, wide.gaussian.mean, atol=1e-6)


@pytest.mark.parametrize("space", [TaskSpace(x=(0, 1)), TaskSpace(x=(0, 1, "float", 50))], ids=str)
@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_batches_without_any_difference_do_no_harm(space, reward):
    options = {"initial_mean": None, "initial_std": None, "update_every": 5}
    teacher = started(
        space=space, target=Target.gaussians([[0.3] * len(space.low)], 0.2), **options
    )
    for _ in range(3):
        updated(teacher, lambda unit: reward)
        assert np.isfinite(teacher.gaussian.parameters).all()
        assert np.isfinite(list(teacher.metrics().values())).all()


def test_identical_tasks_and_single_episodes_do_no_harm():
    teacher = started(update_every=1)
    task = Task(np.float32([1, -0.8]), meta={"point": [0.1, 0.1], "log_density": 0.0})
    for reward in (0.0, 1.0, 0.5) * 20:
        teacher.update(Episode(task, 0, reward, length=1))
    assert teacher.n_updates == 60
    assert np.isfinite(teacher.gaussian.parameters).all()


def test_whether_the_bound_was_reached_is_part_of_the_state():
    teacher, twin = started(), started(seed=1)
    updated(teacher, always)
    updated(teacher, to_the_right)
    twin.restore(teacher.state())
    assert twin.is_bound_reached
    for each in (teacher, twin):
        updated(each, to_the_right)
    np.testing.assert_array_equal(teacher.gaussian.mean, twin.gaussian.mean)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"performance_bound": 230.0}, r"performance_bound must be a number in \[0, 1\], got 230"),
        ({"update_every": 0}, "update_every"),
        ({"max_kl": -1.0}, "max_kl"),
        ({"initial_mean": (1.0, 0.0, 0.0)}, "initial_mean must be 2 numbers"),
        ({"target_std": (0.1, 0.1)}, "go together"),
    ],
)
def test_bad_hyperparameters_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        started(**options)


def test_the_tuned_values_are_published_ones():
    default, tuned = ConstrainedSelfPaced(), ConstrainedSelfPaced.tuned_for_point_mass()
    assert (default.performance_bound, default.update_every, default.max_kl) == (0.8, 50, 0.25)
    assert (tuned.update_every, tuned.std_floor, tuned.kl_threshold) == (20, 0.025, 8000)
    assert (tuned.performance_bound, tuned.initial_mean) == (0.4, (0.0, 4.25))
    assert np.multiply(tuned.initial_std, (8, 7.5)).tolist() == [2, 1.875]


@pytest.mark.slow
def test_it_teaches_the_toy_better_than_chance():
    teacher = ConstrainedSelfPaced(initial_mean=(0.05, 0.05), initial_std=(0.1, 0.1))
    ours = [play(teacher, 6_000, seed).mastered for seed in range(4)]
    random = [play(Random(), 6_000, seed).mastered for seed in range(4)]
    assert stats.ttest_ind(ours, random, equal_var=False, alternative="greater").pvalue < 0.01
