"""Seeing a campaign through: what is missing is submitted, what failed goes on where it stopped."""

import logging
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TextIO

from teachrl.campaigns.engines import Ended, Engine, EngineEvent, Progressed
from teachrl.campaigns.folders import is_done
from teachrl.campaigns.jobs import Ending, Job
from teachrl.campaigns.progress import Progress
from teachrl.campaigns.shipping import pack, put_in_place
from teachrl.campaigns.specs import RunSpec
from teachrl.runs.folder import BusyRunError, OtherConfigurationError, lock_folder

log = logging.getLogger("teachrl")

_TICK = 0.5  # seconds between two looks at everything
_PATIENCE = 60.0  # seconds in which a lost worker of ours may still hold the lock of its run
_FAILURES = "failures.txt"


class CampaignError(RuntimeError):
    """Runs that failed as often as they may, or a campaign that cannot work as it is set up."""


@dataclass(eq=False)
class Entry:
    """One run, as its campaign sees it."""

    spec: RunSpec
    state: str = "waiting"  # or running, done, failed, or elsewhere: another process writes it
    failures: int = 0
    error: str = ""  # of the last failure
    progress: Progress | None = None  # where the run is shipped
    began: float = 0.0  # its last attempt, on the monotonic clock
    locked: float | None = None  # since when another process was seen to write it
    was_lost: bool = False  # that process may be a worker of ours which is out of reach
    lock: TextIO | None = None  # held here while the run is shipped


