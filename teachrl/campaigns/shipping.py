"""Run folders as bytes, for workers that see no shared folder.

An archive is an uncompressed tar of plain files, whose names are those that a run writes. What
comes back from another machine is checked as a whole before any of it is written.
"""

import io
import re
import shutil
import tarfile
from pathlib import Path

from teachrl.campaigns.folders import clear_run
from teachrl.files import write_atomically
from teachrl.runs.folder import is_own

_LIMIT = 4 << 30  # bytes: a replay buffer of a million rows is a quarter of it
_NAMES = re.compile(  # within the folders of a run
    r"beliefs/\d+\.npz"
    r"|checkpoint/\d+/(model\.zip|replay_buffer\.npz|state\.npz|digests\.json)"
)


class ArchiveError(ValueError):
    """An archive that is no run folder."""


def pack(folder: Path, limit: int = _LIMIT) -> bytes:
    """Return the files of a run as bytes; raise :class:`ArchiveError` above ``limit`` of them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if not path.is_symlink() and path.is_file() and _is_known(name):
                member = tarfile.TarInfo(name)
                member.size = path.stat().st_size
                if buffer.tell() + member.size > limit:
                    raise ArchiveError(_too_large(folder, limit))
                with path.open("rb") as file:
                    archive.addfile(member, file)
    return buffer.getvalue()


def unpack(packed: bytes, folder: Path, limit: int = _LIMIT) -> None:
    """Write the files of :func:`pack` into a new folder.

    Refused are links, devices, folders, sparse files, names that a run does not write (and so
    absolute ones and ``..``), repeated names, and more bytes than ``limit``.
    """
    if len(packed) > limit:
        raise ArchiveError(_too_large(folder, limit))
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:") as archive:
            members = archive.getmembers()
            _require_plain(members)
            folder.mkdir(parents=True)
            for member in members:
                _write(archive, member, folder / member.name)
    except (tarfile.TarError, EOFError) as error:
        raise ArchiveError(f"the run for {folder} did not arrive whole: {error}") from error


def put_in_place(packed: bytes, folder: Path) -> None:
    """Replace the run in ``folder``, whose lock the caller holds, by the one in an archive.

    The status says ``running`` meanwhile, and is the last to arrive.
    """
    arriving = folder.with_name(f".{folder.name}.arriving")
    shutil.rmtree(arriving, ignore_errors=True)
    try:
        unpack(packed, arriving)
        status = (arriving / "status").read_text() if (arriving / "status").exists() else None
        write_atomically(folder / "status", "running\n")
        clear_run(folder, keep=("status", "config.json"))
        for new in sorted(arriving.iterdir()):
            if new.name != "status":
                new.replace(folder / new.name)
        if status is not None:
            write_atomically(folder / "status", status)
    finally:
        shutil.rmtree(arriving, ignore_errors=True)


def _require_plain(members: list[tarfile.TarInfo]) -> None:
    names = [member.name for member in members]
    if len(set(names)) < len(names):
        raise ArchiveError("a run that arrived holds a file twice: refused")
    for member in members:
        if member.type != tarfile.REGTYPE or not _is_known(member.name):
            raise ArchiveError(
                f"a run that arrived holds {member.name[:80]!r}, which no run writes: refused"
            )


def _is_known(name: str) -> bool:
    if "/" in name:
        return _NAMES.fullmatch(name) is not None
    is_private = name.startswith(".") or name in ("beliefs", "checkpoint", "")
    return is_own(name) and not is_private


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    source = archive.extractfile(member)
    if source is None:
        raise ArchiveError(f"{member.name!r} did not arrive whole")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        shutil.copyfileobj(source, file)
    if path.stat().st_size != member.size:
        raise ArchiveError(f"{member.name!r} did not arrive whole")


def _too_large(folder: Path, limit: int) -> str:
    return (
        f"{folder} holds more than {limit:,} bytes: give the workers a shared folder instead of "
        "shipping runs"
    )
