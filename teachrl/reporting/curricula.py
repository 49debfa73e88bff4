"""Curricula and test sets in the numbers that a page needs: thinned by a rule the page states."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachrl.monitoring.dimensions import most_used
from teachrl.monitoring.views import axes_of
from teachrl.results import Results
from teachrl.runs.store import Run

Array = NDArray[np.float64]

STRETCHES = 60  # of equal length, into which each run is cut
PER_STRETCH = 40  # episodes shown of each, evenly spaced in their order
_MOST_RUNS = 24
_MOST_AXES = 6
_SHADES = 99  # of a return


def curricula_of(results: Results, per_teacher: int) -> dict[str, Any] | None:
    """Return task space, test set, who masters it, and the curricula of some runs.

    None where no run has its folder here.

    Args:
        results: of one benchmark.
        per_teacher: runs, those with the lowest seeds.
    """
    per_teacher = min(per_teacher, max(1, _MOST_RUNS // max(len(results.runs), 1)))
    chosen = [
        (i, run)
        for i, name in enumerate(results.outcomes)
        for run in results.runs.get(name, [])[:per_teacher]
    ]
    if not chosen:
        return None
    one = chosen[0][1]
    dims = _axes(one, [run for _, run in chosen])
    low, high = _returns(one, [run for _, run in chosen])
    return {
        "axes": [axes_of(one.space)[i]._asdict() for i in dims],
        "hidden": one.space.dimensions - len(dims),
        "returns": [low, high],
        "rule": f"each run is cut into {STRETCHES} stretches of equal length; of the episodes that "
        f"ended in a stretch at most {PER_STRETCH} are drawn, evenly spaced in their order",
        "tests": _units(one, one.test_set.params, dims),
        "difficulty": [_difficulty(results, name) for name in results.outcomes],
        "runs": [
            {"teacher": teacher, "seed": run.config["seed"], **_curriculum(run, dims, (low, high))}
            for teacher, run in chosen
        ],
    }


def figures(values: NDArray[Any], digits: int = 4) -> list[Any]:
    """Return numbers with so many digits that matter; None for NaN, integers as such."""
    rounded = [float(f"{value:.{digits}g}") for value in np.asarray(values, float).tolist()]
    return [
        None if np.isnan(value) else int(value) if value.is_integer() else value
        for value in rounded
    ]


def _axes(one: Run, runs: Sequence[Run]) -> list[int]:
    """Return the coordinates to show, those used least uniformly, in their own order."""
    if one.space.dimensions <= _MOST_AXES:
        return list(range(one.space.dimensions))
    played = np.concatenate([run.episodes.params for run in runs])
    return list(most_used(one.space, played, _MOST_AXES))


def _returns(one: Run, runs: Sequence[Run]) -> tuple[float, float]:
    """Return the range of colours: what the environment declares, or what was seen."""
    if one.reward_range is not None:
        return one.reward_range
    seen = np.concatenate([[0.0, 1.0], *(run.episodes["r"] for run in runs)])
    return float(seen.min()), float(seen.max())


def _curriculum(run: Run, dims: Sequence[int], returns: tuple[float, float]) -> dict[str, Any]:
    """Return what happened in each stretch: tasks, their shades, and the beliefs by step."""
    steps = run.episodes["t"]
    end = int(max([*steps[-1:], *run.evaluations.steps[-1:]], default=1))
    bounds = np.searchsorted(steps, np.linspace(0, end, STRETCHES + 1), side="right")
    bounds[0] = 0
    stretches = []
    for start, stop in pairwise(bounds):
        n = min(int(stop - start), PER_STRETCH)
        drawn = np.linspace(start, stop - 1, n).round().astype(int) if n else np.array([], int)
        tasks, shades = run.episodes.params[drawn], _shades(run.episodes["r"][drawn], returns)
        stretches.append([int(stop - start), _units(run, tasks, dims), shades])
    evaluations = run.evaluations
    return {
        "end": end,
        "stretches": stretches,
        "beliefs": [[step, _belief(b, dims)] for step, b in sorted(run.beliefs.items())],
        "evaluated": evaluations.steps.tolist(),
        "results": [_shades(rewards, returns) for rewards in evaluations.rewards],
        "mastered": ["".join("01"[int(m)] for m in row) for row in evaluations.mastered],
    }


def _units(run: Run, params: NDArray[Any], dims: Sequence[int]) -> list[int]:
    """Return unit coordinates in thousandths, task after task."""
    unit = run.space.normalize(params)[:, list(dims)]
    return [int(value) for value in (1000 * unit).round().ravel()]


def _shades(rewards: Array, returns: tuple[float, float]) -> list[int]:
    low, high = returns
    share = np.clip((rewards - low) / (high - low or 1.0), 0, 1)
    return [int(value) for value in (_SHADES * share).round()]


def _belief(belief: dict[str, NDArray[Any]], dims: Sequence[int]) -> dict[str, Any]:
    """Return the arrays that have outlines (see ``monitoring.beliefs``), of these coordinates."""
    index = list(dims)
    cut: dict[str, Any] = {
        name: [figures(row[index]) for row in belief[name]]
        for name in ("means", "low", "high", "points")
        if name in belief
    }
    if "covariances" in belief:
        cut["covariances"] = [
            [figures(line) for line in matrix[np.ix_(index, index)]]
            for matrix in belief["covariances"]
        ]
    values = next((belief[name] for name in ("progress", "values") if name in belief), None)
    return cut | ({} if values is None else {"values": figures(np.ravel(values))})


def _difficulty(results: Results, name: str) -> list[Any] | None:
    """Return the share of a teacher's runs that master each test task in the end, if known."""
    found = [outcome.final_mastered for outcome in results.outcomes[name]]
    known = [mastered for mastered in found if mastered is not None]
    return figures(np.mean(known, axis=0), 3) if len(known) == len(found) else None
