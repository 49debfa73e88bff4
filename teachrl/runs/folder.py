"""Writing a run folder: one writer at a time, one configuration for life."""

import fcntl
import json
import logging
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from teachrl.digests import FILE, require_unchanged, seal, unseal
from teachrl.files import DamagedFileError, is_disk_full, read_json, read_text, write_atomically
from teachrl.runs.checkpoints import checkpoints

log = logging.getLogger("teachrl")

_OWN = (  # what a run leaves behind, and what a restart removes
    "command.txt",
    "config.json",
    "status",
    "monitor.csv",
    "evaluations.csv",
    "evaluations.npz",
    "test_set.csv",
    "progress.csv",
    "model.zip",
    "best_model.zip",
    "normalizer.npz",
    "best_normalizer.npz",
    "teacher.npz",
    "summary.json",
    FILE,
)
_GROWING = ("monitor.csv", "evaluations.csv")
_HEADER_LINES = 2  # of monitor.csv
_SEALED = ("config.json", *_GROWING)  # what a finished run can prove to be as it was written
_STATUS = ("running", "done", "failed")
_STATUS_HELP = (
    "write one of running, done, failed into it, as you know better, or remove the run with "
    "restart=True (--restart)"
)
_IGNORED = ("versions", "git")  # may differ between two runs of one configuration


class RunFolderError(OSError):
    """A folder that cannot hold this run."""


class BusyRunError(RunFolderError):
    """A folder that another process is writing."""


class OtherConfigurationError(RunFolderError):
    """A folder that holds a run of another configuration."""


class RunFolder:
    """The folder while its run is being recorded.

    Entering takes a lock and writes ``config.json``, ``command.txt`` and the status ``running``;
    leaving writes ``done``, or ``failed`` after an error. An unfinished run of the same
    configuration goes on from its last checkpoint, or is begun again where there is none; a
    finished one is left alone and :attr:`is_done`. A run that failed before its first episode was
    over gives way to any other.

    Args:
        path: made if it does not exist.
        config: compared with what the folder holds.
        restart: remove the run that is there, whatever its configuration.
    """

    def __init__(self, path: Path | str, config: Mapping[str, Any], restart: bool = False) -> None:
        self.path = Path(path)
        self._config = json.loads(json.dumps(config))
        self._restart = restart
        self.is_done = False

    def __enter__(self) -> Self:
        self._lock = lock_folder(self.path)
        try:
            self._open()
        except BaseException:
            self._lock.close()  # else this process could not try again
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if not self.is_done and (kind is None or issubclass(kind, Exception)):
                self._conclude(is_whole=kind is None)
        except OSError as problem:
            if kind is None:
                raise self._stopped_by(problem) from problem
            log.warning("%s could not be marked as failed: %s", self.path, problem)
        finally:
            self._lock.close()
        if is_disk_full(error):
            raise self._stopped_by(error) from error

    def _conclude(self, is_whole: bool) -> None:
        """Write how the run has ended."""
        if is_whole:
            seal(self.path, _SEALED)
        write_atomically(self.path / "status", "done\n" if is_whole else "failed\n")
        if is_whole:
            shutil.rmtree(self.path / "checkpoint", ignore_errors=True)

    def _stopped_by(self, error: BaseException | None) -> RunFolderError:
        return RunFolderError(
            f"the run in {self.path} stopped, since a file could not be written: {error}. Make "
            "room for it; the same command then goes on from the last checkpoint"
        )

    def _open(self) -> None:
        known = self.path / "config.json"
        if known.exists() and not self._restart:
            require_unchanged(known)
            status = read_status(self.path)
            if status != "failed" or _holds_work(self.path):  # else a mistake may be corrected
                require_same(self.path, read_json(known), self._config)
            self.is_done = status == "done"
        if not self.is_done and (self._restart or not checkpoints(self.path)):
            self._begin()
        elif not self.is_done:
            unseal(self.path, _GROWING)
            write_atomically(self.path / "status", "running\n")
            log.info("%s goes on from its last checkpoint", self.path)

    def _begin(self) -> None:
        for name in _OWN:
            (self.path / name).unlink(missing_ok=True)
        for pattern in ("events.out.tfevents.*", ".*.partial"):
            for left in self.path.glob(pattern):
                left.unlink()
        for folder in ("beliefs", "checkpoint"):
            shutil.rmtree(self.path / folder, ignore_errors=True)
        (self.path / "beliefs").mkdir()
        write_atomically(self.path / "command.txt", shlex.join(sys.argv) + "\n")
        write_atomically(self.path / "status", "running\n")
        write_atomically(self.path / "config.json", json.dumps(self._config, indent=2) + "\n")
        seal(self.path, ["config.json"])


def lock_folder(path: Path) -> TextIO:
    """Make and lock the folder of a run; closing what is returned unlocks it.

    The lock goes with the process, even when it is killed.
    """
    _refuse_strangers(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / ".lock").open("w")
    except OSError as error:
        raise RunFolderError(f"cannot write the run folder {path}: {error}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise BusyRunError(f"{path} is being written by another process") from None
    return lock


def read_status(folder: Path) -> str:
    """Return ``running``, ``done`` or ``failed``."""
    path = folder / "status"
    if not path.exists():
        raise DamagedFileError(f"{folder} has no status: {_STATUS_HELP}")
    status = read_text(path).strip()
    if status not in _STATUS:
        raise DamagedFileError(f"{path} is damaged, it says {status[:40]!r}: {_STATUS_HELP}")
    return status


def _holds_work(path: Path) -> bool:
    """Tell whether a run came so far that there is an episode or a checkpoint to lose."""
    episodes = path / "monitor.csv"
    lines = read_text(episodes).count("\n") if episodes.exists() else 0
    return lines > _HEADER_LINES or bool(checkpoints(path))


def _refuse_strangers(path: Path) -> None:
    """Leave a folder alone that holds anything but a run."""
    if path.is_dir() and not (path / "config.json").exists():
        strangers = sorted(p.name for p in path.iterdir() if not is_own(p.name))
        if strangers:
            raise RunFolderError(
                f"{path} holds no run but other files ({', '.join(strangers[:3])}): choose a new "
                "or an empty folder"
            )


def is_own(name: str) -> bool:
    """Tell whether a run leaves such a name behind, perhaps when it is killed."""
    return (
        name in {*_OWN, "beliefs", "checkpoint", ".lock"}
        or name.startswith("events.out.tfevents.")
        or (name.startswith(".") and name.endswith(".partial"))
    )


def require_same(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Refuse to mix two configurations in one folder, and say where they differ."""
    before, now = _flat(old), _flat(new)
    different = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
    if different:
        changes = "; ".join(
            f"{k}: {before.get(k)!r} there, {now.get(k)!r} now" for k in different[:4]
        )
        raise OtherConfigurationError(
            f"{path} holds a run of another configuration ({changes}). Choose another folder, or "
            "restart=True (--restart) to remove that run"
        )


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested dicts by dotted name."""
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        if not prefix and key in _IGNORED:
            continue
        name = f"{prefix}{key}"
        leaves |= _flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return leaves
