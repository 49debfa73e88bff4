"""What a tree of regions does by the papers, against plain loops."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from teachrl.models.regions import Cutting, RegionTree
from teachrl.seeding import stream

Array = NDArray[np.float64]


def grown(points: Array, rewards: Array, seed: int = 0, **cutting: Any) -> RegionTree:
    rng = np.random.default_rng(seed)
    tree = RegionTree(points.shape[1], Cutting(**({"above": 20, "min_size": 0.1} | cutting)))
    for point, reward in zip(points, rewards, strict=True):
        tree.add(point, float(reward), rng)
    return tree


def lesson(n: int, dimensions: int = 2, seed: int = 0) -> tuple[Array, Array]:
    """Return points, and rewards that rise where the first coordinate is small."""
    rng = np.random.default_rng(seed)
    points = rng.random((n, dimensions))
    return points, rng.random(n) * (0.1 + (points[:, 0] < 0.3)) * np.linspace(0, 1, n)


def by_hand(rewards: Array, window: int) -> float:
    last = rewards[-window:]
    if len(last) < 3:
        return 0.0
    newer = len(last) // 2
    return float(abs(last[:-newer].mean() - last[-newer:].mean()))


@pytest.mark.parametrize("window", [None, 5, 8, 500])
def test_progress_compares_the_halves_of_the_last_rewards(window: int | None) -> None:
    points, rewards = lesson(60)
    tree, rng = RegionTree(2, Cutting(above=30), window), np.random.default_rng(0)
    for i in range(30):
        tree.add(points[i], rewards[i], rng)
        assert tree.progress.tolist() == pytest.approx([by_hand(rewards[: i + 1], window or 31)])


def test_every_region_around_a_point_remembers_it_and_the_last_so_many() -> None:
    points, rewards = lesson(900)
    tree = grown(points, rewards)
    assert len(tree) > 5
    for region in range(len(tree)):
        low, high = tree.low[region], tree.high[region]
        kept, earned = tree.episodes(region)
        assert ((kept >= low) & (kept <= high)).all()
        inside = ((points >= low) & (points < high)).all(axis=1)
        assert len(kept) <= 21
        np.testing.assert_array_equal(kept, points[inside][-len(kept) :])
        np.testing.assert_array_equal(earned, rewards[inside][-len(kept) :])
        assert tree.progress[region] == pytest.approx(by_hand(earned, 21))
        if not tree.is_leaf[region]:
            assert len(kept) == 21


def test_leaves_fill_the_cube_and_are_no_thinner_than_allowed() -> None:
    points, rewards = lesson(4000)
    tree = grown(points, rewards, min_size=0.2)
    low, high = tree.low[tree.is_leaf], tree.high[tree.is_leaf]
    assert np.prod(high - low, axis=1).sum() == pytest.approx(1)
    assert (high - low).min() >= 0.2
    assert 9 <= len(low) <= 25
    assert len(tree) == 2 * len(low) - 1


def test_each_part_of_a_cut_has_a_twentieth_of_the_points() -> None:
    for seed in range(30):
        points = np.random.default_rng(seed).beta(0.3, 0.3, size=(101, 1))
        tree = grown(points, np.arange(101.0) % 7, seed, above=100, candidates=1, min_size=0.0)
        assert len(tree) == 3
        assert min(len(tree.episodes(child)[0]) for child in (1, 2)) >= 5


def test_the_best_cut_weighs_progress_by_populations() -> None:
    # Progress differs by 1 where 3 points stand on one side, and by 0.5 where 30 do.
    coordinates = np.concatenate([np.linspace(0.0, 0.02, 3), np.linspace(0.1, 1.0, 58)])
    rewards = np.where(coordinates < 0.5, 0.5, 0.0)
    rewards[:3] = 1.0
    order = np.random.default_rng(1).permutation(58) + 3
    is_late = np.zeros(61, bool)
    is_late[[1, 2, *order[:28]]] = True
    sequence = np.concatenate([np.flatnonzero(~is_late), np.flatnonzero(is_late)])
    x, r = coordinates[sequence], (rewards * is_late)[sequence]

    def contrast(cut: float) -> tuple[float, float]:
        low = x < cut
        difference = abs(by_hand(r[low], 61) - by_hand(r[~low], 61))
        return difference, difference * low.sum() * (~low).sum()

    tree = grown(x[:, None], r, above=60, candidates=3000, min_size=0.0)
    chosen = float(tree.high[1, 0])
    middles = (np.sort(x)[2:-3] + np.sort(x)[3:-2]) / 2
    differences, scores = np.array([contrast(cut) for cut in middles]).T
    assert contrast(chosen)[1] == pytest.approx(scores.max())
    assert contrast(chosen)[0] < 0.9 * differences.max()


def test_parts_have_the_progress_of_their_own_points_at_once() -> None:
    points, rewards = lesson(21, dimensions=1)
    tree = grown(points, rewards)
    assert len(tree) == 3
    for child in (1, 2):
        mine = tree.low[child, 0] <= points[:, 0]
        mine &= points[:, 0] < tree.high[child, 0] if child == 1 else True
        assert tree.progress[child] == pytest.approx(by_hand(rewards[mine], 21))


def test_a_cut_is_uniform_where_both_parts_have_enough_points() -> None:
    points = np.random.default_rng(5).random((41, 2)) * [1.0, 0.3]
    cuts, dims = [], []
    for seed in range(600):
        tree, rng = RegionTree(2, Cutting(above=40, candidates=1, min_size=0.0)), stream(seed, "t")
        tree.high[0, 1] = 0.4  # not a square
        for point in points:
            tree.add(point, 0.0, rng)
        dim = int(np.argmax(tree.high[0] - tree.high[1]))
        dims.append(dim)
        cuts.append(tree.high[1, dim])
    ordered = np.sort(points, axis=0)
    first, last = ordered[1], ordered[-2]  # two points on each side
    room = (last - first) / [1.0, 0.4]
    share = room[0] / room.sum()
    assert np.mean(np.array(dims) == 0) == pytest.approx(share, abs=0.06)
    mine = np.array(cuts)[np.array(dims) == 0]
    assert stats.kstest(mine, "uniform", args=(first[0], (last - first)[0])).pvalue > 1e-3


@pytest.mark.parametrize("n_values", [2, 5, 10])
def test_whole_numbers_are_cut_between_their_cells(n_values: int) -> None:
    points, rewards = lesson(2000)
    points[:, 0] = (np.floor(points[:, 0] * n_values) + 0.5) / n_values
    cutting, rng = Cutting(above=40, min_size=0.1), stream(0, "t")
    tree = RegionTree(2, cutting, n_values=[n_values, np.inf])
    for point, reward in zip(points, rewards, strict=True):
        tree.add(point, float(reward), rng)
    edges = tree.low[:, 0] * n_values
    np.testing.assert_allclose(edges, np.rint(edges), atol=1e-9)
    widths = (tree.high - tree.low)[:, 0] * n_values
    assert widths.min() == pytest.approx(1)  # as thin as is allowed, whatever rounding does


@pytest.mark.parametrize("dimensions", [1, 3])
def test_points_that_coincide_neither_stall_nor_stay(dimensions: int) -> None:
    points = np.full((200, dimensions), 0.3)
    tree = grown(points[:20], np.arange(20.0))
    assert len(tree.episodes(0)[0]) == 20
    tree.add(points[0], 20.0, np.random.default_rng(0))
    assert tree.episodes(0)[1].tolist() == list(range(5, 21))  # the oldest quarter of 21 is gone
    assert tree.progress[0] == pytest.approx(by_hand(np.arange(5.0, 21.0), 21))
    tree = grown(points, np.arange(200.0))
    assert len(tree) == 1


def test_coordinates_in_which_points_coincide_are_not_cut() -> None:
    points, rewards = lesson(300)
    points[:, 1] = 0.7
    tree = grown(points, rewards)
    assert len(tree) > 3
    assert (tree.low[:, 1] == 0).all()


def test_a_region_too_thin_to_be_cut_forgets_its_oldest_quarter() -> None:
    points, rewards = lesson(21)
    tree = grown(points, rewards, min_size=0.5)  # only exactly the middle would do
    assert len(tree) == 1
    np.testing.assert_array_equal(tree.episodes(0)[1], rewards[5:])


def test_the_number_of_leaves_can_be_limited() -> None:
    points, rewards = lesson(3000)
    tree = grown(points, rewards, max_leaves=6)
    assert np.count_nonzero(tree.is_leaf) == 6


def test_the_same_generator_cuts_alike_and_another_differently() -> None:
    points, rewards = lesson(500)
    one, same, other = (grown(points, rewards, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.low, same.low)
    assert one.low.shape != other.low.shape or (one.low != other.low).any()


def test_the_worst_point_is_that_of_the_lowest_reward() -> None:
    points, rewards = lesson(15)
    tree = grown(points, rewards)
    np.testing.assert_array_equal(tree.worst(0), points[np.argmin(rewards)])
    assert RegionTree(2, Cutting()).worst(0) is None


def test_restored_regions_go_on_alike() -> None:
    points, rewards = lesson(1200)
    tree = grown(points[:700], rewards[:700])
    state = tree.state()
    twin = grown(*lesson(100, seed=3))
    twin.restore(state)
    rngs = [np.random.default_rng(7), np.random.default_rng(7)]
    for point, reward in zip(points[700:], rewards[700:], strict=True):
        for each, rng in zip((tree, twin), rngs, strict=True):
            each.add(point, float(reward), rng)
    for name, array in tree.state().items():
        np.testing.assert_array_equal(twin.state()[name], array)
    assert state["count"][0] == 21  # a copy
    json.dumps({name: array.tolist() for name, array in state.items()})
    with pytest.raises(ValueError, match="saved in another space"):
        RegionTree(3, Cutting(above=20)).restore(state)
