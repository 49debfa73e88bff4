"""The space a teacher samples tasks from: a box whose dimensions have names."""

from collections.abc import Collection, Mapping
from math import prod
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Kind = Literal["float", "int", "log", "interval"]

_LARGEST_GRID = 10**7  # tasks; more would fill the memory
_REDRAWS = 20  # of an interval; at least half of what is drawn is in order


class Parameter(NamedTuple):
    """The range of one task parameter; ``size`` > 1 makes it a vector with common bounds."""

    low: float
    high: float
    kind: Kind = "float"
    size: int = 1


class TaskSpace(Box):
    """A box with one named range per task parameter.

    Kinds: ``float`` (linear), ``int`` (whole numbers, both bounds included), ``log`` (positive,
    uniform in its logarithm) and ``interval`` (two linear numbers, the lower one first: what is
    drawn, moved or clipped the other way round is turned, so that equal tasks have equal numbers).
    A fourth entry makes the parameter a vector.

    >>> space = TaskSpace(stump_height=(0, 3), steps=(1, 5, "int"), rate=(1e-4, 1, "log"))
    >>> space.unpack([1.5, 4, 0.01])
    {'stump_height': 1.5, 'steps': 4, 'rate': 0.01}
    >>> space.normalize([1.5, 3, 0.01])
    array([0.5, 0.5, 0.5])
    >>> TaskSpace(poly_shape=(0, 4, "float", 12)).shape
    (12,)
    >>> TaskSpace(gap=(0, 10, "interval")).clip([7, 2]).tolist()
    [2.0, 7.0]
    """

    def __init__(self, **parameters: Parameter | tuple[Any, ...]) -> None:
        if not parameters:
            raise ValueError("a task space needs at least one parameter, as name=(low, high)")
        self.parameters = {name: _checked(name, value) for name, value in parameters.items()}
        rows = [p for p in self.parameters.values() for _ in range(p.size)]
        low, high = (np.array([getattr(p, side) for p in rows]) for side in ("low", "high"))
        super().__init__(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)
        self._is_int = np.array([p.kind == "int" for p in rows])
        self._is_log = np.array([p.kind == "log" for p in rows])
        self._has_int, self._has_log = bool(self._is_int.any()), bool(self._is_log.any())
        is_interval = np.array([p.kind == "interval" for p in rows])
        self._lower = np.flatnonzero(is_interval)[::2]  # where the lower number of each stands
        self.has_intervals = bool(len(self._lower))
        # Each whole number owns a cell of the unit interval, the first and the last one too.
        self._start = self._straight(low) - 0.5 * self._is_int
        self._width = self._straight(high) + 0.5 * self._is_int - self._start
        self.n_values: Array = np.where(self._is_int, self._width, np.inf)  # of each coordinate

    @property
    def dimensions(self) -> int:
        """Number of coordinates of a task."""
        return int(self.shape[0])

    @property
    def n_tasks(self) -> float:
        """Number of different tasks: infinite, unless all parameters are whole numbers."""
        return float(np.prod(self.n_values))

    @property
    def names(self) -> tuple[str, ...]:
        """One name per coordinate; those of a vector are numbered: ``poly_shape[3]``."""
        return tuple(
            name if p.size == 1 else f"{name}[{i}]"
            for name, p in self.parameters.items()
            for i in range(p.size)
        )

    def columns(self, beside: Collection[str]) -> list[str]:
        """Return the names for a table with other columns; a name that is taken is ``task.name``.

        >>> TaskSpace(height=(0, 3), length=(1, 2)).columns(beside={"length"})
        ['height', 'task.length']
        """
        return [f"task.{name}" if name in beside else name for name in self.names]

    def unpack(self, params: ArrayLike) -> dict[str, Any]:
        """Return the parameters of a task by name: floats, ints, and float64 arrays for vectors."""
        values = np.asarray(params, dtype=np.float64)
        if values.shape != self.shape:
            raise ValueError(f"a task of {self} has shape {self.shape}, got {values.shape}")
        named, start = {}, 0
        for name, p in self.parameters.items():
            part = values[start : start + p.size]
            if p.kind == "int":
                part = np.rint(part).astype(np.int64)
            # The shortest decimal of a float32 is what the user wrote: 0.01, not 0.00999999977.
            named[name] = part if p.size > 1 else _scalar(part[0])
            start += p.size
        return named

    def pack(self, **named: Any) -> Floats:
        """Return the task with the given parameters; the inverse of :meth:`unpack`."""
        if wrong := named.keys() ^ self.parameters.keys():
            raise ValueError(f"expected {', '.join(self.parameters)}; check {sorted(wrong)}")
        parts = []
        for name, p in self.parameters.items():
            if np.shape(named[name]) not in ((), (p.size,)):
                raise ValueError(f"task parameter {name!r} has {p.size} values, got {named[name]}")
            parts.append(np.broadcast_to(named[name], (p.size,)))
        return self.require(np.concatenate(parts))

    def uniform(self, rng: np.random.Generator, n: int | None = None) -> Floats:
        """Draw one task, (d,), or ``n`` tasks, (n, d), uniformly in unit coordinates."""
        return self.denormalize(rng.random(self.shape if n is None else (n, *self.shape)))

    def sample(self, mask: None = None, probability: None = None) -> Floats:
        """Draw a task from this space's own generator, as Gymnasium's spaces do."""
        if mask is not None or probability is not None:
            raise ValueError("a task space cannot be masked")
        return self.uniform(self.np_random)

    def normalize(self, params: ArrayLike) -> NDArray[np.float64]:
        """Map tasks (…, d) to the unit cube, where distances are comparable across dimensions."""
        straight = self._straight(np.asarray(params, dtype=np.float64))
        points: NDArray[np.float64] = _between(0.0, (straight - self._start) / self._width, 1.0)
        return points

    def denormalize(self, points: ArrayLike) -> Floats:
        """Map points (…, d) of the unit cube to tasks; points outside are clipped to its faces."""
        unit = _between(0.0, np.asarray(points, dtype=np.float64), 1.0)
        return self.clip(self._bent(self._start + unit * self._width))

    def clip(self, params: ArrayLike) -> Floats:
        """Move tasks (…, d) to the nearest point of the box; whole numbers are rounded."""
        values = np.asarray(params, dtype=np.float64)
        if self._has_int:
            values = np.where(self._is_int, np.rint(values), values)
        inside: Floats = _between(self.low, values.astype(np.float32), self.high)
        return self.canonical(inside)

    def canonical(self, points: NDArray[Any]) -> NDArray[Any]:
        """Return points (…, d), or tasks, in the one order of intervals that a task may have."""
        if not self.has_intervals:
            return points
        turned, (lower, upper) = np.array(points), (self._lower, self._lower + 1)
        turned[..., lower] = np.minimum(points[..., lower], points[..., upper])
        turned[..., upper] = np.maximum(points[..., lower], points[..., upper])
        return turned

    def tightened(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Return boxes (…, d) shrunk to their canonical points; without any, some low >= high."""
        if not self.has_intervals:
            return low, high
        low, high, (lower, upper) = low.copy(), high.copy(), (self._lower, self._lower + 1)
        high[..., lower] = np.minimum(high[..., lower], high[..., upper])
        low[..., upper] = np.maximum(low[..., lower], low[..., upper])
        return low, high

    def draw_inside(self, low: Array, high: Array, rng: np.random.Generator) -> Array:
        """Draw a point (d,) uniformly from the canonical ones of a box of the unit cube."""
        low, high = self.tightened(low, high)
        point: Array = low + (high - low) * rng.random(len(low))
        for pair in (slice(i, i + 2) for i in self._lower):
            for _ in range(_REDRAWS):
                if point[pair][0] <= point[pair][1]:
                    break
                point[pair] = low[pair] + (high - low)[pair] * rng.random(2)
        return self.canonical(point)  # which a tight box contains, too

    def distance(self, a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
        """Return Euclidean distances in unit coordinates, broadcasting over leading axes."""
        return np.asarray(np.linalg.norm(self.normalize(a) - self.normalize(b), axis=-1))

    def grid(self, points: int | tuple[int, ...]) -> Floats:
        """Return a regular grid over the box, bounds included, last parameter fastest; (n, d)."""
        counts = (points,) * self.dimensions if isinstance(points, int) else points
        if len(counts) != self.dimensions or min(counts) < 1:
            raise ValueError(f"expected {self.dimensions} positive counts, got {counts}")
        if prod(counts) > _LARGEST_GRID:
            raise ValueError(
                f"a grid of {counts} points would have {prod(counts):.0e} tasks: take fewer per "
                "parameter, or draw them uniformly"
            )
        low, high = self._straight(self.low.astype(float)), self._straight(self.high.astype(float))
        axes = [np.linspace(a, b, n) for a, b, n in zip(low, high, counts, strict=True)]
        mesh = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, self.dimensions)
        mesh = mesh[(mesh[:, self._lower] <= mesh[:, self._lower + 1]).all(axis=1)]
        return self.clip(self._bent(mesh))

    def contains(self, x: Any) -> bool:
        """Tell whether ``x`` is a task: right shape, finite, within bounds, whole where int."""
        try:
            self.require(x)
        except (TypeError, ValueError):
            return False
        return True

    def require(self, params: ArrayLike) -> Floats:
        """Return ``params`` as a task, or raise an error that names the parameter at fault."""
        try:
            values = np.asarray(params, dtype=np.float32)
        except (TypeError, ValueError):
            raise ValueError(
                f"a task of {self} is {self.dimensions} numbers, got {params!r}"
            ) from None
        if values.shape != self.shape:
            raise ValueError(f"a task of {self} has shape {self.shape}, got {values.shape}")
        fits = (values >= self.low) & (values <= self.high)  # which NaN is not
        if self._has_int:
            fits &= ~self._is_int | (values == np.rint(values))
        for i in np.flatnonzero(~fits):
            kind = "a whole number" if self._is_int[i] else "a number"
            raise ValueError(
                f"task parameter {self.names[i]!r} must be {kind} in "
                f"[{self.low[i]:g}, {self.high[i]:g}], got {values[i]:g}"
            )
        for i in self._lower[values[self._lower] > values[self._lower + 1]]:
            raise ValueError(
                f"task parameter {self.names[i].partition('[')[0]!r} is an interval, the lower "
                f"number first; got {values[i]:g} and {values[i + 1]:g}"
            )
        return values

    def to_json(self) -> dict[str, list[Any]]:
        """Return the ranges as JSON: ``{name: [low, high, kind, size]}``."""
        return {name: list(p) for name, p in self.parameters.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "TaskSpace":
        """Rebuild a space from :meth:`to_json`."""
        return cls(**{name: tuple(value) for name, value in data.items()})

    def _straight(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take the logarithm of the log dimensions."""
        if not self._has_log:
            return values
        return np.where(self._is_log, np.log(np.where(self._is_log, values, 1.0)), values)

    def _bent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Undo :meth:`_straight`."""
        if not self._has_log:
            return values
        return np.where(self._is_log, np.exp(np.where(self._is_log, values, 0.0)), values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskSpace) and self.parameters == other.parameters

    def __hash__(self) -> int:
        return hash(tuple(self.parameters.items()))

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={_short(p)}" for name, p in self.parameters.items())
        return f"TaskSpace({inside})"

    def __reduce__(self) -> tuple[Any, ...]:
        return TaskSpace.from_json, (self.to_json(),)


def _checked(name: str, value: Parameter | tuple[Any, ...]) -> Parameter:
    """Return ``value`` as a parameter, or say what is wrong with it."""
    if not isinstance(value, tuple | list) or not 2 <= len(value) <= 4:
        raise _error(name, "expected (low, high[, kind[, size]])", value)
    p = Parameter(*value)
    if p.kind not in get_args(Kind):
        raise _error(name, f"the kind is one of {', '.join(get_args(Kind))}", p.kind)
    size = _checked_size(name, p)
    try:
        low, high = float(np.float32(p.low)), float(np.float32(p.high))
    except (TypeError, ValueError):
        raise _error(name, "bounds are numbers", value) from None
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise _error(name, "bounds are finite, with low < high at float32", value)
    if p.kind == "log" and low <= 0:
        raise _error(name, "a log range is positive", value)
    if p.kind == "int" and (low != round(low) or high != round(high) or max(-low, high) > 2**24):
        raise _error(name, "int bounds are whole, and at most 2^24, where float32 is exact", value)
    return Parameter(float(p.low), float(p.high), p.kind, size)


def _checked_size(name: str, p: Parameter) -> int:
    if isinstance(p.size, bool) or not isinstance(p.size, int) or p.size < 1:
        raise _error(name, "the size is a positive whole number", p.size)
    if p.kind == "interval" and p.size > 2:
        raise _error(name, "an interval has two numbers: leave the size out", p.size)
    return 2 if p.kind == "interval" else p.size


def _error(name: str, expected: str, got: Any) -> ValueError:
    return ValueError(f"task parameter {name!r}: {expected}, got {got!r}")


def _between(low: Any, values: Any, high: Any) -> Any:
    """Clip; ``np.clip`` takes three times as long on the few numbers of a task."""
    return np.minimum(np.maximum(values, low), high)


def _scalar(value: Any) -> float | int:
    return int(value) if isinstance(value, np.integer) else float(str(np.float32(value)))


def _short(p: Parameter) -> str:
    rest = ", ".join(repr(x) for x in p[2 : 4 if p.size > 1 else 3 if p.kind != "float" else 2])
    return f"({p.low:g}, {p.high:g}{', ' if rest else ''}{rest})"
