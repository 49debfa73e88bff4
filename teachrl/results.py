"""The runs of a benchmark, compared."""

import csv
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from teachrl.evaluation.statistics import Estimate, estimate, probability_of_improvement
from teachrl.monitoring.figures import Curve, learning_curve_figure
from teachrl.runs.evaluations import Evaluations
from teachrl.runs.store import Run

METRICS: dict[str, Callable[[Evaluations], Any]] = {
    "mastered": lambda evaluations: evaluations.share_mastered,
    "reward": lambda evaluations: evaluations.rewards.mean(axis=1),
    "success": lambda evaluations: evaluations.successes.mean(axis=1),
}
LABELS = {
    "mastered": "mastered test tasks (%)",
    "reward": "mean return on the test set",
    "success": "successes on the test set (%)",
}


_CONFIGS = "*/seed_*/config.json"


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
        cls,
        folder: Path | str,
        teachers: Sequence[str] | None = None,
        keep: tempfile.TemporaryDirectory[str] | None = None,
    ) -> "Results":
        """Open the finished runs of a benchmark folder.

        Args:
            folder: that :func:`teachrl.benchmark` was given.
            teachers: which, the one that the others must beat first; None: all by name.
            keep: a temporary folder that must outlive the results.
        """
        folder = Path(folder)
        names = teachers or sorted({path.parent.parent.name for path in folder.glob(_CONFIGS)})
        runs = {name: _finished(folder / name) for name in names}
        if not any(runs.values()):
            raise FileNotFoundError(f"{folder} holds no finished run of a benchmark")
        return cls({name: found for name, found in runs.items() if found}, keep)

    @cached_property
    def evaluations(self) -> dict[str, list[Evaluations]]:
        """The evaluations of each run, by teacher."""
        return {name: [run.evaluations for run in runs] for name, runs in self.runs.items()}

    def curves(self, metric: str = "mastered") -> dict[str, Curve]:
        """Return steps (E,) and values (runs, E) by teacher; shares are between 0 and 1."""
        measure = METRICS[_known(metric)]
        return {
            name: Curve.of_runs([(e.steps, measure(e)) for e in evaluations])
            for name, evaluations in self.evaluations.items()
        }

    def table(self, metric: str = "mastered") -> list[Row]:
        """Return one row per teacher, from the last evaluations."""
        final = {name: curve.values[:, -1] for name, curve in self.curves(metric).items()}
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
        return learning_curve_figure({LABELS[_known(metric)]: self.curves(metric)})

    def save(self, folder: Path | str, metric: str = "mastered") -> list[Path]:
        """Write ``<metric>.csv`` (every run, every evaluation), ``<metric>.png`` and the table."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{metric}.csv", folder / f"{metric}_table.csv", folder / f"{metric}.png"]
        _write(paths[0], self._long_table(metric))
        _write(paths[1], self._short_table(metric))
        self.plot(metric).savefig(paths[2], dpi=120)
        return paths

    def _long_table(self, metric: str) -> Iterator[Sequence[Any]]:
        yield ("teacher", "seed", "steps", metric)
        measure = METRICS[metric]
        for name, runs in self.runs.items():
            for run in runs:
                values = measure(run.evaluations).tolist()
                for step, value in zip(run.evaluations.steps.tolist(), values, strict=True):
                    yield (name, run.config["seed"], step, value)

    def _short_table(self, metric: str) -> Iterator[Sequence[Any]]:
        head = [f"{metric}_{part}" for part in ("iqm", "low", "high")]
        beats = [f"beats_first_{part}" for part in ("probability", "low", "high")]
        yield ("teacher", "runs", *head, *beats)
        for row in self.table(metric):
            yield (row.teacher, row.runs, *row.value, *(row.improvement or ("", "", "")))


def _finished(folder: Path) -> list[Run]:
    """Return the finished runs of one teacher by seed."""
    runs = [Run.load(config.parent) for config in folder.glob("seed_*/config.json")]
    return sorted((r for r in runs if r.status == "done"), key=lambda run: run.config["seed"])


def _write(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _known(metric: str) -> str:
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}; known: {', '.join(METRICS)}")
    return metric
