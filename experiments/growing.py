"""Benchmarks in pieces: runs that a set of baselines has are not taught again."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from teachrl import benchmark
from teachrl.baselines import extend_baselines, load_baselines
from teachrl.core import Teacher
from teachrl.results import Results


def grow(
    student: Any,
    env: Callable[..., Any] | str,
    teachers: Mapping[str, Teacher],
    *,
    seeds: Sequence[int],
    steps: int,
    folder: Path,
    baselines: Path,
    about: str,
    **arguments: Any,
) -> Results:
    """Carry out the runs that ``baselines`` lacks, one seed after the other, and return them all.

    Args:
        student: as for :func:`teachrl.benchmark`, which takes ``arguments`` as well.
        env: likewise.
        teachers: by name.
        seeds: of each teacher.
        steps: of each run.
        folder: gets the runs.
        baselines: the set that gets their numbers; it is returned for these teachers only.
        about: a sentence that says which command makes it.
        **arguments: further ones of :func:`teachrl.benchmark`.
    """
    for seed in seeds:
        known = _known(baselines, steps)
        missing = {name: t for name, t in teachers.items() if (name, seed) not in known}
        if missing:
            try:
                benchmark(
                    student, env, missing, seeds=[seed], steps=steps, folder=folder, **arguments
                )
            finally:  # those that are done, also where another one failed or somebody stopped it
                _keep(folder, baselines, about)
    stored = load_baselines(baselines).outcomes
    return Results({}, stored={name: stored[name] for name in teachers if name in stored})


def _known(baselines: Path, steps: int) -> set[tuple[str, int]]:
    if not (baselines / "baseline.json").is_file():
        return set()
    stored = load_baselines(baselines)
    if stored.conditions["steps"] != steps:
        raise ValueError(
            f"the runs of {baselines} have {stored.conditions['steps']} steps, not {steps}: name "
            "another folder with --baselines"
        )
    outcomes = stored.outcomes.items()
    return {(name, outcome.seed) for name, found in outcomes for outcome in found}


def _keep(folder: Path, baselines: Path, about: str) -> None:
    try:
        done = Results.load(folder)
    except FileNotFoundError:
        return
    extend_baselines(done, baselines, about)
