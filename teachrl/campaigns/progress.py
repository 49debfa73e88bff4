"""How far runs are, read from the ends of the files that they write anyway."""

from dataclasses import dataclass
from pathlib import Path

_TAIL = 4096  # bytes read at first, a few dozen episodes
_LARGEST = 1 << 22  # bytes of evaluations.csv that are looked at, a hundred thousand test tasks


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    steps: int = 0  # environment steps of training
    mastered: float | None = None  # share of the test tasks at the last evaluation


def read_progress(folder: Path) -> Progress:
    """Return how far the run of a folder is; reads a few kilobytes, however long the run is.

    >>> read_progress(Path("nowhere"))
    Progress(steps=0, mastered=None)
    """
    lines = _last_lines(folder / "monitor.csv", _TAIL)
    cells = lines[-1].split(b",") if lines else []
    steps = int(cells[2]) if len(cells) > 2 and cells[2].isdigit() else 0
    evaluated, mastered = _last_evaluation(folder / "evaluations.csv")
    return Progress(max(steps, evaluated), mastered)


def _last_evaluation(path: Path) -> tuple[int, float | None]:
    """Return the step of the last evaluation, and the share of tasks mastered there."""
    size = _TAIL
    while True:
        lines = _last_lines(path, size)
        rows = [line.split(b",") for line in lines if line[:1].isdigit()]
        if not rows:
            return 0, None
        last = [row for row in rows if row[0] == rows[-1][0]]
        if len(last) < len(lines) or size > _LARGEST:  # its beginning has been seen
            shares = [row[-1] == b"1" for row in last]
            return int(rows[-1][0]), sum(shares) / len(shares)
        size *= 4


def _last_lines(path: Path, size: int) -> list[bytes]:
    """Return the complete lines among the last ``size`` bytes of a file, or of a whole one."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            start = file.seek(max(0, end - size))
            text = file.read()
    except OSError:
        return []
    complete = text[: text.rfind(b"\n") + 1].splitlines()
    return complete[1:] if start else complete
