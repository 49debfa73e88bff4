"""Runs as tasks of Ray (https://docs.ray.io), on this machine or on the nodes of a cluster."""

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when ray is imported
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else every worker warns of it
os.environ.setdefault("RAY_worker_niceness", "0")  # of a Ray started here: as the local engine's

import ray as _ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from teachrl.campaigns.engines import Ended, Engine, EngineEvent, Lost, Progressed
from teachrl.campaigns.jobs import Ending, Job, carry_out_packed, pack_job
from teachrl.campaigns.progress import Progress

ray: Any = _ray  # what it says about its types differs from release to release

_EVERY = 2.0  # seconds between two looks at the size of the cluster and at the board


class RayEngine(Engine):
    """Makes every run a task on one CPU, spread over the nodes.

    Ray itself repeats nothing: a campaign knows better where a run goes on.

    Args:
        workers: runs at the same time; None: as many as the cluster has CPUs at the moment.
        address: of a running cluster, as ``auto`` or ``10.0.0.1:6379``; None starts Ray on this
            machine, and stops it in the end.
    """

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"workers must be at least 1, or None for all CPUs, got {workers}")
        self._workers, self._is_ours = workers, not ray.is_initialized()
        if self._is_ours:
            _connect(workers, address)
        self._task = ray.remote(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")(_carry_out)
        self._pending: dict[Any, str] = {}
        self._board: Any = None
        self._answer: Any = None  # of the board, on its way
        self._asked = 0.0
        self._looked, self._cpus = 0.0, 0

    def slots(self) -> int:
        """Return the CPUs of the nodes that are alive, or the number of workers if it is less."""
        if time.monotonic() - self._looked > _EVERY or not self._cpus:
            self._looked = time.monotonic()
            self._cpus = int(ray.cluster_resources().get("CPU", 0))
        return self._cpus if self._workers is None else min(self._workers, self._cpus)

    def submit(self, job: Job) -> None:
        """Hand a job to Ray's scheduler."""
        if job.ship and self._board is None:
            node = ray.get_runtime_context().get_node_id()
            here = NodeAffinitySchedulingStrategy(node, soft=True)
            board = ray.remote(num_cpus=0, max_restarts=-1, scheduling_strategy=here)(_Board)
            self._board = board.remote()
        ref = self._task.remote(pack_job(job), job.spec.path, self._board if job.ship else None)
        self._pending[ref] = job.spec.path

    def events(self, seconds: float) -> Sequence[EngineEvent]:
        """Return which tasks ended, and how far those are that are shipped."""
        if not self._pending:
            return []
        refs = list(self._pending)
        ray.wait(refs, timeout=seconds)  # for the first
        ready, _ = ray.wait(refs, num_returns=len(refs), timeout=0)
        return [*(self._event(ref) for ref in ready), *self._progress()]

    def cancel(self) -> None:
        """Interrupt all tasks: those that run stop softly, the others do not begin."""
        for ref in self._pending:
            ray.cancel(ref, force=False)

    def close(self) -> None:
        """Kill what is left; stop Ray if it was started here."""
        for ref in self._pending:
            ray.cancel(ref, force=True)
        self._pending, self._board, self._answer = {}, None, None
        if self._is_ours:
            ray.shutdown()

    def _event(self, ref: Any) -> EngineEvent:
        path = self._pending.pop(ref)
        try:
            ending: Ending = ray.get(ref)
        except RayError as error:
            said = " ".join(str(error).split()).partition(". ")[0][:300]
            return Lost(path, f"Ray lost its worker: {type(error).__name__}, {said}")
        return Ended(path, ending)

    def _progress(self) -> list[EngineEvent]:
        """Return what is posted on the board, without waiting for it."""
        if self._board is None or time.monotonic() - self._asked < _EVERY:
            return []
        if self._answer is None:
            self._answer = self._board.take.remote()
        if not ray.wait([self._answer], timeout=0)[0]:
            return []
        answer, self._answer, self._asked = self._answer, None, time.monotonic()
        try:
            posted: dict[str, Progress] = ray.get(answer)
        except RayError:  # it died with its node, and begins again on another one
            return []
        return [Progressed(path, progress) for path, progress in posted.items()]


def _connect(workers: int | None, address: str | None) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is not None:
        try:
            ray.init(address=address, **quiet)
        except ConnectionError as error:
            raise ConnectionError(
                f"no Ray cluster answers at {address!r} ({error}): start one with 'ray start "
                "--head', or leave the address out to start Ray on this machine"
            ) from error
    else:
        ray.init(address="local", num_cpus=workers, include_dashboard=False, **quiet)


class _Board:
    """Keeps the last progress of each run until it is asked for."""

    def __init__(self) -> None:
        self._posted: dict[str, Progress] = {}

    def post(self, path: str, progress: Progress) -> None:
        """Remember how far a run is."""
        self._posted[path] = progress

    def take(self) -> dict[str, Progress]:
        """Return what is new."""
        posted, self._posted = self._posted, {}
        return posted


def _carry_out(payload: bytes, path: str, board: Any) -> Ending:
    """Carry out a job in a process of Ray's."""

    def report(progress: Progress) -> None:
        if board is not None:
            board.post.remote(path, progress)

    with _one_interrupt():
        return carry_out_packed(payload, report)


@contextmanager
def _one_interrupt() -> Iterator[None]:
    """Let Ray's cancellation interrupt once, as Ctrl-C does.

    Without a handler of ours, a task that answers an interrupt with a result never ends (2.60).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
