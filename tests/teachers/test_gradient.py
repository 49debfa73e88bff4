"""GRADIENT's published details, each of which a test would miss."""

import numpy as np
import pytest
from scipy import stats

from teachrl.core import Episode
from teachrl.envs import play
from teachrl.models.sinkhorn import barycentre
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.targets import Target
from teachrl.teachers import GRADIENT, Random

SPACE = TaskSpace(x=(0, 10), y=(-1, 1))
EASY = {"initial_mean": (1.0, -0.8), "initial_std": (0.02, 0.02)}
FAR = {"target_mean": (9.0, 0.8), "target_std": (0.02, 0.02)}


def started(seed=0, space=SPACE, reward_range=(0.0, 1.0), **options):
    options = {"n_particles": 20, "update_every": 10, "stage": 0.25} | options
    teacher = GRADIENT(**options)
    return teacher.start(space, stream(seed, "teacher"), reward_range, Target.uniform())


def teach(teacher, episodes, outcome):
    """Teach for some episodes; ``outcome`` maps a point of the unit cube to a reward."""
    points = []
    for i in range(episodes):
        points.append(teacher.space.normalize((task := teacher.sample()).params))
        reward = float(outcome(points[-1]))
        teacher.update(Episode(task, i, reward, length=1, success=reward >= 0.5))
    return np.array(points)


def always(reward):
    return lambda point: reward


def test_tasks_are_particles_without_noise():
    teacher = started()
    points = teacher.space.normalize([teacher.sample().params for _ in range(300)])
    gaps = np.abs(points[:, None] - teacher.particles).max(axis=2)
    assert gaps.min(axis=1).max() < 1e-6
    assert len(set(gaps.argmin(axis=1))) == 20


def test_a_batch_whose_mean_suffices_takes_it_one_stage_further():
    teacher = started(**EASY, **FAR)
    shares = []
    for reward in (0.49, 0.5, 0.3, 0.9, 0.9, 0.0, 0.9, 0.9):
        teach(teacher, 9, always(reward))
        assert len(shares) == 0 or teacher.share == shares[-1]
        teach(teacher, 1, always(reward))
        shares.append(teacher.share)
    assert shares == [0, 0.25, 0.25, 0.5, 0.75, 0.75, 1, 1]


