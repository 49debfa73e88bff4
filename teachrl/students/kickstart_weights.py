"""How much an expert counts, over the course of a student's training."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple, Protocol


class Moment(NamedTuple):
    """What a weight may depend on."""

    steps: int  # environment steps of the student's training
    student_return: float | None  # mean of its recent episodes, raw; None before the first
    expert_return: float | None  # of its experts, on like tasks if they were measured, or on all
    lowest_return: float | None  # as the environment declares it


class Weight(Protocol):
    """Says how much the divergence counts beside the student's own loss."""

    def __call__(self, moment: Moment) -> float:
        """Return a weight of 0 or more."""


@dataclass
class Constant:
    """The same weight all along; the student will hardly surpass its expert.

    >>> Constant(2.0)(Moment(1000, None, None, None))
    2.0
    """

    value: float = 1.0

    def __call__(self, moment: Moment) -> float:  # noqa: ARG002 - as every weight is called
        """Return the value."""
        return self.value


@dataclass
class Linear:
    """Falls in a straight line, and stays 0 afterwards.

    >>> Linear(1.0, until=1000)(Moment(250, None, None, None))
    0.75
    """

    start: float = 1.0
    until: int = 100_000  # steps; a tenth to a fifth of the budget did best (Schmitt et al., 2018)

    def __call__(self, moment: Moment) -> float:
        """Return what is left."""
        return self.start * max(0.0, 1.0 - moment.steps / self.until)


@dataclass
class Exponential:
    """Halves again and again, and is 0 once it is below ``least``.

    >>> Exponential(1.0, half_life=100)(Moment(300, None, None, None))
    0.125
    """

    start: float = 1.0
    half_life: int = 20_000  # steps
    least: float = 1e-4

    def __call__(self, moment: Moment) -> float:
        """Return what is left."""
        value = float(self.start * 0.5 ** (moment.steps / self.half_life))
        return value if value >= self.least else 0.0


@dataclass
class ReturnRatio:
    """Releases the student as its return comes near the expert's (Agarwal et al., 2022).

    The weight is ``start * max(1 - (student - floor) / (expert - floor), 0)``, of raw returns; the
    floor makes it meaningful where returns may be negative. Returns of a curriculum's last tasks
    are compared with those of the expert of each on the test task most like it, if it comes from a
    run; where even the expert reaches no more than the floor, there is nothing to hear, and the
    weight is 0.

    >>> weight = ReturnRatio(expert_return=200, floor=-200)
    >>> weight(Moment(0, None, None, None)), weight(Moment(5000, 100.0, None, None))
    (1.0, 0.25)
    """

    start: float = 1.0
    expert_return: float | None = None  # None: as the expert's run folder says
    floor: float | None = None  # None: the lowest return that the environment declares

    def __post_init__(self) -> None:
        if None not in (self.expert_return, self.floor) and not self.floor < self.expert_return:  # type: ignore[operator]
            raise ValueError(
                f"expected floor < expert_return, got {self.floor} and {self.expert_return}"
            )

    def __call__(self, moment: Moment) -> float:
        """Return what is left."""
        expert = moment.expert_return if self.expert_return is None else self.expert_return
        floor = moment.lowest_return if self.floor is None else self.floor
        if expert is None or floor is None or not isfinite(expert) or not isfinite(floor):
            raise ValueError(
                "ReturnRatio compares returns: expected floor and expert_return, got "
                f"floor={floor}, expert_return={expert}; give both, or another weight"
            )
        if not floor < expert:
            warnings.warn(
                "ReturnRatio does not listen to an expert while it reaches no more than the floor",
                stacklevel=2,
            )
            return 0.0
        if moment.student_return is None:
            return self.start
        share = (moment.student_return - floor) / (expert - floor)
        return self.start * max(1.0 - share, 0.0)


@dataclass
class External:
    """Whatever somebody else sets, such as population-based training between two pieces of a run.

    >>> weight = External(1.0)
    >>> weight.value = 0.3
    >>> weight(Moment(0, None, None, None))
    0.3
    """

    value: float = 1.0

    def __call__(self, moment: Moment) -> float:  # noqa: ARG002 - as every weight is called
        """Return the value that was set last."""
        return self.value

    def state(self) -> dict[str, float]:
        """Return what a run that goes on needs."""
        return {"value": self.value}

    def restore(self, state: Mapping[str, float]) -> None:
        """Continue from :meth:`state`."""
        self.value = state["value"]
