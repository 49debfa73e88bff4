"""The latest of what a student saw."""

from collections.abc import Mapping
from typing import Any

import numpy as np


class Ring:
    """The latest ``capacity`` rows of arrays, or of dicts of arrays, however deep.

    Room is made with the first rows, which decide on shapes and dtypes.

    >>> ring = Ring(3)
    >>> for i in range(5):
    ...     ring.add({"observation": np.array([[i, i]])})
    >>> ring.rows["observation"][:, 0], len(ring)
    (array([3, 4, 2]), 3)
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._added = 0
        self._room: Any = None

    def __len__(self) -> int:
        return min(self._added, self.capacity)

    @property
    def rows(self) -> Any:
        """What is kept, in no particular order."""
        return _mapped(self._room, lambda array: array[: len(self)])

    def add(self, rows: Any) -> None:
        """Append rows, whose first axis counts them; the oldest ones give way."""
        if self._room is None:
            self._room = _mapped(rows, self._empty)
        n = _count(rows)
        places = (self._added + np.arange(n)[-self.capacity :]) % self.capacity
        _put(self._room, places, rows)
        self._added += n

    def clear(self) -> None:
        """Forget everything."""
        self._added, self._room = 0, None

    def state(self) -> dict[str, Any]:
        """Return what is kept."""
        return {"added": self._added, "rows": _mapped(self.rows, np.copy)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        self.clear()
        if state["rows"] is not None:
            self._room = _mapped(state["rows"], self._empty)
            _put(self._room, np.arange(_count(state["rows"])), state["rows"])
        self._added = int(state["added"])

    def _empty(self, rows: Any) -> Any:
        array = np.asarray(rows)
        return np.zeros((self.capacity, *array.shape[1:]), array.dtype)


def _mapped(tree: Any, function: Any) -> Any:
    """Apply a function to every array; None is a tree without any."""
    if isinstance(tree, Mapping):
        return {key: _mapped(value, function) for key, value in tree.items()}
    return None if tree is None else function(tree)


def _count(tree: Any) -> int:
    return _count(next(iter(tree.values()))) if isinstance(tree, Mapping) else len(tree)


def _put(room: Any, places: Any, rows: Any) -> None:
    if isinstance(room, Mapping):
        for key, inner in room.items():
            _put(inner, places, rows[key])
    else:
        room[places] = np.asarray(rows)[-len(places) :]
