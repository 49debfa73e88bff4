"""``campaign.json``: which runs belong to a campaign, and how each of them is configured."""

import fcntl
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from teachrl.campaigns.specs import RunSpec
from teachrl.files import DamagedFileError, read_json, write_atomically
from teachrl.runs.folder import RunFolderError, require_same

_FILE = "campaign.json"
_FORMAT = 1
_ABOVE = 3  # names a run may have before its teacher: student, environment, variant
_HEAD = 200  # bytes that hold the token: ten thousand workers need not read ten thousand runs
_IGNORED = ("versions", "git")  # which config.json of each run has, and which may differ


@dataclass
class Record:
    """What ``campaign.json`` holds; runs that share a configuration share its text.

    >>> record = Record()
    >>> record.add("random/seed_0", {"steps": 100, "seed": 0})
    >>> record.add("random/seed_1", {"steps": 100, "seed": 1})
    >>> record.configurations, record.config("random/seed_1")
    ([{'steps': 100}], {'steps': 100, 'seed': 1})
    """

    configurations: list[dict[str, Any]] = field(default_factory=list)  # without their seeds
    runs: dict[str, tuple[int, int]] = field(default_factory=dict)  # path: configuration and seed
    token: str = field(default_factory=lambda: uuid4().hex)  # tells this folder from all others

    def __post_init__(self) -> None:
        self._numbers = {json.dumps(c): i for i, c in enumerate(self.configurations)}

    def add(self, path: str, config: Mapping[str, Any]) -> None:
        """Write down a run, in the place of the one that had this path."""
        shared = {name: value for name, value in config.items() if name != "seed"}
        number = self._numbers.setdefault(json.dumps(shared), len(self.configurations))
        if number == len(self.configurations):
            self.configurations.append(shared)
        self.runs[path] = (number, config["seed"])

    def config(self, path: str) -> dict[str, Any]:
        """Return what ``config.json`` of a run holds."""
        number, seed = self.runs[path]
        return self.configurations[number] | {"seed": seed}

    @classmethod
    def load(cls, root: Path) -> Self:
        """Read the record of a campaign's folder; an empty one where there is none yet."""
        path = root / _FILE
        if not path.exists():
            return cls()
        known = read_json(path)
        try:
            if known["format"] != _FORMAT:
                raise ValueError(f"its format is {known['format']!r}, and {_FORMAT} is known here")
            runs = {p: (int(number), int(seed)) for p, (number, seed) in known["runs"].items()}
            record = cls(list(known["configurations"]), runs, str(known["token"]))
            for run in runs:
                record.config(run)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DamagedFileError(f"{path} is damaged ({error}): restore or remove it") from error
        return record

    def save(self, root: Path) -> None:
        """Write it atomically, one line per run and per configuration."""
        head = {"format": _FORMAT, "token": self.token}
        lines = [f"  {json.dumps(name)}: {json.dumps(value)}," for name, value in head.items()]
        lines += ['  "configurations": [', _joined(map(json.dumps, self.configurations)), "  ],"]
        runs = (f"{json.dumps(path)}: {json.dumps(run)}" for path, run in self.runs.items())
        lines += ['  "runs": {', _joined(runs), "  }"]
        write_atomically(root / _FILE, "\n".join(["{", *lines, "}"]) + "\n")

    @staticmethod
    def token_of(root: Path) -> str | None:
        """Return the token of the campaign in a folder, or None if there is no campaign."""
        try:
            with (root / _FILE).open("rb") as file:
                found = re.search(rb'"token": "(\w+)"', file.read(_HEAD))
        except OSError:
            return None
        return found[1].decode() if found else None


def enter(root: Path, specs: Sequence[RunSpec], restart: bool) -> Record:
    """Write the runs into the record of a folder, unless one of them is there in another form.

    Nothing is written if anything is refused. Two processes that enter at once take turns.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"cannot write the campaign folder {root}: {error}") from error
    with _locked(root):
        record = Record.load(root)
        same = set[tuple[int, int]]()  # pairs of configurations, known and asked for
        asked = Record()
        for path, config in _configs(specs):
            asked.add(path, config)
            pair = record.runs.get(path, (-1, 0))[0], asked.runs[path][0]
            is_known = pair in same and record.runs[path][1] == config["seed"]
            if not (restart or is_known):
                _require_same(root, record, path, config)
                same |= {pair} if path in record.runs else set()
        for path in asked.runs:
            record.add(path, asked.config(path))
        record.save(root)
    return record


def in_order(folder: Path, teachers: Iterable[str]) -> list[str]:
    """Sort teachers as the campaign that made their folder first named them.

    Those that no campaign knows come last: ``random``, then all others by name.
    """
    asked = {name: place for place, name in enumerate(_asked(folder.resolve()))}
    return sorted(teachers, key=lambda name: (asked.get(name, len(asked)), name != "random", name))


def _asked(folder: Path) -> list[str]:
    """Return the names in a folder, by the record in it, or in one around it."""
    for root in (folder, *folder.parents[:_ABOVE]):
        inside = "" if root == folder else f"{folder.relative_to(root).as_posix()}/"
        paths = (p.removeprefix(inside) for p in Record.load(root).runs if p.startswith(inside))
        if names := list(dict.fromkeys(path.partition("/")[0] for path in paths)):
            return names
    return []


def _configs(specs: Sequence[RunSpec]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and configuration of each run; those that differ in the seed are checked once."""
    known: dict[tuple[int, ...], dict[str, Any]] = {}
    for spec in specs:
        parts = (spec.student, spec.env, spec.teacher, spec.arguments)
        key = (*map(id, parts), spec.steps)  # they live as long as the specs
        if key not in known:
            config = json.loads(json.dumps(spec.config()))
            known[key] = {n: value for n, value in config.items() if n not in _IGNORED}
        yield spec.path, known[key] | {"seed": spec.seed}


def _require_same(root: Path, record: Record, path: str, config: Mapping[str, Any]) -> None:
    """Compare a run with the record, or with its folder where an older one is not recorded."""
    written = root / path / "config.json"
    if path in record.runs:
        require_same(root / path, record.config(path), config)
    elif written.exists():
        require_same(root / path, read_json(written), config)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Wait for the right to change the record; it goes with the process."""
    with (root / ".campaign.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _joined(items: Any) -> str:
    return ",\n".join(f"    {item}" for item in items)
