"""Compiled functions, kept on disk where that is possible."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function``, once and for all where the compiled code can be kept on disk."""
    try:
        return cast(Callable[P, R], njit(cache=True)(function))
    except RuntimeError:  # neither its folder nor the user's cache folder is writable
        return cast(Callable[P, R], njit(function))
