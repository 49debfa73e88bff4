"""The buffer of tasks worth playing again."""

from time import process_time

import numpy as np
import pytest
from scipy.stats import chisquare

from teachrl.models.task_buffer import TaskBuffer


def put(buffer, point, seed, score, best_return):
    params = point.astype(np.float32)
    return buffer.insert(params, point, seed, score=score, best_return=best_return)


def filled(n=8, **options):
    buffer = TaskBuffer(capacity=n, dimensions=2, **options)
    rng = np.random.default_rng(0)
    for i in range(n):
        put(buffer, rng.random(2), seed=i, score=float(i % 5) + 0.1 * i, best_return=1.0)
    return buffer


def ranks(scores):
    return 1 + np.argsort(np.argsort(-scores))


FORMULAS = {
    "rank": lambda s, b: (1 / ranks(s)) ** (1 / b),
    "proportional": lambda s, b: (np.maximum(s, 0) + 1e-3) ** (1 / b),
    "softmax": lambda s, b: np.exp((s - s.max()) / b),
    "top": lambda s, b: (1 / ranks(s)) ** (1 / b) * (ranks(s) <= 3),
}


@pytest.mark.parametrize("priority", FORMULAS)
@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_frequencies_follow_the_formula(priority, temperature):
    buffer = filled(priority=priority, temperature=temperature, staleness=0.0, top=3)
    weights = FORMULAS[priority](buffer.scores, temperature)
    expected = weights / weights.sum()
    np.testing.assert_allclose(buffer.probabilities(), expected, rtol=1e-3)
    rng = np.random.default_rng(1)
    counts = np.bincount([buffer.draw(rng).slot for _ in range(4000)], minlength=8)
    seen = expected > 1e-4
    assert counts[~seen].sum() <= 2
    share = counts[seen].sum()
    assert chisquare(counts[seen], share * expected[seen] / expected[seen].sum()).pvalue > 1e-3


def test_the_longer_a_task_has_waited_the_likelier_it_is():
    buffer = filled(4, staleness=1.0)
    rng = np.random.default_rng(0)
    first = buffer.draw(rng)
    waited = np.array([1.0, 1.0, 1.0, 1.0])
    waited[first.slot] = 0.0
    np.testing.assert_allclose(buffer.probabilities(), waited / waited.sum())
    second = buffer.draw(rng)
    assert second.slot != first.slot
    waited += 1
    waited[second.slot] = 0.0
    np.testing.assert_allclose(buffer.probabilities(), waited / waited.sum())


