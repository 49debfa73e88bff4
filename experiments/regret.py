"""Does teaching by regret lead further than random tasks, on tasks that no one was taught?

PPO on the point mass, the obstacle tracks and the hexagons; what counts is the share of hold-out
tasks that is mastered, and the return on them. Every run has the same number of steps in its own
environments, but some pay for more: roll-outs, a second student. So the curves are read twice: at
equal environment steps of all kinds, but for those of the tests, which are the longer the better
the student survives; and at equal samples in gradients, of which those have fewer who explore
without learning.

``curves.csv`` keeps every evaluation of every run; runs that it has are not repeated, so the same
command goes on, also on another machine.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import tyro
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.regret_worlds import WORLDS, World
from teachrl import benchmark
from teachrl.evaluation import TestSet
from teachrl.evaluation.statistics import Estimate, estimate
from teachrl.monitoring.figures import Curve, learning_curve_figure
from teachrl.runs import Run

Array = NDArray[np.float64]

EVALUATIONS = 10
ALL = "all"  # hold-outs together
BUDGETS = ("environment steps", "gradient samples")
HEADER = (
    "equal",
    "at",
    "hold_out",
    "teacher",
    "runs",
    *("mastered", "mastered_low", "mastered_high"),
    *("return", "return_low", "return_high"),
)
RESULTS = Path(__file__).parent / "results" / "regret"


@dataclass(kw_only=True)
class Arguments:
    """Does teaching by regret lead further than random tasks?"""

    worlds: tuple[str, ...] = tuple(WORLDS)
    teachers: tuple[str, ...] = ()  # none: all
    seeds: tuple[int, ...] = tuple(range(5))
    steps: int | None = None  # of a run, in its own environments; none: as many as the world needs
    evaluations: int = EVALUATIONS  # of a run, the first before it begins
    tests: int = 10  # tasks of each hold-out
    workers: int | None = None  # runs at the same time; none: one per core
    folder: Path = Path("runs/regret")
    out: Path = RESULTS


def main(arguments: Arguments) -> None:
    """Carry out the runs that are missing, compare, and write down."""
    for name in arguments.worlds:
        world = WORLDS[name](arguments.tests)
        plan = Plan(
            world,
            arguments.steps or world.steps,
            arguments.evaluations,
            arguments.out / name / "curves.csv",
            arguments.folder / name,
        )
        for seed in arguments.seeds:
            plan.grow(arguments.teachers or tuple(world.teachers), seed, arguments.workers)
        curves = plan.known()
        for row in _report(curves, world, plan.path.parent):
            shares = row.mastered.text(100, ".1f", " % mastered")
            returns = row.reward.text(form=".1f")
            at = f"{name}, {row.hold_out}, at {row.at:,} {row.equal}"
            print(f"{at}: {row.teacher}: {shares}, return {returns}, {row.runs} runs")


class Plan(NamedTuple):
    """Runs in one world, and the table that keeps what they gave."""

    world: World
    steps: int  # of a run
    evaluations: int  # of a run
    path: Path  # of the table
    folder: Path  # of the runs

    def grow(self, names: Iterable[str], seed: int, workers: int | None) -> None:
        """Teach what the table lacks of one seed, and add it."""
        known = self.known()
        done = set(known.loc[known["seed"] == seed, "teacher"])
        missing = {name: self.world.teachers[name] for name in names if name not in done}
        if not missing:
            return
        try:
            benchmark(
                self.world.student,
                self.world.env,
                missing,
                seeds=[seed],
                steps=self.steps,
                n_envs=self.world.n_envs,
                test_set=_joined(self.world.hold_outs),
                evaluate_every=max(1, self.steps // max(self.evaluations - 1, 1)),
                folder=self.folder,
                workers=workers,
            )
        finally:  # those that are done, also where another one failed or somebody stopped it
            self._add(missing, seed)

    def known(self) -> pd.DataFrame:
        """Return the table; runs under other settings in it are refused."""
        if not self.path.exists():
            return pd.DataFrame({"teacher": [], "seed": [], "settings": []})
        known = pd.read_csv(self.path)
        for (name, settings), _ in known.groupby(["teacher", "settings"]):
            if name not in self.world.teachers or settings != self._settings(name):
                raise ValueError(
                    f"the runs of {name} in {self.path} were made under other settings than "
                    "today's: choose another --out, or take their rows out"
                )
        return known

    def _add(self, names: Iterable[str], seed: int) -> None:
        """Add the finished runs to the table."""
        found = [self.folder / name / f"seed_{seed}" for name in names]
        runs = [Run.load(folder) for folder in found if (folder / "config.json").exists()]
        rows = [
            pd.DataFrame(
                {"teacher": run.folder.parent.name, "seed": seed}
                | {"settings": self._settings(run.folder.parent.name)}
                | evaluations(run, self.world)
            )
            for run in runs
            if run.status == "done"
        ]
        if rows:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            before = [self.known()] if self.path.exists() else []
            pd.concat([*before, *rows]).to_csv(self.path, index=False, float_format="%.10g")

    def _settings(self, name: str) -> str:
        """Return what tells runs of a teacher under these settings from others."""
        tests = {of: len(each) for of, each in self.world.hold_outs.items()}
        teacher, student = self.world.teachers[name], self.world.student
        told = repr((teacher, student, self.world.n_envs, self.steps, self.evaluations, tests))
        return sha256(told.encode()).hexdigest()[:12]


def evaluations(run: Run, world: World) -> dict[str, Array]:
    """Return what each evaluation found, and what had been spent by then, as columns."""
    found = run.evaluations
    ends = np.cumsum([len(tests) for tests in world.hold_outs.values()])[:-1]
    columns = {
        "steps": found.steps,
        "environment steps": found.env_steps - np.cumsum(found.lengths.sum(axis=1)),
        "gradient samples": gradient_samples(run),
        "regret": since_last(run, "teacher/regret_mean"),
        "distance": since_last(run, "teacher/distance"),
        ALL: found.mastered.mean(axis=1),
        f"{ALL} return": found.rewards.mean(axis=1),
    }
    for name, mastered, rewards in zip(
        world.hold_outs,
        np.split(found.mastered, ends, axis=1),
        np.split(found.rewards, ends, axis=1),
        strict=True,
    ):
        columns |= {name: mastered.mean(axis=1), f"{name} return": rewards.mean(axis=1)}
    return columns


def gradient_samples(run: Run) -> Array:
    """Return the samples in gradients by each evaluation, those of a second student too."""
    last = float(run.evaluations.steps[-1]), float(run.summary["gradient_samples"])
    logged = _logged(run, "ledger/gradient_samples")
    steps, samples = np.array([(0.0, 0.0), *logged, last]).T
    return np.interp(run.evaluations.steps, steps, np.maximum.accumulate(samples))


def since_last(run: Run, column: str) -> Array:
    """Return the means of a logged value between evaluations; NaN where nothing was logged."""
    logged = np.array([(-1.0, np.nan), *_logged(run, column)])
    ends = run.evaluations.steps
    parts = np.split(logged[:, 1], np.searchsorted(logged[:, 0], ends, side="right"))[: len(ends)]
    known = [part[np.isfinite(part)] for part in parts]
    return np.array([part.mean() if len(part) else np.nan for part in known])


def _logged(run: Run, column: str) -> list[tuple[float, float]]:
    """Return a column of the log with its steps; it is empty where it was not written."""
    with (run.folder / "progress.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get(column)]
    return [(float(row["time/total_timesteps"]), float(row[column])) for row in rows]


class Row(NamedTuple):
    """How one teacher's students do on one hold-out: IQM over runs, 95 % interval."""

    equal: str
    at: int
    hold_out: str
    teacher: str
    runs: int
    mastered: Estimate
    reward: Estimate


