"""Names on the command line and in run folders, and the objects behind them, imported on use."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from pathlib import PurePath
from typing import Any

import numpy as np

from teachrl.spaces import TaskSpace


class Registry(Mapping[str, Any]):
    """A read-only table from names to objects that are imported when first asked for.

    >>> Registry("shape", {"fraction": "fractions:Fraction"})["fraction"].__name__
    'Fraction'
    """

    def __init__(self, kind: str, paths: Mapping[str, str]) -> None:
        self.kind = kind
        self.paths = dict(paths)

    def __getitem__(self, name: str) -> Any:
        """Import the object called ``name``; an unknown name raises with the nearest known one."""
        if name not in self.paths:
            raise UnknownNameError(self.kind, name, self.paths)
        return import_object(self.paths[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)

    def name_of(self, thing: object) -> str | None:
        """Return the name ``thing`` is registered under, or None."""
        path = object_path(thing)
        return next((name for name, known in self.paths.items() if known == path), None)


class UnknownNameError(KeyError):
    """A name that is not registered, with the nearest one that is."""

    def __init__(self, kind: str, name: str, known: Mapping[str, Any]) -> None:
        nearest = get_close_matches(name.lower(), known, n=1, cutoff=0.4)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        names = ", ".join(sorted(known))
        super().__init__(f"unknown {kind} {name!r}.{hint} Known: {names}")

    def __str__(self) -> str:
        return str(self.args[0])  # a KeyError would print the quotes of a repr


def import_object(path: str) -> Any:
    """Import ``"package.module:Qualified.name"``."""
    module, _, qualified = path.partition(":")
    thing: Any = import_module(module)
    for part in qualified.split("."):
        thing = getattr(thing, part)
    return thing


def object_path(thing: object) -> str:
    """Return the ``"package.module:Qualified.name"`` of a class or function."""
    return f"{thing.__module__}:{getattr(thing, '__qualname__', type(thing).__qualname__)}"


def to_config(make: Any, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Describe a class, a function or a ``functools.partial`` of one as JSON.

    What cannot be made again from JSON (a lambda, a class of a script, a partial with arguments
    that have no names) is described all the same, and marked with ``"importable": False``.
    """
    given, unnamed = dict(options or {}), list[Any]()
    while isinstance(make, partial):
        given = make.keywords | given
        unnamed = [*make.args, *unnamed]
        make = make.func
    path = object_path(make)
    can_be_made_again = not unnamed and _is_importable(path, make)
    given |= {"*": unnamed} if unnamed else {}
    return {"make": path, "options": to_json(given), "importable": can_be_made_again}


def from_config(config: Mapping[str, Any], base: type) -> Any:
    """Return the callable that :func:`to_config` described.

    Files cannot make us call anything: only subclasses of ``base`` are accepted.
    """
    made = import_object(config["make"]) if config.get("importable") else None
    if not (isinstance(made, type) and issubclass(made, base)):
        raise ValueError(
            f"{config.get('make')} is not an importable subclass of {base.__name__}, and nothing "
            "else is made from a file: pass the object itself"
        )
    return partial(made, **from_json(config["options"]))


def _is_importable(path: str, thing: object) -> bool:
    """Tell whether another process, too, will find ``thing`` there."""
    if path.startswith("__main__:"):
        return False
    try:
        return import_object(path) is thing
    except (ImportError, AttributeError):
        return False


def to_json(value: Any) -> Any:
    """Return ``value`` as JSON; what is not JSON is recorded by its name."""
    if isinstance(value, TaskSpace):
        return {"task_space": value.to_json()}
    if isinstance(value, Mapping):
        return {str(key): to_json(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(inner) for inner in value]
    if isinstance(value, PurePath):
        return str(value)
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or isinstance(plain, bool | int | float | str):
        return plain
    return {"object": object_path(value) if callable(value) else repr(value)}


def from_json(value: Any) -> Any:
    """Undo :func:`to_json`; what was recorded by its name only is refused."""
    if isinstance(value, Mapping) and value.keys() == {"task_space"}:
        return TaskSpace.from_json(value["task_space"])
    if isinstance(value, Mapping) and value.keys() == {"object"}:
        raise ValueError(f"{value['object']} was recorded by name only: pass the object itself")
    if isinstance(value, Mapping):
        return {key: from_json(inner) for key, inner in value.items()}
    return [from_json(inner) for inner in value] if isinstance(value, list) else value
