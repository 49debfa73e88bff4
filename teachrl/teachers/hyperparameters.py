"""Refusing hyper-parameters that cannot work, in words that name them."""

from math import inf, isfinite
from numbers import Integral, Real

import numpy as np

from teachrl.core import Teacher
from teachrl.targets import Target

_LEAST_STD = 1e-9


def require_number(teacher: Teacher, name: str, low: float = -inf, high: float = inf) -> None:
    """Refuse the field ``name`` unless it is a finite number in [low, high]."""
    value = getattr(teacher, name)
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not isfinite(value) or not low <= float(value) <= high:
        wanted = f"a number in [{low:g}, {high:g}]"
        if high == inf:
            wanted = "a finite number" if low == -inf else f"a finite number of at least {low:g}"
        raise _error(teacher, name, wanted)


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
    if not isinstance(values, tuple | list) or not all(
        not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= 1
        for value in values
    ):
        raise _error(teacher, name, "whole numbers of at least 1, such as (64, 64)")


def require_vector(teacher: Teacher, name: str, size: int, low: float = -inf) -> None:
    """Refuse the field ``name`` unless it holds ``size`` finite numbers of at least ``low``."""
    numbers = "1 number" if size == 1 else f"{size} numbers"
    value = np.asarray(getattr(teacher, name))
    is_numeric = value.shape == (size,) and value.dtype.kind in "iuf"
    if not is_numeric or not np.isfinite(value).all() or (value < low).any():
        raise _error(teacher, name, numbers if low == -inf else f"{numbers} of at least {low:g}")


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


def require_task(teacher: Teacher, name: str) -> None:
    """Refuse the field ``name`` unless it is a task, in task units."""
    require_vector(teacher, name, teacher.space.dimensions)
    try:
        teacher.space.require(getattr(teacher, name))
    except ValueError as error:
        raise ValueError(f"{type(teacher).__name__}.{name} is no task: {error}") from None


def require_gaussian(teacher: Teacher, name: str, least: float = _LEAST_STD) -> bool:
    """Tell whether the fields ``name``_mean and ``name``_std are given; refuse what is no Gaussian.

    Deviations are shares of the range, of at least ``least``.
    """
    mean, std = (getattr(teacher, f"{name}_{part}") for part in ("mean", "std"))
    if (mean is None) != (std is None):
        raise ValueError(
            f"{type(teacher).__name__}: {name}_mean and {name}_std go together, got {mean} and "
            f"{std}"
        )
    if mean is not None:
        require_task(teacher, f"{name}_mean")
        require_vector(teacher, f"{name}_std", teacher.space.dimensions, low=least)
    return mean is not None


def require_target(teacher: Teacher) -> Target:
    """Return the Gaussian of its target_mean and target_std, or else the environment's target."""
    if require_gaussian(teacher, "target"):
        mean, std = (getattr(teacher, name) for name in ("target_mean", "target_std"))
        return Target.gaussians([mean], std)
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
