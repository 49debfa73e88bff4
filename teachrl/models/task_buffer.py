"""Tasks worth playing again, by their scores and by how long ago they were played.

The rules are those of prioritized level replay (arXiv 2010.03934) in an endless task space
(arXiv 2110.02439).
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from teachrl.models.lineages import edges, origin_codes
from teachrl.models.priorities import Priority, score_weights
from teachrl.spaces import Floats

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
Eviction = Literal["support", "score"]

NOBODY = -1


class Entry(NamedTuple):
    """A task in the buffer."""

    slot: int
    serial: int  # counts all that ever entered; the same slot may hold another task later
    params: Floats  # (d,), exactly as it was played
    point: Array  # (d,), unit coordinates
    seed: int
    score: float
    best_return: float
    plays: int
    parent: int  # serial of the task it was made from, or NOBODY
    generation: int  # how many changes away from a task that was drawn
    origin: str  # how it came to be


class TaskBuffer:
    """At most ``capacity`` tasks with scores.

    A task is drawn with probability ``(1 - staleness) P_score + staleness P_stale``. ``P_score``
    goes with the rank of its score, ``(1 / rank)^(1 / temperature)``, of all or of the best few,
    with the score itself, ``max(score, 0)^(1 / temperature)``, or with its exponential;
    ``P_stale`` with the number of draws since its own last one.

    A full buffer drops the task that is least likely drawn, of equals the one of the lowest score,
    or always the latter, if that score is not above the new one. A new task has waited as long as
    the others have on average: with no wait at all, it would make room for the very next one. Nor
    has a task waited that was drawn: it stays until its episodes have come back. The published
    teacher drops tasks only while nobody plays any of them.

    >>> buffer = TaskBuffer(capacity=2, dimensions=1)
    >>> for place, score in ((0.1, 1.0), (0.5, 3.0), (0.9, 2.0)):
    ...     task = np.array([place])
    ...     _ = buffer.insert(task, task, seed=0, score=score, best_return=score)
    >>> buffer.points.ravel().tolist(), buffer.insert(task, task, 0, score=0.5, best_return=0.0)
    ([0.9, 0.5], None)
    """

    def __init__(
        self,
        capacity: int,
        dimensions: int,
        *,
        priority: Priority = "rank",
        temperature: float = 0.3,
        staleness: float = 0.3,
        eviction: Eviction = "support",
        least_distance: float = 0.0,
        top: int = 4,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"a task buffer holds at least one task, got capacity={capacity}")
        self.capacity, self.dimensions = capacity, dimensions
        self.priority, self.temperature, self.staleness = priority, temperature, staleness
        self.eviction, self.least_distance, self.top = eviction, least_distance, top
        self._params: Floats = np.zeros((capacity, dimensions), np.float32)
        self._points: Array = np.zeros((capacity, dimensions))
        self._scores: Array = np.zeros(capacity)
        self._best: Array = np.zeros(capacity)
        self._counts: Counts = np.zeros((capacity, 7), np.int64)  # see _SEED and so on
        self._origins = [""] * capacity
        self._order: Counts = np.zeros(0, np.int64)  # slots by falling score
        self._n_drawn = self._n_entered = 0
        self._weights: tuple[Array, Array] | None = None  # see _score_weights; until they change

    def __len__(self) -> int:
        """Number of tasks."""
        return len(self._order)

    @property
    def points(self) -> Array:
        """Tasks in unit coordinates, (n, d)."""
        return self._points[: len(self)]

    @property
    def scores(self) -> Array:
        """Their scores, (n,)."""
        return self._scores[: len(self)]

    @property
    def parents(self) -> Counts:
        """Serials of the tasks they were made from, (n,); -1: none."""
        return self._counts[: len(self), _PARENT]

    @property
    def serials(self) -> Counts:
        """Their serials, (n,)."""
        return self._counts[: len(self), _SERIAL]

    @property
    def fill(self) -> float:
        """Share of the capacity that is taken."""
        return len(self) / self.capacity

    def draw(self, rng: np.random.Generator) -> Entry:
        """Draw a task, which makes all others staler."""
        if not len(self):
            raise ValueError("an empty task buffer has nothing to draw")
        if self.staleness and rng.random() < self.staleness:
            slot = _pick(np.cumsum(self._stale_weights()), rng)
        else:
            slot = int(self._order[_pick(self._score_weights()[1], rng)])
        self._n_drawn += 1
        self._counts[slot, _DRAWN] = self._n_drawn
        self._counts[slot, _OUT] += 1
        return self.entry(slot)

    def entry(self, slot: int) -> Entry:
        """Return what is known of the task in a slot."""
        seed, serial, _, plays, parent, generation, _ = self._counts[slot].tolist()
        score, best = float(self._scores[slot]), float(self._best[slot])
        params, point = self._params[slot].copy(), self._points[slot].copy()
        history = plays, parent, generation, self._origins[slot]
        return Entry(slot, serial, params, point, seed, score, best, *history)

    def find_same(self, params: Floats, seed: int) -> Entry | None:
        """Return the task with exactly these parameters and this seed, if it is here."""
        for slot in np.flatnonzero(self._counts[: len(self), _SEED] == seed).tolist():
            if np.array_equal(self._params[slot], params):
                return self.entry(slot)
        return None

    def insert(
        self,
        params: Floats,
        point: Array,
        seed: int,
        *,
        score: float,
        best_return: float,
        plays: int = 1,
        parent: int = NOBODY,
        generation: int = 0,
        origin: str = "random",
    ) -> int | None:
        """Take a task if it is worth it, and return its slot; None if it is not.

        Its parameters are kept beside its point, since the way there and back may round. One nearer
        than ``least_distance`` to others enters in their place, if it is better than all of them
        and nobody plays any of them. Either way the highest return is kept.
        """
        _require_finite(score, best_return)
        if len(near := self._near(point)):
            best_return = max(best_return, float(self._best[near].max()))
            if score <= self._scores[near].max() or self._is_out()[near].any():
                self._best[near] = best_return
                return None
            for slot in near[:0:-1].tolist():
                self._remove(slot)
            slot = int(near[0])
        elif len(self) < self.capacity:
            slot = len(self)
        else:
            slot = self._victim()
            if self._scores[slot] > score:
                return None
        self._params[slot], self._points[slot], self._best[slot] = params, point, best_return
        drawn = int(self._counts[: len(self), _DRAWN].mean()) if len(self) else 0
        self._counts[slot] = (seed, self._n_entered, drawn, plays, parent, generation, 0)
        self._origins[slot] = origin
        self._n_entered += 1
        self._order = self._order[self._order != slot]
        self._place(slot, score)
        return slot

    def rescore(
        self, slot: int, score: float, reward: float, rate: float = 1.0, plays: int = 1
    ) -> None:
        """Take in how a task went: its score moves towards the new one by ``rate``."""
        _require_finite(score, reward)
        self._counts[slot, _PLAYS] += plays
        self._counts[slot, _OUT] = max(0, self._counts[slot, _OUT] - plays)
        self._best[slot] = max(self._best[slot], reward)
        self._order = self._order[self._order != slot]
        self._place(slot, (1 - rate) * float(self._scores[slot]) + rate * score)

    def probabilities(self) -> Array:
        """Return the chance of each task to be drawn next, (n,)."""
        weights, sums = self._score_weights()
        waited = self._stale_weights()
        chances: Array = self.staleness * waited / waited.sum()
        chances[self._order] += (1 - self.staleness) * weights / sums[-1]
        return chances

    def past(self) -> dict[str, Counts]:
        """Return how tasks came to be, and how often they were played; see :mod:`.lineages`."""
        counts = self._counts[: len(self)]
        return {
            "origins": origin_codes(self._origins[: len(self)]),
            "plays": counts[:, _PLAYS].copy(),
            "generations": counts[:, _GENERATION].copy(),
            "edges": edges(self.serials, self.parents),
        }

    def state(self) -> dict[str, Any]:
        """Return all tasks and what is known of them."""
        n = len(self)
        return {
            "params": self._params[:n].copy(),
            "points": self._points[:n].copy(),
            "scores": self._scores[:n].copy(),
            "best": self._best[:n].copy(),
            "counts": self._counts[:n].copy(),
            "origins": self._origins[:n],
            "order": self._order.copy(),
            "drawn": self._n_drawn,
            "entered": self._n_entered,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        n = len(state["order"])
        if np.shape(state["points"]) != (n, self.dimensions) or n > self.capacity:
            raise ValueError(
                f"expected at most {self.capacity} tasks of {self.dimensions} dimensions, got an "
                f"array of shape {np.shape(state['points'])}"
            )
        self._params[:n], self._points[:n] = state["params"], state["points"]
        self._scores[:n], self._best[:n] = state["scores"], state["best"]
        self._counts[:n], self._origins[:n] = state["counts"], state["origins"]
        self._order = np.array(state["order"], np.int64)
        self._n_drawn, self._n_entered = int(state["drawn"]), int(state["entered"])
        self._weights = None

    def _place(self, slot: int, score: float) -> None:
        """Set a score, and find its place in the order without sorting the others again."""
        self._scores[slot] = score
        place = int(np.searchsorted(-self._scores[self._order], -score, side="right"))
        self._order = np.insert(self._order, place, slot)
        if self.priority not in {"rank", "top"}:
            self._weights = None

    def _score_weights(self) -> tuple[Array, Array]:
        """Return weights by place in the order, and their sums, in which the low ones are lost."""
        if self._weights is None or len(self._weights[0]) != len(self):
            # A score of 0 stays drawable in proportion, where nothing is drawn by staleness.
            rest: dict[str, Any] = {"top": self.top, "epsilon": 0 if self.staleness else 1e-3}
            scores = self._scores[self._order]
            weights = score_weights(scores, self.priority, self.temperature, **rest)
            self._weights = weights, np.cumsum(weights)
        return self._weights

    def _stale_weights(self) -> Array:
        """Return the number of draws since each task's own, (n,); ones, while nothing waited."""
        waited = (self._n_drawn - self._counts[: len(self), _DRAWN]).astype(np.float64)
        return waited if waited.any() else np.ones(len(self))

    def _victim(self) -> int:
        """Return the slot of the task that matters least, of those that nobody plays."""
        is_out, rising = self._is_out(), self._order[::-1]
        rising = rising if is_out.all() else rising[~is_out[rising]]
        if self.eviction == "score":
            return int(rising[0])
        return int(rising[np.argmin(self.probabilities()[rising])])

    def _is_out(self) -> NDArray[np.bool_]:
        """Return whether somebody plays each task, (n,)."""
        counts = self._counts[: len(self)]
        # An episode that has not come back after so many draws never will.
        return (counts[:, _OUT] > 0) & (self._n_drawn - counts[:, _DRAWN] < self.capacity)

    def _near(self, point: Array) -> NDArray[np.intp]:
        """Return the slots of tasks that are nearly the same, rising."""
        if not self.least_distance:
            return np.zeros(0, np.intp)
        distances = ((self.points - point) ** 2).sum(axis=1)
        return np.flatnonzero(distances < self.least_distance**2)

    def _remove(self, slot: int) -> None:
        """Take a task out; the last one moves into its slot."""
        last = len(self) - 1
        self._order = self._order[self._order != slot]
        self._order[self._order == last] = slot
        for column in (self._params, self._points, self._scores, self._best, self._counts):
            column[slot] = column[last]
        self._origins[slot] = self._origins[last]
        self._weights = None


_SEED, _SERIAL, _DRAWN, _PLAYS, _PARENT, _GENERATION, _OUT = range(7)  # columns of the counts


def _pick(cumulated: Array, rng: np.random.Generator) -> int:
    """Draw an index in proportion to weights with these cumulated sums."""
    drawn = rng.random() * cumulated[-1]
    return min(int(np.searchsorted(cumulated, drawn, side="right")), len(cumulated) - 1)


def _require_finite(*values: float) -> None:
    if not all(map(isfinite, values)):
        raise ValueError(f"a task buffer takes finite scores and returns, got {values}")
