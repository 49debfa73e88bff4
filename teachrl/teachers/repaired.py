"""REPAIRED: PAIRED whose students replay tasks (Jiang et al., 2021, arXiv 2110.02439)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from teachrl.core import Episode, Task
from teachrl.models.priorities import Priority
from teachrl.models.task_buffer import TaskBuffer
from teachrl.rollouts import Rollout, Segment
from teachrl.scores import MAY_BE_NEGATIVE, SCORES, Array, pieces_of, score_of, signals_for
from teachrl.spaces import Floats, TaskSpace
from teachrl.teachers.hyperparameters import (
    few_tasks,
    require_choice,
    require_count,
    require_number,
)
from teachrl.teachers.paired import PAIRED
from teachrl.teachers.plr import ScoreName


@dataclass(kw_only=True)
class REPAIRED(PAIRED):
    """Alternates rollouts of designs, which teach nobody but the designer, and of replays.

    Designs are played by both students without a gradient, and scored for each by its own critic.
    In a rollout of replays each student learns from tasks of its own buffer. The designer learns
    once from each regret, before it designs again, and never from replays.

    >>> from teachrl import TaskSpace
    >>> from teachrl.seeding import stream
    >>> teacher = REPAIRED(designer="cross-entropy")
    >>> task = teacher.start(TaskSpace(height=(0, 3)), stream(0, "teacher")).sample()
    >>> task.origin, task.learn
    ('design', False)
    """

    replay_ratio: float = 0.5  # of rollouts, once both buffers are full enough; 0.95 in mazes
    capacity: int = 1_000  # tasks in each buffer
    min_fill: float = 0.1  # share of each buffer before anything is replayed; 0.5 in the paper
    score: ScoreName = "positive-value-loss"
    priority: Priority = "rank"
    temperature: float = 0.1
    staleness: float = 0.3  # share of replays that go by how long ago a task was replayed

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override] # depends on the score
        """Return ``repeats``, ``antagonist``, and what the score is made of."""
        return super().needs | signals_for(self.score)

    def reset(self) -> None:
        """Begin with a designer who knows nothing, and with empty buffers."""
        super().reset()
        self.protagonist_curator = self._make_curator()
        self.antagonist_curator = self._make_curator()
        self.is_replaying = False
        self.n_replays = self.n_rollouts = 0

    def sample(self) -> Task:
        """Return the next design, or a task that the student is to replay."""
        if self.is_replaying:
            return self.protagonist_curator.replay(self.rng)
        design = super().sample()
        return Task(
            design.params, seed=design.seed, learn=False, origin=design.origin, meta=design.meta
        )

    def counterpart(self, task: Task) -> Task:
        """Return the same design, or what the antagonist replays while the student replays."""
        return self.antagonist_curator.replay(self.rng) if task.origin == "replay" else task

    def is_repeated(self, task: Task) -> bool:
        """Return whether it is a design; after each replay another task is drawn."""
        return task.origin != "replay"

    def update(self, episode: Episode) -> None:
        """Note how a task went."""
        super().update(episode)
        self._curator(episode.student).hear(episode)

    def study(self, rollout: Rollout) -> None:
        """Score the tasks of both students, and decide what comes next."""
        self._judge(rollout)
        self.protagonist_curator.study(rollout.segments())
        self.antagonist_curator.study(rollout.antagonist.segments())
        self.n_rollouts += 1
        self.n_replays += self.is_replaying
        self.is_replaying = self._replays()
        if not self.is_replaying:
            self._learn()

    def preview(self, n: int, rng: np.random.Generator) -> Floats:
        """Return ``n`` tasks (n, d) that the student would learn from: replays, if there are any.

        Before that they are what the designer would propose.
        """
        buffer = self.protagonist_curator.buffer
        if not len(buffer):
            return super().preview(n, rng)
        chosen = rng.choice(len(buffer), size=n, p=buffer.probabilities())
        return np.array([buffer.entry(int(slot)).params for slot in chosen])

    def belief(self) -> dict[str, NDArray[Any]]:
        """Return the student's buffer: ``points`` (n, d), ``values``, scores (n,), and the past."""
        buffer = self.protagonist_curator.buffer
        if not len(buffer):
            return super().belief()
        return {"points": buffer.points.copy(), "values": buffer.scores.copy()} | buffer.past()

    def metrics(self) -> dict[str, float]:
        """Return what PAIRED does, how full the buffers are, and the share of replays."""
        fills = {
            "student_fill": self.protagonist_curator.buffer.fill,
            "antagonist_fill": self.antagonist_curator.buffer.fill,
        }
        replayed = self.n_replays / self.n_rollouts if self.n_rollouts else 0.0
        return super().metrics() | fills | {"replayed": replayed}

    def concerns(self, episodes: float, rollouts: float = inf) -> list[str]:
        """Return whether a run is too short to replay anything, or the space too small.

        A design takes an environment an episode, and at least the rest of a rollout.
        """
        found, needed = few_tasks(self, "capacity"), self.min_fill * self.capacity
        if min(episodes, rollouts) < needed:
            why = f" (one per rollout and environment: {rollouts:,.0f} in such a run)"
            found.append(
                f"REPAIRED replays nothing, and so teaches nobody, before {needed:.0f} designs are "
                f"in its buffers, min_fill={self.min_fill:g} of capacity={self.capacity}"
                f"{why if rollouts < episodes else ''}: make either smaller"
            )
        return found

    def _replays(self) -> bool:
        """Decide about the next rollout."""
        fills = [c.buffer.fill for c in (self.protagonist_curator, self.antagonist_curator)]
        is_ready = min(fills) > 0 and min(fills) >= self.min_fill
        return bool(self.rng.random() < self.replay_ratio) and is_ready

    def _curator(self, student: str) -> "Curator":
        return self.antagonist_curator if student == "antagonist" else self.protagonist_curator

    def _make_curator(self) -> "Curator":
        buffer = TaskBuffer(
            self.capacity,
            self.space.dimensions,
            priority=self.priority,
            temperature=self.temperature,
            staleness=self.staleness,
        )
        return Curator(buffer, self.space, self.score)

    def _require_sense(self) -> None:
        super()._require_sense()
        require_count(self, "capacity")
        for name in ("replay_ratio", "min_fill", "staleness"):
            require_number(self, name, 0.0, 1.0)
        require_number(self, "temperature", 1e-6)
        require_choice(self, "score", tuple(SCORES))
        require_choice(self, "priority", get_args(Priority))
        if self.priority == "proportional" and self.score in MAY_BE_NEGATIVE:
            raise ValueError(
                f"REPAIRED.score {self.score} may be negative, which no probability is in "
                "proportion to: choose the priority rank or softmax"
            )


