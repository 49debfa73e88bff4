"""A benchmark in the numbers that a page needs."""

from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from teachrl.evaluation.statistics import Estimate, estimate, performance_band
from teachrl.monitoring.figures import Curve
from teachrl.reporting.curricula import curricula_of, figures
from teachrl.results import AXES, LABELS, Results
from teachrl.runs.store import Run

_SINGLE_RUNS = 20  # per teacher: more lines than these would hide one another
_THRESHOLDS = np.linspace(0, 1, 101)
_HIDDEN = ("teacher", "seed", "versions", "git")  # of config.json, shown elsewhere


def digest(
    name: str, results: Results, *, threshold: float = 0.5, curricula: int = 3
) -> dict[str, Any]:
    """Return JSON with everything that the page shows of a benchmark."""
    return {
        "name": name,
        "title": _title(results),
        "facts": _facts(results),
        "threshold": threshold,
        "teachers": _teachers(results, threshold),
        "pairs": [_pair(results, pair) for pair in results.pairs()],
        "curves": _all_curves(results),
        "axes": AXES,
        "profile": _profile(results),
        "maps": curricula_of(results, curricula),
        "repeat": _repeat(results),
    }


def _teachers(results: Results, threshold: float) -> list[dict[str, Any]]:
    final = results.final()
    return [
        {
            "name": row.teacher,
            "stored": row.teacher not in results.runs,
            "runs": row.runs,
            "value": _interval(row.value),
            "scores": figures(final[row.teacher]),
            "improvement": row.improvement and _interval(row.improvement),
            "area": _interval(row.area),
            "time": _interval(row.time),
        }
        for row in results.table(threshold=threshold)
    ]


def _pair(results: Results, pair: Any) -> dict[str, Any]:
    names = list(results.outcomes)
    return {
        "a": names.index(pair.teacher),
        "b": names.index(pair.other),
        "improvement": _interval(pair.improvement),
        "difference": pair.welch and _interval(Estimate(*pair.welch[:3])),
        "p": pair.welch and pair.welch.p_value,
        "adjusted": pair.adjusted,
    }


def _all_curves(results: Results) -> list[dict[str, Any]]:
    """Return each metric on each axis, for the teachers whose runs have it."""
    return [
        {"metric": metric, "label": label, "axis": axis, "teachers": found}
        for metric, label in LABELS.items()
        for axis in AXES
        if any(found := [_curve(results, name, metric, axis) for name in results.outcomes])
    ]


def _curve(results: Results, name: str, metric: str, axis: str) -> dict[str, Any] | None:
    outcomes = results.outcomes[name]
    if any(outcome.measure(metric) is None for outcome in outcomes):
        return None
    if axis == "all" and any(outcome.env_steps is None for outcome in outcomes):
        return None
    curve = results.curve(name, metric, axis)
    middle, low, high = np.array([estimate(values) for values in curve.values.T]).T
    return {
        "steps": figures(curve.steps, 9),
        "middle": figures(middle),
        "low": figures(low),
        "high": figures(high),
        "runs": _single_runs(curve),
    }


def _single_runs(curve: Curve) -> list[Any]:
    return [figures(values) for values in curve.values] if len(curve.values) <= _SINGLE_RUNS else []


def _profile(results: Results) -> dict[str, Any]:
    bands = [performance_band(scores, _THRESHOLDS) for scores in results.final().values()]
    return {"thresholds": figures(_THRESHOLDS), "bands": [_interval(band) for band in bands]}


def _facts(results: Results) -> list[tuple[str, str]]:
    """Return what the runs have in common, and what they cost."""
    c = results.conditions
    runs = [run for found in results.runs.values() for run in found]
    facts = [
        ("steps per run", f"{c['steps']:,}"),
        ("test set", f"{c['test_set']['tasks']} tasks, {c['test_set']['fingerprint'][:10]}"),
        ("mastered", f"a return above {c['mastery_threshold']:g}"),
        ("runs", f"{sum(map(len, results.outcomes.values()))}"),
    ]
    costs = [run.summary for run in runs if (run.folder / "summary.json").is_file()]
    if costs:
        facts += [
            ("all steps paid for", f"{sum(cost['env_steps'] for cost in costs):,}"),
            ("hours of computing", f"{sum(cost['seconds'] for cost in costs) / 3600:.2g}"),
        ]
    return facts


def _title(results: Results) -> str:
    """Say who learns what: "PPO on StumpTracks"."""
    student, env = results.conditions["student"], results.conditions["env"]
    return f"{_last(student['algorithm'])} on {_last(env['make'])}"


def _repeat(results: Results) -> dict[str, Any]:
    """Return commands, configurations and versions; what several runs share appears once."""
    runs = {name: found for name, found in results.runs.items() if found}
    every = [run for found in runs.values() for run in found]
    common = every[0].config if every else results.conditions
    return {
        "commands": _distinct(_command(run) for run in every),
        "config": {k: v for k, v in common.items() if k not in _HIDDEN},
        "teachers": {
            name: {"seeds": [run.config["seed"] for run in found], **found[0].config["teacher"]}
            for name, found in runs.items()
        },
        "versions": _distinct(run.config["versions"] for run in every),
        "git": _distinct(run.config["git"] for run in every),
    }


def _command(run: Run) -> str:
    """Return the command that made a run, as one would type it."""
    path = run.folder / "command.txt"
    text = path.read_text().strip() if path.is_file() else ""
    program, _, rest = text.partition(" ")
    name = PurePath(program).name
    if name in ("__main__.py", "teachrl"):
        return f"teachrl {rest}"
    return f"python {text}" if name.endswith(".py") else text


def _distinct(values: Any) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found and value not in ("", None):
            found.append(value)
    return found


def _last(path: str) -> str:
    return path.rpartition(":")[2]


def _interval(found: Estimate) -> list[Any]:
    """Return value, low and high: infinity as a word, since JSON has none; unknown as null."""
    return [figures(part) if np.ndim(part) else _number(part) for part in found]


def _number(value: ArrayLike) -> Any:
    number = float(np.asarray(value))
    if np.isinf(number):
        return "never"
    return figures(np.array([number]))[0]
