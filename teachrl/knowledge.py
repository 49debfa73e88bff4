"""What an expert tells a teacher about a task space (Romac et al., 2021, arXiv 2103.09815)."""

from dataclasses import dataclass, fields, replace
from typing import Self, TypeVar

from numpy.typing import ArrayLike

from teachrl.core import Teacher
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace

_THRESHOLDS = ("threshold", "low_threshold", "high_threshold", "performance_bound")
_STD = 0.1  # of initial tasks, as a share of every range

AnyTeacher = TypeVar("AnyTeacher", bound=Teacher)


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """An expert's hints. A teacher takes those it has fields for.

    The benchmark compares three amounts: :meth:`nothing`, not even which returns are good;
    :meth:`low`, that alone; and :meth:`high`, in addition a Gaussian of easy tasks to begin with.

    >>> from teachrl.teachers import ALPGMM, Random
    >>> space = TaskSpace(stump_height=(0, 3), obstacle_spacing=(0, 6))
    >>> expert = Knowledge.high(space, easiest=[0, 6])
    >>> expert.told(ALPGMM()).initial_mean, expert.told(Random())
    ((0.0, 6.0), Random())
    """

    success: bool = True  # which returns are good: a success signal, and thresholds of rewards
    initial_mean: tuple[float, ...] | None = None  # of easy tasks, in task units
    initial_std: tuple[float, ...] | None = None  # of these, as shares of the range
    target_mean: tuple[float, ...] | None = None  # in task units; None: the environment's target
    target_std: tuple[float, ...] | None = None  # of these, as shares of the range

    @classmethod
    def nothing(cls) -> Self:
        """Know nothing."""
        return cls(success=False)

    @classmethod
    def low(cls) -> Self:
        """Know which returns are good."""
        return cls()

    @classmethod
    def high(cls, space: TaskSpace, easiest: ArrayLike) -> Self:
        """Know where it is easy as well: around ``easiest`` (d,), in task units."""
        mean = tuple(space.require(easiest).tolist())
        return cls(initial_mean=mean, initial_std=(_STD,) * space.dimensions)

    def guessing(self, space: TaskSpace, seed: int) -> Self:
        """Begin somewhere: put a Gaussian anywhere in ``space``, where none is known to be easy.

        For teachers that grow from small beginnings and would otherwise begin everywhere.
        """
        if self.initial_mean is not None:
            return self
        mean = tuple(space.uniform(stream(seed, "initial tasks")).tolist())
        return replace(self, initial_mean=mean, initial_std=(_STD,) * space.dimensions)

    def told(self, teacher: AnyTeacher) -> AnyTeacher:
        """Return ``teacher`` with these hints in the place of its own.

        Raises:
            ValueError: the teacher cannot do without knowing which returns are good.
        """
        own = {f.name for f in fields(teacher)}  # type: ignore[arg-type]
        asks = [name for name in _THRESHOLDS if getattr(teacher, name, None) is not None]
        asks += ["success"] if "success" in teacher.needs else []
        if asks and not self.success:
            raise ValueError(
                f"{type(teacher).__name__} has to be told which returns are good "
                f"({', '.join(asks)}), and an expert who knows nothing cannot: use Knowledge.low()"
            )
        hints = {f.name: getattr(self, f.name) for f in fields(self) if f.name in own}
        hints.pop("success", None)
        return replace(teacher, **hints)  # type: ignore[type-var]
