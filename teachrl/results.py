"""The runs of a benchmark, compared."""

import csv
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from teachrl.campaigns.record import in_order
from teachrl.evaluation.curves import area_under_curve, median_time, time_to_threshold
from teachrl.evaluation.statistics import (
    Comparison,
    Estimate,
    estimate,
    holm,
    probability_of_improvement,
    welch_test,
)
from teachrl.monitoring.figures import Curve, learning_curve_figure
from teachrl.runs.outcomes import METRICS, Outcome, RunOutcome, read_outcomes
from teachrl.runs.store import Run

LABELS = {
    "mastered": "mastered test tasks (%)",
    "reward": "mean return on the test set",
    "success": "successes on the test set (%)",
}
AXES = {
    "train": "environment steps (training)",
    "all": "environment steps (all: training, evaluation, antagonist)",
}
DECISIVE = ("env", "mastery_threshold", "test_set")  # what must be equal, or nothing compares

_CONFIGS = "*/seed_*/config.json"


class Row(NamedTuple):
    """One teacher in the table of a benchmark."""

    teacher: str
    runs: int
    value: Estimate  # interquartile mean over runs at the last evaluation, with its interval
    improvement: Estimate | None  # probability that a run beats one of the first teacher
    area: Estimate  # interquartile mean of the mean height of the curves
    time: Estimate  # median training steps to the threshold, infinite where not reached


class Pair(NamedTuple):
    """Two teachers, compared at the last evaluation."""

    teacher: str
    other: str
    improvement: Estimate  # probability that a run of the first beats one of the second
    welch: Comparison | None  # of the means; None where a teacher has a single run
    adjusted: float | None  # its p-value, corrected for the number of pairs (Holm)


