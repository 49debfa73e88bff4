"""Regions where absolute learning progress is high (Baranes and Oudeyer, 2013, arXiv 1301.4862)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from teachrl.core import Episode, Task, Teacher
from teachrl.models.choosing import choose, effective_number
from teachrl.models.regions import Cutting, RegionTree
from teachrl.spaces import Floats
from teachrl.teachers.hyperparameters import require_count, require_number

Array = NDArray[np.float64]

_MARGIN = 1e-5  # between a mutation and the faces of its box, as in the benchmark's code


@dataclass(kw_only=True)
class RIAC(Teacher):
    """Cuts the task space into boxes, and samples the boxes by their learning progress.

    Progress in a box is how much the mean reward of its newer half of episodes differs from that of
    its older half. A box with too many episodes is cut in two, at the best of some random places:
    the one that maximises |progress₁ − progress₂| · n₁ · n₂. Robust intelligent adaptive curiosity
    needs no expert. The defaults are those of the benchmark's code (Romac et al., 2021,
    arXiv 2103.09815); :meth:`tuned_for_walker` has what it tuned.

    >>> from teachrl.envs import play
    >>> play(RIAC(split_after=50), episodes=500).student.competence.max() > 0
    np.True_
    """

    split_after: int = 200  # episodes in a box beyond which it is cut; it remembers one more
    split_tries: int = 50  # random cuts compared each time
    min_size: float = 1 / 6  # side of a box, as a share of the range
    progress_window: int | None = None  # last episodes that progress is told from; None: all
    random_ratio: float = 0.2  # share of tasks sampled uniformly all the same
    mutation_ratio: float = 0.1  # share of tasks near the one that went worst in its box
    mutation_std: float = 0.1  # of the distance to it, as a share of the range
    leaves_only: bool = False  # False: boxes that were cut are sampled too, as a whole
    memory: int | None = 50_000  # episodes in the smallest boxes together; None: no limit
    # Beyond it none is cut any more, which happens in spaces of many dimensions only.

    @classmethod
    def tuned_for_walker(cls) -> Self:
        """Return the values that the benchmark tuned on Stump Tracks."""
        return cls(split_after=150, split_tries=75, min_size=0.1)

    def reset(self) -> None:
        """Begin with one box, the whole space."""
        self._require_sense()
        cutting = Cutting(
            above=self.split_after,
            candidates=self.split_tries,
            min_size=self.min_size,
            max_leaves=None if self.memory is None else self.memory // self.split_after,
        )
        self.regions = RegionTree(
            self.space.dimensions, cutting, self.progress_window, self.space.n_values
        )

    def sample(self) -> Task:
        """Choose a box by its progress, or its worst task, or else explore."""
        draw = self.rng.random()
        if draw < self.random_ratio:
            return Task(self.space.uniform(self.rng), origin="uniform")
        region = self._promising(self.rng)
        if draw < self.random_ratio + self.mutation_ratio:
            worst = self.regions.worst(region)
            if worst is not None:  # while the first tasks are in flight, there is none
                step = self.mutation_std * self.rng.standard_normal(self.space.dimensions)
                point = self._moved_inside(region, worst + step)
                return Task(self.space.denormalize(point), origin="mutation")
        return Task(self._inside(region, self.rng), origin=f"region {region}")

    def update(self, episode: Episode) -> None:
        """Measure the progress of all boxes around a task, and perhaps cut the smallest."""
        point = self.space.normalize(episode.task.params)
        self.regions.add(point, self.scale(episode.reward), self.rng)

    def preview(self, n: int, rng: np.random.Generator) -> Floats:
        """Return ``n`` tasks (n, d) as it would sample now without exploring or mutating."""
        tasks = [self._inside(self._promising(rng), rng) for _ in range(n)]
        return np.array(tasks, np.float32).reshape(n, self.space.dimensions)

    def belief(self) -> dict[str, NDArray[Any]]:
        """Return the smallest boxes, ``low`` and ``high`` (k, d), and their progress (k,)."""
        leaves = self.regions.is_leaf
        return {
            "low": self.regions.low[leaves],
            "high": self.regions.high[leaves],
            "progress": self.regions.progress[leaves],
        }

    def metrics(self) -> dict[str, float]:
        """Return number of smallest boxes, mean progress of a task, and how many boxes share it."""
        belief = self.belief()
        volumes = np.prod(belief["high"] - belief["low"], axis=1)
        return {
            "regions": float(len(volumes)),
            "progress": float(volumes @ belief["progress"]),
            "effective_regions": effective_number(belief["progress"]),
        }

    def _promising(self, rng: np.random.Generator) -> int:
        """Choose a box in proportion to its progress; without any progress they are equal."""
        if not self.leaves_only:
            return choose(self.regions.progress, rng)
        leaves = np.flatnonzero(self.regions.is_leaf)
        return int(leaves[choose(self.regions.progress[leaves], rng)])

    def _inside(self, region: int, rng: np.random.Generator) -> Floats:
        """Draw a task uniformly from a box."""
        low, high = self.regions.low[region], self.regions.high[region]
        return self.space.denormalize(self.space.draw_inside(low, high, rng))

    def _moved_inside(self, region: int, point: Array) -> Array:
        """Return the nearest point (d,) of a box."""
        low, high = self.space.tightened(self.regions.low[region], self.regions.high[region])
        margin = np.minimum(_MARGIN, (high - low) / 2)
        return np.clip(point, low + margin, high - margin)

    def _require_sense(self) -> None:
        """Refuse hyper-parameters that cannot work."""
        require_count(self, "split_after", least=4)
        require_count(self, "split_tries")
        require_number(self, "min_size", 0.0, 0.5)
        for name in ("random_ratio", "mutation_ratio"):
            require_number(self, name, 0.0, 1.0)
        if self.random_ratio + self.mutation_ratio > 1 + 1e-9:
            raise ValueError(
                "RIAC.random_ratio and mutation_ratio are shares of all tasks and must not exceed "
                f"1 together, got {self.random_ratio} and {self.mutation_ratio}"
            )
        require_number(self, "mutation_std", 0.0, 1.0)
        if self.progress_window is not None:
            require_count(self, "progress_window", least=3)  # fewer show no progress at all
        if self.memory is not None:
            require_count(self, "memory", least=self.split_after)
