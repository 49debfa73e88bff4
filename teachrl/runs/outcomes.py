"""What came of a run, in the few numbers that comparisons need."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from teachrl.digests import require_unchanged
from teachrl.evaluation.test_sets import TestSet
from teachrl.runs.evaluations import Evaluations
from teachrl.runs.store import Run

Array = NDArray[np.float64]

METRICS = ("mastered", "reward", "success")


class Outcome(Protocol):
    """The evaluations of one run, whether its folder is here or only its numbers."""

    @property
    def seed(self) -> int:
        """The seed of the run."""

    @property
    def conditions(self) -> Mapping[str, Any]:
        """What must agree between runs that are compared: the keys of :data:`CONDITIONS`."""

    @property
    def steps(self) -> NDArray[np.int64]:
        """Training steps before each of E evaluations."""

    @property
    def env_steps(self) -> NDArray[np.int64] | None:
        """All environment steps up to and with each evaluation, or None if nobody knows."""

    def measure(self, metric: str) -> Array | None:
        """Return a metric at each evaluation, (E,), or None if the run does not have it."""

    @property
    def final_mastered(self) -> NDArray[np.bool_] | None:
        """Whether each test task (T,) was mastered at the last evaluation, if known."""


@dataclass(frozen=True, eq=False)
class RunOutcome:
    """Of a run folder: reads its configuration and its evaluations, and nothing else."""

    run: Run

    @cached_property
    def evaluations(self) -> Evaluations:
        """All evaluations; the configuration says how many tasks each of them has."""
        path = self.run.folder / "evaluations.csv"
        require_unchanged(path)
        return Evaluations.load(path, self.run.config["test_set"]["tasks"])

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return int(self.run.config["seed"])

    @property
    def conditions(self) -> Mapping[str, Any]:
        """What ``config.json`` says."""
        return {name: self.run.config.get(name) for name in CONDITIONS}

    @property
    def steps(self) -> NDArray[np.int64]:
        """Training steps before each evaluation."""
        return self.evaluations.steps

    @property
    def env_steps(self) -> NDArray[np.int64] | None:
        """All environment steps up to and with each evaluation."""
        return self.evaluations.env_steps

    def measure(self, metric: str) -> Array | None:
        """Return a metric at each evaluation; None for successes the environment does not tell."""
        evaluations = self.evaluations
        if metric == "mastered":
            return evaluations.share_mastered
        found = evaluations.rewards if metric == "reward" else evaluations.successes
        return None if np.isnan(found).any() else found.mean(axis=1)

    @property
    def final_mastered(self) -> NDArray[np.bool_] | None:
        """Whether each test task was mastered at the last evaluation."""
        return self.evaluations.mastered[-1] if len(self.evaluations) else None

    @property
    def test_set(self) -> TestSet:
        """The tasks themselves."""
        return self.run.test_set


@dataclass(frozen=True, eq=False)
class StoredOutcome:
    """Of a run whose folder is elsewhere; what was not kept is None."""

    seed: int
    conditions: Mapping[str, Any]
    steps: NDArray[np.int64]
    env_steps: NDArray[np.int64] | None
    scores: Mapping[str, Array]
    final_mastered: NDArray[np.bool_] | None = None

    def measure(self, metric: str) -> Array | None:
        """Return a metric at each evaluation, if it was kept."""
        return self.scores.get(metric)


CONDITIONS = (
    "env",
    "task_space",
    "mastery_threshold",
    "test_set",
    "student",
    "steps",
    "n_envs",
    "evaluate_every",
)


def read_outcomes(folder: Path) -> list[RunOutcome]:
    """Return the finished runs ``<folder>/seed_<n>`` of one teacher, by seed."""
    runs = [Run.load(config.parent) for config in folder.glob("seed_*/config.json")]
    outcomes = [RunOutcome(run) for run in runs if run.status == "done"]
    return sorted(outcomes, key=lambda outcome: outcome.seed)
