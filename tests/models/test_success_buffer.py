"""The rules of the success buffer, phase by phase."""

import numpy as np
import pytest

from teachrl.models.success_buffer import SuccessBuffer
from teachrl.models.transport import assign


def never(n):
    raise AssertionError("the target was asked for while there was room")


def column(*values):
    return np.array(values, np.float64)[:, None]


def filled(values, size=10, threshold=0.5):
    buffer = SuccessBuffer(size, threshold, dimensions=1)
    buffer.add(np.arange(len(values))[:, None] / 100.0, np.array(values, np.float64), never)
    return buffer


def test_the_first_batch_is_taken_as_it_is():
    buffer = filled([0.1, 0.0, 0.3])
    assert buffer.values.tolist() == [0.1, 0.0, 0.3]
    assert not buffer.is_good


def test_what_reaches_the_median_replaces_the_worse_half():
    buffer = filled([0.0, 0.125, 0.25, 0.375])
    median = 0.1875
    taken = buffer.add(column(0.5, 0.6, 0.7), np.array([0.18, median, 0.4]), never)
    assert taken.tolist() == [False, True, True]
    assert sorted(buffer.values.tolist()) == [median, 0.25, 0.375, 0.4]
    assert sorted(buffer.points.ravel().tolist()) == [0.02, 0.03, 0.6, 0.7]


def test_it_never_shrinks():
    buffer = filled([0.0, 0.1, 0.2, 0.3])
    buffer.add(column(0.5), np.array([0.4]), never)
    assert sorted(buffer.values.tolist()) == [0.1, 0.2, 0.3, 0.4]
    buffer.add(column(0.5), np.array([0.0]), never)
    assert len(buffer) == 4


def test_it_grows_by_what_exceeds_half_and_keeps_the_best():
    buffer = filled([0.1, 0.2, 0.3, 0.0], size=6)
    buffer.add(np.full((5, 1), 0.5), np.array([0.4, 0.41, 0.2, 0.43, 0.44]), never)
    assert sorted(buffer.values.tolist()) == [0.2, 0.3, 0.4, 0.41, 0.43, 0.44]


def test_it_is_good_for_good_once_its_median_exceeds_the_threshold():
    assert not filled([0.5, 0.5, 0.5]).is_good
    buffer = filled([0.0, 0.6, 0.6])
    assert buffer.is_good
    buffer.add(column(0.5), np.array([0.49]), never)
    assert len(buffer) == 3


def test_once_good_only_successes_enter_and_replace_the_worst_failures():
    buffer = filled([0.1, 0.0, 0.6, 0.7, 0.8])
    taken = buffer.add(column(0.5, 0.6), np.array([0.5, 0.49]), never)
    assert taken.tolist() == [True, False]
    assert sorted(buffer.values.tolist()) == [0.1, 0.5, 0.6, 0.7, 0.8]
    buffer.add(column(0.5, 0.6), np.array([0.9, 0.95]), never)
    assert sorted(buffer.values.tolist()) == [0.5, 0.6, 0.7, 0.8, 0.9, 0.95]


def test_of_too_many_successes_those_cheapest_to_move_to_the_target_remain():
    rng = np.random.default_rng(0)
    buffer = SuccessBuffer(20, threshold=0.5, dimensions=2)
    old, new, target = rng.random((19, 2)), rng.random((15, 2)), 0.3 * rng.random((20, 2))
    buffer.add(old, np.full(19, 0.9), never)
    buffer.add(new, np.full(15, 0.6), lambda n: target[:n])
    union = np.concatenate([old, new])
    expected = union[np.sort(assign(target, union))]
    np.testing.assert_array_equal(buffer.points, expected)
    assert len(buffer) == 20


def explored(buffer, n=4000, spread=0.001):
    return buffer.explore(n, np.random.default_rng(0), spread)


def test_until_good_it_explores_around_what_exceeds_the_median_in_proportion():
    buffer = SuccessBuffer(10, threshold=1.0, dimensions=1)
    values = np.array([0.97, 0.98, 0.99, 1.0])  # so that the noise is small, and tells them apart
    buffer.add(column(0.2, 0.4, 0.6, 0.8), values, never)
    drawn = explored(buffer)
    shares = [(np.abs(drawn - place) < 0.1).mean() for place in (0.2, 0.4, 0.6, 0.8)]
    np.testing.assert_allclose(shares, [0, 0, 0.25, 0.75], atol=0.03)


def test_without_any_difference_all_of_them_are_explored():
    buffer = SuccessBuffer(10, threshold=1.0, dimensions=1)
    buffer.add(column(0.2, 0.8), np.full(2, 0.99), never)
    assert (explored(buffer) < 0.5).mean() == pytest.approx(0.5, abs=0.03)


def test_once_good_each_of_them_is_explored():
    buffer = filled([0.9, 0.9, 0.9, 0.9])
    drawn = explored(buffer, n=6, spread=1e-6)
    np.testing.assert_allclose(drawn[:4], buffer.points, atol=1e-5)
    assert np.abs(drawn[4:] - buffer.points.T).min(axis=1).max() < 1e-5


@pytest.mark.parametrize(("value", "std"), [(0.9, 0.01), (0.5, 0.01), (0.4, 0.06), (0.0, 0.26)])
def test_the_worse_a_value_the_wider_it_is_explored(value, std):
    buffer = SuccessBuffer(10, threshold=0.5, dimensions=1)
    buffer.points, buffer.values = column(0.5), np.array([value])
    drawn = explored(buffer, spread=0.01)
    if std < 0.1:
        assert drawn.std() == pytest.approx(std, rel=0.05)
    assert ((drawn >= 0) & (drawn <= 1)).all()
    within = (np.abs(drawn - 0.5) < std).mean()
    assert within == pytest.approx(0.68 / (0.946 if std > 0.1 else 1.0), abs=0.03)


def test_noise_that_leaves_the_cube_is_drawn_again_before_it_is_clipped():
    buffer = SuccessBuffer(10, threshold=0.5, dimensions=1)
    buffer.points, buffer.values = column(0.0), np.array([0.0])
    drawn = explored(buffer)
    assert (drawn == 0).mean() < 0.01  # clipping alone would leave half of them there
    corner = SuccessBuffer(10, threshold=0.5, dimensions=50)
    corner.points, corner.values = np.zeros((1, 50)), np.zeros(1)
    assert (explored(corner, n=20) >= 0).all()


def test_too_large_a_batch_is_refused():
    with pytest.raises(ValueError, match="of 2 takes fewer points than that at once, got 2"):
        SuccessBuffer(2, 0.5, 1).add(np.zeros((2, 1)), np.zeros(2), never)


def test_it_goes_on_from_its_state():
    buffer = filled([0.6, 0.7, 0.8])
    other = SuccessBuffer(10, 0.5, 1)
    state = {k: np.array(v).tolist() for k, v in buffer.state().items()}
    other.restore(state)
    np.testing.assert_array_equal(explored(other), explored(buffer))
    with pytest.raises(ValueError, match="at most 2 points of 1 dimensions"):
        SuccessBuffer(2, 0.5, 1).restore(buffer.state())
