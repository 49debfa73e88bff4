"""Which teacher copes with what, and how much does an expert's knowledge help it?

The five challenges of TeachMyAgent, with three amounts of knowledge. The whole of it is thousands
of runs of 20 million steps: choose some, or fewer steps. A teacher that cannot do without knowledge
is left out where there is none. Diverse students are four settings whose runs make one table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from teachrl import benchmark
from teachrl.challenges import CHALLENGES, EVALUATE_EVERY, STEPS, Challenge
from teachrl.core import Teacher
from teachrl.registry import UnknownNameError
from teachrl.results import Results
from teachrl.teachers import TEACHERS

Amount = Literal["nothing", "low", "high"]

BEGIN_SMALL = ("adr", "goal-gan", "self-paced")  # untold, they begin somewhere, not everywhere
FOLDER = Path("runs/challenges")
RESULTS = Path(__file__).parent / "results" / "challenges"
PUBLISHED = (
    "random",
    "adr",
    "alp-gmm",
    "covar-gmm",
    "goal-gan",
    "riac",
    "self-paced",
    "setter-solver",
)


@dataclass(kw_only=True)
class Arguments:
    """Which teacher copes with what, and how much does an expert's knowledge help it?"""

    challenges: tuple[str, ...] = tuple(CHALLENGES)
    teachers: tuple[str, ...] = tuple(name for name in PUBLISHED if name in TEACHERS)
    knowledge: tuple[Amount, ...] = ("nothing", "low", "high")
    seeds: tuple[int, ...] = tuple(range(16))
    steps: int = STEPS  # environment steps of a run
    evaluate_every: int = EVALUATE_EVERY  # steps between evaluations
    test_tasks: int = 100  # fewer than the published 100 are spread over them
    n_envs: int = 1  # environments that play at the same time; the benchmark has one
    workers: int | None = None  # runs at the same time; by default one per core
    folder: Path = FOLDER  # gets the runs: <challenge>/<knowledge>/<teacher>/seed_<n>
    out: Path = RESULTS  # gets curves and tables


def main(arguments: Arguments) -> None:
    """Carry out the runs that are missing, and compare."""
    for label, names in labelled(arguments.challenges).items():
        for amount in arguments.knowledge:
            parts = [
                carry_out(CHALLENGES[name], arguments, amount, Path(name, amount)) for name in names
            ]
            results = merged([part for part in parts if part])
            if not results.runs:
                print(f"{label}, {amount}: no teacher can do without knowledge")
                continue
            for row in results.table("mastered"):
                mastered = row.value.text(100, ".1f", " % mastered")
                print(f"{label}, {amount}, {row.teacher}: {mastered}")
            print(*results.save(arguments.out / label / amount), sep="\n")


def labelled(names: Sequence[str]) -> dict[str, list[str]]:
    """Return the names of challenges by label: each by its own, but for those that are one."""
    groups: dict[str, list[str]] = {}
    for name in names:
        if name not in CHALLENGES:
            raise UnknownNameError("challenge", name, CHALLENGES)
        groups.setdefault(CHALLENGES[name].label or name, []).append(name)
    return groups


def merged(parts: Sequence[Results]) -> Results:
    """Return the runs of all results, by teacher."""
    names = dict.fromkeys(name for part in parts for name in part.runs)
    return Results(
        {name: [run for part in parts for run in part.runs.get(name, [])] for name in names}
    )


def carry_out(
    challenge: Challenge, arguments: Arguments, amount: Amount, path: Path
) -> Results | None:
    """Teach with every teacher and seed; seeds in turn, since they may differ in more than luck."""
    results = None
    for seed in arguments.seeds:
        teachers = informed(challenge, arguments.teachers, amount, seed)
        if not teachers:
            continue
        options = challenge.arguments(seed) | {
            "evaluate_every": arguments.evaluate_every,
            "test_set": challenge.test_set(seed).subset(arguments.test_tasks),
            "steps": arguments.steps,
            "n_envs": arguments.n_envs,
        }
        results = benchmark(
            options.pop("student"),
            options.pop("env"),
            teachers,
            seeds=[options.pop("seed")],
            folder=arguments.folder / path,
            workers=arguments.workers,
            **options,
        )
    return results and Results.load(arguments.folder / path)


def informed(
    challenge: Challenge, names: tuple[str, ...], amount: Amount, seed: int
) -> dict[str, Teacher]:
    """Return the teachers, told what the expert knows, but for those who need to know more."""
    teachers: dict[str, Teacher] = {}
    for name in names:
        make = TEACHERS[name]
        teacher = getattr(make, "tuned_for_walker", make)()
        expert = challenge.knowledge(amount, seed)
        if name in BEGIN_SMALL:
            expert = expert.guessing(challenge.task_space, seed)
        try:
            teachers[name] = expert.told(teacher)
        except ValueError as reason:
            print(f"left out: {reason}")
    return teachers


if __name__ == "__main__":
    main(tyro.cli(Arguments))