@pytest.mark.parametrize("in_flight", [1, 20, 64])
def test_episodes_of_an_earlier_stage_do_not_count_for_the_next(in_flight):
    """The student copes with x <= 0.3: so it stays there, however many environments there are."""
    teacher = started(stage=0.2, **EASY, **FAR)
    for _ in range(320 // in_flight):
        for task in [teacher.sample() for _ in range(in_flight)]:
            x = float(teacher.space.normalize(task.params)[0])
            teacher.update(Episode(task, 0, float(x <= 0.3), length=1))
    assert teacher.share == pytest.approx(0.4)


def test_single_tasks_do_not_matter_only_their_mean():
    teacher = started(**EASY, **FAR)
    for i in range(10):
        teacher.update(Episode(teacher.sample(), i, float(i % 2), length=1))
    assert teacher.share == 0.25


@pytest.mark.parametrize("blur", [0.0, 0.02])
def test_particles_are_the_barycentre_of_the_first_ones_and_new_targets(blur, monkeypatch):
    teacher = started(blur=blur, **EASY)
    first = teacher.particles
    targets = np.random.default_rng(1).random((3, 20, 2))
    drawn = iter(targets)
    monkeypatch.setattr(GRADIENT, "draw_target", lambda self, n: next(drawn))
    for k in range(3):
        teach(teacher, 10, always(1.0))
        expected = barycentre(first, targets[k], 0.25 * (k + 1), blur).clip(0, 1)
        np.testing.assert_array_equal(teacher.particles, expected)


def test_at_the_target_particles_are_drawn_afresh_when_a_batch_suffices():
    teacher = started(n_particles=300, blur=0.0, **FAR)
    teach(teacher, 40, always(1.0))
    assert teacher.share == 1.0
    first = teacher.particles
    np.testing.assert_allclose(first.mean(axis=0), [0.9, 0.9], atol=0.01)
    np.testing.assert_allclose(first.std(axis=0), 0.02, rtol=0.2)
    teach(teacher, 10, always(0.0))
    assert teacher.particles is first
    teach(teacher, 10, always(1.0))
    assert (teacher.particles != first).all()


@pytest.mark.parametrize(("stage", "n"), [(0.1, 10), (0.05, 20), (0.3, 4), (1 / 3, 3)])
def test_rounding_adds_no_stage(stage, n):
    teacher = started(stage=stage, n_particles=5)
    shares = []
    for _ in range(n):
        assert teacher.share < 1.0
        teach(teacher, 10, always(1.0))
        shares.append(teacher.share)
    assert shares[-1] == 1.0


def test_warming_up_finds_successes_and_begins_there():
    def right(point):
        return float(point[0] > 0.8)

    teacher = started(warm_up=True, threshold=0.75)
    cold = started(threshold=0.75)
    teach(cold, 200, right)
    assert cold.share == 0.0
    for _ in range(20):
        teach(teacher, 10, right)
        if teacher.share > 0:
            break
    assert teacher.share == 0.25
    assert (teacher.starts[:, 0] > 0.8).mean() > 0.7
    starts = teacher.starts.copy()
    teach(teacher, 100, right)
    np.testing.assert_array_equal(teacher.starts, starts)


def test_particles_are_where_outcomes_of_their_tasks_are_noted():
    teacher = started(space=TaskSpace(gap=(0, 10, "interval")), warm_up=True)
    for _ in range(20):
        assert (teacher.particles[:, 0] <= teacher.particles[:, 1]).all()
        teach(teacher, 10, lambda point: float(point[1] < 0.6))
    assert teacher.share > 0


def mixed(point):
    """Rewards that nearly suffice on average, though few of them do."""
    return 0.9 if point[0] > 0.8 else 0.38


@pytest.mark.parametrize(
    "option",
    [
        {"n_particles": 21},
        {"update_every": 11},
        {"threshold": 0.7},
        {"signal": "success"},
        {"stage": 0.1},
        {"blur": 0.1},
        {"warm_up": True},
        EASY,
        FAR,
    ],
    ids=str,
)
def test_every_option_changes_the_curriculum(option):
    def curriculum(**options):
        return teach(started(**options), 150, mixed).tolist()

    assert curriculum(**option) != curriculum()


def test_units_of_parameters_and_rewards_make_no_difference():
    wide = TaskSpace(x=(-300, 500), y=(0, 1e-3))
    easy = {"initial_mean": (-220.0, 1e-4), "initial_std": (0.02, 0.02)}
    a = teach(started(**EASY), 100, always(0.6))
    b = teach(
        started(space=wide, reward_range=(-150.0, 350.0), **easy), 100, always(-150 + 500 * 0.6)
    )
    np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("d", [1, 50])
@pytest.mark.parametrize("blur", [0.0, 0.01])
@pytest.mark.parametrize("reward", [0.0, 0.5, 1.0, -9.0])
def test_degenerate_batches_do_no_harm(d, blur, reward):
    teacher = started(space=TaskSpace(x=(0, 1, "float", d)), blur=blur, warm_up=True)
    with np.errstate(invalid="raise", divide="raise"):
        points = teach(teacher, 120, always(reward))
    assert np.isfinite(points).all()
    assert all(map(np.isfinite, teacher.metrics().values()))


def test_one_particle_is_enough():
    teacher = started(n_particles=1, **EASY, **FAR)
    teach(teacher, 20, always(1.0))
    np.testing.assert_allclose(teacher.particles, [[0.5, 0.5]], atol=0.06)


def test_it_goes_on_where_it_stopped():
    teacher = started(**EASY)
    teach(teacher, 25, always(1.0))
    twin = started(seed=1, **EASY)
    twin.restore(teacher.state())
    np.testing.assert_array_equal(teach(teacher, 50, always(1.0)), teach(twin, 50, always(1.0)))


def test_what_it_reports():
    teacher = started(**EASY)
    assert teacher.metrics() == {"share": 0.0}
    teach(teacher, 10, always(0.75))
    assert teacher.metrics() == {"share": 0.25, "mean_outcome": 0.75}
    assert teacher.belief()["points"].shape == (20, 2)


def test_the_tuned_values_are_the_published_ones():
    mass, maze = GRADIENT.tuned_for_point_mass(), GRADIENT.tuned_for_maze()
    assert (mass.stage, mass.blur, mass.threshold) == (0.2, 0.01, 0.3)
    assert (maze.stage, maze.threshold, maze.signal) == (0.05, 0.6, "success")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_particles": 0}, "n_particles"),
        ({"n_particles": 10, "warm_up": True}, "n_particles must be a whole number of at least 11"),
        ({"stage": 0.0}, "stage"),
        ({"stage": 1.1}, r"stage must be a number in \[1e-06, 1\], got 1.1"),
        ({"blur": -0.1}, "blur"),
        ({"threshold": 2.0}, "threshold"),
    ],
)
def test_bad_hyperparameters_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        started(**options)


def test_without_a_target_it_refuses_to_start():
    with pytest.raises(ValueError, match="GRADIENT teaches towards a target"):
        GRADIENT().start(SPACE, stream(0, "teacher"))


@pytest.mark.slow
def test_it_teaches_the_toy_better_than_chance():
    teacher = GRADIENT(initial_mean=(0.05, 0.05), initial_std=(0.1, 0.1))
    ours = [play(teacher, 8_000, seed).mastered for seed in range(4)]
    random = [play(Random(), 8_000, seed).mastered for seed in range(4)]
    assert stats.ttest_ind(ours, random, equal_var=False, alternative="greater").pvalue < 0.01
