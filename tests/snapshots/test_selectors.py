"""Selectors choose what their papers say, and learn from nothing else."""

import json

import numpy as np
import pytest

from teachrl.snapshots import Backward, ByCluster, Mixed, SnapshotLibrary, Uniform, VisitCount
from teachrl.snapshots.selectors import Segment, round_observations
from tests.snapshots.worlds import line_library

SELECTORS = [Uniform(), ByCluster(), ByCluster(ordinary=True), Backward(), VisitCount(), Mixed()]


def drawn(selector, n=4000, seed=0):
    rng = np.random.default_rng(seed)
    return [selector.choose(rng) for _ in range(n)]


def lopsided():
    """Return a library with one snapshot in the first cluster and most in the last."""
    library = line_library(episodes=1, clusters=3)
    values = [100.0, 50.0, 50.1, *(0.1 * i for i in range(len(library) - 3))]
    for snapshot, value in zip(library.snapshots, values, strict=True):
        object.__setattr__(snapshot, "value", value)
    return library.classified(3)


def test_uniform_draws_all_snapshots_alike():
    library = line_library()
    counts = np.bincount(drawn(Uniform().start(library)), minlength=len(library))
    assert counts.min() > 0.5 * 4000 / len(library)


def test_clusters_are_drawn_alike_whatever_their_sizes():
    library = lopsided()
    sizes = np.bincount(library.clusters)
    assert sizes.max() > 5 * sizes.min()
    choices = np.array(drawn(ByCluster().start(library)))
    shares = np.bincount(library.clusters[choices]) / len(choices)
    assert np.abs(shares - 1 / 3).max() < 0.03
    within = np.bincount(choices, minlength=len(library))[library.clusters == sizes.argmax()]
    assert within.min() > 0.5 * within.mean()


def test_ordinary_starts_are_a_cluster_of_their_own():
    choices = drawn(ByCluster(ordinary=True).start(lopsided()))
    assert abs(choices.count(None) / len(choices) - 1 / 4) < 0.03
    assert None not in drawn(ByCluster().start(lopsided()))


def test_mixed_draws_ordinary_starts_as_often_as_it_is_told():
    selector = Mixed(selector=Uniform(), ordinary=0.3).start(line_library())
    choices = drawn(selector)
    assert abs(choices.count(None) / len(choices) - 0.3) < 0.03
    with pytest.raises(ValueError, match=r"Mixed\.ordinary"):
        Mixed(ordinary=2).start(line_library())


def segment(selector, index, better, truncated=True, length=5):
    """Return an episode that is a little better or worse than the demonstration from there."""
    snapshot = selector.library.snapshots[index]
    steps = length if truncated else None
    due = selector.library.trajectories[snapshot.trajectory].reward_from(snapshot.step, steps)
    return Segment(index, due + (0.1 if better else -0.1), length, not truncated, truncated)


def test_backward_starts_at_the_end_of_the_best_demonstration():
    library = line_library()
    selector = Backward(window=2).start(library)
    best = int(np.argmax([t.reward for t in library.trajectories]))
    assert set(drawn(selector, 200)) == set(library.of_trajectory(best)[-3:])


@pytest.mark.parametrize("truncated", [True, False])
def test_backward_moves_when_enough_episodes_are_as_good(truncated):
    selector = Backward(threshold=0.2, rollouts=10, stride=2).start(line_library())
    end = selector.pointer
    for k in range(10):
        assert selector.pointer == end
        index = selector.library.of_trajectory(selector.demonstration)[end]
        selector.update(segment(selector, index, better=k in (3, 7), truncated=truncated))
    assert selector.pointer == end - 2
    assert selector.outcomes == []


def test_backward_stays_where_too_few_are():
    selector = Backward(threshold=0.2, rollouts=10).start(line_library())
    end = selector.pointer
    index = selector.library.of_trajectory(selector.demonstration)[end]
    for k in range(100):
        selector.update(segment(selector, index, better=k % 10 == 0))
    assert selector.pointer == end


def test_backward_ends_with_ordinary_starts():
    selector = Backward(rollouts=1).start(line_library(episodes=1))
    rng = np.random.default_rng(0)
    seen = set()
    while (index := selector.choose(rng)) is not None:
        seen.add(selector.library.snapshots[index].step)
        selector.update(segment(selector, index, better=True))
    assert 0 in seen
    assert drawn(selector, 5) == [None] * 5
    selector.update(segment(selector, 0, better=True))


def test_backward_ignores_other_demonstrations():
    selector = Backward(trajectory=1, rollouts=1).start(line_library())
    end, other = selector.pointer, selector.library.of_trajectory(0)[-1]
    selector.update(segment(selector, other, better=True))
    assert selector.pointer == end


def test_visit_counts_weigh_cells():
    library = line_library(episodes=1)
    selector = VisitCount(cell=lambda seen: "left" if seen[0] < 100 else "right").start(library)
    places = np.array([s.observation[0] for s in library.snapshots])
    for _ in range(99):
        selector.visit(np.array([0.0, 0.0]))
    for _ in range(8):
        selector.visit(np.array([101.0, 0.0]))
    choices = np.array(drawn(selector))
    expected = (1 / 10) / (1 / 10 + 1 / 3)
    assert abs((places[choices] < 100).mean() - expected) < 0.03


def test_visit_counts_see_snapshots_that_are_added_later():
    library = line_library(episodes=1)
    selector = VisitCount().start(library)
    before = len(library)
    assert max(drawn(selector, 200)) < before
    library.add(line_library(episodes=1, seed=5).snapshots[3:5])
    assert max(drawn(selector, 400)) >= before


def test_cells_of_observations():
    assert round_observations(np.array([0.04, -0.02])) == "[0.0, 0.0]"
    assert round_observations({"a": 3, "mission": "go", "b": np.array([1.26])}) == "3.0 [1.3]"


@pytest.mark.parametrize("selector", SELECTORS, ids=lambda selector: type(selector).__name__)
def test_same_generator_same_choices(selector):
    selector.start(line_library())
    assert drawn(selector, 50) == drawn(selector, 50)
    assert len({str(drawn(selector, 50, seed)) for seed in range(3)}) == 3


@pytest.mark.parametrize("selector", SELECTORS, ids=lambda selector: type(selector).__name__)
def test_a_selector_goes_on_from_its_state(selector):
    library = line_library()
    selector.start(library)
    rng = np.random.default_rng(0)
    for _ in range(60):
        index = selector.choose(rng)
        if index is not None:
            selector.visit(library.snapshots[index].observation)
            selector.update(segment(selector, index, better=True))
    state = json.loads(json.dumps(selector.state()))
    twin = type(selector)(
        **{f: getattr(selector, f) for f in vars(selector) if f in selector.__dataclass_fields__}
    )
    twin.start(library)
    twin.restore(state)
    assert twin.state() == selector.state()
    assert drawn(twin, 50) == drawn(selector, 50)


def test_nonsense_is_refused():
    library = line_library()
    for wrong in (Backward(threshold=0), Backward(rollouts=0), Backward(stride=0)):
        with pytest.raises(ValueError, match="Backward"):
            wrong.start(library)
    with pytest.raises(ValueError, match="nothing to choose from"):
        Uniform().start(SnapshotLibrary(library.adapter))
    bare = SnapshotLibrary(library.adapter, library.trajectories, library.snapshots[:1])
    with pytest.raises(ValueError, match="has no snapshots"):
        Backward(trajectory=2).start(bare)
