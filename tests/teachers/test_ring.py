"""What is kept of what a student saw."""

import numpy as np
import pytest

from teachrl.teachers.ring import Ring


def rows(*numbers):
    return {"a": np.array(numbers, np.uint8), "b": {"c": np.array(numbers)[:, None] * 1.0}}


def kept(ring):
    return sorted(ring.rows["a"].tolist())


def test_the_oldest_rows_give_way():
    ring = Ring(4)
    ring.add(rows(0, 1, 2))
    assert (len(ring), kept(ring)) == (3, [0, 1, 2])
    ring.add(rows(3, 4))
    assert (len(ring), kept(ring)) == (4, [1, 2, 3, 4])
    ring.add(rows(5, 6, 7, 8, 9, 10))
    assert kept(ring) == [7, 8, 9, 10]
    assert ring.rows["a"].dtype == np.uint8
    np.testing.assert_array_equal(ring.rows["b"]["c"][:, 0], ring.rows["a"])


@pytest.mark.parametrize("n", [0, 2, 7])
def test_a_state_continues_exactly(n):
    ring, other = Ring(4), Ring(4)
    for i in range(n):
        ring.add(rows(i))
    state = ring.state()
    ring.add(rows(20, 21))
    other.restore(state)
    other.add(rows(20, 21))
    assert other.rows["a"].tolist() == ring.rows["a"].tolist()


def test_cleared_it_takes_anything():
    ring = Ring(2)
    ring.add(rows(1))
    ring.clear()
    assert len(ring) == 0
    ring.add(np.zeros((1, 3)))
    assert ring.rows.shape == (1, 3)
