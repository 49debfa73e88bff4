"""Writing a run folder: one writer at a time, one configuration for life."""

import fcntl
import json
import logging
import shutil
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from subprocess import DEVNULL, CalledProcessError, check_output
from types import TracebackType
from typing import Any, Self, TextIO

from teachrl.runs.checkpoints import checkpoints
from teachrl.runs.trees import write_atomically

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
)
_PACKAGES = ("teachrl", "stable-baselines3", "sb3-contrib", "sbx-rl", "gymnasium", "torch", "numpy")
_IGNORED = ("versions", "git")  # may differ between two runs of one configuration


class RunFolderError(OSError):
    """A folder that cannot hold this run."""


class RunFolder:
    """The folder while its run is being recorded.

    Entering takes a lock and writes ``config.json``, ``command.txt`` and the status ``running``;
    leaving writes ``done``, or ``failed`` after an error. An unfinished run of the same
    configuration goes on from its last checkpoint, or is begun again where there is none; a
    finished one is left alone and :attr:`is_done`.

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
        self._lock = self._make()
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
        if not self.is_done and (kind is None or issubclass(kind, Exception)):
            write_atomically(self.path / "status", "done\n" if kind is None else "failed\n")
        if kind is None:
            shutil.rmtree(self.path / "checkpoint", ignore_errors=True)
        self._lock.close()

    def _open(self) -> None:
        known = self.path / "config.json"
        if known.exists() and not self._restart:
            _require_same(self.path, json.loads(known.read_text()), self._config)
            status = self.path / "status"
            self.is_done = status.exists() and status.read_text().strip() == "done"
        if not self.is_done and (self._restart or not checkpoints(self.path)):
            self._begin()
        elif not self.is_done:
            log.info("%s goes on from its last checkpoint", self.path)

    def _make(self) -> TextIO:
        """Make and lock the folder; the lock goes with the process, even when it is killed."""
        _refuse_strangers(self.path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("w")
        except OSError as error:
            raise RunFolderError(f"cannot write the run folder {self.path}: {error}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise RunFolderError(f"{self.path} is being written by another process") from None
        return lock

    def _begin(self) -> None:
        for name in _OWN:
            (self.path / name).unlink(missing_ok=True)
        for events in self.path.glob("events.out.tfevents.*"):
            events.unlink()
        for folder in ("beliefs", "checkpoint"):
            shutil.rmtree(self.path / folder, ignore_errors=True)
        (self.path / "beliefs").mkdir()
        write_atomically(self.path / "config.json", json.dumps(self._config, indent=2) + "\n")
        write_atomically(self.path / "command.txt", " ".join(sys.argv) + "\n")
        write_atomically(self.path / "status", "running\n")


def _refuse_strangers(path: Path) -> None:
    """Leave a folder alone that holds anything but a run."""
    if path.is_dir() and not (path / "config.json").exists():
        strangers = sorted(
            {p.name for p in path.iterdir()} - {*_OWN, "beliefs", "checkpoint", ".lock"}
        )
        if strangers:
            raise RunFolderError(
                f"{path} holds no run but other files ({', '.join(strangers[:3])}): choose a new "
                "or an empty folder"
            )


def versions() -> dict[str, str]:
    """Return the versions of everything that shapes a run."""
    found = {"python": sys.version.split()[0]}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def git_revision() -> str | None:
    """Return the commit of the working directory, with a plus sign if files were changed."""
    try:
        commit = check_output(["git", "rev-parse", "HEAD"], stderr=DEVNULL, text=True).strip()
        changed = check_output(["git", "status", "--porcelain", "-uno"], stderr=DEVNULL, text=True)
    except (CalledProcessError, OSError):
        return None
    return commit + ("+" if changed else "")


def _require_same(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Refuse to mix two configurations in one folder, and say where they differ."""
    before, now = _flat(old), _flat(new)
    different = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
    if different:
        changes = "; ".join(
            f"{k}: {before.get(k)!r} there, {now.get(k)!r} now" for k in different[:4]
        )
        raise RunFolderError(
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