class Supervision:
    """Carries out what is missing of a campaign.

    Args:
        root: of the campaign, absolute.
        specs: its runs, in the order in which they are begun.
        engine: where they run.
        token: of the record in ``root``.
        retries: how often a run may fail beyond the first time; it goes on from its checkpoint.
        ship: send runs to the workers and back, for want of a shared folder.
        tell: called a few times per second.
    """

    def __init__(
        self,
        root: Path,
        specs: Sequence[RunSpec],
        engine: Engine,
        *,
        token: str,
        retries: int = 2,
        ship: bool = False,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self.root, self.engine, self.token = root, engine, token
        self.retries, self.ship, self.tell = retries, ship, tell
        self.entries = [Entry(spec) for spec in specs]
        for entry in self.entries:
            entry.state = "done" if is_done(root / entry.spec.path) else "waiting"
        self.counts = Counter(entry.state for entry in self.entries)
        self._waiting = deque(entry for entry in self.entries if entry.state == "waiting")
        self._running: dict[str, Entry] = {}
        self._locked: list[Entry] = []
        self._is_stopping = False
        self._was_asked_to_stop = False

    def run(self) -> None:
        """Go on until nothing is missing; an interrupt lets runs write checkpoints first."""
        done, slots = self.counts["done"], self.engine.slots()
        log.info("%d runs in %s, %d done, %d at a time", len(self.entries), self.root, done, slots)
        try:
            with self._listening():
                while self._waiting or self._running or self._locked:
                    if self._was_asked_to_stop:
                        self._stop()
                        raise KeyboardInterrupt(f"{self.root}: the same command goes on from here")
                    self._step()
        except (CampaignError, OtherConfigurationError):
            self._stop()
            raise
        finally:
            for entry in self._running.values():
                _unlock(entry)

    def _step(self) -> None:
        """Fill what is free, then hear what has happened."""
        while self._waiting and len(self._running) < self.engine.slots():
            self._submit(self._waiting.popleft())
        if self._running:
            for event in self.engine.events(_TICK):
                self._hear(event)
        else:
            time.sleep(_TICK)  # for a node to come, or for another process to be ready
            self._waiting.extend(self._locked)
            self._locked.clear()
        self.tell()

    def _submit(self, entry: Entry) -> None:
        packed, folder = None, self.root / entry.spec.path
        if self.ship:
            try:
                entry.lock = lock_folder(folder)
            except BusyRunError as error:
                self._set_aside(entry, str(error))
                return
            if is_done(folder):  # another process did it in the meantime
                self._finish(entry, "done")
                return
            packed = pack(folder)
        self._move(entry, "running")
        entry.began = time.monotonic()
        self._running[entry.spec.path] = entry
        self.engine.submit(
            Job(spec=entry.spec, root=self.root, token=self.token, ship=self.ship, packed=packed)
        )
        log.info("%s begins", entry.spec.path)

    def _hear(self, event: EngineEvent) -> None:
        entry = self._running.get(event.path)
        if entry is None:
            return
        if isinstance(event, Progressed):
            entry.progress = event.progress
            return
        del self._running[event.path]
        if isinstance(event, Ended):
            ending = _unpacked(event.ending, self.root / event.path)
        else:
            ending, entry.was_lost = Ending(kind="failed", error=event.reason), True
        _unlock(entry)
        self._conclude(entry, ending)

    def _conclude(self, entry: Entry, ending: Ending) -> None:
        if ending.kind == "done":
            self._finish(entry, "done")
        elif self._is_stopping:
            self._move(entry, "waiting")
        elif ending.kind == "busy":
            self._set_aside(entry, ending.error)
        elif ending.kind == "refused":
            raise OtherConfigurationError(ending.error)
        elif ending.kind == "unshared":
            raise CampaignError(ending.error)
        else:
            self._fail(entry, ending)

    def _fail(self, entry: Entry, ending: Ending) -> None:
        """Give a run another chance behind all others, if it may have one."""
        entry.failures += 1
        entry.error = ending.error or f"the run was {ending.kind}"
        self._write_down(entry, ending)
        left = self.retries + 1 - entry.failures
        if left == 0:
            self._finish(entry, "failed")
            return
        log.warning("%s failed, %d more tries: %s", entry.spec.path, left, entry.error)
        self._move(entry, "waiting")
        self._waiting.append(entry)

    def _set_aside(self, entry: Entry, error: str) -> None:
        """Try a run that another process writes once more at the end; then leave it to that one."""
        now = time.monotonic()
        if entry.locked is None or (entry.was_lost and now - entry.locked < _PATIENCE):
            entry.locked = now if entry.locked is None else entry.locked
            self._move(entry, "waiting")
            self._locked.append(entry)
        else:
            log.warning("%s; it is left to that process", error)
            self._finish(entry, "elsewhere")

    def _finish(self, entry: Entry, state: str) -> None:
        _unlock(entry)
        self._move(entry, state)
        over = len(self.entries) - self.counts["waiting"] - self.counts["running"]
        why = f": {entry.error}" if state == "failed" else ""
        log.info("%s is %s, %d of %d%s", entry.spec.path, state, over, len(self.entries), why)

    def _move(self, entry: Entry, state: str) -> None:
        self.counts[entry.state] -= 1
        self.counts[state] += 1
        entry.state = state

    def _write_down(self, entry: Entry, ending: Ending) -> None:
        """Append a failure to the campaign's file, with its traceback."""
        when = time.strftime("%Y-%m-%d %H:%M:%S")
        with (self.root / _FAILURES).open("a") as file:
            file.write(f"{when} {entry.spec.path}: {ending.error}\n{ending.details}\n")

    def _stop(self) -> None:
        """Let runs write checkpoints; a second interrupt raises, and whoever closes kills them."""
        self._is_stopping = True
        if self._running:
            log.warning("stopping %d runs; once more stops them at once", len(self._running))
        self.engine.cancel()
        while self._running:
            for event in self.engine.events(_TICK):
                self._hear(event)
            self.tell()

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Let the first SIGINT or SIGTERM wait until no folder is being changed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
            if self._was_asked_to_stop:
                raise KeyboardInterrupt
            self._was_asked_to_stop = True

        before = {n: signal.signal(n, ask) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _unpacked(ending: Ending, folder: Path) -> Ending:
    """Put a run that was shipped in its place; one that did not arrive has failed."""
    if ending.packed is None:
        return ending
    try:
        put_in_place(ending.packed, folder)
    except (OSError, ValueError) as error:
        return Ending(kind="failed", error=f"{type(error).__name__}: {error}")
    return ending


def _unlock(entry: Entry) -> None:
    if entry.lock is not None:
        entry.lock.close()
        entry.lock = None
