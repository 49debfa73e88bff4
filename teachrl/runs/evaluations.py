"""The evaluations of a run: one row per test task, appended whole."""

import csv
import io
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachrl.files import read_text, reading, write_npz

_HEADER = ("step", "env_steps", "task", "r", "l", "success", "mastered")


@dataclass(frozen=True)
class Evaluations:
    """What a student reached on each test task, over the run; E evaluations of T tasks."""

    steps: NDArray[np.int64]  # (E,) training steps before each evaluation
    env_steps: NDArray[np.int64]  # (E,) all environment steps so far, evaluations included
    rewards: NDArray[np.float64]  # (E, T)
    lengths: NDArray[np.int64]  # (E, T)
    successes: NDArray[np.float64]  # (E, T), NaN where the environment says nothing
    mastered: NDArray[np.bool_]  # (E, T)

    @property
    def share_mastered(self) -> NDArray[np.float64]:
        """Share of the test set that is mastered, (E,)."""
        return self.mastered.mean(axis=1) if self.mastered.size else np.zeros(len(self.steps))

    def __len__(self) -> int:
        return len(self.steps)

    @classmethod
    def load(cls, path: Path, tasks: int) -> "Evaluations":
        """Read ``evaluations.csv``; an evaluation cut by a crash is left out."""
        text = read_text(path) if path.exists() else ""
        with reading(path):
            lines = text[: text.rfind("\n") + 1].splitlines()
            if lines and lines[0] != ",".join(_HEADER):
                raise ValueError(f"expected the columns {','.join(_HEADER)}; got {lines[0][:80]!r}")
            return cls._of_rows(lines[1:], tasks)

    @classmethod
    def _of_rows(cls, lines: list[str], tasks: int) -> "Evaluations":
        lines = lines[: len(lines) - len(lines) % tasks]
        cells = [[float(cell or "nan") for cell in line.split(",")] for line in lines]
        table = np.array(cells).reshape(-1, tasks, len(_HEADER))
        counts = table[:, :, [0, 1, 2, 4, 6]]  # all but return and success
        if not (np.isfinite(table[:, :, 3]).all() and (counts == np.rint(counts)).all()):
            raise ValueError("returns must be finite, and steps and lengths whole numbers")
        if (table[:, :, :3] != np.dstack(_numbering(table))).any():
            raise ValueError(f"expected the same steps for each of the tasks 0 to {tasks - 1}")
        return cls(
            table[:, 0, 0].astype(np.int64),
            table[:, 0, 1].astype(np.int64),
            table[:, :, 3],
            table[:, :, 4].astype(np.int64),
            table[:, :, 5],
            table[:, :, 6].astype(bool),
        )

    def save_npz(self, path: Path) -> None:
        """Write SB3's ``evaluations.npz``: timesteps, results, ep_lengths, successes."""
        arrays = {
            "timesteps": self.steps,
            "results": self.rewards,
            "ep_lengths": self.lengths,
            "successes": self.mastered,
        }
        write_npz(path, arrays)


def append_evaluation(
    path: Path,
    *,
    step: int,
    env_steps: int,
    rewards: NDArray[np.float64],
    lengths: NDArray[np.int64],
    successes: NDArray[np.float64],
    mastered: NDArray[np.bool_],
) -> None:
    """Append one evaluation to ``evaluations.csv`` in a single write; arrays are (T,)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if not path.exists():
        writer.writerow(_HEADER)
    rows = zip(rewards.tolist(), lengths.tolist(), successes.tolist(), mastered, strict=True)
    for task, (reward, length, success, is_mastered) in enumerate(rows):
        known = "" if math.isnan(success) else int(success)
        row = (step, env_steps, task, repr(reward), length, known, int(is_mastered))
        writer.writerow(row)
    with path.open("a", newline="") as file:
        file.write(text.getvalue())
        file.flush()
        os.fsync(file.fileno())


def _numbering(table: NDArray[np.float64]) -> list[NDArray[Any]]:
    """Return what the first three columns of a table (E, T, 7) must be, each (E, T)."""
    shape = table.shape[:2]
    steps = [np.broadcast_to(table[:, :1, column], shape) for column in (0, 1)]
    return [*steps, np.broadcast_to(np.arange(shape[1]), shape)]
