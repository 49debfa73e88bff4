"""Goal-GAN's published details, each of which a test would miss."""

import numpy as np
import pytest
from scipy import stats

from teachrl.core import Episode, Task
from teachrl.envs import play
from teachrl.models.gan import PointGAN
from teachrl.models.spread import SpreadPoints
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.teachers import GoalGAN, Random

SPACE = TaskSpace(x=(0, 10), y=(-1, 1))
QUICK = {
    "train_every": 20,
    "iterations": 3,
    "pretraining": 0,
    "generator_layers": (8,),
    "discriminator_layers": (8,),
}


def started(seed=0, space=SPACE, **options):
    return GoalGAN(**(QUICK | options)).start(space, stream(seed, "teacher"))


def answer(teacher, task, success):
    teacher.update(Episode(task, seed=0, reward=0.0, length=1, success=success))


def teach(teacher, episodes, succeeds):
    tasks = []
    for i in range(episodes):
        tasks.append(task := teacher.sample())
        answer(teacher, task, bool(succeeds(task.params, i)))
    return tasks


def on_trial(teacher, x, successes):
    """Let a task at x be attempted, in trials of its own."""
    teacher.tallies["mine"] = [0, 0]
    task = Task(np.float32([x, 0]), meta={"trial": "mine"})
    for success in successes:
        answer(teacher, task, success)


def test_every_generated_task_is_attempted_as_often_as_it_shall_be():
    teacher = started(rollouts=3, old_ratio=0.0)
    tasks = [teacher.sample() for _ in range(12)]
    trials = [task.meta["trial"] for task in tasks]
    assert trials == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert len({task.params.tobytes() for task in tasks}) == 4


@pytest.mark.parametrize(
    ("successes", "label", "is_old"),
    [([0, 0, 0, 0], 0, False), ([0, 0, 1, 0], 1, False), ([1, 0, 1, 1], 1, False), ([1] * 4, 0, 1)],
)
def test_a_task_is_good_if_its_share_of_successes_is_intermediate(successes, label, is_old):
    teacher = started(rollouts=4)
    on_trial(teacher, 5.0, [bool(success) for success in successes])
    assert teacher.n_labelled == 1
    assert teacher.labels[0] == label
    np.testing.assert_allclose(teacher.points[0], [0.5, 0.5])
    assert len(teacher.old) == is_old


def test_both_bounds_of_the_share_are_the_users():
    teacher = started(rollouts=4, success_low=0.5, success_high=0.5)
    on_trial(teacher, 5.0, [True, False, False, False])
    on_trial(teacher, 5.0, [True, True, False, False])
    on_trial(teacher, 5.0, [True, True, True, False])
    assert teacher.labels[:3].tolist() == [0, 1, 0]
    assert len(teacher.old) == 1


def test_attempts_are_joined_by_trial_and_never_by_the_tasks_bytes():
    """Whole numbers make many generated tasks equal, and casts change bytes."""
    teacher = started(space=TaskSpace(n=(1, 2, "int"), m=(1, 2, "int")), old_ratio=0.0)
    tasks = [teacher.sample() for _ in range(20)]
    assert len({task.params.tobytes() for task in tasks}) < 10
    for i in (0, 2, 4):  # first attempts of three tasks
        answer(teacher, tasks[i], True)
    assert teacher.n_labelled == 0
    moved = Task(tasks[1].params.astype(np.float64), meta=tasks[1].meta)
    answer(teacher, moved, False)
    assert teacher.n_labelled == 1
    assert teacher.labels[0] == 1


def test_attempts_in_flight_return_in_any_order_or_never():
    teacher = started(train_every=1000, memory=30)
    tasks = [teacher.sample() for _ in range(40)]
    for i in np.random.default_rng(0).permutation(40):
        answer(teacher, tasks[i], False)
    assert teacher.n_labelled == 20
    assert teacher.tallies == {}
    for _ in range(500):
        teacher.sample()
    assert len(teacher.tallies) == 30


def test_the_gan_learns_from_each_batch_of_labels_with_a_good_one(monkeypatch):
    seen = []

    def train(self, points, labels, iterations, rng):
        seen.append((points.copy(), labels.copy(), iterations))
        return 0.0, 0.0

    monkeypatch.setattr(PointGAN, "train", train)
    teacher = started(train_every=3, rollouts=2, pretraining=7)
    assert [(len(points), labels.min(), n) for points, labels, n in seen] == [(1000, 1, 7)]
    for share in ([0, 0], [1, 1], [0, 0]):  # none is good
        on_trial(teacher, 1.0, map(bool, share))
    assert len(seen) == 1
    assert teacher.metrics()["good_ratio"] == 0.0
    for x, share in [(2.0, [0, 0]), (4.0, [0, 1]), (6.0, [1, 1])]:
        on_trial(teacher, x, map(bool, share))
    points, labels, iterations = seen[1]
    np.testing.assert_allclose(points, [[0.2, 0.5], [0.4, 0.5], [0.6, 0.5]])
    assert (labels.tolist(), iterations) == ([0, 1, 0], 3)
    assert teacher.metrics()["good_ratio"] == pytest.approx(1 / 3)


