"""The parameters a task of a track may have."""

from collections.abc import Mapping

from teachrl.registry import UnknownNameError
from teachrl.spaces import Floats, TaskSpace

# Name and number of values; heights and widths are in terrain steps unless said otherwise.
PARAMETERS = {
    "obstacle_spacing": 1,  # gap between obstacles, in units
    "poly_shape": 12,  # moves of the six corners of a hexagon, (x, y) each
    "roughness": 1,  # of the ground in the gaps; 1 as in Gymnasium's walker
    "stump_height": 1,  # mean
    "stump_rot": 1,  # mean angle in radians by which stumps lean backward
    "stump_seq": 10,  # five stumps in a row: mean height and mean width, in units, of each
    "stump_width": 1,  # mean
}


def known_space(space: TaskSpace, known: Mapping[str, int] = PARAMETERS) -> TaskSpace:
    """Return ``space`` if a track understands all its parameters, or raise."""
    for name, parameter in space.parameters.items():
        if name not in known:
            raise UnknownNameError("task parameter", name, known)
        if parameter.size != known[name]:
            raise ValueError(
                f"task parameter {name!r} takes {known[name]} values, got {parameter.size}; "
                f'declare it as {name}=(low, high, "float", {known[name]})'
            )
        if name in ("stump_rot", "stump_width") and "stump_height" not in space.parameters:
            raise ValueError(
                f"task parameter {name!r} shapes stumps, which need 'stump_height' too"
            )
    return space


def easiest_task(space: TaskSpace) -> Floats:
    """Return the lowest and smoothest obstacles, as far apart as the space allows."""
    easy = {n: p.high if n == "obstacle_spacing" else p.low for n, p in space.parameters.items()}
    return space.pack(**easy)
