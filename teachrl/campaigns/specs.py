"""The runs of a campaign before any of them has begun, and the names of their folders."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial
from inspect import signature
from itertools import product
from numbers import Integral
from pathlib import PurePosixPath
from typing import Any

import gymnasium as gym
import numpy as np

from teachrl.core import Teacher
from teachrl.envs import ENVS
from teachrl.registry import Registry, UnknownNameError, object_path
from teachrl.students.presets import STUDENTS
from teachrl.students.task_slot import warn_of_returns
from teachrl.teachers import TEACHERS
from teachrl.training import Plan, require_integer, teach

_OWN = {"student", "env", "teacher", "steps", "seed", "folder", "restart"}  # not in `arguments`
_PLANNED = ("n_envs", "processes", "options", "test_set", "evaluate_every")
_LONGEST = 120  # characters of a folder's name; file systems allow 255 bytes


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One run of a campaign: what :func:`teachrl.teach` is called with, and where.

    >>> from teachrl.teachers import Random
    >>> spec = RunSpec(
    ...     path="random/seed_3",
    ...     student="ppo",
    ...     env="toy-student",
    ...     teacher=Random(),
    ...     steps=100,
    ...     seed=3,
    ... )
    >>> spec.config()["steps"], spec.config()["n_envs"]
    (100, 1)
    """

    path: str  # of its folder, below that of the campaign, with slashes
    student: Any  # as for teach
    env: Callable[..., gym.Env[Any, Any]] | str
    teacher: Teacher
    steps: int
    seed: int
    arguments: Mapping[str, Any] = field(default_factory=dict)  # further ones of teach

    def __post_init__(self) -> None:
        path = PurePosixPath(self.path)
        if path.is_absolute() or str(path) != self.path or not path.parts or ".." in path.parts:
            raise ValueError(f"path must be like 'alp-gmm/seed_0', got {self.path!r}")
        object.__setattr__(self, "seed", require_integer("seed", self.seed, 0))
        known = signature(teach).parameters.keys() - _OWN
        for name in self.arguments:
            if name not in known:
                raise UnknownNameError("argument of teach", name, dict.fromkeys(known))

    def config(self) -> dict[str, Any]:
        """Return what ``config.json`` of the run will hold; refuse here what cannot work."""
        given: dict[str, Any] = {"n_envs": 1, "processes": False, "options": {}}
        given |= self.arguments
        planned: dict[str, Any] = {name: given.get(name) for name in _PLANNED}
        plan = Plan.checked(
            self.student, self.env, self.teacher, steps=self.steps, seed=self.seed, **planned
        )
        warn_of_returns(plan.declared)  # here, since the output of workers goes into files
        return plan.config()


def every_run(
    *,
    students: Any,
    envs: Any,
    teachers: Sequence[Teacher] | Mapping[str, Teacher],
    seeds: int | Sequence[int],
    steps: int,
    variants: Mapping[str, Mapping[str, Any]],
    arguments: Mapping[str, Any],
) -> Iterator[RunSpec]:
    """Yield the product, seed by seed, so that an interrupted campaign has compared something."""
    axes = [_axis("student", students), _axis("environment", envs)]
    axes += [_axis("variant", dict(variants)) if variants else {"": {}}, _teachers(teachers)]
    settings = {name: {**arguments, **variant} for name, variant in axes[2].items()}
    for seed in seed_list(seeds):
        for names in product(*axes):
            student, env, _, teacher = (axis[n] for axis, n in zip(axes, names, strict=True))
            yield RunSpec(
                path="/".join([*filter(None, names), f"seed_{seed}"]),
                student=student,
                env=env,
                teacher=teacher,
                steps=steps,
                seed=seed,
                arguments=settings[names[2]],
            )


