"""SB3's logger, going on where it stopped."""

import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.logger import CSVOutputFormat, Logger, configure
from tensorboard.compat.proto.event_pb2 import Event

from teachrl.files import write_atomically

_FRAME = struct.Struct("<QI")  # of a TensorBoard record: its length, a checksum; its bytes and
_CHECKSUM = 4  # another checksum follow
_NUMBERS = (int, float, np.number)


class LogKeeper:
    """What a checkpoint says of ``progress.csv`` and TensorBoard, so that nothing is there twice.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logger: Logger | None = None
        self._saved: Mapping[str, Any] | None = None

    def state(self) -> dict[str, Any]:
        """Return how much was written, and what waits to be written."""
        logger = self.logger
        if logger is None:
            raise RuntimeError("no logger was opened: call open() before state()")
        values = {k: v for k, v in logger.name_to_value.items() if isinstance(v, _NUMBERS)}
        return {
            "lines": len(_lines(self.folder / "progress.csv")),
            "values": {name: np.asarray(value) for name, value in values.items()},
            "counts": {name: logger.name_to_count[name] for name in values},
            "excluded": {name: logger.name_to_excluded[name] for name in values},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Keep a state for :meth:`open`."""
        self._saved = state

    def open(self, step: int) -> Logger:
        """Return a logger to ``progress.csv`` and TensorBoard that goes on from ``step``."""
        lines = _lines(self.folder / "progress.csv")
        if self._saved:
            for path in sorted(self.folder.glob("events.out.tfevents.*")):
                drop_events(path, step)
        self.logger = configure(str(self.folder), ["csv", "tensorboard"])
        if self._saved:
            _write_lines(self.logger, lines[: self._saved["lines"]])
            for name, value in self._saved["values"].items():
                self.logger.name_to_value[name] = value[()]
                self.logger.name_to_count[name] = self._saved["counts"][name]
                self.logger.name_to_excluded[name] = tuple(self._saved["excluded"][name])
        return self.logger

    def close(self) -> None:
        """Close the files; a student that is trained further writes nothing more into them."""
        if self.logger is not None:
            self.logger.close()
            self.logger.output_formats.clear()  # SB3 would write into what is closed


def drop_events(path: Path, step: int) -> None:
    """Remove the events after ``step`` from a TensorBoard file, and a last one that was cut."""
    content = path.read_bytes()
    kept = b"".join(event for at, event in _events(content) if at <= step)
    if kept != content:
        write_atomically(path, kept)


def _events(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield step and bytes of each whole event; the bytes hold their checksums."""
    start = 0
    while start + _FRAME.size <= len(content):
        length, _ = _FRAME.unpack_from(content, start)
        body, end = start + _FRAME.size, start + _FRAME.size + length + _CHECKSUM
        if end > len(content):
            return
        with suppress(Exception):  # protobuf's own: TensorBoard would not show it either
            yield Event.FromString(content[body : body + length]).step, content[start:end]
        start = end


def _lines(path: Path) -> list[str]:
    """Return the whole lines of a file, the header first; [] for no file."""
    text = path.read_bytes().decode(errors="replace") if path.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines(keepends=True)


def _write_lines(logger: Logger, lines: list[str]) -> None:
    """Put lines where SB3 has just begun an empty file."""
    for output in logger.output_formats:
        if lines and isinstance(output, CSVOutputFormat):
            output.keys = lines[0].strip().split(",")
            output.file.writelines(lines)
            output.file.flush()
