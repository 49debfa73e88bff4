"""The runs of a benchmark, compared."""

import csv
import tempfile
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from teachrl.evaluation.statistics import Estimate, estimate, probability_of_improvement
from teachrl.monitoring.figures import learning_curve_figure
from teachrl.runs.evaluations import Evaluations
from teachrl.runs.store import Run

METRICS = {
    "mastered": lambda evaluations: 100 * evaluations.share_mastered,
    "reward": lambda evaluations: evaluations.rewards.mean(axis=1),
    "success": lambda evaluations: 100 * evaluations.successes.mean(axis=1),
}
UNITS = {
    "mastered": "% of test tasks mastered",
    "reward": "mean test return",
    "success": "% success",
}


class Row(NamedTuple):
    """One teacher in the table of a benchmark."""

    teacher: str
    runs: int
    value: Estimate  # interquartile mean over runs at the last evaluation, with its interval
    improvement: Estimate | None  # probability that a run beats one of the first teacher


class Results:
    """All runs of a benchmark by teacher; reads the evaluations only.

    ``table("mastered")``, ``plot("mastered")`` and ``save(folder)`` show interquartile means over
    runs with 95 % bootstrap intervals (Agarwal et al., 2021, arXiv 2108.13264).
    """

    def __init__(
        self,
        runs: dict[str, list[Run]],
        keep: tempfile.TemporaryDirectory[str] | None = None,
    ) -> None:
        self.runs = runs
        self._keep = keep

    @classmethod
    def load(
        cls, folder: Path | str, keep: tempfile.TemporaryDirectory[str] | None = None
    ) -> "Results":
        """Open the finished runs of a benchmark folder."""
        runs: dict[str, list[Run]] = {}
        for config in sorted(Path(folder).glob("*/seed_*/config.json")):
            run = Run.load(config.parent)
            if run.status == "done":
                runs.setdefault(config.parent.parent.name, []).append(run)
        if not runs:
            raise FileNotFoundError(f"{folder} holds no finished run of a benchmark")
        return cls(runs, keep)

    @cached_property
    def evaluations(self) -> dict[str, list[Evaluations]]:
        """The evaluations of each run, by teacher."""
        return {name: [run.evaluations for run in runs] for name, runs in self.runs.items()}

    def curves(
        self, metric: str = "mastered"
    ) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Return steps (E,) and values (runs, E) by teacher; runs are cut to the shortest."""
        measure = METRICS[_known(metric)]
        curves = {}
        for name, evaluations in self.evaluations.items():
            length = min(len(e) for e in evaluations)
            values = np.array([measure(e)[:length] for e in evaluations])
            curves[name] = (evaluations[0].steps[:length], values)
        return curves

    def table(self, metric: str = "mastered") -> list[Row]:
        """Return one row per teacher, from the last evaluations."""
        final = {name: values[:, -1] for name, (_, values) in self.curves(metric).items()}
        first = next(iter(final))
        return [
            Row(
                name,
                len(values),
                estimate(values),
                None
                if name == first
                else estimate(values, final[first], statistic=probability_of_improvement),
            )
            for name, values in final.items()
        ]

    def plot(self, metric: str = "mastered") -> Figure:
        """Draw the learning curves of all teachers."""
        return learning_curve_figure(self.curves(metric), label=UNITS[_known(metric)])

    def save(self, folder: Path | str, metric: str = "mastered") -> list[Path]:
        """Write ``<metric>.csv`` (every run, every evaluation), ``<metric>.png`` and the table."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{metric}.csv", folder / f"{metric}_table.csv", folder / f"{metric}.png"]
        with paths[0].open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["teacher", "seed", "steps", metric])
            for name, (steps, values) in self.curves(metric).items():
                for run, row in zip(self.runs[name], values, strict=True):
                    for step, value in zip(steps.tolist(), row.tolist(), strict=True):
                        writer.writerow([name, run.config["seed"], step, value])
        with paths[1].open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            head = [f"{metric}_{part}" for part in ("iqm", "low", "high")]
            beats = [f"beats_first_{part}" for part in ("probability", "low", "high")]
            writer.writerow(["teacher", "runs", *head, *beats])
            for row_ in self.table(metric):
                writer.writerow([row_.teacher, row_.runs, *row_.value, *(row_.improvement or ())])
        self.plot(metric).savefig(paths[2], dpi=120)
        return paths


def _known(metric: str) -> str:
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}; known: {', '.join(METRICS)}")
    return metric
