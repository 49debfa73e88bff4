"""Self-paced learning's published rules, each of which a test would miss."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from scipy import stats
from stable_baselines3 import PPO

from teachrl.core import Episode, Task
from teachrl.envs import play
from teachrl.models.gaussians import Gaussian
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.students import TaughtVecEnv, TeacherCallback, make_task_vec_env
from teachrl.targets import Target
from teachrl.teachers import Random, SelfPaced
from tests.students.worlds import Reach

SPACE = TaskSpace(x=(0, 10), y=(-1, 1))
CORNER = {"initial_mean": (1.0, -0.8), "initial_std": (0.1, 0.1)}
TARGET = Target.gaussians([[8.0, 0.6]], 0.05)


@dataclass
class Critic:
    """A rollout whose student values observations by a function."""

    value: object = field(default=lambda seen: np.ones(len(seen)))
    steps: int = 0
    asked: list[Any] = field(default_factory=list)

    def values(self, observations):
        self.asked.append(observations)
        return np.asarray(self.value(observations), np.float64)


def started(seed=0, space=SPACE, target=TARGET, reward_range=(0.0, 1.0), **options):
    options = {"update_every": 1000, "offset": 1000, "zeta": 0.5, "max_kl": 0.2} | CORNER | options
    return SelfPaced(**options).start(space, stream(seed, "teacher"), reward_range, target)


def played(teacher, n, reward=1.0, observe=None):
    """Let the teacher see ``n`` episodes that begin with the task in unit coordinates."""
    for _ in range(n):
        task = teacher.sample()
        seen = teacher.space.normalize(task.params)
        seen = seen if observe is None else observe(seen)
        teacher.update(Episode(task, 0, reward, length=1, first_observation=seen))


def updated(teacher, critic, n=100, **options):
    """Play until the next update, and return how far it moved."""
    before = Gaussian(teacher.gaussian.mean, teacher.gaussian.factor)
    played(teacher, n, **options)
    critic.steps = teacher.next_update
    teacher.study(critic)
    return before.divergence(teacher.gaussian)


def test_it_starts_where_experts_say():
    """The published benchmark drew a random place instead if experts had much to say."""
    for seed in range(3):
        teacher = started(seed)
        params = np.array([teacher.sample().params for _ in range(1000)])
        np.testing.assert_allclose(np.median(params, axis=0), [1.0, -0.8], atol=0.1)
        assert stats.iqr(params[:, 0]) == pytest.approx(1.349, rel=0.15)  # std 0.1 of the range
    anywhere = started(initial_mean=None, initial_std=None).gaussian
    np.testing.assert_allclose(anywhere.mean, 0.5)
    np.testing.assert_allclose(anywhere.stds, np.sqrt(1 / 12))


def test_it_goes_to_the_target_of_the_environment_or_to_its_own():
    """The published benchmark never set a target."""
    own = {"target_mean": (2.0, 0.8), "target_std": (0.05, 0.05)}
    for options, expected in (({}, (0.8, 0.8)), (own, (0.2, 0.9))):
        teacher, critic = started(max_kl=1.0, **options), Critic()
        for _ in range(40):
            updated(teacher, critic)
        np.testing.assert_allclose(teacher.gaussian.mean, expected, atol=0.04)
        np.testing.assert_allclose(teacher.gaussian.stds, 0.05, rtol=0.3)
    with pytest.raises(ValueError, match="declare"):
        started(target=None)


def test_equal_values_are_no_reason_to_move():
    """Without a baseline, chance would move it."""
    teacher = started(zeta=0.0)
    assert updated(teacher, Critic(), n=30) == 0
    assert teacher.metrics()["accepted"] == 0


@pytest.mark.parametrize("value", [-9.9, -3.3])
def test_values_that_differ_by_rounding_are_equal(value):
    """Their mean misses them by the last digit, and steps are long however short the gradient."""
    for n in range(30, 50):
        teacher = started(zeta=0.0, reward_range=(-10.0, 10.0))
        critic = Critic(lambda seen: np.full(len(seen), value) + 1e-7 * seen[:, 0])
        assert updated(teacher, critic, n=n) == 0
        assert updated(teacher, Critic(lambda seen: np.full(len(seen), value)), n=n) == 0


def test_values_that_differ_by_more_move_it():
    teacher = started(zeta=0.0)
    assert updated(teacher, Critic(lambda seen: 0.5 + 1e-4 * seen[:, 0])) > 0


def test_who_begins_at_the_target_is_warned():
    nowhere = {"initial_mean": None, "initial_std": None}
    [concern] = started(target=Target.uniform(), **nowhere).concerns(1e6)
    assert "give initial_mean and initial_std" in concern
    assert started(target=Target.uniform()).concerns(1e6) == []
    assert started(**nowhere).concerns(1e6) == []
    assert started(target=Target.uniform(), zeta=0.0, **nowhere).concerns(1e6) == []


def test_without_pull_it_goes_where_values_are_high():
    teacher, critic = (
        started(zeta=0.0, initial_mean=(5.0, 0.0)),
        Critic(lambda seen: seen[:, 0] ** 2),
    )
    for _ in range(30):
        updated(teacher, critic, n=200)
    assert teacher.gaussian.mean[0] > 0.65
    assert abs(teacher.gaussian.mean[1] - 0.5) < 0.25


def test_it_stays_in_the_space_and_comes_back_from_its_corner():
    """Points are not clipped, so that nothing would restore a Gaussian outside."""
    teacher = started(zeta=0.0, initial_mean=(9.0, 0.8), max_kl=0.5, std_floor=0.1)
    for way in (1.0, -1.0):
        for _ in range(20):
            updated(teacher, Critic(lambda seen, way=way: way * seen.sum(axis=1)), n=200)
            assert (teacher.gaussian.mean >= 0).all()
            assert (teacher.gaussian.mean <= 1).all()
        if way == 1:
            np.testing.assert_allclose(teacher.gaussian.mean, 1.0, atol=0.1)
    assert teacher.gaussian.mean.max() < 0.8


def test_it_updates_after_the_offset_and_then_every_so_many_steps():
    teacher, critic, moments = started(offset=2500), Critic(), []
    for steps in range(100, 8000, 300):
        played(teacher, 5)
        before, critic.steps = teacher.n_updates, steps
        teacher.study(critic)
        if teacher.n_updates > before:
            moments.append(steps)
    assert moments == [3100, 4000, 5200, 6100, 7000]  # the first with 3000, 4000 and so on behind


def test_without_episodes_an_update_waits_for_some():
    teacher, critic = started(), Critic(steps=1500)
    teacher.study(critic)
    assert teacher.n_updates == 0
    played(teacher, 1)
    teacher.study(critic)
    assert teacher.n_updates == 1


def test_values_are_asked_for_all_episodes_since_the_last_update_and_only_then():
    teacher, critic = started(memory=50), Critic()
    updated(teacher, critic, n=30)
    updated(teacher, critic, n=70)
    assert [len(seen) for seen in critic.asked] == [30, 50]


def test_dict_observations_are_asked_for_as_dicts():
    teacher = started()
    critic = Critic(lambda seen: seen["a"]["b"][:, 0])
    updated(teacher, critic, n=30, observe=lambda seen: {"a": {"b": seen.astype(np.float32)}})
    assert critic.asked[0]["a"]["b"].shape == (30, 2)
    assert critic.asked[0]["a"]["b"].dtype == np.float32


@pytest.mark.parametrize("performance", ["values", "rewards"])
def test_alpha_grows_with_performance_and_as_the_target_comes_near(performance):
    teacher, critic = started(performance=performance), Critic(lambda seen: np.full(len(seen), 0.6))
    distance = teacher.metrics()["kl_to_target"]
    updated(teacher, critic, reward=0.2)
    shown = 0.6 if performance == "values" else 0.2
    assert teacher.metrics()["performance"] == pytest.approx(shown)
    assert teacher.metrics()["alpha"] == pytest.approx(0.5 * shown / distance)


@pytest.mark.parametrize("value", [-3.0, 0.0])
def test_no_performance_means_no_pull(value):
    teacher = started()
    updated(teacher, Critic(lambda seen: np.full(len(seen), value)))
    assert teacher.metrics()["alpha"] == 0


@pytest.mark.parametrize("performance", ["values", "rewards"])
def test_who_fails_every_time_is_not_drawn_to_the_target(performance):
    """Though the lowest return is lower still."""
    teacher = started(performance=performance, reward_range=(-150.0, 350.0))
    for _ in range(3):
        updated(teacher, Critic(lambda seen: np.full(len(seen), -60.0)), reward=-100.0)
        assert teacher.metrics()["alpha"] == 0
    assert teacher.gaussian.divergence(teacher._target_gaussian()) > 100


@pytest.mark.parametrize(
    ("reward_range", "zero", "reward", "share"),
    [((-150.0, 350.0), 0.0, 50.0, 0.1), ((-200.0, 0.0), -200.0, -50.0, 0.75)],
)
def test_the_pull_grows_with_what_is_above_the_zero_of_performance(
    reward_range, zero, reward, share
):
    teacher = started(reward_range=reward_range, performance_zero=zero, performance="rewards")
    distance = teacher.metrics()["kl_to_target"]
    updated(teacher, Critic(), reward=reward)
    assert teacher.metrics()["alpha"] == pytest.approx(0.5 * share / distance)


@pytest.mark.parametrize("zero", [0.0, 7.0])
def test_a_zero_that_no_return_exceeds_is_refused(zero):
    with pytest.raises(ValueError, match=r"performance_zero .* say the lowest, -200"):
        started(reward_range=(-200.0, 0.0), performance_zero=zero)


def test_alpha_is_bounded_at_the_target():
    at_target = {"initial_mean": (8.0, 0.6), "initial_std": (0.05, 0.05)}
    teacher = started(**at_target)
    updated(teacher, Critic())
    assert teacher.metrics()["alpha"] == 1e5
    assert teacher.metrics()["kl_to_target"] == pytest.approx(0, abs=1e-6)


def test_the_first_updates_are_not_drawn_to_the_target():
    teacher, alphas = started(alpha_offset=2), []
    for _ in range(4):
        updated(teacher, Critic())
        alphas.append(teacher.metrics()["alpha"] > 0)
    assert alphas == [False, False, True, True]


def test_values_are_scaled_like_rewards():
    unit, wide = started(), started(reward_range=(-150.0, 350.0), performance_zero=-150.0)
    for _ in range(3):
        updated(unit, Critic(lambda seen: seen[:, 0]), reward=0.4)
        updated(wide, Critic(lambda seen: -150 + 500 * seen[:, 0]), reward=50.0)
    np.testing.assert_allclose(unit.gaussian.mean, wide.gaussian.mean)


@pytest.mark.parametrize("max_kl", [0.01, 0.1, 1.0])
def test_no_update_leaves_the_trust_region(max_kl):
    """The published code accepted any step that did not lose value."""
    rng, rejected = np.random.default_rng(0), 0
    teacher = started(max_kl=max_kl, zeta=0.1)
    for _ in range(30):
        moved = updated(teacher, Critic(lambda seen: rng.random(len(seen))), n=8)
        assert moved <= max_kl * (1 + 1e-9)
        assert (moved > 0) == teacher.metrics()["accepted"]
        rejected += moved == 0
    assert rejected < 30


@pytest.mark.parametrize("threshold", [1.0, 1e6])
def test_deviations_stay_above_the_floor_while_the_target_is_far(threshold):
    teacher = started(std_floor=0.08, kl_threshold=threshold, max_kl=1.0)
    least = []
    for _ in range(40):
        is_far = teacher.metrics()["kl_to_target"] > threshold
        updated(teacher, Critic())
        if is_far:
            least.append(teacher.gaussian.stds.min())
    if threshold == 1.0:
        assert min(least) >= 0.08 * (1 - 1e-9)
    assert teacher.gaussian.stds.max() < 0.07  # in the end it is near, and as narrow as the target


def test_an_initial_gaussian_below_the_floor_is_no_dead_end():
    teacher = started(std_floor=0.08, initial_std=(0.03, 0.03), max_kl=0.1)
    assert updated(teacher, Critic()) > 0
    assert teacher.gaussian.stds.min() >= 0.03 * (1 - 1e-9)


def test_late_episodes_count_with_the_density_they_were_drawn_from():
    """Weights of 1 for all would take the old place of the Gaussian for its present one."""
    teacher = started(zeta=0.0)
    tasks = [teacher.sample() for _ in range(4000)]
    teacher.gaussian = Gaussian(
        teacher.gaussian.mean + np.array([0.05, 0]), teacher.gaussian.factor
    )
    for task in tasks:
        teacher.update(Episode(task, 0, 0.0, 1, first_observation=np.array(task.meta["point"])))
    points, drawn = teacher._seen()[0][:1000], teacher._seen()[1][:1000]
    weights = np.exp(Gaussian.standard(2).log_density(points) - drawn)
    assert weights.mean() == pytest.approx(1, abs=0.1)
    assert weights.std() > 0.3
    assert (weights @ points[:, 0]) / 1000 == pytest.approx(0, abs=0.1)  # around the present mean
    assert points[:, 0].mean() == pytest.approx(-0.5, abs=0.1)


@pytest.mark.parametrize("space", [TaskSpace(x=(0, 1)), TaskSpace(x=(0, 1, "float", 50))], ids=str)
@pytest.mark.parametrize("value", [0.0, 1.0, -1e6])
def test_batches_without_any_difference_do_no_harm(space, value):
    options = {"initial_mean": None, "initial_std": None}
    teacher = started(space=space, target=Target.uniform(), **options)
    for n in (1, 3, 40):
        updated(teacher, Critic(lambda seen: np.full(len(seen), value)), n=n)
        assert np.isfinite(teacher.gaussian.parameters).all()
    assert space.contains(teacher.sample().params)


def test_identical_tasks_do_no_harm():
    teacher, rng = started(zeta=0.0, max_kl=5.0), np.random.default_rng(0)
    task = Task(np.float32([1, -0.8]), meta={"point": [0.1, 0.1], "log_density": 0.0})
    for _ in range(50):
        teacher.update(Episode(task, 0, 1.0, 1, first_observation=np.zeros(2)))
        teacher.update(Episode(task, 0, 0.5, 1, first_observation=np.zeros(2)))
        teacher.study(Critic(lambda seen: rng.random(len(seen)), steps=teacher.next_update))
        assert np.isfinite(teacher.gaussian.parameters).all()
    assert np.isfinite(list(teacher.metrics().values())).all()


def test_deviations_stay_above_what_floats_can_tell():
    teacher = started(zeta=0.0, max_kl=1.0, initial_std=(2e-6, 0.1))
    for _ in range(30):
        updated(teacher, Critic(lambda seen: -((teacher._seen()[0] ** 2).sum(axis=1))), n=300)
    assert 0.99e-6 <= teacher.gaussian.stds.min() < 1.1e-6


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value):
    with pytest.raises(ValueError, match="values of first observations must be finite"):
        updated(started(), Critic(lambda seen: np.full(len(seen), value)))


def test_episodes_must_say_how_they_began():
    teacher = started()
    with pytest.raises(ValueError, match="first_observation is None"):
        teacher.update(Episode(teacher.sample(), 0, 1.0, 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_kl": 0.0}, "max_kl"),
        ({"update_every": 0}, "update_every"),
        ({"offset": -1}, "offset"),
        ({"zeta": -0.1}, "zeta"),
        ({"alpha_offset": 0.5}, "alpha_offset"),
        ({"performance": "success"}, "performance must be one of values, rewards"),
        ({"memory": 0}, "memory"),
        ({"std_floor": -1.0}, "std_floor"),
        ({"kl_threshold": -1.0}, "kl_threshold"),
        ({"initial_mean": (1.0,)}, "initial_mean must be 2 numbers"),
        ({"initial_mean": None}, "initial_mean and initial_std go together"),
        ({"initial_std": (0.1, 0.0)}, "initial_std"),
        ({"target_mean": (1.0, 0.0)}, "go together"),
        ({"target_mean": (1.0,), "target_std": (0.1, 0.1)}, "target_mean must be 2 numbers"),
        ({"target_mean": (1.0, 0.0), "target_std": (0.1,) * 3}, "target_std must be 2 numbers"),
        (
            {"target_mean": (11.0, 0.0), "target_std": (0.1, 0.1)},
            "SelfPaced.target_mean is no task",
        ),
    ],
)
def test_bad_hyperparameters_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        started(**options)


def test_the_tuned_values_are_those_of_the_benchmark():
    tuned = SelfPaced.tuned_for_walker()
    assert (tuned.update_every, tuned.offset, tuned.alpha_offset) == (50_000, 200_000, 10)
    assert (tuned.zeta, tuned.max_kl, tuned.performance) == (0.25, 0.1, "rewards")
    default = SelfPaced()
    assert (default.update_every, default.zeta, default.max_kl) == (100_000, 0.05, 0.8)


def test_a_belief_shows_where_it_is_and_where_it_wants_to_be():
    belief = started().belief()
    np.testing.assert_allclose(belief["means"], [[0.1, 0.1]])
    np.testing.assert_allclose(belief["target_means"], [[0.8, 0.8]])
    np.testing.assert_allclose(belief["covariances"], [0.01 * np.eye(2)])
    np.testing.assert_allclose(belief["target_covariances"], [0.0025 * np.eye(2)])


def test_it_teaches_a_student_of_stable_baselines():
    options = {"target_mean": (9.0, 0.5), "target_std": (0.1, 0.1)}
    teacher = SelfPaced(update_every=64, offset=64, **options)
    env = TaughtVecEnv(make_task_vec_env(Reach, n=2, limit=5), teacher, seed=0)
    student = PPO("MlpPolicy", env, n_steps=32, batch_size=16, seed=0, device="cpu")
    student.learn(320, callback=TeacherCallback())
    assert teacher.n_updates == 5
    assert np.isfinite(list(teacher.metrics().values())).all()


@pytest.mark.slow
def test_it_teaches_the_toy_better_than_chance():
    teacher = SelfPaced(
        update_every=50_000, zeta=1.0, max_kl=0.1, initial_mean=(0.05, 0.05), initial_std=(0.1, 0.1)
    )
    ours = [play(teacher, 12_000, seed, length=200).mastered for seed in range(4)]
    random = [play(Random(), 12_000, seed).mastered for seed in range(4)]
    assert stats.ttest_ind(ours, random, equal_var=False, alternative="greater").pvalue < 0.01