def test_old_tasks_keep_their_distance_in_unit_coordinates(monkeypatch):
    made = []

    class Spied(SpreadPoints):
        def __init__(self, *given):
            made.append(given)
            super().__init__(*given)

    monkeypatch.setattr("teachrl.teachers.goal_gan.SpreadPoints", Spied)
    teacher = started(old_distance=0.02, memory=40)
    [(dimensions, distance, capacity)] = made
    assert (dimensions, capacity) == (2, 40)
    assert distance == pytest.approx(0.02 * np.sqrt(2))
    for x in (5.0, 5.2, 5.4):
        on_trial(teacher, x, [True, True])
    assert len(teacher.old) == 2  # 0.02 of the range is too close


def test_old_tasks_are_replayed_now_and_then_and_not_labelled():
    teacher = started(old_ratio=0.3, noise=0.001, rollouts=2, train_every=10_000)
    on_trial(teacher, 9.0, [True, True])
    tasks = [teacher.sample() for _ in range(4000)]
    old = [task for task in tasks if task.origin == "old"]
    assert len(old) / (len(old) + (4000 - len(old)) / 2) == pytest.approx(0.3, abs=0.03)
    np.testing.assert_allclose(np.mean([task.params[0] for task in old]), 9.0, atol=0.01)
    np.testing.assert_allclose(np.std([task.params[0] for task in old]), 0.01, rtol=0.2)
    before = teacher.n_labelled
    for task in old:
        answer(teacher, task, True)
    assert teacher.n_labelled == before


def test_noise_is_added_in_unit_coordinates_to_what_is_played():
    teacher = started(noise=0.05, rollouts=1, success_low=0.0, old_ratio=0.0)
    teacher.gan.generator.weights[:] = 0.0  # it makes the centre alone
    params = np.array([teacher.sample().params for _ in range(2000)])
    np.testing.assert_allclose(params.mean(axis=0), [5, 0], atol=0.05)
    np.testing.assert_allclose(params.std(axis=0), [0.5, 0.1], rtol=0.08)
    np.testing.assert_allclose(teacher.preview(9, stream(0, "preview")), 9 * [[5, 0]], atol=1e-6)


def test_it_begins_with_the_initial_tasks():
    options = {"pretraining": 500, "generator_layers": (32,), "discriminator_layers": (32,)}
    teacher = started(initial_mean=(2.0, 0.5), initial_std=(0.05, 0.1), **options)
    params = SPACE.normalize(teacher.preview(500, stream(0, "preview")))
    np.testing.assert_allclose(params.mean(axis=0), [0.2, 0.75], atol=0.1)
    uniform = SPACE.normalize(started(**options).preview(500, stream(0, "preview")))
    assert (uniform.std(axis=0) > 0.15).all()
    assert (params.std(axis=0) < 0.15).all()


def test_initial_tasks_beyond_the_space_are_moved_to_its_faces(monkeypatch):
    seen = []
    monkeypatch.setattr(PointGAN, "train", lambda self, points, *_: seen.append(points))
    started(initial_mean=(0.0, 1.0), initial_std=(0.1, 0.2))
    assert seen[0].min() == 0.0
    assert seen[0].max() == 1.0
    np.testing.assert_allclose((seen[0] == [0, 1]).mean(axis=0), 0.5, atol=0.06)
    np.testing.assert_allclose(np.quantile(seen[0], [0.84], axis=0)[0][0], 0.1, atol=0.02)


@pytest.mark.parametrize(
    "option",
    [
        {"rollouts": 3},
        {"success_low": 0.6},
        {"success_high": 0.4, "success_low": 0.0},
        {"train_every": 10},
        {"iterations": 5},
        {"noise": 0.05},
        {"old_ratio": 0.7},
        {"old_distance": 0.3},
        {"memory": 2},
        {"initial_mean": (5.0, 0.0), "initial_std": (0.1, 0.5)},
        {"pretraining": 5},
        {"generator_layers": (9,)},
        {"discriminator_layers": (9, 3)},
        {"learning_rate": 0.01},
        {"batch": 7},
        {"aim": 0.0},
    ],
    ids=str,
)
def test_every_option_changes_the_curriculum(option):
    def curriculum(**options):
        teacher = started(**({"pretraining": 2, "rollouts": 4} | options))
        tasks = teach(teacher, 600, lambda params, i: params[0] > 5.0 or i % 3 == 0)
        return [task.params.tolist() for task in tasks]

    assert curriculum(**option) != curriculum()


