"""Replays tasks on which the critic errs (Jiang et al., 2021, arXiv 2110.02439)."""

from dataclasses import dataclass
from math import ceil, inf
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from teachrl.core import Episode, Task, Teacher
from teachrl.models.priorities import Priority
from teachrl.models.task_buffer import NOBODY, Entry, Eviction, TaskBuffer
from teachrl.rollouts import Rollout, Segment
from teachrl.scores import (
    MAY_BE_NEGATIVE,
    SCORES,
    Array,
    EpisodeScores,
    score_of,
    signals_for,
)
from teachrl.seeding import draw_seed
from teachrl.spaces import Floats
from teachrl.teachers.hyperparameters import (
    few_tasks,
    require_choice,
    require_count,
    require_number,
)

ScoreName = Literal[
    "positive-value-loss",
    "l1-value-loss",
    "signed-advantage",
    "one-step-td-error",
    "max-monte-carlo",
    "clamped-max-monte-carlo",
    "policy-entropy",
    "least-confidence",
]
Schedule = Literal["fixed", "proportionate"]
OnDone = Literal["resample", "same"]


@dataclass(kw_only=True)
class PLR(Teacher):
    """Plays new tasks to find out how much there is to learn, and plays the best of them again.

    A task is its parameters and its seed. Its score tells regret from the critic's errors on it. Of
    those played, a buffer keeps the highest; every episode is either a new random task or one from
    the buffer. ``robust``: the student learns from replayed tasks only, with which the published
    student follows a minimax-regret policy at equilibrium; new ones cost steps and no gradient.

    The published domains have millions of episodes: for a few thousand, keep the buffer small.

    >>> from teachrl import TaskSpace
    >>> from teachrl.seeding import stream
    >>> teacher = PLR().start(TaskSpace(height=(0, 3)), stream(0, "teacher"))
    >>> task = teacher.sample()
    >>> task.origin, task.learn, task.seed is None
    ('random', False, False)
    """

    robust: bool = True  # learn from replayed tasks only
    capacity: int = 1_000  # tasks in the buffer
    replay_ratio: float = 0.5  # of episodes, once the buffer is full enough
    min_fill: float = 0.1  # share of the buffer before anything is replayed; 0.5 in the paper
    schedule: Schedule = "fixed"  # proportionate: replay no more than the buffer is full
    score: ScoreName = "positive-value-loss"
    score_rate: float = 1.0  # weight of the newest score of a task
    max_weight: float = 0.0  # of a task's highest score in a rollout, against the mean of them
    merge_stretches: bool = True  # of an episode over several rollouts; False: the last one counts
    priority: Priority = "rank"
    temperature: float = 0.1
    staleness: float = 0.3  # share of replays that go by how long ago a task was replayed
    eviction: Eviction = "support"  # drop what is least likely replayed, or the lowest score
    least_distance: float = 0.0  # between two tasks of the buffer, in unit coordinates
    top: int = 4  # how many are replayed under the priority ``top``
    on_done: OnDone = "resample"  # same: an environment keeps a task until the rollout ends

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override] # depends on the score
        """Return what the score is made of, and ``rollouts`` to repeat tasks in."""
        return signals_for(self.score) | ({"rollouts"} if self.on_done == "same" else set())

    def reset(self) -> None:
        """Begin with an empty buffer."""
        self._require_sense()
        self.buffer = TaskBuffer(
            self.capacity,
            self.space.dimensions,
            priority=self.priority,
            temperature=self.temperature,
            staleness=self.staleness,
            eviction=self.eviction,
            least_distance=self.least_distance,
            top=self.top,
        )
        self.scores = EpisodeScores(self.score, self.merge_stretches)
        self.returns: dict[str, float] = {}  # of episodes whose segments are to come, by task id
        self.again: list[dict[str, Any]] = []  # tasks to be repeated, one per finished episode
        self.rollouts = 0
        self.replayed = self.played = 0

    def sample(self) -> Task:
        """Repeat the last task, or draw one from the buffer, or a new one."""
        task = Task(**self.again.pop(0)) if self.again else self._next()
        self.played += 1
        self.replayed += task.origin == "replay"
        return task

    def update(self, episode: Episode) -> None:
        """Note the return of an episode until its score comes."""
        self.scale(episode.reward)  # which refuses what is not finite
        task = episode.task
        self.returns[str(task.id)] = float(episode.reward)
        if self.on_done == "same" and task.meta.get("rollout") == self.rollouts:
            self.again.append(
                {
                    "params": task.params,
                    "seed": task.seed,
                    "learn": task.learn,
                    "origin": task.origin,
                    "meta": dict(task.meta),
                }
            )

    def study(self, rollout: Rollout) -> None:
        """Score the episodes that have ended, before the student learns from them."""
        finished: dict[Any, list[_Play]] = {}
        # In the order in which tasks were given out: that of the environments must not matter.
        segments = sorted(rollout.segments(), key=lambda each: each.task_id)
        for segment in segments:
            pieces = self.scores.add(segment)
            reward = self.returns.pop(str(segment.task_id), None) if segment.is_complete else None
            if pieces is not None and reward is not None:  # None: of an episode it never heard of
                finished.setdefault(segment.key, []).append(_Play(segment, pieces, reward))
        for plays in finished.values():
            self._score(plays)
        self.rollouts += 1
        self.again.clear()
        self.returns.clear()  # also of episodes that nobody told of
        self.scores.forget_others({segment.task_id for segment in segments})

    def preview(self, n: int, rng: np.random.Generator) -> Floats:
        """Return ``n`` tasks (n, d) it would replay now; random ones, while there are none."""
        if not len(self.buffer):
            return self.space.uniform(rng, n)
        chosen = rng.choice(len(self.buffer), size=n, p=self.buffer.probabilities())
        return np.array([self.buffer.entry(int(slot)).params for slot in chosen])

    def belief(self) -> dict[str, NDArray[Any]]:
        """Return the buffer: ``points`` (n, d), ``values``, their scores (n,), and their past."""
        if not len(self.buffer):
            return {}
        points, scores = self.buffer.points.copy(), self.buffer.scores.copy()
        return {"points": points, "values": scores} | self.buffer.past()

    def metrics(self) -> dict[str, float]:
        """Return fill, mean and highest score, and the share of tasks that were replayed."""
        share = self.replayed / self.played if self.played else 0.0
        metrics = {"fill": self.buffer.fill, "replayed": share}
        if scores := self.buffer.scores.tolist():
            metrics |= {"score": float(np.mean(scores)), "best_score": max(scores)}
        return metrics

    def concerns(self, episodes: float, rollouts: float = inf) -> list[str]:
        """Return whether the buffer gets full enough, and has enough tasks to hold."""
        found = few_tasks(self, "capacity", "Make it smaller, or set least_distance")
        tasks, why = episodes, ""
        if self.on_done == "same" and rollouts < episodes:
            tasks = rollouts
            why = f" (one per rollout and environment: {tasks:,.0f} in such a run)"
        if tasks < self._needed():
            idle = "replays nothing, and so teaches nobody," if self.robust else "replays nothing"
            found.append(
                f"{type(self).__name__} {idle} before {self._needed()} tasks are in its buffer, "
                f"min_fill={self.min_fill:g} of capacity={self.capacity}{why}: make either "
                "smaller"
            )
        return found

    def scored(self, entry: Entry, reward: float) -> None:
        """Hear of a replayed task that has a new score; for those who do more with it."""

    def _needed(self) -> int:
        """Return how many tasks the buffer must hold before any is replayed."""
        return max(1, ceil(self.min_fill * self.capacity - 1e-9))  # 0.1 * 30 is 3.0000000000000004

    def _next(self) -> Task:
        """Draw a task from the buffer, or a new one."""
        if not self._replays():
            return self._new()
        entry = self.buffer.draw(self.rng)
        notes = self._notes(entry.parent, entry.generation, entry.origin)
        notes["serial"] = entry.serial
        return Task(entry.params, seed=entry.seed, origin="replay", meta=notes)

    def _replays(self) -> bool:
        """Decide about the next task; never about an empty buffer."""
        if len(self.buffer) < self._needed():
            return False
        ratio = self.replay_ratio
        if self.schedule == "proportionate":
            ratio = min(ratio, self.buffer.fill)
        return bool(self.rng.random() < ratio)

    def _new(self) -> Task:
        """Draw a task that was never played."""
        return self._explored(self.space.uniform(self.rng), "random")

    def _explored(
        self,
        params: Floats,
        origin: str,
        parent: int = NOBODY,
        seed: int | None = None,
        generation: int = 0,
    ) -> Task:
        """Return a task that is played to be scored."""
        notes = self._notes(parent, generation, origin)
        drawn = draw_seed(self.rng)
        seed = drawn if seed is None else seed
        return Task(params, seed=seed, learn=not self.robust, origin=origin, meta=notes)

    def _notes(self, parent: int, generation: int, origin: str) -> dict[str, Any]:
        """Return what the buffer needs to know of a task when its episode has come back."""
        return {
            "parent": parent,
            "generation": generation,
            "origin": origin,
            "rollout": self.rollouts,
        }

    def _score(self, plays: "list[_Play]") -> None:
        """Give a task the score of the episodes that were finished on it in a rollout."""
        segment, n = plays[0].segment, len(plays)
        entry = self.buffer.find_same(segment.params, segment.seed)
        best = max(play.reward for play in plays)
        known = best if entry is None else max(best, entry.best_return)
        scores = [score_of(self.score, play.pieces, known) for play in plays]
        score = (1 - self.max_weight) * float(np.mean(scores)) + self.max_weight * max(scores)
        if entry is not None:
            self.buffer.rescore(entry.slot, score, best, self.score_rate, n)
            for play in plays:
                if "serial" in play.segment.meta:  # it was drawn to be replayed
                    self.scored(self.buffer.entry(entry.slot), play.reward)
            return
        self.buffer.insert(
            segment.params,
            self.space.normalize(segment.params),
            segment.seed,
            score=score,
            best_return=best,
            plays=n,
            parent=segment.meta.get("parent", NOBODY),
            generation=segment.meta.get("generation", 0),
            origin=segment.meta.get("origin", "random"),
        )

    def _require_sense(self) -> None:
        """Refuse hyper-parameters that cannot work."""
        require_count(self, "capacity")
        for name in ("replay_ratio", "min_fill", "score_rate", "max_weight", "staleness"):
            require_number(self, name, 0.0, 1.0)
        require_choice(self, "schedule", get_args(Schedule))
        require_choice(self, "score", tuple(SCORES))
        require_choice(self, "priority", get_args(Priority))
        require_choice(self, "eviction", get_args(Eviction))
        require_choice(self, "on_done", get_args(OnDone))
        require_number(self, "temperature", 1e-6)
        require_number(self, "least_distance", 0.0)
        require_count(self, "top")
        if self.least_distance > 0 and self.space.n_tasks < self._needed():
            raise ValueError(
                f"{type(self).__name__} would never replay: its buffer must hold {self._needed()} "
                f"tasks, min_fill={self.min_fill:g} of capacity={self.capacity}, and with "
                f"least_distance each of the {self.space.n_tasks:.0f} tasks of {self.space} "
                "enters once: make the buffer smaller, or leave least_distance at 0"
            )
        if self.priority == "proportional" and self.score in MAY_BE_NEGATIVE:
            raise ValueError(
                f"{type(self).__name__}.score {self.score} may be negative, which no probability "
                "is in proportion to: choose the priority rank or softmax"
            )


class _Play(NamedTuple):
    """A finished episode."""

    segment: Segment  # the last of it
    pieces: Array  # what its score is made of
    reward: float
