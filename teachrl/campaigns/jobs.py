"""What a worker does: carry out one run, and say how it ended."""

import os
import pickle
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from socket import gethostname
from threading import Event, Thread

import cloudpickle

from teachrl.campaigns.progress import Progress, read_progress
from teachrl.campaigns.record import Record
from teachrl.campaigns.shipping import pack, unpack
from teachrl.campaigns.specs import RunSpec
from teachrl.runs.folder import BusyRunError, OtherConfigurationError
from teachrl.training import teach

_EVERY = 5.0  # seconds between two records of progress, where runs are shipped

Report = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One attempt at a run."""

    spec: RunSpec
    root: Path  # of the campaign, absolute
    token: str  # in campaign.json there, by which a worker knows that it sees the same folder
    ship: bool = False  # work in a folder of the worker's own, and return it
    packed: bytes | None = None  # what there is of the run already, where it is shipped


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How an attempt ended.

    ``kind`` is one of ``done``; ``failed``, by an error of the run's; ``stopped``, as it was asked
    to; ``busy``, since another process writes this run; ``refused``, since the folder holds a run
    of another configuration; ``unshared``, since the worker does not see the campaign's folder.
    """

    kind: str
    error: str = ""  # in a sentence
    details: str = ""  # the traceback
    packed: bytes | None = None  # the run folder, where it is shipped


def pack_job(job: Job) -> bytes:
    """Return a job as bytes, with what another process needs to understand it.

    Classes of scripts and notebooks travel by value; what is imported must be importable there.
    """
    return pickle.dumps((sys.path, sys.argv, str(Path.cwd()), cloudpickle.dumps(job)))


def carry_out_packed(payload: bytes, report: Report) -> Ending:
    """Carry out a job from :func:`pack_job` in a process of its own."""
    try:
        path, sys.argv, folder, packed = pickle.loads(payload)  # the run records its command
        sys.path += [entry for entry in path if entry not in sys.path]
        if Path(folder).is_dir():
            os.chdir(folder)  # where the code's revision is asked for
        job = pickle.loads(packed)
    except Exception as error:  # noqa: BLE001 - whatever the user's classes raise
        return Ending(
            kind="failed",
            error=f"the worker on {gethostname()} could not read its run, {_sentence(error)}. What "
            "the run imports must be installed there",
            details=traceback.format_exc(),
        )
    return carry_out(job, report)


def carry_out(job: Job, report: Report) -> Ending:
    """Teach as the job says, going on with what there is of the run."""
    if job.ship:
        return _carry_out_and_pack(job, report)
    if Record.token_of(job.root) != job.token:
        return Ending(
            kind="unshared",
            error=f"{gethostname()} does not see the campaign in {job.root}: choose a folder that "
            "all machines share, or ship=True (--ship) to send runs back over the network",
        )
    return _teach(job.spec, job.root / job.spec.path)


def _carry_out_and_pack(job: Job, report: Report) -> Ending:
    with tempfile.TemporaryDirectory(prefix="teachrl-") as scratch:
        folder = Path(scratch, "run")
        try:
            if job.packed is not None:
                unpack(job.packed, folder)
            with _reporting(folder, report):
                ending = _teach(job.spec, folder)
            return replace(ending, packed=pack(folder))
        except (OSError, ValueError) as error:
            return _ending("failed", error)


def _teach(spec: RunSpec, folder: Path) -> Ending:
    arguments = dict(spec.arguments)
    try:
        teach(
            spec.student,
            spec.env,
            spec.teacher,
            steps=spec.steps,
            seed=spec.seed,
            folder=folder,
            **arguments,
        )
    except BusyRunError as error:
        return _ending("busy", error)
    except OtherConfigurationError as error:
        return _ending("refused", error)
    except KeyboardInterrupt as error:
        return _ending("stopped", error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the others go on
        return _ending("failed", error)
    return Ending(kind="done")


@contextmanager
def _reporting(folder: Path, report: Report) -> Iterator[None]:
    """Report the progress of a run every few seconds, from a thread."""
    is_over = Event()

    def repeat() -> None:
        while not is_over.wait(_EVERY):
            report(read_progress(folder))

    thread = Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _ending(kind: str, error: BaseException) -> Ending:
    return Ending(kind=kind, error=_sentence(error), details=traceback.format_exc())


def _sentence(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
