"""Every finished episode of a run, in columns, and as the ``monitor.csv`` that SB3 users know."""

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from teachrl.core import Episode
from teachrl.files import reading
from teachrl.spaces import Floats, TaskSpace

COLUMNS = {  # name in monitor.csv and here: dtype
    "r": "f8",  # return: SB3's names for the first three
    "l": "i8",  # length in environment steps
    "t": "i8",  # environment steps of the whole run when it ended (SB3 writes a clock here)
    "id": "i8",  # of its task
    "seed": "i8",
    "env": "i8",  # index of the environment that played it
    "start": "i8",  # environment steps of the whole run when it began
    "success": "f8",  # 1 or 0, NaN where the environment says nothing
    "truncated": "?",
    "learn": "?",
}


class Episodes:
    """A growing table of episodes: ``episodes["r"]`` is the column of returns.

    Columns: ``r`` return, ``l`` length, ``t`` total environment steps at its end, ``id``, ``seed``,
    ``env``, ``start``, ``success`` (NaN if unknown), ``truncated``, ``learn``; ``params`` (n, d)
    and ``origins``.

    >>> episodes = Episodes(TaskSpace(height=(0, 3)))
    >>> from teachrl.core import Task
    >>> episodes.append(Episode(Task(np.float32([1.5])), seed=7, reward=2.5, length=10), step=80)
    >>> len(episodes), episodes["r"].tolist(), episodes.params.tolist(), episodes.origins
    (1, [2.5], [[1.5]], ['random'])
    """

    def __init__(self, space: TaskSpace) -> None:
        self.space = space
        dtype = [*COLUMNS.items(), ("params", "f4", space.shape), ("origin", "i4")]
        self._rows = np.zeros(64, np.dtype(dtype))
        self._size = 0
        self._origins: dict[str, int] = {}

    def append(self, episode: Episode, step: int) -> None:
        """Add an episode that ended at ``step`` of the run."""
        if self._size == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        row = _row(episode, step)
        origin = self._origins.setdefault(episode.task.origin, len(self._origins))
        self._rows[self._size] = (*row, episode.task.params, origin)
        self._size += 1

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, column: str) -> NDArray[Any]:
        return self._rows[column][: self._size]

    @property
    def params(self) -> Floats:
        """The tasks, (n, d)."""
        return self["params"]

    @property
    def origins(self) -> list[str]:
        """Why the teacher chose each task."""
        names = list(self._origins)
        return [names[code] for code in self["origin"]]

    @classmethod
    def load(cls, path: Path, space: TaskSpace, size: int | None = None) -> "Episodes":
        """Read a ``monitor.csv``, or its first ``size`` bytes; a line cut by a crash is left out.

        Raises:
            DamagedFileError: it says what no episode of ``space`` can be.
        """
        episodes = cls(space)
        with reading(path):
            rows = list(_complete_rows(path, _header(space), size))
            episodes._rows = np.zeros(max(64, len(rows)), episodes._rows.dtype)
            for i, row in enumerate(rows):
                values = tuple(map(_parse, row, COLUMNS.values()))
                params = [float(cell) for cell in row[len(COLUMNS) : -1]]
                origin = episodes._origins.setdefault(row[-1], len(episodes._origins))
                episodes._rows[i] = (*values, params, origin)
            episodes._size = len(rows)
            episodes._require_sense()
        return episodes

    def _require_sense(self) -> None:
        inside = ((self.params >= self.space.low) & (self.params <= self.space.high)).all(axis=1)
        possible = inside & np.isfinite(self["r"]) & (self["l"] > 0) & (self["start"] < self["t"])
        possible[1:] &= np.diff(self["t"]) >= 0
        if not possible.all():
            raise ValueError(f"episode {np.argmin(possible)} (from 0) is impossible: {self.space}")


class EpisodeWriter:
    """Appends episodes to a ``monitor.csv``, one flushed line each; begins it if there is none."""

    def __init__(self, path: Path, space: TaskSpace, env: str) -> None:
        is_new = not path.exists()
        self._file: TextIO = path.open("a", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        if is_new:
            self._file.write(f"#{json.dumps({'t_start': 0.0, 'env_id': env})}\n")
            self._writer.writerow(_header(space))
            self._file.flush()

    def write(self, episode: Episode, step: int) -> None:
        """Append one episode that ended at ``step`` of the run."""
        params = [str(value) for value in episode.task.params]  # the shortest exact decimals
        row = [_text(value) for value in _row(episode, step)]
        self._writer.writerow([*row, *params, episode.task.origin])
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _header(space: TaskSpace) -> list[str]:
    return [*COLUMNS, *space.columns(beside={*COLUMNS, "origin"}), "origin"]


def _row(episode: Episode, step: int) -> tuple[Any, ...]:
    """Return the values of COLUMNS, in their order."""
    success = np.nan if episode.success is None else float(episode.success)
    task = episode.task
    played = (episode.reward, episode.length, step, task.id, episode.seed, episode.env_index)
    return (*played, episode.start_step, success, episode.truncated, task.learn)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return "" if math.isnan(value) else repr(value)  # an empty cell, as pandas reads NaN


def _parse(text: str, kind: str) -> Any:
    if kind == "f8":
        return float(text) if text else np.nan
    return int(text)


def _complete_rows(path: Path, header: list[str], size: int | None) -> Iterator[list[str]]:
    text = path.read_bytes()[:size].decode()
    complete = text[: text.rfind("\n") + 1].splitlines()
    rows = csv.reader(line for line in complete if not line.startswith("#"))
    if (found := next(rows, header)) != header:
        raise ValueError(f"expected the columns {','.join(header)}; got {','.join(found)[:200]!r}")
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"expected {len(header)} cells in a row, got {row}")
        yield row
