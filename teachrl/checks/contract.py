"""What the checks of teachers and of environments share."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


class ContractError(AssertionError):
    """A promise that is not kept."""


@contextmanager
def noted(note: str) -> Iterator[None]:
    """Add to any error what was being checked."""
    try:
        yield
    except Exception as error:
        error.add_note(note)
        raise


@contextmanager
def global_state_kept() -> Iterator[None]:
    """Raise if NumPy's or Python's global random numbers were used or seeded."""
    before = _global_state()
    yield
    if _global_state() != before:
        raise ContractError("global random numbers were used: draw from the generator handed in")


def _global_state() -> str:
    numpy_state: Any = np.random.get_state()  # noqa: NPY002 - only looked at
    return f"{numpy_state[1].tobytes().hex()} {numpy_state[2:]} {random.getstate()}"