def test_while_nothing_has_waited_all_are_equal():
    buffer = filled(4, staleness=1.0)
    np.testing.assert_allclose(buffer.probabilities(), 0.25)
    alone = filled(1, staleness=1.0)
    rng = np.random.default_rng(0)
    assert [alone.draw(rng).slot for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("eviction", ["support", "score"])
def test_a_full_buffer_drops_what_matters_least_and_nothing_better_than_the_new(eviction):
    buffer = filled(4, eviction=eviction, staleness=0.0)
    worst = int(np.argmin(buffer.scores))
    assert put(buffer, np.ones(2), 9, score=-1.0, best_return=0.0) is None
    assert put(buffer, np.ones(2), 9, score=100.0, best_return=0.0) == worst
    assert buffer.scores.max() == 100.0
    assert len(buffer) == 4


@pytest.mark.parametrize("staleness", [0.0, 0.3])
def test_support_tells_the_least_likely_also_where_chances_vanish(staleness):
    """(1 / 1000)^10 beside 1 is nothing in a sum: the smallest weight is that of the last rank."""
    buffer, rng = (
        TaskBuffer(1000, 1, temperature=0.1, staleness=staleness),
        np.random.default_rng(0),
    )
    for i, score in enumerate(rng.permutation(1000).tolist()):
        put(buffer, np.array([i / 1000]), i, float(score), 0.0)
    for lowest in range(5):
        slot = int(np.argmin(buffer.scores))
        assert buffer.scores[slot] == lowest
        assert put(buffer, np.zeros(1), 0, 500.5, 0.0) == slot


def test_newcomers_of_one_rollout_do_not_drop_each_other():
    buffer, rng = TaskBuffer(100, 1, temperature=0.1, staleness=0.3), np.random.default_rng(0)
    for i in range(100):
        put(buffer, rng.random(1), i, float(rng.random()) / 10, 0.0)
    for _ in range(2000):
        buffer.draw(rng)
    seeds = range(1000, 1016)
    for seed in seeds:
        put(buffer, rng.random(1), seed, float(rng.uniform(0.5, 1)), 0.0)
    kept = [buffer.entry(slot).seed for slot in range(100)]
    assert set(seeds) <= set(kept)


@pytest.mark.parametrize("eviction", ["support", "score"])
def test_a_task_in_play_stays_until_its_episodes_are_back(eviction):
    """Just drawn, it has waited least of all; its score would come back to another task."""
    buffer, rng = filled(8, staleness=1.0, eviction=eviction), np.random.default_rng(0)
    out = {buffer.draw(rng).slot for _ in range(7)}
    free = set(range(8)) - out
    assert free
    for i in range(20):
        assert put(buffer, rng.random(2), 100 + i, score=50.0 + i, best_return=0.0) in free
    for slot in out:
        buffer.rescore(slot, -1.0, 0.0, plays=7)
    assert put(buffer, rng.random(2), 200, score=99.0, best_return=0.0) in out


def test_a_task_whose_episode_never_comes_is_dropped_in_the_end():
    buffer, rng = filled(4, staleness=0.0, temperature=0.01), np.random.default_rng(0)
    best = buffer.draw(rng).slot
    worst = int(np.argmin(buffer.scores))
    buffer.rescore(best, -9.0, 0.0, plays=0)
    assert put(buffer, rng.random(2), 9, score=9.0, best_return=0.0) == worst
    for _ in range(4):
        assert buffer.draw(rng).slot != best
    assert put(buffer, rng.random(2), 10, score=9.0, best_return=0.0) == best


def test_where_all_are_in_play_one_goes_all_the_same():
    buffer, rng = filled(2, staleness=1.0), np.random.default_rng(0)
    assert {buffer.draw(rng).slot for _ in range(2)} == {0, 1}
    assert put(buffer, rng.random(2), 9, score=9.0, best_return=0.0) is not None


def test_support_spares_what_has_waited_long():
    buffer = filled(3, eviction="support", staleness=0.9, temperature=1.0)
    lowest = int(np.argmin(buffer.scores))
    rng = np.random.default_rng(0)
    while True:  # until the one of the lowest score has waited the longest
        for _ in range(5):
            entry = buffer.draw(rng)
            buffer.rescore(entry.slot, entry.score, 0.0)
        chances = buffer.probabilities()
        if np.argmin(chances) != lowest:
            break
    victim = int(np.argmin(chances))
    assert put(buffer, np.ones(2), 9, score=50.0, best_return=0.0) == victim


def test_near_duplicates_stay_one_with_the_better_score_and_the_higher_return():
    buffer = TaskBuffer(capacity=5, dimensions=2, least_distance=0.1)
    put(buffer, np.array([0.5, 0.5]), 1, score=1.0, best_return=7.0)
    assert put(buffer, np.array([0.52, 0.5]), 2, score=0.5, best_return=9.0) is None
    assert buffer.entry(0).best_return == 9.0
    assert put(buffer, np.array([0.52, 0.5]), 3, score=2.0, best_return=8.0) == 0
    entry = buffer.entry(0)
    assert (entry.seed, entry.score, entry.best_return) == (3, 2.0, 9.0)
    assert put(buffer, np.array([0.7, 0.5]), 4, score=0.1, best_return=0.0) == 1


def test_who_takes_the_place_of_one_keeps_its_distance_from_the_others():
    buffer = TaskBuffer(capacity=9, dimensions=1, least_distance=0.05, priority="softmax")
    for seed, place in enumerate((0.1, 0.8, 0.151, 0.9)):
        put(buffer, np.array([place]), seed, score=1.0 + seed, best_return=5.0 + seed)
    assert (
        put(buffer, np.array([0.12]), 7, score=2.0, best_return=9.0) is None
    )  # of two, one better
    assert put(buffer, np.array([0.12]), 8, score=9.0, best_return=0.0) == 0
    assert np.round(buffer.points.ravel(), 3).tolist() == [0.12, 0.8, 0.9]
    assert [buffer.entry(slot).seed for slot in range(3)] == [8, 1, 3]
    assert [buffer.entry(slot).best_return for slot in range(3)] == [9.0, 6.0, 8.0]
    assert buffer._order.tolist() == [0, 2, 1]
    assert buffer.probabilities().sum() == pytest.approx(1)
    gaps = TaskBuffer(capacity=30, dimensions=1, least_distance=0.05)
    rng = np.random.default_rng(0)
    for seed in range(500):
        put(gaps, rng.random(1), seed, score=float(rng.random()), best_return=0.0)
        assert np.diff(np.sort(gaps.points.ravel())).min(initial=1.0) >= 0.05
        assert sorted(gaps._order.tolist()) == list(range(len(gaps)))
        assert (np.diff(gaps.scores[gaps._order]) <= 0).all()


def test_a_task_in_play_does_not_make_room_for_its_neighbour():
    buffer, rng = TaskBuffer(capacity=5, dimensions=1, least_distance=0.1), np.random.default_rng(0)
    put(buffer, np.array([0.5]), 1, score=1.0, best_return=0.0)
    drawn = buffer.draw(rng)
    assert put(buffer, np.array([0.51]), 2, score=2.0, best_return=3.0) is None
    assert buffer.find_same(drawn.params, 1).best_return == 3.0
    buffer.rescore(drawn.slot, 1.0, reward=0.0)
    assert put(buffer, np.array([0.51]), 2, score=2.0, best_return=0.0) == 0


def test_scores_move_by_the_rate_and_best_returns_only_up():
    buffer = TaskBuffer(capacity=2, dimensions=1)
    slot = put(buffer, np.zeros(1), 0, score=1.0, best_return=5.0)
    buffer.rescore(slot, 3.0, reward=2.0, rate=0.25)
    assert buffer.entry(slot).score == 1.5
    assert buffer.entry(slot).best_return == 5.0
    buffer.rescore(slot, 3.0, reward=6.0)
    assert buffer.entry(slot)[5:8] == (3.0, 6.0, 3)


def test_the_order_stays_that_of_the_scores():
    buffer, rng = filled(50, staleness=0.3), np.random.default_rng(0)
    for _ in range(500):
        entry = buffer.draw(rng)
        buffer.rescore(entry.slot, float(rng.normal()), reward=0.0)
        put(buffer, rng.random(2), 0, float(rng.normal()), 0.0)
    ordered = buffer.scores[buffer._order]
    assert (np.diff(ordered) <= 0).all()
    assert sorted(buffer._order.tolist()) == list(range(50))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nothing_that_is_not_finite_enters(bad):
    buffer = filled(2)
    with pytest.raises(ValueError, match="finite"):
        put(buffer, np.zeros(2), 0, score=bad, best_return=0.0)
    with pytest.raises(ValueError, match="finite"):
        buffer.rescore(0, 0.0, reward=bad)


def test_an_empty_buffer_draws_nothing_and_a_capacity_of_one_works():
    buffer = TaskBuffer(capacity=1, dimensions=1)
    with pytest.raises(ValueError, match="nothing to draw"):
        buffer.draw(np.random.default_rng(0))
    put(buffer, np.zeros(1), 0, 1.0, 1.0)
    put(buffer, np.ones(1), 0, 2.0, 1.0)
    assert buffer.points.tolist() == [[1.0]]


def test_it_goes_on_after_loading():
    buffer, rng = filled(8), np.random.default_rng(0)
    for _ in range(20):
        buffer.draw(rng)
    twin = TaskBuffer(capacity=8, dimensions=2)
    twin.restore(buffer.state())
    a, b = np.random.default_rng(5), np.random.default_rng(5)
    for _ in range(50):
        x, y = buffer.draw(a), twin.draw(b)
        assert (x.slot, x.serial, x.score) == (y.slot, y.serial, y.score)
        buffer.rescore(x.slot, x.score / 2, 0.0)
        twin.restore(buffer.state())
    with pytest.raises(ValueError, match="of 3 dimensions"):
        TaskBuffer(capacity=8, dimensions=3).restore(buffer.state())


def test_four_thousand_tasks_are_drawn_from_quickly():
    buffer, rng = filled(4000), np.random.default_rng(0)
    for _ in range(100):
        buffer.draw(rng)
    started = process_time()
    for _ in range(2000):
        buffer.draw(rng)
    assert (process_time() - started) / 2000 < 100e-6  # many times what it takes
