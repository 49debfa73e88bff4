"""Does teaching by regret lead further than random tasks, on tasks that no one was taught?

PPO on the point mass, the obstacle tracks and the hexagons; what counts is the share of hold-out
tasks that is mastered. Every run has the same number of steps in its own environments, but some pay
for more: roll-outs, a second student. So the curves are read twice: at equal environment steps of
all kinds, and at equal samples in gradients, of which those have fewer who explore without
learning.

``curves.csv`` keeps every evaluation of every run; runs that it has are not repeated, so the same
command goes on, also on another machine.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tyro
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.regret_worlds import WORLDS, World
from teachrl import benchmark
from teachrl.core import Teacher
from teachrl.evaluation import TestSet
from teachrl.evaluation.statistics import estimate
from teachrl.monitoring.figures import Curve, learning_curve_figure
from teachrl.runs import Run

Array = NDArray[np.float64]

EVALUATIONS = 10
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
        teachers = {n: world.teachers[n] for n in arguments.teachers or world.teachers}
        out = arguments.out / name
        out.mkdir(parents=True, exist_ok=True)
        steps = arguments.steps or world.steps
        for seed in arguments.seeds:
            _grow(
                out / "curves.csv",
                world,
                teachers,
                seed=seed,
                steps=steps,
                evaluate_every=max(1, steps // max(arguments.evaluations - 1, 1)),
                workers=arguments.workers,
                folder=arguments.folder / name,
            )
        curves = pd.read_csv(out / "curves.csv")
        for label, budget in (("steps", "steps"), ("all_steps", "environment steps")):
            figure = _figure(curves, teachers, budget, "all", "mastered hold-out tasks (%)")
            figure.savefig(out / f"mastered_{label}.png", dpi=120)
        pairs = [n for n in teachers if curves.loc[curves["teacher"] == n, "regret"].notna().any()]
        if pairs:
            figure = _figure(
                curves.dropna(subset="regret"), pairs, "steps", "regret", "mean regret of designs"
            )
            figure.savefig(out / "regret.png", dpi=120)
        rows = list(compare(curves, list(teachers), ["all", *world.hold_outs]))
        with (out / "hold_outs.csv").open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([HEADER, *rows])
        for budget, at, hold_out, teacher, runs, *shares in rows:
            text = "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * share for share in shares))
            print(f"{name}, {hold_out}, at {at:,} {budget}: {teacher} {text} %, {runs} runs")


HEADER = ("equal", "at", "hold_out", "teacher", "runs", "mastered", "low", "high")
BUDGETS = ("environment steps", "gradient samples")


def _grow(
    path: Path,
    world: World,
    teachers: dict[str, Teacher],
    *,
    seed: int,
    steps: int,
    **arguments: Any,
) -> None:
    """Teach what the table lacks of one seed, and add it."""
    before = [pd.read_csv(path)] if path.exists() else []
    for known in before:
        if known["planned"].ne(steps).any():
            raise ValueError(
                f"the runs in {path} have other steps than {steps}: choose another --out"
            )
    done = {key for known in before for key in zip(known["teacher"], known["seed"], strict=True)}
    missing = {name: t for name, t in teachers.items() if (name, seed) not in done}
    if not missing:
        return
    results = benchmark(
        world.student,
        world.env,
        missing,
        seeds=[seed],
        steps=steps,
        n_envs=world.n_envs,
        test_set=_joined(world.hold_outs),
        **arguments,
    )
    new = [
        pd.DataFrame({"teacher": name, "seed": seed, "planned": steps} | evaluations(run, world))
        for name, runs in results.runs.items()
        for run in runs
        if name in missing and run.config["seed"] == seed
    ]
    pd.concat([*before, *new]).to_csv(path, index=False, float_format="%.10g")


def evaluations(run: Run, world: World) -> dict[str, Array]:
    """Return what each evaluation found, and what had been spent by then, as columns."""
    mastered = run.evaluations.mastered
    ends = np.cumsum([len(tests) for tests in world.hold_outs.values()])
    parts = np.split(mastered, ends[:-1], axis=1)
    return {
        "steps": run.evaluations.steps,
        "environment steps": run.evaluations.env_steps,
        "gradient samples": gradient_samples(run),
        "regret": regret(run),
        "all": mastered.mean(axis=1),
        **{name: part.mean(axis=1) for name, part in zip(world.hold_outs, parts, strict=True)},
    }


def gradient_samples(run: Run) -> Array:
    """Return the samples in gradients by each evaluation, those of a second student too."""
    last = float(run.evaluations.steps[-1]), float(run.summary["gradient_samples"])
    logged = _logged(run, "ledger/gradient_samples")
    steps, samples = np.array([(0.0, 0.0), *logged, last]).T
    return np.interp(run.evaluations.steps, steps, np.maximum.accumulate(samples))


def regret(run: Run) -> Array:
    """Return the mean regret of designs by each evaluation, a share of the reward's range.

    It is NaN where there were none yet, or no second student.
    """
    logged = _logged(run, "teacher/regret_mean")
    if not logged:
        return np.full(len(run.evaluations.steps), np.nan)
    steps, values = np.array(logged).T
    return np.asarray(np.interp(run.evaluations.steps, steps, values, left=np.nan))


def _logged(run: Run, column: str) -> list[tuple[float, float]]:
    """Return a column of the log with its steps; it is empty where it was not written."""
    with (run.folder / "progress.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get(column)]
    return [(float(row["time/total_timesteps"]), float(row[column])) for row in rows]


def compare(
    curves: pd.DataFrame, teachers: list[str], hold_outs: list[str]
) -> Iterator[tuple[Any, ...]]:
    """Yield the mastered share by budget, hold-out and teacher: IQM over runs, 95 % interval.

    All are read where the one who has least of the budget ends.
    """
    for budget in BUDGETS:
        at = min(run[budget].iloc[-1] for name in teachers for run in _runs(curves, name))
        for hold_out in hold_outs:
            for name in teachers:
                runs = _runs(curves, name)
                shares = [np.interp(at, run[budget], run[hold_out]) for run in runs]
                yield (budget, round(at), hold_out, name, len(runs), *estimate(np.array(shares)))


def _runs(curves: pd.DataFrame, teacher: str) -> list[pd.DataFrame]:
    return [run for _, run in curves[curves["teacher"] == teacher].groupby("seed")]


def _figure(
    curves: pd.DataFrame, teachers: Iterable[str], budget: str, column: str, label: str
) -> Figure:
    lines = {
        name: Curve.of_runs([(run[budget], run[column]) for run in _runs(curves, name)])
        for name in teachers
    }
    of = "training" if budget == "steps" else "all: training, evaluation, antagonist"
    return learning_curve_figure({label: lines}, f"environment steps ({of})")


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
