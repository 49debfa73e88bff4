"""The options of a class or function, as a dataclass whose fields become flags."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, Field, field, fields, is_dataclass, make_dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import gymnasium as gym

from teachrl.spaces import TaskSpace

_SIMPLE = (bool, int, float, str, Path, Enum, TaskSpace, NoneType)  # what a flag can give
_OF_SIMPLE = (tuple, list, set, frozenset, Union, UnionType, Annotated)


def options_of(thing: Any) -> Any:
    """Return a dataclass with the options of a class or function, documented as there.

    A teacher or a student's preset is such a dataclass itself. Arguments that no flag can give are
    left out.

    Raises:
        ValueError: one of those has no default.
    """
    if _is_configuration(thing):
        return thing
    constructors = [thing]
    if isinstance(thing, type):
        constructors = [base for base in thing.__mro__ if "__init__" in vars(base)]
    documented = {"__doc__": inspect.getdoc(thing)}
    bases = (_arguments_of(constructors, is_inherited=False),)
    return make_dataclass(thing.__name__, [], bases=bases, kw_only=True, namespace=documented)


def made_with(thing: Any, options: Any) -> Any:
    """Return the configuration itself, or the class with those options bound that differ."""
    if _is_configuration(thing):
        return options
    given = {f.name: getattr(options, f.name) for f in fields(options)}
    changed = {f.name: given[f.name] for f in fields(options) if given[f.name] != _default(f)}
    return partial(thing, **changed) if changed else thing


def _is_configuration(thing: Any) -> bool:
    return is_dataclass(thing) and not issubclass(thing, gym.Env)  # type: ignore[arg-type]


def _arguments_of(constructors: Sequence[Any], is_inherited: bool) -> type:
    """Return a dataclass with the arguments of the first, and of those it hands ``**others`` to."""
    owner, *others = constructors
    arguments = list(inspect.signature(_call(owner)).parameters.values())[isinstance(owner, type) :]
    hands_on = others and any(a.kind is a.VAR_KEYWORD for a in arguments)
    bases = (_arguments_of(others, is_inherited=True),) if hands_on else ()
    options = list(_flags_of(owner, arguments, is_inherited))
    documented = {"__doc__": inspect.getdoc(owner)}
    return make_dataclass(owner.__name__, options, bases=bases, kw_only=True, namespace=documented)


def _flags_of(
    owner: Any, arguments: Sequence[inspect.Parameter], is_inherited: bool
) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, type and default of the arguments that a flag can give."""
    hints = _hints(_call(owner))
    own = {f.name: f for f in fields(owner)} if is_dataclass(owner) else {}
    for argument in arguments:
        if argument.kind not in (argument.POSITIONAL_OR_KEYWORD, argument.KEYWORD_ONLY):
            continue
        name = argument.name
        default = _default(own[name]) if name in own else argument.default
        is_required = default in (argument.empty, MISSING)
        kind = hints.get(name, None if is_required or default is None else type(default))
        if is_required and is_inherited:
            continue  # the class itself gives it
        if _is_simple(kind):
            yield name, kind, _field(default)
        elif is_required:
            raise ValueError(
                f"{owner.__name__} needs {name}, which no flag can give: write a function without "
                "arguments that makes it, and name that"
            )


def _field(default: Any) -> Any:
    if default in (inspect.Parameter.empty, MISSING):
        return field()
    is_fixed = type(default).__hash__ is not None
    return field(default=default) if is_fixed else field(default_factory=lambda: default)


def _default(option: Field[Any]) -> Any:
    if option.default_factory is not MISSING:
        return option.default_factory()
    return option.default


def _call(owner: Any) -> Any:
    return owner.__init__ if isinstance(owner, type) else owner  # type: ignore[misc]


def _hints(call: Any) -> dict[str, Any]:
    try:
        return get_type_hints(call, include_extras=True)
    except NameError:  # of what is imported for type checkers only
        return {}


def _is_simple(kind: Any) -> bool:
    """Tell whether words on a command line can be read as this type."""
    origin = get_origin(kind)
    if origin is Literal:
        return True
    if origin in _OF_SIMPLE:
        inner = get_args(kind)[: 1 if origin is Annotated else None]
        return all(_is_simple(one) for one in inner if one is not Ellipsis)
    return isinstance(kind, type) and issubclass(kind, _SIMPLE)