def seed_list(seeds: int | Sequence[int]) -> Sequence[int]:
    """Return 0, 1, … for a count, or the seeds themselves."""
    given: Any = seeds  # whatever a caller may take for it
    chosen: Sequence[int] = []
    if not isinstance(given, bool) and isinstance(given, Integral):
        chosen = range(int(given))
    elif isinstance(given, Sequence | np.ndarray) and not isinstance(given, str):
        chosen = list(given)
    if not chosen or len(set(chosen)) != len(chosen):
        raise ValueError(f"seeds must be a positive count or a list without repeats, got {seeds!r}")
    return chosen


def _axis(kind: str, values: Any) -> dict[str, Any]:
    """Return the things of an axis by name; a single thing has no name, and so no folder."""
    if isinstance(values, Mapping):
        named = dict(values)
    elif isinstance(values, list | tuple):
        labels = [label(value) for value in values]
        if len(set(labels)) != len(labels):
            raise ValueError(
                f"two {kind}s are the same: {labels}; leave one of them out, or, in Python, name "
                "them with a dictionary"
            )
        named = dict(zip(labels, values, strict=True))
    else:
        return {"": values}
    if not named:
        raise ValueError(f"a campaign needs at least one {kind}")
    for name in named:
        _require_folder_name(kind, name)
    return named


def _teachers(teachers: Sequence[Teacher] | Mapping[str, Teacher]) -> dict[str, Teacher]:
    """Return the teachers by name: they always have a folder."""
    if isinstance(teachers, Teacher):
        teachers = [teachers]
    if not isinstance(teachers, Mapping | list | tuple):
        raise TypeError(f"teachers are a list such as [Random(), ALPGMM()], got {teachers!r}")
    things = list(teachers.values() if isinstance(teachers, Mapping) else teachers)
    for thing in things:
        if not isinstance(thing, Teacher):
            raise TypeError(f"a teacher is an object such as ALPGMM(), got {thing!r}")
    return _axis("teacher", teachers if isinstance(teachers, Mapping) else things)


def label(thing: Any) -> str:
    """Name a student, an environment or a teacher, with what differs from its defaults.

    >>> from teachrl.teachers import ALPGMM
    >>> label(ALPGMM(fit_every=150)), label("stump-tracks")
    ('alp-gmm,fit_every-150', 'stump-tracks')
    """
    if isinstance(thing, str):
        return thing.replace("/", "_")
    changed: dict[str, Any] = {}
    while isinstance(thing, partial):
        changed, thing = thing.keywords | changed, thing.func
    if is_dataclass(thing) and not isinstance(thing, type):
        usual, given = type(thing)(), thing
        changed = {
            f.name: getattr(given, f.name)
            for f in fields(given)
            if _differ(getattr(given, f.name), getattr(usual, f.name))
        }
        thing = type(thing)
    parts = [f"{name}-{value}".replace("/", "_") for name, value in changed.items()]
    name = _registered(thing) or str(getattr(thing, "__name__", thing))
    return ",".join([name, *parts])


def _differ(given: Any, usual: Any) -> bool:
    """Compare two values, of which arrays may be one."""
    return repr(given) != repr(usual)


def _registered(thing: Any) -> str | None:
    tables: tuple[Registry, ...] = (TEACHERS, ENVS, STUDENTS)
    names = (table.name_of(thing) for table in tables if hasattr(thing, "__module__"))
    return next((name for name in names if name), None) or _student_name(thing)


def _student_name(thing: Any) -> str | None:
    """Return the name of the preset that an algorithm's class takes, as ``ppo`` for PPO."""
    if not hasattr(thing, "__qualname__"):
        return None
    name = object_path(thing).rpartition(":")[2].lower()
    return name if name in STUDENTS else None


def _require_folder_name(kind: str, name: str) -> None:
    if (
        not isinstance(name, str)
        or not name
        or "/" in name
        or name.startswith(".")
        or len(name) > _LONGEST
    ):
        raise ValueError(
            f"the {kind} {name!r} cannot name a folder: give it another name with a dictionary, "
            f"without slashes, of at most {_LONGEST} characters"
        )