class Results:
    """All runs of a benchmark by teacher; reads configurations and evaluations only.

    ``table("mastered")``, ``plot("mastered")`` and ``save(folder)`` show interquartile means over
    runs with 95 % bootstrap intervals (Agarwal et al., 2021, arXiv 2108.13264). ``rows()`` is the
    whole truth as one table: ``pandas.DataFrame(results.rows())``, or polars'.

    Args:
        runs: the folders by teacher, the one that the others must beat first.
        keep: a temporary folder that must outlive the results.
        stored: further runs of which only the numbers are here.
    """

    def __init__(
        self,
        runs: Mapping[str, Sequence[Run]],
        keep: tempfile.TemporaryDirectory[str] | None = None,
        stored: Mapping[str, Sequence[Outcome]] | None = None,
    ) -> None:
        self.runs = {name: list(found) for name, found in runs.items()}
        self.stored = {name: list(found) for name, found in (stored or {}).items()}
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
            teachers: which, the one that the others must beat first; None: all, as its
                ``campaign.json`` has them; without one ``random``, then all others by name.
            keep: a temporary folder that must outlive the results.
        """
        folder = Path(folder)
        found = {path.parent.parent.name for path in folder.glob(_CONFIGS)}
        names = teachers or in_order(folder, found)
        runs = {name: [o.run for o in read_outcomes(folder / name)] for name in names}
        if not any(runs.values()):
            raise FileNotFoundError(f"{folder} holds no finished run of a benchmark")
        return cls({name: found for name, found in runs.items() if found}, keep)

    @cached_property
    def outcomes(self) -> dict[str, list[Outcome]]:
        """What came of each run, by teacher; stored ones last."""
        own: dict[str, list[Outcome]] = {
            name: [RunOutcome(run) for run in runs] for name, runs in self.runs.items()
        }
        return own | self.stored

    @property
    def conditions(self) -> Mapping[str, Any]:
        """Under which the first run took place: those of all, but for the teacher."""
        return next(iter(self.outcomes.values()))[0].conditions

    def against(self, others: "Results") -> "Results":
        """Return these results with others beside them, such as those of ``load_baselines``.

        A name that both have gets ``(baseline)`` behind it there. They must be of the same
        environment and test set; different lengths are compared where the shorter ends.
        """
        _require_comparable(self.conditions, others.conditions)
        renamed = {
            f"{name} (baseline)" if name in self.outcomes else name: found
            for name, found in others.outcomes.items()
        }
        return Results(self.runs, self._keep, self.stored | renamed)

    def curves(self, metric: str = "mastered", axis: str = "train") -> dict[str, Curve]:
        """Return steps (E,) and values (runs, E) by teacher; shares are between 0 and 1.

        Args:
            metric: ``mastered``, ``reward`` or ``success``.
            axis: ``train`` counts training steps; ``all`` counts every environment step a run has
                paid for, those of its evaluations and of an antagonist included.
        """
        return {name: self.curve(name, metric, axis) for name in self.outcomes}

    def curve(self, teacher: str, metric: str = "mastered", axis: str = "train") -> Curve:
        """Return the curves of one teacher: see :meth:`curves`."""
        return Curve.of_runs(
            [(_steps(o, axis), _values(o, metric, teacher)) for o in self.outcomes[teacher]]
        )

    def final(self, metric: str = "mastered") -> dict[str, NDArray[np.float64]]:
        """Return one score per run (runs,) by teacher: where the shortest run of all ends."""
        curves = self.curves(metric)
        end = min(curve.steps[-1] for curve in curves.values())
        return {
            name: np.array([np.interp(end, curve.steps, values) for values in curve.values])
            for name, curve in curves.items()
        }

    def table(self, metric: str = "mastered", threshold: float = 0.5) -> list[Row]:
        """Return one row per teacher.

        Args:
            metric: see :meth:`curves`.
            threshold: of the metric, which the time to reach is for.
        """
        final, curves = self.final(metric), self.curves(metric)
        end = min(curve.steps[-1] for curve in curves.values())
        first = next(iter(final))
        return [
            Row(
                name,
                len(values),
                estimate(values),
                None
                if name == first
                else estimate(values, final[first], statistic=probability_of_improvement),
                estimate(area_under_curve(*curves[name].until(end))),
                median_time(time_to_threshold(*curves[name].until(end), threshold)),
            )
            for name, values in final.items()
        ]

    def pairs(self, metric: str = "mastered") -> list[Pair]:
        """Compare every two teachers, with p-values corrected for the number of pairs.

        Welch's test is the one TeachMyAgent reports (Romac et al., 2021, arXiv 2103.09815), which
        does not correct.
        """
        final = self.final(metric)
        pairs = [(later, earlier) for earlier, later in combinations(final, 2)]
        tests = [
            welch_test(final[a], final[b]) if min(len(final[a]), len(final[b])) > 1 else None
            for a, b in pairs
        ]
        corrected = iter(holm([test.p_value for test in tests if test]))
        return [
            Pair(
                a,
                b,
                estimate(final[a], final[b], statistic=probability_of_improvement),
                test,
                next(corrected) if test else None,
            )
            for (a, b), test in zip(pairs, tests, strict=True)
        ]

    def plot(self, metric: str = "mastered", axis: str = "train") -> Figure:
        """Draw the learning curves of all teachers."""
        return learning_curve_figure(
            {LABELS[_known(metric)]: self.curves(metric, axis)}, AXES[axis]
        )

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield every evaluation of every run; what is not known is None."""
        for name, outcomes in self.outcomes.items():
            for outcome in outcomes:
                columns: dict[str, Any] = {"steps": outcome.steps, "env_steps": outcome.env_steps}
                columns |= {metric: outcome.measure(metric) for metric in METRICS}
                for e in range(len(outcome.steps)):
                    values = {k: None if v is None else v[e].item() for k, v in columns.items()}
                    yield {"teacher": name, "seed": outcome.seed, **values}

    def save_rows(self, path: Path | str) -> Path:
        """Write :meth:`rows` as a CSV, for DuckDB or a spreadsheet; what is not known is empty."""
        path = Path(path)
        rows = list(self.rows())
        _write(path, [list(rows[0]), *([_cell(v) for v in row.values()] for row in rows)])
        return path

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
        for row in self.rows():
            yield [_cell(row[name]) for name in ("teacher", "seed", "steps", metric)]

    def _short_table(self, metric: str) -> Iterator[Sequence[Any]]:
        head = [f"{metric}_{part}" for part in ("iqm", "low", "high")]
        beats = [f"beats_first_{part}" for part in ("probability", "low", "high")]
        yield ("teacher", "runs", *head, *beats)
        for row in self.table(metric):
            yield (row.teacher, row.runs, *row.value, *(row.improvement or ("", "", "")))


def _require_comparable(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """Refuse to compare what was measured on different things."""
    different = [name for name in DECISIVE if ours.get(name) != theirs.get(name)]
    if different:
        changes = "; ".join(
            f"{n}: {ours.get(n)!r} here, {theirs.get(n)!r} there" for n in different
        )
        raise ValueError(
            f"these results do not compare ({changes}): play the same environment and its whole "
            "test set, or compare with results of your own"
        )


def _steps(outcome: Outcome, axis: str) -> NDArray[np.int64]:
    if axis not in AXES:
        raise ValueError(f"unknown axis {axis!r}; known: {', '.join(AXES)}")
    if axis == "train":
        return outcome.steps
    if outcome.env_steps is None:
        raise ValueError("some of these results count training steps only: use axis='train'")
    return outcome.env_steps


def _values(outcome: Outcome, metric: str, teacher: str) -> NDArray[np.float64]:
    values = outcome.measure(_known(metric))
    if values is None:
        raise ValueError(f"the runs of {teacher} have no {metric!r}: choose another metric")
    if not len(values):
        raise ValueError(f"seed {outcome.seed} of {teacher} was never evaluated")
    return values


def _known(metric: str) -> str:
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}; known: {', '.join(METRICS)}")
    return metric


def _cell(value: Any) -> Any:
    return "" if value is None else value


def _write(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
