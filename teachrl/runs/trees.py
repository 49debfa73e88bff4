"""Nested dicts and lists of arrays and JSON values, in one npz file that cannot run code."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from teachrl.files import read_npz, reading, write_npz


def save_tree(path: Path, tree: Mapping[str, Any]) -> None:
    """Write ``tree`` atomically: a crash leaves the old file or the new one, never a half."""
    arrays: dict[str, Any] = {}
    skeleton = json.dumps(_take_arrays(tree, arrays))
    write_npz(path, {"skeleton": skeleton} | arrays)


def load_tree(path: Path) -> dict[str, Any]:
    """Read what :func:`save_tree` wrote."""
    arrays = read_npz(path)
    with reading(path):
        tree = _put_arrays(json.loads(str(arrays["skeleton"])), arrays)
        if not isinstance(tree, dict):
            raise TypeError(f"expected a dict, got {type(tree).__name__}")
        return tree


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
