"""What was written, so that what is read can be compared with it.

``digests.json`` names files of its folder with the SHA-256 of what was written there. It finds
files that were damaged, exchanged or edited. It is no signature: who can write the whole folder
can forge the digests too, so a folder of a stranger stays a folder of a stranger.
"""

import hashlib
from collections.abc import Iterable
from json import dumps
from pathlib import Path

from teachrl.files import DamagedFileError, read_json, reading, write_atomically

FILE = "digests.json"


class UntrustedFileError(ValueError):
    """A file that can run code when it is loaded, and was not written by this run."""


def write_known(path: Path, content: bytes) -> None:
    """Write a file atomically, and its digest beside it.

    A crash in between leaves a file that is known too: the old digest counts until the next write.
    """
    known = _known(path.parent)
    _write(path.parent, known | {path.name: [_sha256(content), *known.get(path.name, [])[:1]]})
    write_atomically(path, content)


def seal(folder: Path, names: Iterable[str]) -> None:
    """Write down what is in these files now; those that do not exist are left out."""
    digests = {n: [_sha256_of(folder / n)] for n in names if (folder / n).exists()}
    _write(folder, _known(folder) | digests)


def unseal(folder: Path, names: Iterable[str]) -> None:
    """Forget what was in these files, since more will be written."""
    known = _known(folder)
    if known.keys() & set(names):
        _write(folder, {name: known[name] for name in known.keys() - set(names)})


def require_unchanged(path: Path) -> None:
    """Refuse a file that was sealed and has changed since."""
    known = _known(path.parent).get(path.name)
    if known and (found := _sha256_of(path)) not in known:
        raise DamagedFileError(
            f"{path} has changed since it was written: its SHA-256 is {found}, and {FILE} beside "
            f"it says {known[0]}. Restore it; if the change is yours, take its line out of {FILE}"
        )


def require_complete(folder: Path) -> None:
    """Refuse a folder of which any sealed file is missing or has changed."""
    known = _known(folder)
    if not known:
        raise DamagedFileError(f"{folder} is not complete: it has no {FILE}")
    for name in known:
        if (folder / name).exists():
            require_unchanged(folder / name)
        else:
            raise DamagedFileError(f"{folder} is not complete: it has no {name}")


def read_known(path: Path, trust: bool = False) -> bytes:
    """Return the bytes of a file that this run wrote; of any file, if ``trust`` says so."""
    content = path.read_bytes()
    if not trust and _sha256(content) not in _known(path.parent).get(path.name, []):
        raise UntrustedFileError(
            f"{path} is not what this run wrote, and loading it can run any code: its SHA-256 is "
            f"{_sha256(content)}, which {FILE} beside it does not know. If you trust whoever made "
            "it: Run.load(folder, trust=True), or --trust"
        )
    return content


def prefix_digest(path: Path, size: int) -> str | None:
    """Return the SHA-256 of the first ``size`` bytes; None if there are not so many."""
    if (path.stat().st_size if path.exists() else 0) < size:
        return None
    digest, left = hashlib.sha256(), size
    if size:
        with path.open("rb") as file:
            while left and (part := file.read(min(left, 1 << 20))):
                digest.update(part)
                left -= len(part)
    return digest.hexdigest()


def _known(folder: Path) -> dict[str, list[str]]:
    path = folder / FILE
    if not path.exists():
        return {}
    known = read_json(path)
    with reading(path):
        if not all(isinstance(digests, list) for digests in known.values()):
            raise TypeError("expected lists of digests")
    return known


def _write(folder: Path, known: dict[str, list[str]]) -> None:
    write_atomically(folder / FILE, dumps(known, indent=2, sort_keys=True) + "\n")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
