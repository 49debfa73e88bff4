"""A box of tasks that grows as the student copes (OpenAI et al., 2019, arXiv 1910.07113)."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from teachrl.core import Episode, Task, Teacher
from teachrl.spaces import Floats
from teachrl.teachers.hyperparameters import (
    require_count,
    require_number,
    require_task,
    require_vector,
)

Array = NDArray[np.float64]

_ROUNDING = 1e-9  # ten steps of 0.1 end at the limit, not 1e-16 before it


@dataclass(kw_only=True)
class ADR(Teacher):
    """Samples a box uniformly, and moves its faces by how the student fares on each of them.

    Automatic domain randomization begins with a single task. Some episodes probe a face: one
    parameter is pinned to a bound of the box, the others are drawn as usual. After ``queue``
    probes of a face, it moves outwards if their mean reward is high, inwards if it is low, and the
    count begins anew. The expert's knowledge is where to begin, and the two thresholds. The
    defaults are those of the benchmark (Romac et al., 2021, arXiv 2103.09815).

    A probe is recognised by its note in ``Task.meta``. It counts only while its face is where it
    was when the task was sampled: with many tasks in flight, others would judge a bound that the
    face has left.

    >>> from teachrl.envs import play
    >>> teacher = ADR(initial_mean=(0, 0), high_threshold=0.75, low_threshold=0)
    >>> play(teacher, episodes=2000).mastered > 2
    True
    """

    initial_mean: tuple[float, ...] | None = None  # the first task, in task units; None: the centre
    step: float | tuple[float, ...] = 0.1  # of a face, as a share of the range; one or one each
    probability: float = 0.5  # share of episodes that probe a face
    queue: int = 10  # probes of a face between two decisions about it
    high_threshold: float = 0.66  # mean scaled reward to move outwards at; 180 in [-150, 350]
    low_threshold: float = 0.3  # mean scaled reward to move inwards at; 0 in [-150, 350]
    probe_limits: bool = False  # True, as published: faces at the end of the range are probed too
    # So they may come back inwards; else only those are probed that can still move outwards.
    learn_from_probes: bool = True  # False, as published: probes only measure, see ``Task.learn``

    @classmethod
    def tuned_for_walker(cls) -> Self:
        """Return what the benchmark tuned on Stump Tracks, from where it began there."""
        return cls(initial_mean=(0.0, 6.0), step=(0.1 / 3, 0.1 / 6), probability=0.7)

    def reset(self) -> None:
        """Shrink the box to the first task."""
        self._require_sense()
        d = self.space.dimensions
        first = np.full(d, 0.5)
        if self.initial_mean is not None:
            first = self.space.normalize(self.initial_mean)
        self.bounds: Array = np.stack([first, first])  # (2, d): lower and upper faces
        # A task at an end of its range is normalised to near that end only, as a float32 or as the
        # middle of a whole number's cell: the face would be probed, and have nowhere to go.
        task = self.space.denormalize(first)
        self.bounds[0, task == self.space.low] = 0.0
        self.bounds[1, task == self.space.high] = 1.0
        self.rewards: list[list[float]] = [[] for _ in range(2 * d)]  # of each face's probes
        self.moves = np.zeros((2, d), np.int64)  # of each face, which tells old probes from new
        self.n_outward = self.n_inward = 0

    def sample(self) -> Task:
        """Draw a task from the box, and perhaps put it on a face."""
        point = self._inside(self.rng)
        if self.rng.random() >= self.probability:
            return Task(self.space.denormalize(point), origin="box")
        faces = self._probed_faces()
        if not len(faces):
            return Task(self.space.denormalize(point), origin="box")
        face = int(faces[self.rng.integers(len(faces))])
        side, dim = divmod(face, self.space.dimensions)
        point[dim] = self._pinned(side, dim)
        turned = self.space.canonical(point)
        if turned is not point and (turned != point).any():  # the task would be off the face
            low, high = self.bounds.copy()
            low[dim] = high[dim] = point[dim]
            point = self.space.draw_inside(low, high, self.rng)
        return Task(
            self.space.denormalize(point),
            learn=self.learn_from_probes,
            origin=f"{'upper' if side else 'lower'} face {self.space.names[dim]}",
            meta={"face": face, "moves": int(self.moves[side, dim])},
        )

    def update(self, episode: Episode) -> None:
        """Note the reward of a probe, and move its face if there are enough."""
        reward = self.scale(episode.reward)
        face = episode.task.meta.get("face")
        if face is None or episode.task.meta["moves"] != self.moves.flat[face]:
            return
        rewards = self.rewards[face]
        rewards.append(reward)
        if len(rewards) < self.queue:
            return
        mean = float(np.mean(rewards))
        rewards.clear()
        if mean >= self.high_threshold:
            self.n_outward += self._move(face, outward=True)
        elif mean <= self.low_threshold:
            self.n_inward += self._move(face, outward=False)

    def preview(self, n: int, rng: np.random.Generator) -> Floats:
        """Return ``n`` tasks (n, d) as it would sample now without probing faces."""
        tasks = [self.space.denormalize(self._inside(rng)) for _ in range(n)]
        return np.array(tasks, np.float32).reshape(n, self.space.dimensions)

    def belief(self) -> dict[str, Array]:
        """Return the corners of the box: ``low`` and ``high``, (1, d)."""
        return {"low": self.bounds[:1].copy(), "high": self.bounds[1:].copy()}

    def metrics(self) -> dict[str, float]:
        """Return moves both ways and mean width; once the box has a volume, its entropy.

        The entropy is the paper's: the mean of the logarithms of the widths, in nats per dimension.
        """
        widths = self.bounds[1] - self.bounds[0]
        counts = {"outward": float(self.n_outward), "inward": float(self.n_inward)}
        metrics = counts | {"width": float(widths.mean())}
        return metrics | ({"entropy": float(np.log(widths).mean())} if widths.min() > 0 else {})

    def _inside(self, rng: np.random.Generator) -> Array:
        """Draw a point uniformly from the box."""
        low, high = self.bounds
        return self.space.draw_inside(low, high, rng)

    def _pinned(self, side: int, dim: int) -> float:
        """Return the coordinate of a face, where rounding to a whole number stays in the box."""
        here, opposite = float(self.bounds[side, dim]), float(self.bounds[1 - side, dim])
        is_whole = self.space.n_values[dim] < np.inf
        return here + _ROUNDING * float(np.sign(opposite - here)) if is_whole else here

    def _probed_faces(self) -> NDArray[np.int64]:
        """Return the faces that are worth probing: lower ones first, then upper ones."""
        if self.probe_limits and not self.space.has_intervals:
            return np.arange(self.bounds.size)
        is_probed = self.probe_limits | (self.bounds != [[0.0], [1.0]])
        if self.space.has_intervals:  # a face beyond its partner's bound has no tasks
            is_probed &= self.bounds == self.space.tightened(*self.bounds)
        return np.flatnonzero(is_probed)

    def _move(self, face: int, *, outward: bool) -> bool:
        """Move a face by a step, within the space and not across its opposite; say if it moved."""
        side, dim = divmod(face, self.space.dimensions)
        opposite = self.space.tightened(*self.bounds)[1 - side][dim]  # beyond it there are no tasks
        limit = float(side) if outward else float(opposite)
        step = np.broadcast_to(self.step, self.space.shape)[dim]
        here = self.bounds[side, dim]
        distance = abs(limit - here)
        if distance == 0:
            return False
        is_there = distance <= step + _ROUNDING
        self.bounds[side, dim] = limit if is_there else here + step * np.sign(limit - here)
        self.moves[side, dim] += 1
        return True

    def _require_sense(self) -> None:
        """Refuse hyper-parameters that cannot work in this space."""
        if self.initial_mean is not None:
            require_task(self, "initial_mean")
        if np.ndim(self.step):
            require_vector(self, "step", self.space.dimensions, low=0.0)
        else:
            require_number(self, "step", 0.0, 1.0)
        if not np.all(np.asarray(self.step) > 0):
            raise ValueError(f"ADR.step must be positive, got {self.step}: no face would move")
        require_number(self, "probability", 0.0, 1.0)
        require_count(self, "queue")
        require_number(self, "high_threshold", 0.0, 1.0)
        require_number(self, "low_threshold", 0.0, 1.0)
        if self.low_threshold >= self.high_threshold:
            raise ValueError(
                "ADR.low_threshold must be below high_threshold, got "
                f"{self.low_threshold} and {self.high_threshold}"
            )
