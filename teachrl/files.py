"""Files that are whole or absent, and that are mistrusted when they are read."""

import errno
import json
import math
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class DamagedFileError(ValueError):
    """A file that is not what was written there."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Let no error leave that does not name ``path``, whatever parsers make of damaged bytes."""
    try:
        with importing(path):
            yield
    except (DamagedFileError, ModuleNotFoundError):
        raise
    except OSError as error:
        if error.filename is not None:
            raise
        raise _damaged(path, error) from error
    except Exception as error:
        raise _damaged(path, error) from error


@contextmanager
def importing(path: Path) -> Iterator[None]:
    """Say of a module that is missing which file names it, and how it may be found."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path} names what cannot be imported: {error}. If it lies in the working directory, "
            "PYTHONPATH=. finds it",
            name=error.name,
        ) from error


def read_text(path: Path) -> str:
    """Return the text of a file."""
    with reading(path):
        return path.read_bytes().decode()


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file."""
    with reading(path):
        value = json.loads(path.read_bytes())
        if not isinstance(value, dict):
            raise TypeError(f"expected a JSON object, got {type(value).__name__}")
        return value


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file that ``np.savez`` wrote.

    Objects are refused, since unpickling them runs code. Sizes that the file claims are compared
    with its true ones before memory is taken for them.
    """
    with reading(path), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _require_plain(members, path.stat().st_size)
        return {info.filename.removesuffix(".npy"): _array(archive, info) for info in members}


def write_atomically(path: Path, content: str | bytes | Callable[[BinaryIO], object]) -> None:
    """Write a file beside ``path``, flush it to disk, and rename it into place.

    Args:
        path: the file to replace; it is the old one or the new one, never a half.
        content: or a function that is called with the open binary file.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)  # on a full disk above all
        raise
    sync_folder(path.parent)


def write_npz(path: Path, arrays: dict[str, Any]) -> None:
    """Write what :func:`read_npz` reads, atomically."""
    write_atomically(path, lambda file: np.savez(file, **arrays))


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to disk: without it, a power cut can undo a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_disk_full(error: BaseException | None) -> bool:
    """Tell whether a write failed for lack of space, or of the right to more of it."""
    return isinstance(error, OSError) and error.errno in _FULL


def _damaged(path: Path, error: Exception) -> DamagedFileError:
    reason = str(error) or type(error).__name__
    return DamagedFileError(
        f"{path} cannot be read: it is damaged, or it is not what its name says ({reason})"
    )


def _require_plain(members: list[zipfile.ZipInfo], size: int) -> None:
    """Refuse archives that unpack to more than they are."""
    names = [info.filename for info in members]
    if len(set(names)) < len(names) or not all(name.endswith(".npy") for name in names):
        raise ValueError(f"expected arrays with names of their own, got {names[:4]}")
    if any(info.compress_type != zipfile.ZIP_STORED for info in members):
        raise ValueError("compressed arrays are refused: they can unpack to any size")
    if sum(info.file_size for info in members) > size:
        raise ValueError("it claims to hold more than its own size")


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"{info.filename} has the unknown format {version}")
        shape, _, dtype = _HEADERS[version](file)
        claimed, true = dtype.itemsize * math.prod(shape), info.file_size - file.tell()
    if dtype.hasobject or dtype.itemsize == 0:
        raise ValueError(f"{info.filename} holds {dtype}, which is never written")
    if claimed != true:
        raise ValueError(f"{info.filename} claims {claimed} bytes and has {true}")
    with archive.open(info) as file:  # from its beginning, so that its checksum is verified
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array