class Curator:
    """The tasks that are worth replaying for one student.

    A task that is repeated, that several environments play, or that crosses rollouts, has one
    score: the mean over all its steps.

    Args:
        buffer: to keep tasks in.
        space: that they lie in.
        score: name of the score, one of :data:`teachrl.scores.SCORES`.
    """

    def __init__(self, buffer: TaskBuffer, space: TaskSpace, score: str) -> None:
        self.buffer, self.space, self.score = buffer, space, score
        self.best: dict[str, float] = {}  # returns of tasks in play, by id
        self.plays: dict[str, int] = {}  # episodes of them since they were last scored
        self.pieces: dict[str, Array] = {}  # of their scores, (k, 2)

    def replay(self, rng: np.random.Generator) -> Task:
        """Draw a task that the student is to learn from."""
        entry = self.buffer.draw(rng)
        return Task(entry.params, seed=entry.seed, origin="replay")

    def hear(self, episode: Episode) -> None:
        """Note the return of an episode until its score comes."""
        name, reward = str(episode.task.id), float(episode.reward)
        self.best[name] = max(self.best.get(name, reward), reward)
        self.plays[name] = self.plays.get(name, 0) + 1

    def study(self, segments: Sequence[Segment]) -> None:
        """Score what was played in a rollout, and forget the tasks that were not."""
        seen: dict[str, Segment] = {}
        for segment in sorted(segments, key=lambda each: each.task_id):
            name = str(segment.task_id)
            earlier = [self.pieces[name]] if name in self.pieces else []
            self.pieces[name] = np.concatenate([*earlier, pieces_of(self.score, segment)])
            seen[name] = segment
        finished: dict[Any, list[str]] = {}
        for name in (name for name in seen if name in self.best):
            finished.setdefault(seen[name].key, []).append(name)
        for names in finished.values():
            self._commit(seen[names[0]], names)
        self.best = {name: best for name, best in self.best.items() if name in seen}
        self.plays = {}
        self.pieces = {name: pieces for name, pieces in self.pieces.items() if name in seen}

    def state(self) -> dict[str, Any]:
        """Return the buffer, and what is known of tasks in play."""
        return {
            "buffer": self.buffer.state(),
            "best": dict(self.best),
            "plays": dict(self.plays),
            "pieces": {name: pieces.copy() for name, pieces in self.pieces.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        self.buffer.restore(state["buffer"])
        self.best, self.plays = dict(state["best"]), dict(state["plays"])
        self.pieces = {name: np.array(pieces) for name, pieces in state["pieces"].items()}

    def _commit(self, segment: Segment, names: Sequence[str]) -> None:
        """Give a task that was finished under these names its score in the buffer."""
        entry = self.buffer.find_same(segment.params, segment.seed)
        best = max(self.best[name] for name in names)
        known = best if entry is None else max(best, entry.best_return)
        pieces = np.concatenate([self.pieces[name] for name in names])
        score = score_of(self.score, pieces, known)
        plays = sum(self.plays.get(name, 0) for name in names)
        if entry is not None:
            self.buffer.rescore(entry.slot, score, best, plays=plays)
            return
        self.buffer.insert(
            segment.params,
            self.space.normalize(segment.params),
            segment.seed,
            score=score,
            best_return=best,
            plays=max(1, plays),  # it was finished in an earlier rollout, and turned away then
            origin="design",
        )
