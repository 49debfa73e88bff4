"""Refusing hyper-parameters that cannot work, in words that name them."""

from collections.abc import Sequence
from math import inf
from numbers import Integral, Real

import numpy as np

from teachrl.core import Teacher
from teachrl.targets import Target


def require_number(teacher: Teacher, name: str, low: float = -inf, high: float = inf) -> None:
    """Refuse the field ``name`` unless it is a number in [low, high]."""
    value = getattr(teacher, name)
    if isinstance(value, bool) or not isinstance(value, Real) or not low <= float(value) <= high:
        raise _error(teacher, name, f"a number in [{low:g}, {high:g}]")


def require_count(teacher: Teacher, name: str, least: int = 1) -> None:
    """Refuse the field ``name`` unless it is a whole number of at least ``least``."""
    value = getattr(teacher, name)
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise _error(teacher, name, f"a whole number of at least {least}")


def require_choice(teacher: Teacher, name: str, choices: tuple[str, ...]) -> None:
    """Refuse the field ``name`` unless it is one of ``choices``."""
    if getattr(teacher, name) not in choices:
        raise _error(teacher, name, f"one of {', '.join(choices)}")


def require_sizes(teacher: Teacher, name: str) -> None:
    """Refuse the field ``name`` unless it holds whole numbers of at least 1."""
    values = getattr(teacher, name)
    if not all(isinstance(value, Integral) and int(value) >= 1 for value in values):
        raise _error(teacher, name, "whole numbers of at least 1")


def require_vector(teacher: Teacher, name: str, size: int, low: float = -inf) -> None:
    """Refuse the field ``name`` unless it holds ``size`` finite numbers of at least ``low``."""
    value = np.asarray(getattr(teacher, name))
    is_numeric = value.shape == (size,) and value.dtype.kind in "iuf"
    if not is_numeric or not np.isfinite(value).all() or (value < low).any():
        raise _error(teacher, name, f"{size} numbers of at least {low:g}")


def few_tasks(teacher: Teacher, name: str, advice: str = "Make it smaller") -> list[str]:
    """Return the concern that the space has fewer tasks than the field ``name`` says, if it has."""
    held = getattr(teacher, name)
    if teacher.space.n_tasks >= held:
        return []
    return [
        f"{type(teacher).__name__}.{name} is {held}, but {teacher.space} has only "
        f"{teacher.space.n_tasks:.0f} different tasks: it will hold the same ones several times, "
        f"with different seeds. {advice}"
    ]


def require_target(
    teacher: Teacher,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | float | None = None,
) -> Target:
    """Return the Gaussian with ``mean`` and ``std``, or else what the environment declares.

    Args:
        teacher: that has been started.
        mean: in task units; None: the environment's target counts.
        std: as shares of the parameters' ranges.
    """
    if (mean is None) != (std is None):
        raise ValueError(
            f"{type(teacher).__name__}: target_mean and target_std go together, got {mean} and "
            f"{std}"
        )
    if mean is not None and std is not None:
        return Target.gaussians([mean], std).require(teacher.space)
    if teacher.target is None:
        raise ValueError(
            f"{type(teacher).__name__} teaches towards a target, which this environment does not "
            "declare: give the environment an attribute target = Target.uniform() or "
            "Target.gaussians(means, stds), or the teacher target_mean and target_std"
        )
    return teacher.target


def _error(teacher: Teacher, name: str, expected: str) -> ValueError:
    got = getattr(teacher, name)
    return ValueError(f"{type(teacher).__name__}.{name} must be {expected}, got {got!r}")
