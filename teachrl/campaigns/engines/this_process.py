"""Runs one after the other in the process that asks for them, where a debugger sees them."""

import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from teachrl.campaigns.engines import Ended, Engine, EngineEvent
from teachrl.campaigns.jobs import Ending, Job, carry_out


class ThisProcessEngine(Engine):
    """Carries out each job when it is asked for events."""

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        if workers not in (None, 1) or address is not None:
            raise ValueError(f"one process, no address; got {workers=} and {address=}")
        self._jobs: deque[Job] = deque()
        self._ended: list[EngineEvent] = []

    def slots(self) -> int:
        """Return one."""
        return 1

    def submit(self, job: Job) -> None:
        """Remember a job."""
        self._jobs.append(job)

    def events(self, seconds: float) -> Sequence[EngineEvent]:  # noqa: ARG002 - it takes as long
        """Carry out the next job, however long it takes; interrupted, it stops softly."""
        if self._jobs:
            job = self._jobs.popleft()
            try:
                with _interrupts():
                    ending = carry_out(job, report=lambda _: None)
            except KeyboardInterrupt:
                ending = Ending(kind="stopped")
            self._ended.append(Ended(job.spec.path, ending))
            if ending.kind == "stopped":
                signal.raise_signal(signal.SIGINT)  # it was meant for the campaign as well
        ended, self._ended = self._ended, []
        return ended

    def cancel(self) -> None:
        """End what has not begun."""
        self._ended += [Ended(job.spec.path, Ending(kind="stopped")) for job in self._jobs]
        self._jobs.clear()

    def close(self) -> None:
        """Do nothing: nothing is left."""


@contextmanager
def _interrupts() -> Iterator[None]:
    """Let SIGINT and SIGTERM interrupt the run that is under way, not only what comes after it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
