"""What a few runs allow to say about many: estimates with intervals, and comparisons.

Scores are matrices (runs, tasks), laid out as by rliable; a vector is one task. Every column must
come from runs of its own: resampling treats columns as independent. The test tasks that one student
plays are *not* independent, so average over a test set first and hand in one score per run.

The estimators follow "Deep Reinforcement Learning at the Edge of the Statistical Precipice",
Agarwal et al., 2021, arXiv 2108.13264.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from teachrl.seeding import stream

Array = NDArray[np.float64]
Score = Any  # a float for one matrix, an array (…) for many, (…, runs, tasks)
Samples = tuple[list[NDArray[Any]], Callable[[Sequence[NDArray[Any]]], list[Array]]]

_BATCH = 2**24  # numbers resampled at a time: 128 MiB, whatever the number of runs


class Estimate(NamedTuple):
    """A value and its confidence interval; arrays for a statistic that returns several values."""

    value: Score
    low: Score
    high: Score

    def text(self, scale: float = 1.0, form: str = ".3g", unit: str = "") -> str:
        """Write a value with its unit and its interval, if it has one: a single run has none.

        >>> (
        ...     Estimate(0.163, 0.05, 0.237).text(100, ".1f", " %"),
        ...     Estimate(2.5, np.nan, np.nan).text(),
        ... )
        ('16.3 % [5.0, 23.7]', '2.5')
        """
        value, low, high = (format(scale * number, form) for number in self)
        return f"{value}{unit}" + ("" if np.isnan(self.low) else f" [{low}, {high}]")


class Comparison(NamedTuple):
    """How far apart two means are, and how often chance alone would set them so far apart."""

    difference: float
    low: float  # of the interval of the difference
    high: float
    p_value: float


def interquartile_mean(scores: ArrayLike) -> Score:
    """Return the mean of the middle half of all scores, runs and tasks together.

    >>> float(interquartile_mean([0, 1, 2, 30]))
    1.5
    """
    table = _finite(scores)
    return stats.trim_mean(table.reshape(*table.shape[:-2], -1), 0.25, axis=-1)


def mean(scores: ArrayLike) -> Score:
    """Return the mean of all scores, runs and tasks together."""
    return _finite(scores).mean(axis=(-2, -1))


def optimality_gap(scores: ArrayLike, target: float = 1.0) -> Score:
    """Return how far scores fall short of ``target`` on average; those above it count as met.

    >>> float(optimality_gap([0.5, 3.0]))
    0.25
    """
    return target - np.minimum(_finite(scores), target).mean(axis=(-2, -1))


def performance_profile(scores: ArrayLike, thresholds: ArrayLike) -> Array:
    """Return the share of all scores above each of the thresholds (k,), shape (…, k)."""
    table = _finite(scores)
    return np.stack([(table > t).mean(axis=(-2, -1)) for t in np.asarray(thresholds)], axis=-1)


def probability_of_improvement(x: ArrayLike, y: ArrayLike) -> Score:
    """Return how probably a run of ``x`` beats one of ``y`` on a random task; ties count half.

    It is the U of Mann and Whitney over the number of pairs, found from ranks: thousands of runs
    need no table of pairs.

    >>> float(probability_of_improvement([3, 4], [1, 3]))
    0.875
    """
    a, b = _finite(x), _finite(y)
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"both need the same tasks, got shapes {a.shape} and {b.shape}")
    n, m = a.shape[-2], b.shape[-2]
    ranks = stats.rankdata(np.concatenate([a, b], axis=-2), axis=-2)[..., :n, :]  # ties share ranks
    wins = ranks.sum(axis=-2) - n * (n + 1) / 2
    return (wins / (n * m)).mean(axis=-1)


def estimate(
    *scores: ArrayLike,
    statistic: Callable[..., Score] = interquartile_mean,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    whole_runs: bool = False,
) -> Estimate:
    """Return a statistic with the percentile interval of a stratified bootstrap.

    Runs are drawn with replacement within each task, by ``scipy.stats.bootstrap`` with one sample
    per task. Bootstrap intervals of fewer than about ten runs are narrower than they claim to be,
    so show the single runs beside them.

    >>> estimate([0.1, 0.5, 0.4, 0.6]).value.round(2)
    np.float64(0.45)
    >>> estimate([3, 4], [1, 3], statistic=probability_of_improvement).value
    np.float64(0.875)

    Args:
        *scores: one matrix per argument of ``statistic``, (runs, tasks) or (runs,). A single run
            says nothing about others: the interval is NaN.
        statistic: maps arrays (…, runs, tasks) to (…), or to (…, k) for k values at once.
        confidence: of the interval.
        resamples: number of bootstrap resamples.
        seed: of the resampling: the same scores always have the same interval.
        whole_runs: draw rows instead: for the test tasks that one student has played, which stand
            and fall together.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    tables = [_matrix(table) for table in scores]
    value = statistic(*tables)
    if any(len(table) < 2 for table in tables):
        return Estimate(value, value * np.nan, value * np.nan)
    samples, assemble = (_rows if whole_runs else _columns)(tables)

    def of_resamples(*drawn: NDArray[Any], axis: int) -> Score:  # noqa: ARG001 - it is the last one
        result = np.asarray(statistic(*assemble(drawn)))
        return np.moveaxis(result, -1, 0) if np.ndim(value) else result  # scipy: resamples last

    interval = stats.bootstrap(
        samples,
        of_resamples,
        n_resamples=resamples,
        batch=max(1, _BATCH // sum(table.size for table in tables)),
        vectorized=True,
        confidence_level=confidence,
        method="percentile",
        rng=stream(seed, "bootstrap"),
    ).confidence_interval
    return Estimate(value, interval.low, interval.high)


def performance_band(scores: ArrayLike, thresholds: ArrayLike, **options: Any) -> Estimate:
    """Return the performance profile with its pointwise band, arrays (k,) for k thresholds.

    Args:
        scores: (runs, tasks) or (runs,).
        thresholds: where to look.
        **options: of :func:`estimate`; ``whole_runs=True`` where the tasks are those of one test
            set.
    """
    return estimate(scores, statistic=lambda s: performance_profile(s, thresholds), **options)


def welch_test(x: ArrayLike, y: ArrayLike, confidence: float = 0.95) -> Comparison:
    """Compare the means of two sets of runs, (runs,) each, of possibly unequal variances.

    It is how TeachMyAgent (Romac et al., 2021, arXiv 2103.09815) compares teachers; of several such
    tests, correct the p-values with :func:`holm`. Two sets without any spread differ surely or not
    at all: their p-value is 0 or 1.
    """
    a, b = np.ravel(_matrix(x)), np.ravel(_matrix(y))
    for given, runs in ((x, a), (y, b)):
        if np.ndim(given) != 1 or len(runs) < 2:
            raise ValueError(f"expected one score for each of 2 runs or more, got {given!r}")
    difference = float(a.mean() - b.mean())
    if np.ptp(a) == np.ptp(b) == 0:
        return Comparison(difference, difference, difference, float(difference == 0))
    parts = [runs.var(ddof=1) / len(runs) for runs in (a, b)]
    error = np.sqrt(sum(parts))
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1))
    half = float(stats.t.ppf((1 + confidence) / 2, freedom) * error)
    p_value = float(2 * stats.t.sf(abs(difference) / error, freedom))
    return Comparison(difference, difference - half, difference + half, p_value)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of several tests, so that each may be compared with the usual level.

    The chance of any false positive among them then stays below that level (Holm, 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise ValueError(f"expected p-values between 0 and 1, got {p_values}")
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return [float(value) for value in np.minimum(stepped, 1.0)[np.argsort(order)]]


def _matrix(scores: ArrayLike) -> Array:
    table = _finite(scores)
    if table.ndim != 2:
        raise ValueError(f"scores must be (runs, tasks) or (runs,), got the shape {table.shape}")
    return table


def _finite(scores: ArrayLike) -> Array:
    """Return scores as (…, runs, tasks), every one of them a number."""
    table = np.asarray(scores, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim < 2 or not table.size:
        raise ValueError(f"scores must be (runs, tasks) or (runs,), got the shape {table.shape}")
    if not np.isfinite(table).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(table))[0])
        raise ValueError(
            f"scores must be finite, got {table[where]} for run {where[-2]}, task {where[-1]}: "
            "leave an unfinished run out, or finish it"
        )
    return table


def _columns(tables: Sequence[Array]) -> Samples:
    """Take each task of each table as a sample of its own: the strata of the bootstrap."""
    starts = np.cumsum([0, *(table.shape[1] for table in tables)]).tolist()

    def assemble(drawn: Sequence[NDArray[Any]]) -> list[Array]:
        return [np.stack(drawn[a:b], axis=-1) for a, b in pairwise(starts)]

    return [column for table in tables for column in table.T], assemble


def _rows(tables: Sequence[Array]) -> Samples:
    """Take the row numbers of each table as a sample."""

    def assemble(drawn: Sequence[NDArray[Any]]) -> list[Array]:
        return [table[rows] for table, rows in zip(tables, drawn, strict=True)]

    return [np.arange(len(table)) for table in tables], assemble
