"""Cells of a grid, played as a bandit that forgets (Graves et al., 2017, arXiv 1704.03003)."""

from bisect import insort
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from teachrl.core import Episode, Task, Teacher
from teachrl.models.choosing import choose, effective_number
from teachrl.models.grids import Bins, Grid, divide
from teachrl.spaces import Floats
from teachrl.teachers.hyperparameters import require_count, require_number

Array = NDArray[np.float64]

_TINY = float(np.finfo(np.float64).tiny)
_SHOWN = 400  # cells in a belief


@dataclass(kw_only=True)
class EXP3S(Teacher):
    """Divides the space into cells, and plays them as the arms of an adversarial bandit.

    An arm pays the absolute change of reward since its last episode, mapped to [-1, 1] by two
    quantiles of what all arms have paid. Exp3.S (Auer et al., 2002) multiplies the arm's weight by
    exp(rate · payoff / chance), and shares a little of all weights among all arms, which lets it
    follow a student for whom the best arm changes. Tasks are uniform inside a cell. The defaults
    of ``rate`` and ``random_ratio`` are those with which the comparison of Klink et al. (2023,
    arXiv 2309.14091) taught RL students; :meth:`as_published` has the paper's own.

    >>> from teachrl.envs import play
    >>> play(EXP3S(), episodes=500).student.competence.max() > 0
    np.True_
    """

    bins: Bins = None  # per coordinate, or by parameter; None: 10, or fewer if they are many
    rate: float = 0.025  # η, of the weights
    bias: float = 0.0  # β, added to the payoff of every arm
    random_ratio: float = 0.2  # ε, share of tasks sampled uniformly all the same
    low_quantile: float = 0.2  # the quantile of payoffs that becomes -1
    high_quantile: float = 0.8  # the one that becomes 1
    memory: int = 1_000  # payoffs that tell the quantiles: a fair sample of all so far

    @classmethod
    def as_published(cls) -> Self:
        """Return the paper's values, made for a language model and a million updates."""
        return cls(rate=0.001, random_ratio=0.05)

    def reset(self) -> None:
        """Give all cells the same weight."""
        self._require_sense()
        self.grid = Grid(divide(self.space, self.bins))
        # Cells in which intervals are the wrong way round have no tasks; others would be played.
        low, high = self.space.tightened(*self.grid.boxes(np.arange(self.grid.n_cells)))
        self.cells = np.flatnonzero((low < high).all(axis=1))  # the arms
        n = len(self.cells)
        self.log_weights: Array = np.zeros(n)
        self.last: Array = np.zeros(n)  # scaled reward of the latest episode of each arm
        self.visits = np.zeros(n, np.int64)
        self.payoffs: list[float] = []  # sorted
        self.n_payoffs = 0  # ever

    def sample(self) -> Task:
        """Choose a cell by its weight, and draw from it."""
        chances = self._chances()
        arm = choose(chances, self.rng)
        cell = int(self.cells[arm])
        return Task(
            self.space.denormalize(self.grid.draw(cell, self.rng)),
            origin=f"cell {cell}",
            meta={"cell": cell, "chance": float(chances[arm])},
        )

    def update(self, episode: Episode) -> None:
        """Pay the arm for the change since its last episode; the first one changes nothing."""
        arm = int(np.searchsorted(self.cells, episode.task.meta["cell"]))
        reward = self.scale(episode.reward)
        if self.visits[arm]:
            payoff = self._mapped(abs(reward - float(self.last[arm])))
            self._pay(arm, payoff, float(episode.task.meta["chance"]))
        self.last[arm] = reward
        self.visits[arm] += 1

    def preview(self, n: int, rng: np.random.Generator) -> Floats:
        """Return ``n`` tasks (n, d) as it would sample now without exploring."""
        chances = self._softmax()
        points = [self.grid.draw(int(self.cells[choose(chances, rng)]), rng) for _ in range(n)]
        return self.space.denormalize(np.array(points).reshape(n, self.space.dimensions))

    def belief(self) -> dict[str, NDArray[Any]]:
        """Return the likeliest cells, 400 at most: ``low``, ``high`` (k, d), and chances (k,)."""
        chances = self._softmax()
        arms = np.sort(np.argsort(-chances, kind="stable")[:_SHOWN])
        low, high = self.grid.boxes(self.cells[arms])
        return {"low": low, "high": high, "values": chances[arms]}

    def metrics(self) -> dict[str, float]:
        """Return the share of cells met, and how many share the choice."""
        return {
            "met": float(np.mean(self.visits > 0)),
            "effective_cells": effective_number(self._chances()),
        }

    def _chances(self) -> Array:
        """Return the probability of each arm (n,)."""
        uniform = self.random_ratio / len(self.log_weights)
        chances: Array = (1 - self.random_ratio) * self._softmax() + uniform
        return chances

    def _softmax(self) -> Array:
        weights = np.exp(self.log_weights - self.log_weights.max())
        chances: Array = weights / weights.sum()
        return chances

    def _mapped(self, payoff: float) -> float:
        """Return a payoff on the scale of what was paid so far, itself included, from -1 to 1."""
        self.n_payoffs += 1
        if len(self.payoffs) == self.memory:  # reservoir sampling: each stays with equal chance
            place = int(self.rng.integers(self.n_payoffs))
            if place < self.memory:
                del self.payoffs[place]  # as likely as any other, although they are sorted
                insort(self.payoffs, payoff)
        else:
            insort(self.payoffs, payoff)
        last = len(self.payoffs) - 1
        low, high = (
            self.payoffs[round(quantile * last)]
            for quantile in (self.low_quantile, self.high_quantile)
        )
        if low <= payoff <= high:  # of a constant, neither good nor bad
            return 2 * (payoff - low) / (high - low) - 1 if low < high else 0.0
        return 1.0 if payoff > high else -1.0

    def _pay(self, arm: int, payoff: float, chance: float) -> None:
        """Raise the weight of an arm by what it paid, and share a little of all weights."""
        n, shared = len(self.log_weights), 1 / (self.n_payoffs + 1)
        logs = self.log_weights
        if self.bias:
            logs = logs + self.rate * self.bias / self._chances()
        logs[arm] += self.rate * payoff / chance
        weights = np.exp(logs - logs.max())  # only their ratios matter
        others = np.maximum(weights.sum() - weights, 0.0) / (n - 1)
        mixed = np.maximum((1 - shared) * weights + shared * others, _TINY)
        self.log_weights = np.log(mixed)

    def _require_sense(self) -> None:
        """Refuse hyper-parameters that cannot work in this space."""
        require_number(self, "rate", 0.0, 1.0)
        require_number(self, "bias", -1.0, 1.0)
        require_number(self, "random_ratio", 0.001, 1.0)  # payoffs are divided by chances
        require_number(self, "low_quantile", 0.0, 1.0)
        require_number(self, "high_quantile", 0.0, 1.0)
        if self.low_quantile >= self.high_quantile:
            raise ValueError(
                "EXP3S.low_quantile must be below high_quantile, got "
                f"{self.low_quantile} and {self.high_quantile}"
            )
        require_count(self, "memory", least=2)
