import json

import numpy as np
import pytest
from numpy.typing import NDArray

from teachrl.progress import FastSlowProgress, NearestProgress

Array = NDArray[np.float64]


def lesson(n: int, dimensions: int, seed: int = 0) -> tuple[Array, Array]:
    """Return points, many of which coincide or are equally far from others, and rewards."""
    rng = np.random.default_rng(seed)
    points = np.round(rng.random((n, dimensions)), 1 if dimensions < 3 else 3)
    return points, rng.random(n)


def by_hand(points: Array, rewards: Array, memory: int | None) -> list[float]:
    progress = []
    for i, point in enumerate(points):
        first = 0 if memory is None else max(0, i - memory)
        if i - first <= 5:
            progress.append(0.0)
            continue
        squared = np.zeros(i - first)
        for j in range(len(point)):
            squared += (point[j] - points[first:i, j]) ** 2
        nearest = first + int(np.flatnonzero(squared == squared.min())[-1])
        progress.append(abs(rewards[i] - rewards[nearest]))
    return progress


@pytest.mark.parametrize("memory", [6, 100, 700, 5_000, None])
@pytest.mark.parametrize("dimensions", [1, 2, 6])
def test_progress_is_measured_against_the_nearest_of_the_last_episodes(
    dimensions: int, memory: int | None
) -> None:
    points, rewards = lesson(1_500, dimensions)
    progress = NearestProgress(dimensions, memory)
    measured = [progress.measure(p, r) for p, r in zip(points, rewards, strict=True)]
    assert measured == by_hand(points, rewards, memory)
    assert len(progress) == min(memory or 1_500, 1_500)


def test_the_first_six_episodes_show_no_progress() -> None:
    progress = NearestProgress(1)
    assert [progress.measure([0.5], reward) for reward in range(8)] == [0, 0, 0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("memory", [50, None])
@pytest.mark.parametrize("episodes", [0, 3, 50, 333])
def test_restored_progress_goes_on_bit_by_bit(memory: int | None, episodes: int) -> None:
    points, rewards = lesson(episodes + 400, 2)
    progress = NearestProgress(2, memory)
    for i in range(episodes):
        progress.measure(points[i], rewards[i])
    twin = NearestProgress(2, memory)
    twin.measure([0.1, 0.1], 1.0)  # to be forgotten
    twin.restore(progress.state())
    rest = range(episodes, len(points))
    expected = [progress.measure(points[i], rewards[i]) for i in rest]
    assert [twin.measure(points[i], rewards[i]) for i in rest] == expected


def test_a_state_is_a_copy_of_bounded_size() -> None:
    progress = NearestProgress(2, memory=20)
    points, rewards = lesson(100, 2)
    for point, reward in zip(points, rewards, strict=True):
        progress.measure(point, reward)
    state = progress.state()
    assert state["points"].shape == (20, 2)
    np.testing.assert_array_equal(state["rewards"], rewards[-20:])
    assert json.dumps(state["count"]) == "100"
    progress.measure([0.5, 0.5], 9.0)
    np.testing.assert_array_equal(state["rewards"], rewards[-20:])


def test_a_state_of_another_memory_is_refused() -> None:
    progress = NearestProgress(1, memory=10)
    for _ in range(20):
        progress.measure([0.5], 0.5)
    with pytest.raises(ValueError, match="another memory"):
        NearestProgress(1, memory=15).restore(progress.state())


@pytest.mark.parametrize("reward", [np.nan, np.inf, -np.inf])
def test_rewards_that_are_not_finite_are_refused(reward: float) -> None:
    nearest, averages = NearestProgress(1), FastSlowProgress(3)
    with pytest.raises(ValueError, match="reward must be finite"):
        nearest.measure([0.5], reward)
    with pytest.raises(ValueError, match="reward must be finite"):
        averages.measure(0, reward)
    assert len(nearest) == averages.visits.sum() == 0


@pytest.mark.parametrize("point", [[0.5, np.nan], [0.5, 1.1], [-0.1, 0.5], [0.5], [[0.5, 0.5]]])
def test_points_outside_the_unit_cube_are_refused(point: list[float]) -> None:
    progress = NearestProgress(2)
    with pytest.raises(ValueError, match="expected a point"):
        progress.measure(point, 0.5)
    assert len(progress) == 0


@pytest.mark.parametrize(("dimensions", "memory"), [(0, None), (2, 5), (2, 0), (2, -1)])
def test_a_memory_too_small_to_compare_is_refused(dimensions: int, memory: int | None) -> None:
    with pytest.raises(ValueError, match=r"at least 1|more than 5"):
        NearestProgress(dimensions, memory)


def test_fast_and_slow_averages_differ_while_rewards_rise_or_fall() -> None:
    progress = FastSlowProgress(2, fast=0.5, slow=0.1)
    assert progress.measure(0, 0.0) == 0.0
    assert progress.measure(0, 1.0) == pytest.approx(0.4)  # averages 0.5 and 0.1
    for _ in range(200):
        settled = progress.measure(0, 1.0)
    assert settled == pytest.approx(0.0, abs=1e-6)
    assert progress.measure(0, 0.0) == pytest.approx(0.4)  # forgetting counts as well


def test_tasks_that_were_never_met_are_told_apart() -> None:
    progress = FastSlowProgress(3)
    progress.measure(1, 0.7)
    assert progress.values.tolist() == [0, 0, 0]
    assert progress.visits.tolist() == [0, 1, 0]


def test_reweighting_makes_the_first_successes_count_most() -> None:
    progress = FastSlowProgress(2, fast=0.1, slow=0.01, midpoint=0.1)
    for first, then in ((0.0, 1.0), (1.0, 0.0)):
        progress.measure(int(first), first)
        progress.measure(int(first), then)
    rare, common = progress.values
    # f(0.1) = 1/2 and f(0.01) = 0.9 * 0.01 / (0.01 + 0.1 * 0.98); f is flat near 1.
    assert rare == pytest.approx(0.5 - 0.009 / 0.108)
    assert common < 0.1 * rare


def test_reweighting_needs_rates() -> None:
    with pytest.raises(ValueError, match=r"rewards in \[0, 1\]"):
        FastSlowProgress(2, midpoint=0.1).measure(0, 1.5)
    assert FastSlowProgress(2).measure(0, 1.5) == 0.0


def test_restored_averages_go_on_alike() -> None:
    progress, twin = FastSlowProgress(4), FastSlowProgress(4)
    rng = np.random.default_rng(0)
    for _ in range(50):
        progress.measure(int(rng.integers(4)), rng.random())
    twin.restore(progress.state())
    assert twin.measure(2, 0.3) == progress.measure(2, 0.3)
    np.testing.assert_array_equal(twin.visits, progress.visits)
    with pytest.raises(ValueError, match="5 tasks"):
        FastSlowProgress(5).restore(progress.state())


@pytest.mark.parametrize("task", [-1, 3])
def test_tasks_that_do_not_exist_are_refused(task: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 2"):
        FastSlowProgress(3).measure(task, 0.5)


@pytest.mark.parametrize(
    "arguments", [{"fast": 0.1, "slow": 0.2}, {"slow": 0.0}, {"fast": 1.5}, {"midpoint": 1.0}]
)
def test_averages_that_cannot_work_are_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"slow|midpoint"):
        FastSlowProgress(3, **arguments)
    with pytest.raises(ValueError, match="n_tasks"):
        FastSlowProgress(0)
