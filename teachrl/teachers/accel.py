"""Changes tasks that are worth replaying: ACCEL (Parker-Holder et al., 2022, arXiv 2203.01302)."""

from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np

from teachrl.core import Task
from teachrl.models.mutations import mutate, mutate_group, whole_widths
from teachrl.models.task_buffer import NOBODY, Entry
from teachrl.rollouts import Rollout
from teachrl.spaces import Floats
from teachrl.teachers.hyperparameters import (
    require_choice,
    require_count,
    require_number,
    require_vector,
)
from teachrl.teachers.plr import PLR

Parents = Literal["all", "easiest", "hardest", "best"]

_CHOSEN = 4  # parents of a generation, unless all of them are,
_FAMILY = 8  # of as many replayed episodes or more; a rollout may end fewer, or a single one
_WAITING = 1_000  # children at most


@dataclass(kw_only=True)
class ACCEL(PLR):
    """Robust PLR that also plays small changes of what it has just replayed.

    Each replayed episode earns a child: a task of the latest ones, with a few edits. They are
    gathered until there are enough to choose parents from. Children are played without learning and
    enter the buffer by their score, so that the frontier of what the student can do moves by small
    steps, away from easy beginnings.

    ``easiest`` are the tasks of the highest return minus score, as published; ``best`` those of the
    highest score. New tasks come from the box ``easy_low`` to ``easy_high``, if there is one.

    >>> teacher = ACCEL(easy_low=(0.0,), easy_high=(0.4,))
    >>> from teachrl import TaskSpace
    >>> from teachrl.seeding import stream
    >>> task = teacher.start(TaskSpace(height=(0, 3)), stream(0, "teacher")).sample()
    >>> bool(task.params[0] <= 0.4)
    True
    """

    replay_ratio: float = 0.8
    edit_ratio: float = 1.0  # children per replayed episode
    edits: int = 3  # changes of a child
    edit_size: float | tuple[float, ...] = 0.05  # largest change, as a share of the range; or each
    jump_ratio: float = 0.0  # share of changes that draw a parameter anew
    group_ratio: float = 0.0  # share of children of which points move, in vectors of such
    group_size: int = 2  # coordinates of a point, which lie side by side
    seed_ratio: float = 0.0  # share of children that are their parent with another seed
    new_seed_ratio: float = 1.0  # share of the others with another seed than their parent's
    parents: Parents = "easiest"
    easy_low: tuple[float, ...] | None = None  # of new tasks, in task units; None: of the space
    easy_high: tuple[float, ...] | None = None  # of new tasks, in task units; None: of the space

    @classmethod
    def tuned_for_walker(cls) -> Self:
        """Return the published values for the bipedal walker that fit any task space.

        Its easy start and the sizes of its edits are in units of that space: they are in
        :class:`teachrl.envs.ObstacleTracks`.
        """
        return cls(replay_ratio=0.9, staleness=0.5, temperature=0.1, min_fill=0.5)

    def reset(self) -> None:
        """Begin with an empty buffer and no children."""
        super().reset()
        self._require_edits()
        self.family: list[dict[str, Any]] = []  # entries of what was replayed, and its return
        self.children: list[dict[str, Any]] = []
        self.n_born = 0

    def _next(self) -> Task:
        """Play a child that waits, or else do as PLR."""
        if self.children:
            child = self.children.pop(0)
            params = np.asarray(child["params"], np.float32)
            parent, generation = child["parent"], child["generation"]
            return self._explored(params, "mutation", parent, child["seed"], generation)
        return super()._next()

    def study(self, rollout: Rollout) -> None:
        """Score episodes, and change some of the tasks that were replayed."""
        super().study(rollout)
        if self.parents == "all" or len(self.family) >= _FAMILY:
            self._breed()

    def scored(self, entry: Entry, reward: float) -> None:
        """Note a replayed task as a possible parent, also for when the buffer has dropped it."""
        self.family.append({"entry": entry._asdict(), "reward": reward})

    def metrics(self) -> dict[str, float]:
        """Return what PLR does, children so far, and the share of the buffer that was born."""
        born = self.buffer.parents != NOBODY
        share = {"born": float(born.mean())} if len(born) else {}
        return super().metrics() | {"children": float(self.n_born)} | share

    def _new(self) -> Task:
        """Draw a task from the easy box."""
        if self.easy_low is None or self.easy_high is None:
            return super()._new()
        low, high = self.space.require(self.easy_low), self.space.require(self.easy_high)
        start, end = self.space.normalize(low), self.space.normalize(high)
        half = whole_widths(self.space) / 2  # every whole number owns as much of the unit interval
        start, end = start - half, end + half
        point = start + (end - start) * self.rng.random(self.space.dimensions)
        return self._explored(np.clip(self.space.denormalize(point), low, high), "easy")

    def _breed(self) -> None:
        """Make the children of those replayed since the last time."""
        family = [(Entry(**member["entry"]), member["reward"]) for member in self.family]
        self.family = []
        if not family:
            return
        family.sort(key=lambda member: -self._merit(*member))  # stable: of equals, the first
        chosen = family if self.parents == "all" else family[:_CHOSEN]
        expected = len(family) * self.edit_ratio
        n = int(expected) + int(self.rng.random() < expected % 1.0)
        for i in range(n):
            entry, _ = chosen[i % len(chosen)]
            is_same = self.rng.random() < self.seed_ratio
            keeps_seed = not is_same and self.rng.random() >= self.new_seed_ratio
            seed = entry.seed if keeps_seed else None
            self.children.append(
                {
                    "params": entry.params if is_same else self._changed(entry),
                    "parent": entry.serial,
                    "generation": entry.generation + 1,
                    "seed": seed,
                }
            )
        self.n_born += n
        del self.children[:-_WAITING]

    def _merit(self, entry: Entry, reward: float) -> float:
        """Return how much is to be said for a parent."""
        ease = reward - entry.score
        return {"all": 0.0, "easiest": ease, "hardest": -ease, "best": entry.score}[self.parents]

    def _changed(self, entry: Entry) -> Floats:
        """Return the parameters of a child."""
        if self.rng.random() < self.group_ratio:
            point = mutate_group(
                entry.point,
                self.space,
                self.rng,
                edits=self.edits,
                size=self.edit_size,
                group_size=self.group_size,
            )
        else:
            point = mutate(
                entry.point,
                self.space,
                self.rng,
                edits=self.edits,
                size=self.edit_size,
                jump_ratio=self.jump_ratio,
            )
        return self.space.denormalize(point)

    def _require_edits(self) -> None:
        """Refuse hyper-parameters that cannot work in this space."""
        require_number(self, "edit_ratio", 0.0, 100.0)
        for name in ("edits", "group_size"):
            require_count(self, name)
        for name in ("jump_ratio", "group_ratio", "seed_ratio", "new_seed_ratio"):
            require_number(self, name, 0.0, 1.0)
        if np.ndim(self.edit_size):
            require_vector(self, "edit_size", self.space.dimensions, 0.0)
        else:
            require_number(self, "edit_size", 0.0, 1.0)
        require_choice(self, "parents", get_args(Parents))
        if (self.easy_low is None) != (self.easy_high is None):
            raise ValueError("ACCEL.easy_low and easy_high are the corners of one box: give both")
        if self.easy_low is not None and self.easy_high is not None:
            low, high = self.space.require(self.easy_low), self.space.require(self.easy_high)
            if (low > high).any():
                raise ValueError(
                    f"ACCEL.easy_low must not exceed easy_high, got {low.tolist()} and "
                    f"{high.tolist()}"
                )
