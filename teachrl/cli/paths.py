"""Things of the user's own on the command line, by ``MODULE:NAME``."""

import re
import sys
from collections.abc import Callable
from dataclasses import is_dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import gymnasium as gym

from teachrl.registry import Registry


def find(table: Registry, name: str) -> Any:
    """Return what ``table`` knows by ``name``, or what is at ``MODULE:NAME``.

    Raises:
        UnknownNameError: nothing is registered under the name.
        ValueError: there is nothing at the path, or nothing of this kind.
    """
    if ":" not in name:
        return table[name]
    accept, expected = _KINDS[table.kind]
    thing = import_path(name)
    accepted = accept(thing)
    if accepted is None:
        raise ValueError(f"{name} is no {table.kind}: expected {expected}; got {thing!r}")
    return accepted


def import_path(path: str) -> Any:
    """Import ``MODULE:NAME``; the module may lie in the working directory.

    Raises:
        ValueError: there is nothing.
    """
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*", path):
        raise ValueError(
            f"expected MODULE:NAME, such as mine:MyTeacher for what mine.py in the working "
            f"directory defines; got {path!r}"
        )
    module, _, qualified = path.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # as Python does for scripts
    try:
        thing: Any = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there, and lacks another one
        raise ValueError(
            f"{path}: there is no module {error.name}, neither in {Path.cwd()} nor installed"
        ) from None
    for part in qualified.split("."):
        if not hasattr(thing, part):
            nearest = get_close_matches(part, dir(thing), n=1)
            hint = f". Did you mean {nearest[0]!r}?" if nearest else ""
            raise ValueError(f"{path}: {module} has no {part!r}{hint}")
        thing = getattr(thing, part)
    return thing


def short_name(name: str) -> str:
    """Return ``my-teacher`` for ``mine:MyTeacher``; registered names are short already."""
    _, colon, qualified = name.rpartition(":")
    if not colon:
        return name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_.]", "-", qualified).lower()


def _teacher(thing: Any) -> Any:
    from teachrl.core import Teacher

    is_one = isinstance(thing, type) and issubclass(thing, Teacher) and is_dataclass(thing)
    return thing if is_one else None


def _student(thing: Any) -> Any:
    from teachrl.students.presets import preset_for

    return preset_for(thing)


def _environment(thing: Any) -> Any:
    is_one = issubclass(thing, gym.Env) if isinstance(thing, type) else callable(thing)
    return thing if is_one else None


_KINDS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "teacher": (_teacher, "a @dataclass(kw_only=True) that derives from teachrl.Teacher"),
    "student": (_student, "a Stable-Baselines3 class, or a preset: a dataclass of its options"),
    "environment": (_environment, "a class or function that makes a Gymnasium environment"),
}
"""How a kind of thing is recognised, and what is said where it is not."""
