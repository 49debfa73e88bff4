"""Tasks that succeed about half of the time (Rutherford et al., 2024, arXiv 2408.15099)."""

from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from teachrl.core import Task, Teacher
from teachrl.models.lineages import origin_codes
from teachrl.rollouts import Rollout
from teachrl.scores import learnability
from teachrl.seeding import draw_seed
from teachrl.spaces import Floats
from teachrl.teachers.hyperparameters import few_tasks, require_count, require_number


@dataclass(kw_only=True)
class SFL(Teacher):
    """Rolls the student out on random tasks now and then, and teaches the most learnable ones.

    A task is its parameters and its seed, and learnability is p (1 - p) of the rate p at which the
    student, who draws its actions, succeeds on it: where neither policy nor world knows chance, it
    is 0 everywhere, and all tasks are random ones. Where fewer than ``keep`` are learnable, random
    tasks take the place of the others, or a handful would be half of what is taught. The roll-outs
    are environment steps that nothing is learnt from; they are on the ledger, as ``evaluation``,
    and may well outnumber those of training: ``candidates * episodes`` whole episodes every
    ``refresh_every`` steps.

    >>> from teachrl import TaskSpace
    >>> from teachrl.seeding import stream
    >>> SFL().start(TaskSpace(height=(0, 3)), stream(0, "teacher")).sample().origin
    'random'
    """

    needs: ClassVar[frozenset[str]] = frozenset({"success", "success_rates"})

    candidates: int = 250  # random tasks that are tried out; 5,000 in the paper
    keep: int = 50  # of the most learnable; 1,000 in the paper
    episodes: int = (
        4  # on each candidate, 4 at least: of fewer, a rate says little, and of one nothing
    )
    refresh_every: int = 200_000  # training steps between two roll-outs
    random_ratio: float = 0.5  # share of tasks sampled uniformly all the same

    def reset(self) -> None:
        """Begin with random tasks."""
        for name in ("candidates", "keep", "refresh_every"):
            require_count(self, name)
        require_count(self, "episodes", least=4)
        require_number(self, "random_ratio", 0.0, 1.0)
        if self.keep > self.candidates:
            raise ValueError(
                f"SFL.keep must be at most candidates, got {self.keep} of {self.candidates}"
            )
        self.next_refresh = 0  # training steps
        self.params: Floats = np.zeros((0, self.space.dimensions), np.float32)
        self.seeds: NDArray[np.int64] = np.zeros(0, np.int64)
        self.learnabilities: NDArray[np.float64] = np.zeros(0)
        self.mean_rate = 0.0  # of success, over all candidates of the last roll-out

    def sample(self) -> Task:
        """Draw one of the learnable tasks with its seed, or else a random one."""
        if self.rng.random() >= self.random_ratio and (
            i := int(self.rng.integers(self.keep))
        ) < len(self.params):
            return Task(self.params[i], seed=int(self.seeds[i]), origin="learnable")
        return Task(self.space.uniform(self.rng), origin="random")

    def study(self, rollout: Rollout) -> None:
        """Roll the student out on new candidates, if it is time."""
        if rollout.steps < self.next_refresh:
            return
        self.next_refresh = rollout.steps + self.refresh_every
        params = self.space.uniform(self.rng, self.candidates)
        seeds = np.array([draw_seed(self.rng) for _ in range(self.candidates)], np.int64)
        rates = rollout.success_rates(params, seeds, self.episodes)
        scores = learnability(rates)
        best = np.argsort(-scores, kind="stable")[: self.keep]
        best = best[scores[best] > 0]  # nothing is learnt where it always fails, or never does
        self.params, self.seeds = params[best], seeds[best]
        self.learnabilities = scores[best]
        self.mean_rate = float(np.nan_to_num(rates).mean())

    def preview(self, n: int, rng: np.random.Generator) -> Floats:
        """Return ``n`` of the learnable tasks (n, d); random ones, while there are none."""
        if not len(self.params):
            return self.space.uniform(rng, n)
        return self.params[rng.integers(len(self.params), size=n)]

    def belief(self) -> dict[str, NDArray[Any]]:
        """Return the learnable tasks: ``points`` (k, d), ``values`` (k,) and ``origins``."""
        if not len(self.params):
            return {}
        return {
            "points": self.space.normalize(self.params),
            "values": self.learnabilities,
            "origins": origin_codes(["random"] * len(self.params)),
        }

    def metrics(self) -> dict[str, float]:
        """Return number and mean learnability of the tasks, and the success rate on random ones."""
        if not self.next_refresh:
            return {}
        n = len(self.params)
        mean = float(self.learnabilities.mean()) if n else 0.0
        return {"learnable": float(n), "learnability": mean, "success_rate": self.mean_rate}

    def concerns(self, episodes: float, rollouts: float = inf) -> list[str]:  # noqa: ARG002
        """Return whether there are enough tasks to keep, and whether looking for them is cheap."""
        found, tried = few_tasks(self, "keep"), self.candidates * self.episodes
        if tried > episodes:
            found.append(
                f"SFL plays {tried:,} episodes, each of {self.candidates:,} candidates "
                f"{self.episodes} times, whenever it looks for tasks: more than the whole run. "
                "Make either smaller"
            )
        return found
