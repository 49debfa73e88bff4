"""What the papers say of the point mass, in the units of this one (Klink et al., 2022 and 2023)."""

from typing import Any

# Where SPDL begins; CURROT and GRADIENT do so with uniform tasks.
FIRST_GATES: dict[str, Any] = {"initial_mean": (0.0, 4.25), "initial_std": (0.25, 0.25)}


def scaled_return(discounted: float) -> float:
    """Return a bound on returns discounted by 0.95 as a share of the undiscounted ones' range.

    There is no one answer. A discounted 4.0 is 20 of at most 100 if all steps pay alike, and 64 if
    the mass moves evenly and arrives after half of them; likewise 3.0 is 15 or 56. Ten times the
    bound lies between the two, and above what waiting before the gate earns.
    """
    return discounted / 10
