"""Nested dicts and lists of arrays and JSON values, in one npz file that cannot run code."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np


def save_tree(path: Path, tree: Mapping[str, Any]) -> None:
    """Write ``tree`` atomically: a crash leaves the old file or the new one, never a half."""
    arrays: dict[str, Any] = {}
    skeleton = json.dumps(_take_arrays(tree, arrays))

    def write(file: BinaryIO) -> None:
        np.savez(file, skeleton=skeleton, **arrays)

    write_atomically(path, write)


def load_tree(path: Path) -> dict[str, Any]:
    """Read what :func:`save_tree` wrote."""
    with np.load(path, allow_pickle=False) as saved:
        tree: dict[str, Any] = _put_arrays(json.loads(str(saved["skeleton"])), saved)
        return tree


def write_atomically(path: Path, write: Any) -> None:
    """Write a file beside ``path``, flush it to disk, and rename it into place.

    Args:
        path: the file to replace.
        write: text, or a function that is called with the open binary file.
    """
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        if callable(write):
            write(file)
        else:
            file.write(write.encode())
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _take_arrays(value: Any, arrays: dict[str, Any]) -> Any:
    if isinstance(value, np.ndarray):
        arrays[name := f"array_{len(arrays)}"] = value
        return {"$array": name}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): _take_arrays(inner, arrays) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_take_arrays(inner, arrays) for inner in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"only arrays and JSON values are saved, got {type(value).__name__}: {value!r}")


def _put_arrays(value: Any, saved: Mapping[str, Any]) -> Any:
    if isinstance(value, dict) and value.keys() == {"$array"}:
        return saved[value["$array"]]
    if isinstance(value, dict):
        return {key: _put_arrays(inner, saved) for key, inner in value.items()}
    return [_put_arrays(inner, saved) for inner in value] if isinstance(value, list) else value