def compare(curves: pd.DataFrame, teachers: list[str], hold_outs: list[str]) -> Iterator[Row]:
    """Yield a row per budget, hold-out and teacher.

    All are read where the run that has least of the budget ends.
    """
    for budget in BUDGETS:
        at = min(run[budget].iloc[-1] for name in teachers for run in _runs(curves, name))
        for hold_out in hold_outs:
            for name in teachers:
                runs = _runs(curves, name)
                mastered, reward = (
                    estimate(np.array([np.interp(at, run[budget], run[column]) for run in runs]))
                    for column in (hold_out, f"{hold_out} return")
                )
                yield Row(budget, round(at), hold_out, name, len(runs), mastered, reward)


def _report(curves: pd.DataFrame, world: World, out: Path) -> list[Row]:
    """Write pictures and the table of what there is, and return its rows."""
    teachers = [name for name in world.teachers if len(_runs(curves, name))]
    for label, budget in (("steps", "steps"), ("all_steps", "environment steps")):
        panels = {"mastered hold-out tasks (%)": ALL, "return on hold-out tasks": f"{ALL} return"}
        _figure(curves, teachers, budget, panels).savefig(out / f"curves_{label}.png", dpi=120)
    if pairs := [name for name in teachers if curves_of(curves, name)["regret"].notna().any()]:
        panels = {
            "mean regret of designs": "regret",
            "distance of designs from uniform": "distance",
        }
        _figure(curves, pairs, "steps", panels).savefig(out / "designs.png", dpi=120)
    rows = list(compare(curves, teachers, [ALL, *world.hold_outs]))
    with (out / "hold_outs.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows((*row[:5], *row.mastered, *row.reward) for row in rows)
    return rows


def curves_of(curves: pd.DataFrame, teacher: str) -> pd.DataFrame:
    """Return the rows of one teacher."""
    return curves[curves["teacher"] == teacher]


def _runs(curves: pd.DataFrame, teacher: str) -> list[pd.DataFrame]:
    return [run for _, run in curves_of(curves, teacher).groupby("seed")]


def _figure(
    curves: pd.DataFrame, teachers: Iterable[str], budget: str, panels: Mapping[str, str]
) -> Figure:
    """Draw columns of the table, one panel each, against a budget."""
    lines = {
        label: {
            name: Curve.of_runs(
                [(run[budget], run[column]) for run in _runs(curves.dropna(subset=column), name)]
            )
            for name in teachers
        }
        for label, column in panels.items()
    }
    of = "training" if budget == "steps" else "all but tests: training, roll-outs, antagonist"
    return learning_curve_figure(lines, f"environment steps ({of})")


def _joined(hold_outs: dict[str, TestSet]) -> TestSet:
    """Return all hold-outs as one test set, in their order."""
    sets = list(hold_outs.values())
    params, seeds = (
        np.concatenate([s.params for s in sets]),
        np.concatenate([s.seeds for s in sets]),
    )
    return TestSet(sets[0].space, params, seeds, "hold-outs")


if __name__ == "__main__":
    main(tyro.cli(Arguments))
