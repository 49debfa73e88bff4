"""Small changes to a task, in unit coordinates (Parker-Holder et al., 2022, arXiv 2203.01302)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from teachrl.spaces import TaskSpace

Array = NDArray[np.float64]


def mutate(
    point: Array,
    space: TaskSpace,
    rng: np.random.Generator,
    *,
    edits: int,
    size: float | Sequence[float],
    jump_ratio: float = 0.0,
) -> Array:
    """Return a changed copy of a point (d,) of the unit cube.

    Each edit moves one coordinate by up to ``size``, up, down or not at all; of whole numbers by
    one, unless their size is 0. Beyond a bound it is reflected: clipped ones would pile up there.

    Args:
        point: of a task.
        space: whose whole numbers stay whole.
        rng: to draw from.
        edits: how many.
        size: the largest step, as a share of the range; of all coordinates, or of each.
        jump_ratio: share of edits that draw the coordinate anew.

    >>> space = TaskSpace(height=(0, 1), steps=(1, 5, "int"))
    >>> changed = mutate(np.array([0.5, 0.5]), space, np.random.default_rng(0), edits=3, size=0.05)
    >>> bool(abs(changed[0] - 0.5) <= 0.15), float(space.denormalize(changed)[1])
    (True, 3.0)
    """
    changed: Array = np.array(point, np.float64)
    sizes, widths = _scales(space, size)
    for _ in range(edits):
        i = int(rng.integers(len(changed)))
        direction = int(rng.integers(-1, 2))
        step = rng.random() * sizes[i]
        if rng.random() < jump_ratio:
            changed[i] = rng.random()
        elif widths[i]:
            changed[i] = reflect(changed[i] + direction * widths[i])
        else:
            changed[i] = reflect(changed[i] + direction * step)
    return changed


def mutate_group(
    point: Array,
    space: TaskSpace,
    rng: np.random.Generator,
    *,
    edits: int,
    size: float | Sequence[float],
    group_size: int = 2,
) -> Array:
    """Return a copy in which every edit moves one point of a parameter, all its coordinates.

    For parameters that are lists of points, x, y, x, y, ..., such as the outline of an obstacle. A
    parameter that is one number is a point, too.

    Args:
        point: of a task.
        space: whose whole numbers stay whole.
        rng: to draw from.
        edits: how many.
        size: the largest step, as a share of the range; of all coordinates, or of each.
        group_size: coordinates of a point in the list; what is left at its end is one, too.
    """
    changed: Array = np.array(point, np.float64)
    (sizes, widths), parts = _scales(space, size), group_slices(space, group_size)
    for _ in range(edits):
        part = parts[int(rng.integers(len(parts)))]
        steps = sizes[part] * rng.uniform(-1, 1, sizes[part].shape)
        steps = np.where(widths[part] > 0, widths[part] * np.sign(steps), steps)
        changed[part] = [reflect(value) for value in changed[part] + steps]
    return changed


def reflect(value: float) -> float:
    """Fold a number back into [0, 1].

    >>> reflect(1.25), reflect(-0.25), reflect(2.5), reflect(0.75)
    (0.75, 0.25, 0.5, 0.75)
    """
    folded = abs(value) % 2.0
    return float(2.0 - folded if folded > 1.0 else folded)


def group_slices(space: TaskSpace, group_size: int) -> list[slice]:
    """Return where the points of each parameter stand in a task.

    >>> group_slices(TaskSpace(height=(0, 3), shape=(0, 4, "float", 4)), 2)
    [slice(0, 1, None), slice(1, 3, None), slice(3, 5, None)]
    """
    parts, start = [], 0
    for parameter in space.parameters.values():
        end = start + parameter.size
        parts += [slice(i, min(i + group_size, end)) for i in range(start, end, group_size)]
        start = end
    return parts


def whole_widths(space: TaskSpace) -> Array:
    """Return how far apart whole numbers are in unit coordinates, (d,); 0 for other kinds."""
    widths: list[float] = []
    for parameter in space.parameters.values():
        steps = parameter.high - parameter.low + 1
        width = 1.0 / steps if parameter.kind == "int" else 0.0
        widths += [width] * parameter.size
    return np.array(widths)


def _scales(space: TaskSpace, size: float | Sequence[float]) -> tuple[Array, Array]:
    """Return the largest step of each coordinate, and the fixed one of whole numbers, (d,)."""
    sizes = np.broadcast_to(np.asarray(size, np.float64), (space.dimensions,))
    return sizes, whole_widths(space) * (sizes > 0)
