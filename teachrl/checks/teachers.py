"""What every teacher promises."""

import copy
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from teachrl.checks.contract import ContractError, global_state_kept, noted
from teachrl.checks.lesson import REWARDS, Lesson
from teachrl.core import Task, Teacher
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.targets import Target

_SPACES = (
    TaskSpace(height=(0, 3), spacing=(0, 6)),
    TaskSpace(gravity=(-12, -1)),
    TaskSpace(
        shape=(0, 4, "float", 3),
        steps=(1, 5, "int"),
        rate=(1e-4, 1, "log"),
        gap=(0, 9, "interval"),
    ),
)


def check_teacher(
    teacher: Teacher, space: TaskSpace | None = None, *, episodes: int = 300, plateau: int = 2000
) -> None:
    """Raise :class:`ContractError` if a teacher breaks one of these promises.

    Its tasks lie in the space. The same seed gives the same tasks, after a restart too, and another
    seed gives others. Global randomness is left alone. Its configuration survives teaching. Any
    number of tasks may be in flight, come back in any order, or never. Saved and loaded, it goes on
    as if nothing had happened. A preview changes nothing. What it remembers is bounded. What it
    reports is finite. A reward that is not finite is refused, or does no harm.

    Args:
        teacher: its hyper-parameters; copies of it are taught.
        space: where to teach; None: in three of them, with parameters of every kind.
        episodes: of one lesson; give it enough to do all that it ever does.
        plateau: episodes after which its state has stopped growing. A field ``memory`` is lowered
            for that; a teacher that limits itself by another name is better checked when small.

    >>> from teachrl.teachers import Random
    >>> check_teacher(Random())
    """
    require_teacher(teacher)
    for each in _SPACES if space is None else (space,):
        for promise in _PROMISES:
            with noted(f"checking {teacher} in {each}: {promise.__doc__}"), global_state_kept():
                promise(_Case(teacher, each, episodes, plateau))


def require_teacher(teacher: Any) -> None:
    """Refuse what is no teacher, and hyper-parameters that cannot be read or are no answer."""
    if not isinstance(teacher, Teacher):
        raise TypeError(f"a teacher is an object such as ALPGMM(), got {teacher!r}")
    described: Any = teacher
    if not is_dataclass(described):
        raise TypeError(
            f"{type(teacher).__name__} is no dataclass, so its hyper-parameters cannot be read: "
            "write @dataclass(kw_only=True) above its class"
        )
    for field in fields(described):
        value = getattr(teacher, field.name)
        # any word counts as a yes, "False" too; the type is a word under postponed annotations
        if field.type in (bool, "bool") and not isinstance(value, bool | np.bool_):
            raise TypeError(
                f"{type(teacher).__name__}.{field.name} must be True or False, got {value!r}"
            )


class _Case:
    """A teacher, where it teaches, and for how long."""

    def __init__(self, teacher: Teacher, space: TaskSpace, episodes: int, plateau: int) -> None:
        self.teacher, self.space = teacher, space
        self.episodes, self.plateau = episodes, plateau

    def begin(self, seed: int = 0, **changes: Any) -> Teacher:
        twin: Teacher = copy.deepcopy(replace(self.teacher, **changes))  # type: ignore[type-var]
        return twin.start(self.space, stream(seed, "teacher"), REWARDS, Target.uniform())

    def teach(self, teacher: Teacher, episodes: int | None = None) -> list[Task]:
        return Lesson(teacher).play(self.episodes if episodes is None else episodes)


def _seeds_decide(case: _Case) -> None:
    """The same seed gives the same tasks, and another seed gives others."""
    teacher = case.begin(seed=0)
    tasks = case.teach(teacher)
    if not _same(tasks, case.teach(case.begin(seed=0))):
        raise ContractError("two teachers with the same seed sampled different tasks")
    if _same(tasks, case.teach(case.begin(seed=1))):
        raise ContractError("two seeds gave the same tasks: draw from self.rng")
    teacher.start(case.space, stream(0, "teacher"), REWARDS, Target.uniform())
    if not _same(tasks, case.teach(teacher)):
        raise ContractError("start() forgot less than all: make what is learnt in reset()")


def _configuration_survives(case: _Case) -> None:
    """Teaching leaves the hyper-parameters as they were, and they are JSON."""
    teacher = case.begin()
    before = json.dumps(case.teacher.config())
    case.teach(teacher)
    if json.dumps(teacher.config()) != before or teacher != case.teacher:
        raise ContractError(f"teaching changed a hyper-parameter: {before}, now {teacher}")


