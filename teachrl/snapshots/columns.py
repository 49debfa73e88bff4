"""Many dictionaries of like arrays and JSON values, stored by columns."""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Row = dict[str, Any]  # by path: "observation", "attributes/arrays/0"
_MARK = "state/"  # before the names of arrays in a file


def flat(state: Mapping[str, Any], prefix: str = "") -> Row:
    """Return nested dictionaries as one, whose keys are paths; an empty one stays a value."""
    row: Row = {}
    for key, value in state.items():
        path = f"{prefix}{key}"
        if "/" in str(key):
            raise ValueError(f"a name in a state has no slash, got {key!r}")
        if isinstance(value, Mapping) and value:
            row |= flat(value, f"{path}/")
        else:
            row[path] = value
    return row


def nested(row: Row) -> dict[str, Any]:
    """Undo :func:`flat`."""
    state: dict[str, Any] = {}
    for path, value in row.items():
        *above, name = path.split("/")
        inner = state
        for key in above:
            inner = inner.setdefault(key, {})
        inner[name] = value
    return state


def split(rows: list[Row]) -> tuple[list[dict[str, Any]], dict[str, NDArray[Any]]]:
    """Return a description of the columns as JSON, and arrays.

    Rows whose value at a path is an array of one shape and kind are stacked. Of the numbers in it,
    those that are the same in all rows are stored once. Other values are stored once each.
    """
    columns, arrays = list[dict[str, Any]](), dict[str, NDArray[Any]]()
    for path in sorted({path for row in rows for path in row}):
        groups: dict[Any, list[int]] = {}
        for i, row in enumerate(rows):
            if path in row:
                groups.setdefault(_kind(row[path]), []).append(i)
        for kind, members in groups.items():
            name = f"{_MARK}{len(columns)}"
            column: dict[str, Any] = {"path": path}
            if len(members) < len(rows):
                arrays[f"{name}/rows"] = np.array(members, np.int32)
            values = [rows[i][path] for i in members]
            if kind is None:
                column["values"], arrays[f"{name}/which"] = _unique(values)
            else:
                column["shape"] = list(kind[0])
                arrays |= _stack(name, values)
            columns.append(column)
    return columns, arrays


def joined(columns: list[dict[str, Any]], arrays: Mapping[str, Any], n: int) -> list[Row]:
    """Undo :func:`split`."""
    rows: list[Row] = [{} for _ in range(n)]
    for number, column in enumerate(columns):
        name = f"{_MARK}{number}"
        members = arrays[f"{name}/rows"].tolist() if f"{name}/rows" in arrays else range(n)
        for i, value in zip(members, _values(column, name, arrays, len(members)), strict=True):
            rows[i][column["path"]] = value
    return rows


def _kind(value: Any) -> Any:
    """Return shape and kind of an array, None for JSON values."""
    return (value.shape, value.dtype.str) if isinstance(value, np.ndarray | np.generic) else None


def _unique(values: list[Any]) -> tuple[list[Any], NDArray[np.int32]]:
    numbers: dict[str, int] = {}
    which = [numbers.setdefault(json.dumps(value), len(numbers)) for value in values]
    return [json.loads(text) for text in numbers], np.array(which, np.int32)


def _stack(name: str, values: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    table = np.stack(values).reshape(len(values), -1)
    if table.dtype.hasobject:
        raise TypeError("a state holds an array of objects: only numbers and text are stored")
    # By bits: NaN is NaN, and -0.0 is not 0.0.
    bits = np.ascontiguousarray(table).view(np.uint8).reshape(*table.shape, table.itemsize)
    varies = (bits != bits[:1]).any(axis=(0, 2)) if table.size else np.zeros(table.shape[1], bool)
    return {
        f"{name}/first": table[0],
        f"{name}/varies": varies,
        f"{name}/table": table[:, varies],
    }


def _values(
    column: Mapping[str, Any], name: str, arrays: Mapping[str, Any], n: int
) -> Iterator[Any]:
    if "values" in column:
        for which in arrays[f"{name}/which"].tolist():
            value = column["values"][which]
            yield value if isinstance(value, str) else copy.deepcopy(value)
        return
    first, varies, table = (arrays[f"{name}/{part}"] for part in ("first", "varies", "table"))
    if len(table) != n or first.shape != varies.shape:
        raise ValueError(f"column {column['path']!r} has {len(table)} rows, expected {n}")
    for row in table:
        value = first.copy()
        value[varies] = row
        yield value.reshape(column["shape"])
