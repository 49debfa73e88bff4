"""ADR's published details and the reference's defects, each of which a test would miss."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from teachrl.core import Episode
from teachrl.envs import play
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.teachers import ADR, Random

SPACE = TaskSpace(x=(0, 10), y=(-1, 1))
LOWER_X, LOWER_Y, UPPER_X, UPPER_Y = range(4)


def started(seed=0, space=SPACE, reward_range=(0.0, 1.0), **options):
    return ADR(**options).start(space, stream(seed, "teacher"), reward_range)


def finish(teacher, task, reward):
    teacher.update(Episode(task, seed=0, reward=float(reward), length=1))


def probe(teacher, face, reward, times=1):
    """Let the student earn ``reward`` on as many probes of ``face``; other tasks go untaught."""
    for _ in range(times):
        task = teacher.sample()
        while task.meta.get("face") != face:
            task = teacher.sample()
        finish(teacher, task, reward)


def box(teacher):
    low, high = (side[0] for side in teacher.belief().values())
    return [*low.round(9).tolist(), *high.round(9).tolist()]


def test_it_begins_with_a_single_task():
    teacher = started(initial_mean=(2.0, 0.5))
    tasks = [teacher.sample().params for _ in range(50)]
    np.testing.assert_allclose(tasks, 50 * [[2.0, 0.5]])
    assert box(teacher) == [0.2, 0.75, 0.2, 0.75]


@pytest.mark.parametrize(
    ("space", "first", "stuck"),
    [
        (TaskSpace(a=(0.1, 0.7), b=(0, 6)), (0.1, 6.0), [LOWER_X, UPPER_Y]),
        (TaskSpace(a=(1e3, 1001.7), b=(1e-4, 1, "log")), (1001.7, 1e-4), [UPPER_X, LOWER_Y]),
        (TaskSpace(a=(1, 5, "int"), b=(0, 6)), (1.0, 3.0), [LOWER_X]),
    ],
    ids=str,
)
def test_faces_that_begin_at_the_end_of_the_range_are_not_probed(space, first, stuck):
    hint = tuple(np.float32(first).tolist())  # as environments say what is easiest
    teacher = started(space=space, initial_mean=hint)
    tasks = [teacher.sample() for _ in range(200)]
    np.testing.assert_allclose([task.params for task in tasks], 200 * [first], rtol=1e-6)
    probed = {task.meta["face"] for task in tasks if "face" in task.meta}
    assert probed == {LOWER_X, LOWER_Y, UPPER_X, UPPER_Y} - {*stuck}


def test_without_a_first_task_it_begins_in_the_centre():
    np.testing.assert_allclose(started().sample().params, [5.0, 0.0])


@pytest.mark.parametrize(
    ("face", "expected"),
    [
        (LOWER_X, [0.4, 0.5, 0.5, 0.5]),
        (LOWER_Y, [0.5, 0.4, 0.5, 0.5]),
        (UPPER_X, [0.5, 0.5, 0.6, 0.5]),
        (UPPER_Y, [0.5, 0.5, 0.5, 0.6]),
    ],
)
def test_a_face_moves_out_after_enough_good_probes_and_no_other_does(face, expected):
    teacher = started()  # of a single task all faces coincide, and yet only one is probed
    probe(teacher, face, 0.66, times=9)
    assert box(teacher) == [0.5] * 4
    probe(teacher, face, 0.66)
    assert box(teacher) == expected
    assert (teacher.n_outward, teacher.n_inward) == (1, 0)


def test_steps_are_shares_of_the_range_and_may_differ():
    teacher = started(step=(0.2, 0.05))
    probe(teacher, UPPER_X, 1.0, times=10)
    probe(teacher, UPPER_Y, 1.0, times=10)
    assert box(teacher) == [0.5, 0.5, 0.7, 0.55]


def test_a_face_moves_in_after_poor_probes_but_never_across_its_opposite():
    teacher = started()
    probe(teacher, UPPER_X, 1.0, times=20)
    probe(teacher, LOWER_X, 1.0, times=10)
    assert box(teacher) == [0.4, 0.5, 0.7, 0.5]
    for expected in (0.6, 0.5, 0.4, 0.4):
        probe(teacher, UPPER_X, 0.3, times=10)
        assert box(teacher) == [0.4, 0.5, expected, 0.5]
    assert teacher.n_inward == 3


def test_in_between_nothing_moves_and_the_count_begins_anew():
    teacher = started()
    probe(teacher, UPPER_X, 0.5, times=10)
    probe(teacher, UPPER_X, 1.0, times=9)
    assert box(teacher) == [0.5] * 4
    probe(teacher, UPPER_X, 1.0)
    assert box(teacher) == [0.5, 0.5, 0.6, 0.5]


def test_a_decision_is_about_the_mean_of_the_probes():
    teacher = started(queue=2)
    probe(teacher, UPPER_X, 0.4)
    probe(teacher, UPPER_X, 0.93)
    assert box(teacher) == [0.5, 0.5, 0.6, 0.5]


def test_thresholds_themselves_count_as_high_and_low():
    teacher = started(queue=1, high_threshold=1.0, low_threshold=0.0)
    probe(teacher, UPPER_X, 1.0)
    assert box(teacher) == [0.5, 0.5, 0.6, 0.5]
    probe(teacher, UPPER_X, 0.0)
    assert box(teacher) == [0.5] * 4


def test_faces_stop_at_the_ends_of_the_range():
    teacher = started(step=0.3)
    for face in (UPPER_X, LOWER_X):
        probe(teacher, face, 1.0, times=20)
    assert box(teacher) == [0.0, 0.5, 1.0, 0.5]


def test_steps_that_add_up_to_the_range_end_at_its_end():
    teacher = started(initial_mean=(0.0, 0.0), step=0.1, queue=1)
    probe(teacher, UPPER_X, 1.0, times=10)  # ten times 0.1 is less than 1
    assert teacher.bounds[1, 0] == 1.0
    faces = {teacher.sample().meta.get("face") for _ in range(200)}
    assert faces == {None, LOWER_Y, UPPER_Y}


def test_faces_that_cannot_move_outwards_are_not_probed():
    teacher = started(initial_mean=(0.0, 1.0))
    faces = [teacher.sample().meta.get("face") for _ in range(2000)]
    assert set(faces) == {None, LOWER_Y, UPPER_X}
    assert faces.count(None) / 2000 == pytest.approx(0.5, abs=0.05)
    assert faces.count(UPPER_X) / 2000 == pytest.approx(0.25, abs=0.05)


def test_or_they_are_and_may_come_back():
    teacher = started(initial_mean=(0.0, 1.0), probe_limits=True, queue=1)
    faces = [teacher.sample().meta.get("face") for _ in range(2000)]
    shares = [faces.count(face) / 2000 for face in range(4)]
    np.testing.assert_allclose(shares, 0.125, atol=0.03)
    probe(teacher, UPPER_X, 1.0, times=10)
    probe(teacher, UPPER_X, 0.0)
    assert teacher.bounds[1, 0] == pytest.approx(0.9)


def test_a_box_that_is_the_whole_space_is_sampled_and_no_longer_probed():
    teacher = started(step=0.5, queue=1)
    for face in range(4):
        probe(teacher, face, 1.0)
    tasks = [teacher.sample() for _ in range(500)]
    assert {task.origin for task in tasks} == {"box"}
    x = np.array([task.params[0] for task in tasks]) / 10
    assert stats.kstest(x, "uniform").pvalue > 1e-3


def test_a_probe_lies_on_its_face_and_elsewhere_in_the_box():
    teacher = started(step=0.2)
    for face in range(4):
        probe(teacher, face, 1.0, times=10)
    tasks = [t for t in (teacher.sample() for _ in range(2000)) if t.meta.get("face") == UPPER_X]
    params = np.array([task.params for task in tasks])
    assert {task.origin for task in tasks} == {"upper face x"}
    np.testing.assert_allclose(params[:, 0], 7.0)
    assert stats.kstest(params[:, 1], "uniform", args=(-0.4, 0.8)).pvalue > 1e-3


@pytest.mark.parametrize("step", [0.05, 0.1, 0.15])
def test_a_probe_of_a_whole_number_is_one_of_the_box(step):
    teacher = started(space=TaskSpace(n=(0, 9, "int")), initial_mean=(4.0,), step=step)
    for i in range(2000):
        task, (low, high) = teacher.sample(), teacher.bounds[:, 0] * 10
        if high > low:
            assert np.floor(low + 1e-6) <= task.params[0] <= np.ceil(high - 1e-6) - 1
        finish(teacher, task, i // 300 % 2)


GAP = TaskSpace(gap=(0, 10, "interval"), y=(0, 1))


def test_a_probe_of_an_interval_lies_on_its_face_and_elsewhere_in_the_box():
    teacher, rng = started(space=GAP, initial_mean=(2.0, 3.0, 0.5), queue=3), stream(0, "rewards")
    for _ in range(3000):
        task = teacher.sample()
        point, (low, high) = GAP.normalize(task.params), teacher.bounds
        assert ((low - 1e-6 <= point) & (point <= high + 1e-6)).all()
        if task.meta:
            side, dim = divmod(task.meta["face"], 3)
            assert point[dim] == pytest.approx(teacher.bounds[side, dim], abs=1e-6)
        finish(teacher, task, rng.random())


def test_a_box_of_intervals_grows_to_the_whole_space():
    teacher = started(space=GAP, initial_mean=(2.0, 3.0, 0.5))
    for _ in range(3000):
        finish(teacher, teacher.sample(), 1.0)
    assert box(teacher) == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_a_share_of_the_episodes_are_probes(probability):
    teacher = started(probability=probability)
    probes = [bool(teacher.sample().meta) for _ in range(2000)]
    assert np.mean(probes) == pytest.approx(probability, abs=0.04)


def test_probes_are_recognised_by_their_note_and_not_by_their_coordinates():
    space = TaskSpace(steps=(1, 5, "int"), rate=(1e-4, 1, "log"))  # rounded, and bent
    teacher = started(space=space, queue=1)
    tasks = [teacher.sample() for _ in range(200)]
    on_face = next(task for task in tasks if not task.meta)  # the box is a point on every face
    finish(teacher, on_face, 1.0)
    assert box(teacher) == [0.5] * 4
    probed = next(task for task in tasks if task.meta.get("face") == UPPER_Y)
    moved = replace(probed, params=space.uniform(stream(0, "elsewhere")))
    finish(teacher, moved, 1.0)
    assert box(teacher) == [0.5, 0.5, 0.5, 0.6]


def test_moving_faces_do_not_rewind_the_sampler():
    teacher, places = started(queue=1, step=0.01, probability=0.5), []
    for _ in range(400):
        task = teacher.sample()
        low, high = teacher.bounds
        if not task.meta and (high > low).all():
            places.append((SPACE.normalize(task.params) - low) / (high - low))
        finish(teacher, task, 1.0)
    assert len(places) > 100
    distances = np.linalg.norm(np.array(places)[:, None] - places, axis=-1)
    assert distances[np.triu_indices(len(places), 1)].min() > 1e-5


def test_probes_of_where_a_face_was_do_not_count():
    teacher = started(queue=1)
    ahead = [teacher.sample() for _ in range(100)]
    old = [task for task in ahead if task.meta.get("face") == UPPER_X][:2]
    finish(teacher, old[0], 1.0)
    assert box(teacher) == [0.5, 0.5, 0.6, 0.5]
    finish(teacher, old[1], 1.0)
    assert box(teacher) == [0.5, 0.5, 0.6, 0.5]


def test_probes_may_be_for_measuring_only():
    assert all(started().sample().learn for _ in range(50))
    teacher = started(learn_from_probes=False)
    tasks = [teacher.sample() for _ in range(100)]
    assert {(bool(task.meta), task.learn) for task in tasks} == {(True, False), (False, True)}


def test_thresholds_are_compared_with_scaled_rewards():
    teacher = started(reward_range=(-150.0, 350.0))
    probe(teacher, UPPER_X, 179.0, times=10)
    assert box(teacher) == [0.5] * 4
    probe(teacher, UPPER_X, 181.0, times=10)
    assert box(teacher) == [0.5, 0.5, 0.6, 0.5]
    probe(teacher, UPPER_X, 1.0, times=10)
    assert box(teacher) == [0.5, 0.5, 0.6, 0.5]
    probe(teacher, UPPER_X, -1.0, times=10)
    assert box(teacher) == [0.5] * 4


def test_a_preview_does_not_probe():
    teacher = started(probability=1.0, queue=1, step=0.3)
    for face in range(4):
        probe(teacher, face, 1.0)
    x = SPACE.normalize(teacher.preview(300, stream(0, "preview")))
    np.testing.assert_allclose([x.min(axis=0), x.max(axis=0)], [[0.2] * 2, [0.8] * 2], atol=0.02)
    assert not np.isclose(x, 0.2, atol=1e-7).any()


def test_entropy_is_the_mean_logarithm_of_the_widths():
    teacher = started(queue=1, step=0.1)
    assert teacher.metrics() == {"outward": 0.0, "inward": 0.0, "width": 0.0}
    probe(teacher, UPPER_X, 1.0, times=2)
    probe(teacher, LOWER_Y, 1.0)
    metrics = teacher.metrics()
    assert metrics["entropy"] == pytest.approx((np.log(0.2) + np.log(0.1)) / 2)
    assert metrics["width"] == pytest.approx(0.15)
    assert metrics["outward"] == 3


@pytest.mark.parametrize("dimensions", [1, 50])
@pytest.mark.parametrize("reward", [0.0, 0.5, 1.0])
def test_it_works_in_one_dimension_and_in_fifty(dimensions, reward):
    teacher = started(space=TaskSpace(shape=(0, 1, "float", dimensions)), queue=1)
    for _ in range(3000):
        finish(teacher, teacher.sample(), reward)
    width = teacher.metrics()["width"]
    assert (width == 1.0) if reward == 1.0 and dimensions == 1 else (width > 0) == (reward == 1.0)


def test_the_tuned_values_are_those_of_the_benchmark():
    space = TaskSpace(stump_height=(0, 3), obstacle_spacing=(0, 6))
    teacher = ADR.tuned_for_walker().start(space, stream(0, "teacher"), (-150.0, 350.0))
    np.testing.assert_allclose(teacher.sample().params, [0, 6], atol=1e-6)
    steps = np.array(teacher.step) * [3, 6]
    np.testing.assert_allclose(steps, 0.1)  # in the parameters' units
    assert (teacher.probability, teacher.queue) == (0.7, 10)
    assert (teacher.low_threshold * 500 - 150, teacher.high_threshold * 500 - 150) == (0, 180)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"initial_mean": (1.0,)}, "initial_mean must be 2 numbers"),
        ({"initial_mean": (11.0, 0.0)}, r"ADR.initial_mean is no task: .*'x' must be .*\[0, 10\]"),
        ({"step": 0}, "step must be positive, got 0"),
        ({"step": (0.1, 0.0)}, "step must be positive"),
        ({"step": (0.1, 0.1, 0.1)}, "step must be 2 numbers"),
        ({"probability": 1.2}, r"probability must be a number in \[0, 1\]"),
        ({"queue": 0}, "queue must be a whole number of at least 1"),
        ({"high_threshold": 0.2}, "low_threshold must be below high_threshold, got 0.3 and 0.2"),
        ({"high_threshold": 230}, r"high_threshold must be a number in \[0, 1\], got 230"),
    ],
)
def test_bad_hyperparameters_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        started(**options)


@pytest.mark.parametrize("reward", [np.nan, np.inf])
def test_a_reward_that_is_not_finite_is_refused_and_leaves_nothing(reward):
    teacher = started(probability=1.0)
    with pytest.raises(ValueError, match="must be finite"):
        finish(teacher, teacher.sample(), reward)
    assert not any(teacher.rewards)


@pytest.mark.slow
def test_it_teaches_the_toy_better_than_chance():
    teacher = ADR(initial_mean=(0.05, 0.05), high_threshold=0.75, low_threshold=0.0)
    ours = [play(teacher, 5_000, seed).mastered for seed in range(5)]
    random = [play(Random(), 5_000, seed).mastered for seed in range(5)]
    assert min(ours) > max(random) + 10
