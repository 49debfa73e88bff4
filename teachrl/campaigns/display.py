"""A campaign while it runs: a live table on a terminal, lines in a log anywhere else."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from teachrl.campaigns.progress import Progress, read_progress
from teachrl.campaigns.supervision import Entry, Supervision

log = logging.getLogger("teachrl")

_EVERY = 1.0  # seconds between two tables
_LINE_EVERY = 60.0  # seconds between two lines about all runs
_LOOK_EVERY = 5.0  # seconds between two looks at their folders, meanwhile
_READ = 50  # run folders per look: with a thousand workers, each is read every twenty seconds
_ROWS = 8  # lines of a terminal that are not rows of the table


@dataclass
class Seen:
    """What was last seen of a run, and what was first seen of its present attempt."""

    began: float  # of the attempt
    time: float
    first: Progress
    last: Progress
    now: float

    def rate(self) -> float:
        """Return steps per second since the attempt was first seen."""
        seconds = self.now - self.time
        return (self.last.steps - self.first.steps) / seconds if seconds > 0 else 0.0


class Watch:
    """Looks into the folders of the runs that are under way, at some of them each time.

    Args:
        root: of the campaign.
        entries: all its runs.
    """

    def __init__(self, root: Path, entries: Sequence[Entry]) -> None:
        self.root, self.entries = root, entries
        self.seen: dict[str, Seen] = {}
        self._next = 0

    def look(self) -> list[tuple[Entry, Seen]]:
        """Return all runs that are under way, with what is known of them."""
        running = [entry for entry in self.entries if entry.state == "running"]
        first = self._next % max(1, len(running))
        for entry in [*running[first:], *running[:first]][:_READ]:
            self._update(entry)
        self._next = first + _READ
        return [(e, s) for e in running if (s := self.seen.get(e.spec.path)) is not None]

    def _update(self, entry: Entry) -> None:
        found = entry.progress or read_progress(self.root / entry.spec.path)
        known, now = self.seen.get(entry.spec.path), time.monotonic()
        if known is None or known.began != entry.began or found.steps < known.first.steps:
            self.seen[entry.spec.path] = Seen(entry.began, now, found, found, now)
        else:
            known.last, known.now = found, now


def telling(supervision: Supervision, live: bool) -> AbstractContextManager[Callable[[], None]]:
    """Show a campaign while it runs: live, if that is wanted and standard error is a terminal.

    What is entered is to be called a few times per second.
    """
    console = Console(stderr=True)
    is_live = live and console.is_terminal
    return _live_table(supervision, console) if is_live else _lines(supervision)


@contextmanager
def _lines(supervision: Supervision) -> Iterator[Callable[[], None]]:
    watch = Watch(supervision.root, supervision.entries)
    looked = said = time.monotonic()

    def tell() -> None:
        nonlocal looked, said
        now = time.monotonic()
        if now - looked >= _LOOK_EVERY:
            looked, seen = now, watch.look()
            if now - said >= _LINE_EVERY:
                said = now
                log.info("%s", summary(supervision, seen))

    yield tell


@contextmanager
def _live_table(supervision: Supervision, console: Console) -> Iterator[Callable[[], None]]:
    """Draw from a thread: the runs of an engine may be in this process."""
    watch = Watch(supervision.root, supervision.entries)

    def draw() -> Group:
        return Group(*render(supervision, watch.look(), time.monotonic(), console.height - _ROWS))

    with (
        Live(console=console, get_renderable=draw, refresh_per_second=1 / _EVERY) as table,
        _logging_above(table.console),
    ):
        yield lambda: None


@contextmanager
def _logging_above(console: Console) -> Iterator[None]:
    """Print warnings above the table, and leave out what the table says itself."""

    class Above(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            console.print(escape(record.getMessage()), highlight=False, soft_wrap=True)

    handler, propagated = Above(logging.WARNING), log.propagate
    log.addHandler(handler)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = propagated


def render(
    supervision: Supervision, seen: Sequence[tuple[Entry, Seen]], now: float, rows: int
) -> tuple[Table, str]:
    """Return the table of the runs that are under way or failed, and the line below it."""
    table = Table("run", box=None, pad_edge=False, header_style="bold")
    for name in ("steps", "of", "steps/s", "mastered", "minutes", "state"):
        table.add_column(name, justify="left" if name == "state" else "right")
    failed = [entry for entry in supervision.entries if entry.state == "failed"]
    room = max(1, rows)
    for entry, what in seen[:room]:
        steps, share = what.last.steps, what.last.mastered
        table.add_row(
            escape(entry.spec.path),
            f"{steps:,}",
            f"{min(1.0, steps / entry.spec.steps):.0%}",
            f"{what.rate():,.0f}",
            "-" if share is None else f"{share:.0%}",
            f"{(now - entry.began) / 60:.1f}",
            "running" if not entry.failures else f"running, try {entry.failures + 1}",
        )
    for entry in failed[: max(0, room - len(seen))]:
        blank = [""] * 5
        table.add_row(escape(entry.spec.path), *blank, f"[red]failed[/red] {escape(entry.error)}")
    return table, summary(supervision, seen)


def summary(supervision: Supervision, seen: Sequence[tuple[Entry, Seen]]) -> str:
    """Return one line about all runs, with the time that is left at the present speed."""
    counts = supervision.counts
    kinds = ("done", "running", "waiting", "failed", "elsewhere")
    words = [f"{counts[kind]} {kind}" for kind in kinds if counts[kind] or kind == "done"]
    rate = sum(what.rate() for _, what in seen)
    line = f"{', '.join(words)} of {len(supervision.entries)}"
    left = _steps_left(supervision.entries, seen)
    return f"{line}; {rate:,.0f} steps/s, {_duration(left / rate)} to go" if rate else line


def _steps_left(entries: Sequence[Entry], seen: Sequence[tuple[Entry, Seen]]) -> int:
    known = {entry.spec.path: what.last.steps for entry, what in seen}
    return sum(
        max(0, entry.spec.steps - known.get(entry.spec.path, 0))
        for entry in entries
        if entry.state in ("waiting", "running")
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
