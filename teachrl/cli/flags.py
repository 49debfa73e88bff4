"""Flags from the fields of dataclasses, so that no option is written down twice."""

import argparse
import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, make_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

import tyro

from teachrl.cli.options import made_with, options_of
from teachrl.cli.paths import find, short_name
from teachrl.registry import import_object
from teachrl.spaces import TaskSpace


@dataclass(kw_only=True)
class Command(ABC):
    """What one word after ``teachrl`` does; its fields are its flags.

    A field that :attr:`tables` mentions holds the name of a registered thing, or a tuple of names;
    or the path of somebody's own: ``mine:MyTeacher``. The fields of that thing become flags too:
    ``--teacher alp-gmm --teacher.fit-every 150``.
    """

    things: dict[str, Any] = field(init=False, default_factory=dict)
    """What was named, made: by field, or by its own name where a field has many."""

    tables: ClassVar[Mapping[str, str]] = {}
    """Where the registry is that the names in a field come from, as ``"module:NAME"``."""

    @abstractmethod
    def run(self) -> None:
        """Do it."""


C = TypeVar("C", bound=Command)


def read(command: type[C], args: Sequence[str], program: str) -> C:
    """Return the command that ``args`` describe.

    This takes two passes, since which teacher is meant decides which flags there are. A teacher or
    a student is made from its fields; an environment becomes its class, with its options bound.
    """
    classes = _named_classes(command, args)
    parts = [("", command), *((short_name(n), options_of(made)) for n, made in classes.items())]
    _require_different([name for name, _ in parts])
    flags = [
        (f"part_{i}", Annotated[made, tyro.conf.arg(name=name, help=_summary(made))])
        for i, (name, made) in enumerate(parts)
    ]
    whole: Any = make_dataclass(command.__name__, flags)
    parsed = tyro.cli(
        whole,
        args=list(args),
        prog=program,
        description=_description(command),
        config=(tyro.conf.FlagCreatePairsOff,),
        registry=_READERS,
    )
    own: C
    own, *options = vars(parsed).values()
    for (name, made), chosen in zip(classes.items(), options, strict=True):
        own.things[name] = made_with(made, chosen)
    return own


def _named_classes(command: type[Command], args: Sequence[str]) -> dict[str, Any]:
    """Look up what ``args`` name, skipping all that only the second pass can understand."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    defaults = {f.name: f.default for f in fields(command)}
    for name in command.tables:
        nargs = "*" if isinstance(defaults[name], tuple) else None
        first.add_argument(f"--{name}", nargs=nargs, default=defaults[name])
    try:
        known, _ = first.parse_known_args(args)
    except argparse.ArgumentError as error:
        raise ValueError(str(error)) from None
    classes: dict[str, Any] = {}
    for name, place in command.tables.items():
        chosen, table = getattr(known, name), import_object(place)
        if isinstance(chosen, str):
            classes[name] = find(table, chosen)
        else:
            classes |= {one: find(table, one) for one in chosen}
    return classes


def _require_different(names: Sequence[str]) -> None:
    """Refuse two things whose flags would have the same names."""
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two of the chosen have flags --{name}.…: rename one of the classes")


def _summary(thing: type) -> str:
    """Return the first paragraph of what is said about it."""
    return (inspect.getdoc(thing) or "").partition("\n\n")[0]


def _description(command: type[Command]) -> str:
    tables = {name: import_object(place) for name, place in command.tables.items()}
    known = [f"--{n}: {', '.join(sorted(t))}, or MODULE:NAME" for n, t in tables.items()]
    return "\n".join([inspect.getdoc(command) or "", *(["", *known] if known else [])])


_READERS = tyro.constructors.ConstructorRegistry()


@_READERS.primitive_rule
def _task_spaces(info: tyro.constructors.PrimitiveTypeInfo) -> Any:
    """Let a task space be written as ``stump_height=0,3 obstacle_spacing=0,6``."""
    if info.type is not TaskSpace:
        return None
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs="*",
        metavar="NAME=LOW,HIGH[,KIND[,SIZE]]",
        instance_from_str=_task_space,
        is_instance=lambda value: isinstance(value, TaskSpace),
        str_from_instance=lambda space: [
            f"{name}={','.join(map(str, p))}" for name, p in space.to_json().items()
        ],
    )


def _task_space(words: Sequence[str]) -> TaskSpace:
    parameters: dict[str, tuple[Any, ...]] = {}
    for word in words:
        match = re.fullmatch(r"(\w+)=([^,]+),([^,]+)(?:,(\w+)(?:,(\d+))?)?", word)
        if match is None:
            raise ValueError(f"expected NAME=LOW,HIGH such as stump_height=0,3; got {word!r}")
        name, low, high, kind, size = match.groups()
        parameters[name] = (float(low), float(high), kind or "float", int(size or 1))
    return TaskSpace(**parameters)


def _whole_number(text: str, least: int) -> int:
    """Read ``2e6`` and ``2_000_000``."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not (value >= least and value.is_integer()):
        raise ValueError(
            f"expected a whole number of at least {least} (2e6, 2_000_000 are fine); got {text!r}"
        )
    return int(value)


def _count(least: int, metavar: str) -> Any:
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=lambda words: _whole_number(words[0], least),
        is_instance=lambda value: isinstance(value, int),
        str_from_instance=lambda value: [f"{value:_}"],
    )


def _or_none(spec: Any) -> Any:
    """Return how to read that, or None; of ``Count | None`` tyro's errors show its own objects."""
    return replace(
        spec,
        metavar=f"{{None}}|{spec.metavar}",
        instance_from_str=lambda words: (
            None if words == ["None"] else spec.instance_from_str(words)
        ),
        is_instance=lambda value: value is None or spec.is_instance(value),
        str_from_instance=lambda value: (
            ["None"] if value is None else spec.str_from_instance(value)
        ),
    )


def _paths(words: Sequence[str]) -> tuple[Path, ...]:
    if not words:
        raise ValueError("expected at least one folder, got none")
    return tuple(map(Path, words))


_FOLDERS = tyro.constructors.PrimitiveConstructorSpec(
    nargs="*",
    metavar="FOLDER [FOLDER ...]",
    instance_from_str=_paths,
    is_instance=lambda value: isinstance(value, tuple),
    str_from_instance=lambda paths: [str(path) for path in paths],
)

_REQUIRED = tyro.conf.arg(help_behavior_hint="(required)")  # tyro's is an empty default
Folders = tyro.conf.Positional[Annotated[tuple[Path, ...], _FOLDERS, _REQUIRED]]
Steps = Annotated[int, _count(1, "STEPS")]
Count = Annotated[int, _count(1, "N")]
CountOrZero = Annotated[int, _count(0, "N")]
OptionalCount = Annotated[int | None, _or_none(_count(1, "N"))]
OptionalStepsOrZero = Annotated[int | None, _or_none(_count(0, "STEPS"))]