def _many_tasks_in_flight(case: _Case) -> None:
    """Tasks may be sampled ahead, and their episodes come back in any order, or never."""
    for lost in (None, 5):
        Lesson(case.begin(), in_flight=8, lost=lost).play(case.episodes)


def _goes_on_after_loading(case: _Case) -> None:
    """Saved and loaded, it samples what it would have sampled anyway."""
    lesson = Lesson(case.begin(seed=0), in_flight=3)
    lesson.play(case.episodes)
    resumed = copy.copy(lesson)
    resumed.teacher, resumed.waiting = case.begin(seed=1), list(lesson.waiting)
    resumed.counterparts = dict(lesson.counterparts)
    state = lesson.teacher.state()
    expected = lesson.play(case.episodes)
    resumed.teacher.restore(_through_files(state))  # what happened since must not be in it
    if not _same(expected, resumed.play(case.episodes)):
        raise ContractError("state() lacks something that tasks depend on, or is no copy of it")


def _previews_change_nothing(case: _Case) -> None:
    """A preview lies in the space, and changes neither state nor stream."""
    lesson, tasks = Lesson(case.begin()), []
    for _ in range(10):
        tasks += lesson.play(case.episodes // 10)
        shown = lesson.teacher.preview(5, stream(0, "preview"))
        if np.shape(shown) != (5, *case.space.shape) or not all(map(case.space.contains, shown)):
            raise ContractError(f"preview(5, rng) returned {shown}, not five tasks of the space")
    if not _same(tasks, case.teach(case.begin(), len(tasks))):
        raise ContractError(
            "preview() changed what was sampled next: use its own rng, write nothing"
        )


def _memory_is_bounded(case: _Case) -> None:
    """Its state stops growing."""
    limits = {f.name for f in fields(case.teacher)} & {"memory"}  # type: ignore[arg-type]
    lesson = Lesson(case.begin(**dict.fromkeys(limits, case.plateau // 2)))
    sizes = []
    for _ in range(2):
        lesson.play(case.plateau)
        sizes.append(_size(lesson.teacher.state()))
    if sizes[1] > 1.1 * sizes[0] + 1000:  # counts grow by digits, and sets shrink and grow a little
        raise ContractError(
            f"its state grew from {sizes[0]} to {sizes[1]} bytes between {case.plateau} and "
            f"{2 * case.plateau} episodes: limit what it remembers by a field such as memory"
        )


def _reports_are_finite(case: _Case) -> None:
    """Metrics are finite floats, and a belief holds finite arrays."""
    lesson = Lesson(case.begin())
    for _ in range(3):
        for name, value in lesson.teacher.metrics().items():
            if not isinstance(value, float) or not np.isfinite(value):
                raise ContractError(f"metrics() says {name}: {value!r}, not a finite float")
        for name, array in lesson.teacher.belief().items():
            if not isinstance(array, np.ndarray) or not np.isfinite(array).all():
                raise ContractError(f"belief() says {name}: {array!r}, not a finite array")
        lesson.play(case.episodes // 2)


def _refuses_non_finite_rewards(case: _Case) -> None:
    """NaN and infinite rewards are refused with a ValueError, or do no harm."""
    for reward in (np.nan, np.inf, -np.inf):
        lesson = Lesson(case.begin())
        lesson.play(case.episodes // 2)
        with suppress(ValueError):
            lesson.teacher.update(lesson.episode(lesson.teacher.sample(), reward))
        lesson.play(case.episodes)
        for name, value in lesson.teacher.metrics().items():
            if not np.isfinite(value):
                raise ContractError(f"after a reward of {reward}, metrics() says {name}: {value}")


_PROMISES = (
    _configuration_survives,
    _seeds_decide,
    _many_tasks_in_flight,
    _goes_on_after_loading,
    _previews_change_nothing,
    _memory_is_bounded,
    _reports_are_finite,
    _refuses_non_finite_rewards,
)


def _same(tasks: Sequence[Task], others: Sequence[Task]) -> bool:
    def describe(task: Task) -> tuple[Any, ...]:
        return task.params.tobytes(), task.seed, task.learn, task.origin

    return [*map(describe, tasks)] == [*map(describe, others)]


def _through_files(value: Any) -> Any:
    """Return ``value`` as it comes out of a file that holds arrays and JSON."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.copy()
    if isinstance(value, Mapping):
        return {str(key): _through_files(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_through_files(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ContractError(f"state() holds {value!r}, which is neither an array nor JSON")


def _size(value: Any) -> int:
    """Return the bytes that a state takes, roughly."""
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    if isinstance(value, Mapping):
        return sum(_size(inner) for inner in value.values())
    return sum(map(_size, value)) if isinstance(value, list | tuple) else len(str(value))
