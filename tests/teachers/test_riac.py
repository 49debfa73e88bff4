"""RIAC's published details and the reference's defects, each of which a test would miss."""

import numpy as np
import pytest
from scipy import stats

from teachrl.core import Episode, Task
from teachrl.envs import play
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.teachers import RIAC, Random

SPACE = TaskSpace(x=(0, 10), y=(-1, 1))


def started(seed=0, space=SPACE, reward_range=(0.0, 1.0), **options):
    options = {"split_after": 40} | options
    return RIAC(**options).start(space, stream(seed, "teacher"), reward_range)


def teach(teacher, episodes, reward):
    tasks = []
    for i in range(episodes):
        tasks.append(task := teacher.sample())
        finish(teacher, task, reward(task.params, i))
    return tasks


def finish(teacher, task, reward):
    teacher.update(Episode(task, seed=0, reward=float(reward), length=1))


def noisy_left(params, i):
    """Rewards that change on the left half only."""
    return (i // 5 % 2) * (params[0] < 5)


def kind(task):
    return task.origin.split()[0]


def test_tasks_are_a_mixture_of_three_kinds():
    teacher = started(random_ratio=0.3, mutation_ratio=0.25)
    teach(teacher, 100, noisy_left)
    kinds = [kind(teacher.sample()) for _ in range(4000)]
    shares = [kinds.count(name) / 4000 for name in ("uniform", "mutation", "region")]
    np.testing.assert_allclose(shares, [0.3, 0.25, 0.45], atol=0.03)


def test_boxes_are_chosen_in_proportion_to_their_progress_cut_ones_included():
    teacher = started(random_ratio=0.0, mutation_ratio=0.0)
    teach(teacher, 400, noisy_left)
    progress, leaves = teacher.regions.progress, teacher.regions.is_leaf
    origins = [teacher.sample().origin for _ in range(6000)]
    shares = [origins.count(f"region {k}") / 6000 for k in range(len(progress))]
    np.testing.assert_allclose(shares, progress / progress.sum(), atol=0.03)
    assert sum(np.array(shares)[~leaves]) > 0.2


def test_or_among_the_smallest_only():
    teacher = started(random_ratio=0.0, mutation_ratio=0.0, leaves_only=True)
    teach(teacher, 400, noisy_left)
    leaves = {f"region {k}" for k in np.flatnonzero(teacher.regions.is_leaf)}
    assert {teacher.sample().origin for _ in range(2000)} <= leaves


def test_without_any_progress_all_boxes_are_equal():
    teacher = started(random_ratio=0.0, mutation_ratio=0.0)
    teach(teacher, 300, lambda params, i: 0.5)
    n = len(teacher.regions)
    assert n > 3
    origins = [teacher.sample().origin for _ in range(4000)]
    shares = [origins.count(f"region {k}") / 4000 for k in range(n)]
    np.testing.assert_allclose(shares, 1 / n, atol=0.03)


def test_tasks_are_uniform_inside_a_box():
    teacher = started(random_ratio=0.0, mutation_ratio=0.0)
    teach(teacher, 400, noisy_left)
    best = int(np.argmax(teacher.regions.progress))
    tasks = [teacher.sample() for _ in range(6000)]
    mine = SPACE.normalize([t.params for t in tasks if t.origin == f"region {best}"])
    low, high = teacher.regions.low[best], teacher.regions.high[best]
    for column, a, b in zip(mine.T, low, high, strict=True):
        assert stats.kstest(column, "uniform", args=(a, b - a)).pvalue > 1e-3


def test_a_mutation_is_near_the_task_that_went_worst_by_a_share_of_the_range():
    teacher = started(random_ratio=0.0, mutation_ratio=1.0, mutation_std=0.05)
    for x in range(1, 10):
        finish(teacher, Task(np.float32([x, 0])), abs(x - 4))
    tasks = [teacher.sample() for _ in range(2000)]
    params = np.array([task.params for task in tasks])
    assert {task.origin for task in tasks} == {"mutation"}
    np.testing.assert_allclose(params.mean(axis=0), [4, 0], atol=0.05)
    np.testing.assert_allclose(params.std(axis=0), [0.5, 0.1], rtol=0.1)


SPACES = {
    "floats": SPACE,
    "whole numbers": TaskSpace(n=(0, 4, "int"), y=(0, 1)),
    "one of two": TaskSpace(n=(0, 1, "int"), y=(0, 1)),
    "intervals": TaskSpace(x=(0, 10), gap=(0, 10, "interval"), height=(-1, 5, "interval")),
}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("mutation_ratio", [0.0, 1.0])
def test_tasks_of_a_box_and_their_mutations_lie_inside_it(space, mutation_ratio, monkeypatch):
    teacher = started(space=space, mutation_ratio=0.2)
    teach(teacher, 1500, lambda params, i: (i // 20 % 2) * (params[0] < 1) + 0.1 * (i % 3))
    teacher.random_ratio, teacher.mutation_ratio = 0.0, mutation_ratio
    leaves = np.flatnonzero(teacher.regions.is_leaf)
    assert len(leaves) > 4
    for leaf in leaves:
        monkeypatch.setattr(teacher, "_promising", lambda rng, leaf=leaf: leaf)
        points = space.normalize([teacher.sample().params for _ in range(50)])
        low, high = teacher.regions.low[leaf] - 1e-6, teacher.regions.high[leaf] + 1e-6
        assert ((low <= points) & (points <= high)).all()


def test_before_the_first_update_there_is_nothing_to_mutate():
    teacher = started(random_ratio=0.0, mutation_ratio=1.0)
    ahead = [teacher.sample() for _ in range(50)]
    assert {task.origin for task in ahead} == {"region 0"}
    for task in reversed(ahead):
        finish(teacher, task, 0.5)
    assert teacher.sample().origin == "mutation"


def test_identical_tasks_do_not_stall_it():
    teacher = started()
    for i in range(500):
        finish(teacher, Task(np.float32([5, 0])), i % 2)
    assert len(teacher.regions) == 1


def test_it_goes_where_rewards_change():
    teacher = started(random_ratio=0.0, mutation_ratio=0.0)
    tasks = teach(teacher, 1500, lambda params, i: (i // 60 % 2) * (params[0] < 5))
    late = np.array([task.params[0] for task in tasks[750:]])
    assert (late < 5).mean() > 0.7


def test_boxes_split_where_progress_differs():
    teacher = started(random_ratio=1.0, mutation_ratio=0.0, split_after=100)
    teach(teacher, 3000, noisy_left)
    belief = teacher.belief()
    straddling = (belief["low"][:, 0] < 0.4) & (belief["high"][:, 0] > 0.6)
    assert not straddling.any()
    left = belief["high"][:, 0] < 0.6
    assert belief["progress"][left].mean() > 3 * belief["progress"][~left].mean()


@pytest.mark.parametrize(
    "option",
    [
        {"split_after": 30},
        {"split_tries": 5},
        {"min_size": 0.3},
        {"progress_window": 10},
        {"random_ratio": 0.5},
        {"mutation_ratio": 0.3},
        {"mutation_std": 0.3},
        {"leaves_only": True},
        {"memory": 80},
    ],
    ids=str,
)
def test_every_option_changes_the_curriculum(option):
    def curriculum(**options):
        teacher = started(**options)
        return [task.params.tolist() for task in teach(teacher, 300, noisy_left)]

    assert curriculum(**option) != curriculum()


def test_rewards_are_scaled_before_progress_is_measured():
    wide = started(reward_range=(-150.0, 350.0))
    a = teach(wide, 300, lambda params, i: -150 + 500 * noisy_left(params, i))
    b = teach(started(), 300, noisy_left)
    assert [t.params.tolist() for t in a] == [t.params.tolist() for t in b]


def test_seed_0_is_a_seed_for_the_splits_too():
    boxes = []
    for seed in (0, 0, 1):
        teacher = started(seed, random_ratio=1.0, mutation_ratio=0.0)
        rng = np.random.default_rng(9)
        for i in range(300):
            params = SPACE.uniform(rng)
            finish(teacher, Task(params), noisy_left(params, i))
        boxes.append(teacher.belief()["low"].tolist())
    assert boxes[0] == boxes[1] != boxes[2]


def test_its_memory_limits_the_number_of_boxes():
    teacher = started(memory=200, random_ratio=1.0, mutation_ratio=0.0)
    teach(teacher, 3000, noisy_left)
    assert teacher.metrics()["regions"] == 5


def test_a_belief_is_of_boxes_in_unit_coordinates():
    teacher = started()
    teach(teacher, 400, noisy_left)
    belief, metrics = teacher.belief(), teacher.metrics()
    k = int(metrics["regions"])
    shapes = {name: array.shape for name, array in belief.items()}
    assert shapes == {"low": (k, 2), "high": (k, 2), "progress": (k,)}
    volumes = np.prod(belief["high"] - belief["low"], axis=1)
    assert volumes.sum() == pytest.approx(1)
    assert metrics["progress"] == pytest.approx(volumes @ belief["progress"])
    assert 1 <= metrics["effective_regions"] <= k


def test_a_preview_never_explores():
    teacher = started(random_ratio=1.0, mutation_ratio=0.0)
    teach(teacher, 600, lambda params, i: (i // 5 % 2) * (params[0] < 2))
    assert (teacher.preview(300, stream(0, "preview"))[:, 0] < 5).mean() > 0.6


@pytest.mark.parametrize("dimensions", [1, 50])
@pytest.mark.parametrize("reward", [lambda i: 0.0, lambda i: 1.0, lambda i: i % 7 / 6])
def test_it_works_in_one_dimension_and_in_fifty(dimensions, reward):
    teacher = started(space=TaskSpace(shape=(0, 1, "float", dimensions)))
    teach(teacher, 600, lambda params, i: reward(i))
    assert teacher.metrics()["regions"] > 2
    assert np.isfinite(list(teacher.metrics().values())).all()


def test_the_tuned_values_are_those_of_the_benchmark():
    tuned = RIAC.tuned_for_walker()
    assert (tuned.split_after, tuned.split_tries, tuned.min_size) == (150, 75, 0.1)
    assert (RIAC().split_after, RIAC().split_tries, RIAC().min_size) == (200, 50, 1 / 6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split_after": 3}, "split_after must be a whole number of at least 4, got 3"),
        ({"split_tries": 0}, "split_tries"),
        ({"min_size": 0.6}, r"min_size must be a number in \[0, 0.5\], got 0.6"),
        ({"progress_window": 2}, "progress_window must be a whole number of at least 3"),
        ({"random_ratio": 0.7, "mutation_ratio": 0.4}, "must not exceed 1 together, got 0.7 and"),
        ({"mutation_ratio": -0.1}, "mutation_ratio"),
        ({"mutation_std": -0.1}, "mutation_std"),
        ({"memory": 39}, "memory must be a whole number of at least 40"),
    ],
)
def test_bad_hyperparameters_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        started(**options)


@pytest.mark.parametrize("reward", [np.nan, np.inf])
def test_a_reward_that_is_not_finite_is_refused_and_leaves_nothing(reward):
    teacher = started()
    with pytest.raises(ValueError, match="must be finite"):
        finish(teacher, Task(np.float32([1, 0])), reward)
    assert teacher.regions.worst(0) is None


@pytest.mark.slow
def test_it_teaches_the_toy_better_than_chance():
    ours = [play(RIAC.tuned_for_walker(), 12_000, seed).mastered for seed in range(5)]
    random = [play(Random(), 12_000, seed).mastered for seed in range(5)]
    assert min(ours) > max(random) + 10