def test_it_goes_where_some_attempts_succeed():
    quick = {"generator_layers": (32,), "discriminator_layers": (32,), "iterations": 100}
    teacher = started(pretraining=200, noise=0.05, train_every=50, **quick)

    def now_and_then_on_the_right(params, i):
        return params[0] > 6 and i % 2

    teach(teacher, 2000, now_and_then_on_the_right)
    assert (teacher.preview(200, stream(0, "preview"))[:, 0] > 6).mean() > 0.8


@pytest.mark.parametrize("dimensions", [1, 50])
@pytest.mark.parametrize("succeeds", [lambda p, i: 0, lambda p, i: 1, lambda p, i: i % 2])
def test_degenerate_batches_do_no_harm(dimensions, succeeds):
    space = TaskSpace(x=(0, 1, "float", dimensions))
    teacher = started(space=space, iterations=30, old_ratio=0.5)
    for task in teach(teacher, 300, succeeds):
        assert space.contains(task.params)
    assert all(np.isfinite(array).all() for array in teacher.belief().values())
    assert np.isfinite([*teacher.metrics().values()]).all()


def test_saved_between_two_attempts_it_goes_on():
    teacher, resumed = started(seed=0, rollouts=3), started(seed=1, rollouts=3)
    teach(teacher, 100, lambda params, i: i % 2)
    resumed.restore(teacher.state())
    assert resumed.repeats
    a = [task.params.tolist() for task in teach(teacher, 200, lambda params, i: i % 2)]
    assert a == [task.params.tolist() for task in teach(resumed, 200, lambda params, i: i % 2)]


def test_a_belief_is_generated_tasks_and_what_the_discriminator_says():
    teacher = started()
    belief = teacher.belief()
    assert belief["points"].shape == (200, 2)
    np.testing.assert_allclose(belief["values"], teacher.gan.discriminate(belief["points"]))
    np.testing.assert_array_equal(teacher.belief()["points"], belief["points"])


def test_an_episode_that_says_nothing_of_success_is_refused():
    teacher = started()
    with pytest.raises(ValueError, match="GoalGAN learns from successes, and the episode of task"):
        answer(teacher, teacher.sample(), None)
    assert GoalGAN.needs == {"success"}


def test_the_tuned_values_are_those_of_the_benchmark():
    tuned, default = GoalGAN.tuned_for_walker(), GoalGAN()
    assert (tuned.noise, tuned.old_ratio, tuned.train_every, tuned.rollouts) == (0.1, 0.1, 100, 2)
    assert (default.noise, default.old_ratio) == (0.01, 0.2)
    assert (default.success_low, default.success_high, default.old_distance) == (0.25, 0.75, 0.01)
    assert (default.generator_layers, default.discriminator_layers) == ((256, 256), (128, 128))
    assert (default.iterations, default.pretraining) == (250, 500)
    assert (default.learning_rate, default.batch) == (1e-3, 64)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rollouts": 0}, "rollouts must be a whole number of at least 1, got 0"),
        ({"rollouts": 1}, "of 1 rollouts, no share of successes lies between success_low 0.25"),
        ({"success_low": -1}, "success_low"),
        ({"success_high": 0.1}, "no task could ever be good"),
        ({"train_every": 0}, "train_every"),
        ({"iterations": -1}, "iterations must be a whole number of at least 0, got -1"),
        ({"noise": np.nan}, "noise"),
        ({"old_ratio": 1.5}, "old_ratio"),
        ({"memory": 0}, "memory"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"aim": 2}, "aim"),
        (
            {"generator_layers": (0,)},
            r"generator_layers must be whole numbers .*, got \(0,\)",
        ),
        ({"initial_mean": (1.0,), "initial_std": (0.1,)}, "initial_mean must be 2 numbers"),
        ({"initial_mean": (1.0, 0.0)}, "initial_mean and initial_std go together"),
    ],
)
def test_bad_hyperparameters_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        started(**options)


@pytest.mark.slow
def test_it_teaches_the_toy_better_than_chance():
    teacher = GoalGAN(
        noise=0.1, old_ratio=0.1, initial_mean=(0.0, 0.0), initial_std=(0.1, 0.1), pretraining=200
    )
    ours = [play(teacher, 8_000, seed).mastered for seed in range(3)]
    random = [play(Random(), 8_000, seed).mastered for seed in range(3)]
    assert stats.ttest_ind(ours, random, equal_var=False, alternative="greater").pvalue < 0.01
