"""Cells of a grid by fast-slow progress (Kanitscheider et al., 2021, arXiv 2106.14876)."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachrl.core import Episode, Task, Teacher
from teachrl.models.choosing import choose, effective_number
from teachrl.models.grids import Bins, Grid, divide
from teachrl.progress import FastSlowProgress
from teachrl.spaces import Floats
from teachrl.teachers.hyperparameters import require_number

Array = NDArray[np.float64]

_SHOWN = 400  # cells in a belief


@dataclass(kw_only=True)
class ProgressBandit(Teacher):
    """Divides the space into cells, and samples those whose success rate changes most.

    Progress in a cell is the difference between a fast and a slow average of its rewards, both
    reweighted so that the first successes count most. It is standardised over the cells met so far
    and put through a sigmoid, centred so that of normally distributed progress the highest tenth
    saturates: neither does one cell take all, nor do the many cells without progress add up. Cells
    not met yet count as average ones. Tasks are uniform inside a cell.

    >>> from teachrl.envs import play
    >>> play(ProgressBandit(), episodes=500).student.competence.max() > 0
    np.True_
    """

    bins: Bins = None  # per coordinate, or by parameter; None: 10, or fewer if they are many
    fast: float = 0.1  # weight of the newest reward in the fast average
    slow: float = 0.01  # and in the slow one
    midpoint: float = 0.1  # the rate that is reweighted to one half; 0.5 changes nothing
    threshold: float | None = None  # scaled reward that is a success; None: rewards are averaged
    # The paper's students succeed or fail.
    quantile: float = 0.9  # of standardised progress, at which the sigmoid is one half
    steepness: float = 1.0  # of the sigmoid, per standard deviation
    random_ratio: float = 0.2  # share of tasks sampled uniformly all the same

    def reset(self) -> None:
        """Forget all progress."""
        self._require_sense()
        self.grid = Grid(divide(self.space, self.bins))
        # Cells in which intervals are the wrong way round have no tasks; others would be played.
        low, high = self.space.tightened(*self.grid.boxes(np.arange(self.grid.n_cells)))
        self.cells = np.flatnonzero((low < high).all(axis=1))  # the arms
        self.progress = FastSlowProgress(len(self.cells), self.fast, self.slow, self.midpoint)

    def sample(self) -> Task:
        """Choose a cell by its progress, or explore, and draw from it."""
        if self.rng.random() < self.random_ratio:
            cell, origin = int(self.cells[self.rng.integers(len(self.cells))]), "uniform"
        else:
            cell = int(self.cells[choose(self._weights(), self.rng)])
            origin = f"cell {cell}"
        point = self.grid.draw(cell, self.rng)
        return Task(self.space.denormalize(point), origin=origin, meta={"cell": cell})

    def update(self, episode: Episode) -> None:
        """Take a reward into the averages of its cell."""
        reward = min(max(self.scale(episode.reward), 0.0), 1.0)  # reweighting is for rates
        if self.threshold is not None:
            reward = float(reward >= self.threshold)
        arm = int(np.searchsorted(self.cells, episode.task.meta["cell"]))
        self.progress.measure(arm, reward)

    def preview(self, n: int, rng: np.random.Generator) -> Floats:
        """Return ``n`` tasks (n, d) as it would sample now without exploring."""
        weights = self._weights()
        points = [self.grid.draw(int(self.cells[choose(weights, rng)]), rng) for _ in range(n)]
        return self.space.denormalize(np.array(points).reshape(n, self.space.dimensions))

    def belief(self) -> dict[str, NDArray[Any]]:
        """Return the cells of most progress, 400 at most: ``low``, ``high``, ``progress``."""
        progress = self.progress.values
        arms = np.sort(np.argsort(-progress, kind="stable")[:_SHOWN])
        low, high = self.grid.boxes(self.cells[arms])
        return {"low": low, "high": high, "progress": progress[arms]}

    def metrics(self) -> dict[str, float]:
        """Return mean progress, the share of cells met, and how many share the choice."""
        return {
            "progress": float(self.progress.values.mean()),
            "met": float(np.mean(self.progress.visits > 0)),
            "effective_cells": effective_number(self._weights()),
        }

    def _weights(self) -> Array:
        """Return a weight between 0 and 1 for each arm."""
        progress, is_met = self.progress.values, self.progress.visits > 0
        n = max(1, np.count_nonzero(is_met))
        mean = progress.sum() / n  # progress is 0 where nothing is known
        centred = np.where(is_met, progress - mean, 0.0)
        variance = centred @ centred / n
        scores = centred / np.sqrt(variance) if variance > 0 else centred
        centre = NormalDist().inv_cdf(self.quantile)
        weights: Array = 0.5 + 0.5 * np.tanh(self.steepness / 2 * (scores - centre))
        return weights

    def _require_sense(self) -> None:
        """Refuse hyper-parameters that cannot work."""
        for name in ("fast", "slow", "random_ratio"):
            require_number(self, name, 0.0, 1.0)
        if not 0 < self.slow < self.fast:
            raise ValueError(
                "ProgressBandit.slow must be positive and below fast, got "
                f"{self.slow} and {self.fast}"
            )
        for name in ("midpoint", "quantile"):
            require_number(self, name, 0.01, 0.99)
        require_number(self, "steepness", 0.0, 100.0)
        if self.threshold is not None:
            require_number(self, "threshold", 0.0, 1.0)
