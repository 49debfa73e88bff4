"""Runs in processes of this machine, each of which carries out one run after the other."""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path

from teachrl.campaigns.engines import Ended, Engine, EngineEvent, Lost, Progressed
from teachrl.campaigns.jobs import Job, pack_job
from teachrl.campaigns.progress import Progress

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_HERE = str(Path(__file__).parents[3])  # so that workers find teachrl, even one not installed
_SAID = 2000  # characters of a dead worker's last words


class LocalEngine(Engine):
    """Starts worker processes as they are needed, and another one for each that dies.

    Args:
        workers: runs at the same time; None: as many as this process may use cores.
        address: None: there is no cluster.

    >>> engine = LocalEngine(workers=2)
    >>> engine.slots(), engine.events(0.0)
    (2, [])
    >>> engine.close()
    """

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        if address is not None:
            raise ValueError(f"address {address!r} is for clusters: engine='ray', or leave it out")
        if workers is not None and workers < 1:
            raise ValueError(f"workers must be at least 1, or None for all cores, got {workers}")
        self._slots = workers or cores()
        self._idle: list[_Worker] = []
        self._busy: dict[Connection, _Worker] = {}

    def slots(self) -> int:
        """Return the number of workers."""
        return self._slots

    def submit(self, job: Job) -> None:
        """Hand a job to an idle worker, or to a new one."""
        payload = pack_job(job)
        worker = self._idle.pop() if self._idle else _Worker()
        try:
            worker.connection.send_bytes(payload)
        except OSError:  # it died while it was idle
            worker.kill()
            worker = _Worker()
            worker.connection.send_bytes(payload)
        worker.path = job.spec.path
        self._busy[worker.connection] = worker

    def events(self, seconds: float) -> Sequence[EngineEvent]:
        """Return what the workers say, and which of them died."""
        ready = wait(list(self._busy), seconds) if self._busy else []
        return [self._event(self._busy[c]) for c in ready if isinstance(c, Connection)]

    def cancel(self) -> None:
        """Send SIGTERM to all workers that have a run."""
        for worker in self._busy.values():
            worker.process.terminate()

    def close(self) -> None:
        """Kill all workers; idle ones lose nothing."""
        for worker in [*self._idle, *self._busy.values()]:
            worker.kill()
        self._idle, self._busy = [], {}

    def _event(self, worker: "_Worker") -> EngineEvent:
        try:
            said = worker.connection.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            del self._busy[worker.connection]
            return Lost(worker.path, worker.kill())
        if isinstance(said, Progress):
            return Progressed(worker.path, said)
        del self._busy[worker.connection]
        self._idle.append(worker)
        return Ended(worker.path, said)


class _Worker:
    """A process that runs ``worker.py``, in a session of its own: Ctrl-C is not for it."""

    def __init__(self) -> None:
        self.path = ""  # of the run that it carries out
        self.connection, theirs = Pipe()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        paths = [_HERE, os.environ.get("PYTHONPATH", "")]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "teachrl.campaigns.engines.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ
            | dict.fromkeys(_THREADS, "1")
            | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
        theirs.close()

    def kill(self) -> str:
        """Make sure that the process is gone, and return why it went."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(0.5 if self.path else 0)  # if it is dying, let it say how
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # its environments' processes too
        status = self.process.wait()
        self.connection.close()
        self._output.seek(max(0, self._output.seek(0, 2) - _SAID))
        said = self._output.read().decode(errors="replace").strip()
        self._output.close()
        return _cause(status) + (f"; the last it said:\n{said}" if said else "")


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS


def _cause(status: int) -> str:
    if status >= 0:
        return f"its worker ended with status {status}"
    name = signal.Signals(-status).name
    hint = ", as when memory runs out" if name == "SIGKILL" else ""
    return f"its worker was killed by {name}{hint}"
