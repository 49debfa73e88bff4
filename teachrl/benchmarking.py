"""Compare teachers over seeds."""

import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import gymnasium as gym
import joblib

from teachrl.core import Teacher
from teachrl.results import Results
from teachrl.runs.folder import RunFolderError
from teachrl.teachers import TEACHERS
from teachrl.training import teach

log = logging.getLogger("teachrl")


def benchmark(
    student: Any,
    env: Callable[..., gym.Env[Any, Any]] | str,
    teachers: Sequence[Teacher] | Mapping[str, Teacher],
    *,
    seeds: int | Sequence[int],
    steps: int,
    folder: Path | str | None = None,
    workers: int | None = None,
    **options: Any,
) -> Results:
    """Teach one student per teacher and seed, each in a process with one thread.

    Calling it again with the same folder repeats no finished run. When runs fail, the others go on,
    and the error at the end names those that failed.

    Args:
        student: as for :func:`teachrl.teach`.
        env: as for :func:`teachrl.teach`.
        teachers: their configurations; a mapping names them, else their class and what differs from
            its defaults does.
        seeds: how many (0, 1, …), or which.
        steps: of each run.
        folder: gets one run folder per teacher and seed: ``<folder>/<teacher>/seed_<n>``.
        workers: runs at the same time; None: one per core; 1: in this process.
        **options: further arguments of :func:`teachrl.teach`.
    """
    named = dict(teachers) if isinstance(teachers, Mapping) else _named(teachers)
    keep = tempfile.TemporaryDirectory(prefix="teachrl-") if folder is None else None
    root = Path(folder or keep.name)  # type: ignore[union-attr]
    jobs = list(_jobs(named, _seed_list(seeds), root))
    arguments = {"steps": steps, **options}
    workers = min(workers or os.cpu_count() or 1, len(jobs))
    log.info("%d runs, %d at a time, in %s", len(jobs), workers, root)
    with joblib.parallel_config("loky" if workers > 1 else "sequential", n_jobs=workers):
        calls = (joblib.delayed(_carry_out)(student, env, job, arguments) for job in jobs)
        problems = joblib.Parallel()(calls)
    if failed := [problem for problem in problems if problem]:
        raise RuntimeError(
            f"{len(failed)} of {len(jobs)} runs failed; call again to repeat those only:\n"
            + "\n".join(failed)
        )
    return Results.load(root, list(named), keep)


@dataclass(frozen=True)
class Job:
    """One run of a benchmark."""

    teacher: Teacher
    seed: int
    folder: Path


def _jobs(named: Mapping[str, Teacher], seeds: Sequence[int], root: Path) -> Iterator[Job]:
    """Yield seed by seed, so that an interrupted benchmark has compared something."""
    for seed in seeds:
        for name, teacher in named.items():
            yield Job(teacher, seed, root / name / f"seed_{seed}")


def _carry_out(student: Any, env: Any, job: Job, arguments: Mapping[str, Any]) -> str | None:
    """Teach, and return what went wrong, if anything did."""
    try:
        teach(student, env, job.teacher, seed=job.seed, folder=job.folder, **arguments)
    except RunFolderError:
        raise  # a folder with other results: a mistake of the caller's, for all runs
    except Exception as error:
        log.exception("%s failed", job.folder)
        return f"{job.folder}: {type(error).__name__}: {error}"
    return None


def _seed_list(seeds: int | Sequence[int]) -> Sequence[int]:
    chosen = range(seeds) if isinstance(seeds, int) else seeds
    if not chosen or len(set(chosen)) != len(chosen):
        raise ValueError(f"seeds must be a positive count or a list without repeats, got {seeds!r}")
    return chosen


def _named(teachers: Sequence[Teacher]) -> dict[str, Teacher]:
    """Name teachers by class and by what differs from the defaults."""
    if not teachers:
        raise ValueError("a benchmark needs at least one teacher")
    names = [_label(teacher) for teacher in teachers]
    if len(set(names)) != len(names):
        raise ValueError(f"two teachers are the same: {names}; name them with a dictionary")
    return dict(zip(names, teachers, strict=True))


def _label(teacher: Teacher) -> str:
    if not isinstance(teacher, Teacher):
        raise TypeError(f"a teacher is an object such as ALPGMM(), got {teacher!r}")
    name = TEACHERS.name_of(type(teacher)) or type(teacher).__name__
    usual, given = type(teacher)(), teacher
    changed = [f.name for f in fields(given) if getattr(given, f.name) != getattr(usual, f.name)]  # type: ignore[arg-type]
    parts = [f"{field}-{getattr(given, field)}".replace("/", "_") for field in changed]
    return ",".join([name, *parts])
