"""Does teaching by regret lead further than random tasks, on tasks that no one was taught?

PPO on the point mass and on the obstacle tracks; what counts is the share of hold-out tasks that is
mastered. Every run has the same number of steps in its own environments, but some pay for more:
roll-outs, a second student. So the curves are read twice: at equal environment steps of all kinds,
and at equal samples in gradients, of which those who explore without learning have fewer.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tyro
from numpy.typing import NDArray

from teachrl import benchmark
from teachrl.core import Teacher
from teachrl.envs import ObstacleTracks, PointMass
from teachrl.evaluation import TestSet
from teachrl.evaluation.statistics import Estimate, estimate
from teachrl.results import Results
from teachrl.runs import Run
from teachrl.students.presets import PPOPreset
from teachrl.teachers import ACCEL, ALPGMM, CLUTR, PAIRED, PLR, SFL, Random

Array = NDArray[np.float64]
Budget = Callable[[Run], Array]

N_ENVS = 16
EVALUATIONS = 10
RESULTS = Path(__file__).parent / "results" / "regret"


class World(NamedTuple):
    """Where to teach, and what to test on."""

    env: Callable[..., Any]
    student: Any
    hold_outs: dict[str, TestSet]
    steps: int
    teachers: dict[str, Teacher]


def point_mass(tests: int) -> World:
    """Return the gates of the self-paced literature, tested on the target and on all of them."""
    env = partial(PointMass, friction=0)
    example = env()
    return World(
        env,
        PPOPreset.for_point_mass(),
        {
            name: TestSet.load(path, example.task_space).subset(tests)
            for name, path in example.test_sets.items()
        },
        819_200,
        _teachers({"capacity": 100, "temperature": 0.45}, (-1.0, 6.0), (1.0, 8.0), 0.05),
    )


def obstacle_tracks(tests: int) -> World:
    """Return the walker of eight parameters, tested on its six published settings."""
    space = ObstacleTracks.task_space
    return World(
        ObstacleTracks,
        PPOPreset(),
        {
            name: TestSet.load(path, space).subset(tests)
            for name, path in list(ObstacleTracks.test_sets.items())[:6]
        },
        2_000_000,
        # A buffer of a twentieth of the episodes: the published one has 1,000 and 655M steps.
        _teachers(
            {"capacity": 256, "staleness": 0.5},
            ObstacleTracks.easy_low,
            ObstacleTracks.easy_high,
            ObstacleTracks.edit_size,
        ),
    )


WORLDS = {"point-mass": point_mass, "obstacle-tracks": obstacle_tracks}


def _teachers(
    replay: dict[str, Any],
    easy_low: tuple[float, ...],
    easy_high: tuple[float, ...],
    edit_size: float | tuple[float, ...],
) -> dict[str, Teacher]:
    replay = {"min_fill": 0.25, **replay}
    return {
        "random": Random(),
        "plr": PLR(robust=False, **replay),
        "robust-plr": PLR(**replay),
        "accel": ACCEL(**replay, easy_low=easy_low, easy_high=easy_high, edit_size=edit_size),
        "sfl": SFL(candidates=64, keep=32, refresh_every=200_000),
        "alp-gmm": ALPGMM(),
        "paired": PAIRED(),
        "clutr": CLUTR(),
    }


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
        steps = arguments.steps or world.steps
        results = benchmark(
            world.student,
            world.env,
            {
                n: t
                for n, t in world.teachers.items()
                if n in (arguments.teachers or world.teachers)
            },
            seeds=arguments.seeds,
            steps=steps,
            n_envs=N_ENVS,
            folder=arguments.folder / name,
            workers=arguments.workers,
            test_set=_joined(world.hold_outs),
            evaluate_every=max(1, steps // max(arguments.evaluations - 1, 1)),
        )
        out = arguments.out / name
        print(*results.save(out), sep="\n")
        results.plot(axis="all").savefig(out / "mastered_all_steps.png", dpi=120)
        rows = list(compare(results, world.hold_outs))
        with (out / "hold_outs.csv").open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([HEADER, *rows])
        for budget, at, hold_out, teacher, runs, *shares in rows:
            text = "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * share for share in shares))
            print(f"{name}, {hold_out}, at {at:,} {budget}: {teacher} {text} %, {runs} runs")


HEADER = ("equal", "at", "hold_out", "teacher", "runs", "mastered", "low", "high")


def env_steps(run: Run) -> Array:
    """Return all environment steps up to each evaluation, whatever they were for."""
    return run.evaluations.env_steps.astype(np.float64)


def gradient_samples(run: Run) -> Array:
    """Return the samples that the student had learnt from at each evaluation, repeats included."""
    with (run.folder / "progress.csv").open(newline="") as file:
        lines = [row for row in csv.DictReader(file) if row["ledger/gradient_samples"]]
    logged = [
        (float(r["time/total_timesteps"]), float(r["ledger/gradient_samples"])) for r in lines
    ]
    last = float(run.evaluations.steps[-1]), float(run.summary["gradient_samples"])
    steps, samples = np.array([(0.0, 0.0), *logged, last]).T
    return np.interp(run.evaluations.steps, steps, np.maximum.accumulate(samples))


BUDGETS: dict[str, Budget] = {"environment steps": env_steps, "gradient samples": gradient_samples}


def compare(results: Results, hold_outs: dict[str, TestSet]) -> Iterator[tuple[Any, ...]]:
    """Yield the mastered share by budget, hold-out and teacher: IQM over runs, 95 % interval.

    All are read where the one who has least of the budget ends.
    """
    ends = np.cumsum([len(tests) for tests in hold_outs.values()])
    parts = dict(zip(hold_outs, np.split(np.arange(ends[-1]), ends[:-1]), strict=True))
    for budget, spent in BUDGETS.items():
        at = min(spent(run)[-1] for runs in results.runs.values() for run in runs)
        for hold_out, columns in {"all": np.arange(ends[-1]), **parts}.items():
            for teacher, runs in results.runs.items():
                shares = [_share_at(at, spent(run), run, columns) for run in runs]
                value: Estimate = estimate(np.array(shares))
                yield (budget, round(at), hold_out, teacher, len(runs), *value)


def _share_at(at: float, spent: Array, run: Run, columns: NDArray[np.int64]) -> float:
    return float(np.interp(at, spent, run.evaluations.mastered[:, columns].mean(axis=1)))


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
