"""Our own benchmark runs, in few numbers: compare a teacher with them without repeating them.

A set is a folder of text files, ``<name>/``: ``baseline.json`` says under which conditions it was
made, ``results.csv`` holds every evaluation of every run, and ``final.csv``, where that is known,
which test tasks each run had mastered in the end.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachrl.registry import UnknownNameError
from teachrl.results import DECISIVE, Results
from teachrl.runs.outcomes import METRICS, Outcome, StoredOutcome

FORMAT = 1
ANY = "baselines"  # stands for whatever fits

_HERE = Path(__file__).parent


def baseline_names() -> list[str]:
    """Return the names of the sets that come with teachrl."""
    return sorted(path.parent.name for path in _HERE.glob("*/baseline.json"))


def load_baselines(name: str | Path = ANY, like: Results | None = None) -> Results:
    """Return results to compare with.

    >>> load_baselines("stump-tracks").table()[1].teacher
    'alp-gmm'

    Args:
        name: of a set that comes with teachrl, or the folder of another, or of a benchmark;
            ``"baselines"`` stands for the set made on the environment and test set of ``like``.
        like: results that they will be compared with.
    """
    if str(name) == ANY:
        if like is None:
            raise ValueError("which baselines? Name a set, or hand in the results to compare")
        return _fitting(like)
    folder = find_baselines(name)
    if (folder / "baseline.json").is_file():
        return _read(folder)
    return Results.load(folder)


def find_baselines(name: str | Path) -> Path:
    """Return the folder of a set that comes with teachrl, or of another one, or say what is known.

    >>> find_baselines("stump-tracks").name
    'stump-tracks'
    """
    folder = _HERE / name if str(name) in baseline_names() else Path(name)
    if not folder.is_dir():
        raise UnknownNameError("baseline or folder", str(name), dict.fromkeys(baseline_names()))
    return folder


def save_baselines(results: Results, folder: Path | str, about: str) -> Path:
    """Write results as a set of baselines, and return its folder.

    Args:
        results: of runs whose folders are here.
        folder: made if it does not exist.
        about: a sentence that says which command made them.
    """
    return _write(_describe(results, about), results, Path(folder))


def extend_baselines(results: Results, folder: Path | str, about: str) -> Path:
    """Add runs to a set, or begin one with them, and return its folder.

    So a long benchmark can be carried out in pieces, on several machines. A run that the set has
    already, of the same teacher and seed, is replaced.

    Raises:
        ValueError: the set was made under other conditions, or a teacher of that name there has
            other hyper-parameters; the set is left as it is.
    """
    folder, description = Path(folder), _describe(results, about)
    if not (folder / "baseline.json").is_file():
        return _write(description, results, folder)
    before, stored = _description(folder), _read(folder)
    _require_same(before["conditions"], description["conditions"], "conditions", folder)
    both = before["teachers"].keys() & description["teachers"].keys()
    for name in sorted(both):
        ours, theirs = before["teachers"][name], description["teachers"][name]
        _require_same(ours, theirs, f"{name}, the teacher", folder)
    description["teachers"] = before["teachers"] | description["teachers"]
    together = {name: {o.seed: o for o in found} for name, found in stored.outcomes.items()}
    for name, outcomes in results.outcomes.items():
        together.setdefault(name, {}).update({o.seed: o for o in outcomes})
    by_seed = {name: [found[s] for s in sorted(found)] for name, found in together.items()}
    return _write(description, Results({}, stored=by_seed), folder)


def _describe(results: Results, about: str) -> dict[str, Any]:
    """Return what ``baseline.json`` holds."""
    configs = {name: runs[0].config for name, runs in results.runs.items()}
    if not configs:
        raise ValueError("only runs whose folders are here can become baselines")
    one = next(iter(configs.values()))
    return {
        "format": FORMAT,
        "about": about,
        "conditions": dict(results.conditions),
        "teachers": {name: config["teacher"] for name, config in configs.items()},
        "versions": one["versions"],
        "git": one["git"],
    }


def _write(description: Mapping[str, Any], results: Results, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    results.save_rows(folder / "results.csv")
    _save_final(results, folder / "final.csv")
    (folder / "baseline.json").write_text(json.dumps(description, indent=2) + "\n")
    return folder


def _require_same(before: Any, now: Any, what: str, folder: Path) -> None:
    """Refuse to mix runs that differ in more than their seeds."""
    if before != now:
        changed = [key for key in before if before.get(key) != now.get(key)] or sorted(now)
        raise ValueError(
            f"{folder} was made under other {what}: {', '.join(changed)} differ. Choose another "
            "folder, or repeat all of its runs"
        )


def _fitting(results: Results) -> Results:
    """Return the set that compares with these results."""
    ours = results.conditions
    for name in baseline_names():
        theirs = json.loads((_HERE / name / "baseline.json").read_text())["conditions"]
        if all(ours.get(key) == theirs.get(key) for key in DECISIVE):
            return _read(_HERE / name)
    raise ValueError(
        f"no baselines were made on {ours['env']['make']} with a test set of "
        f"{ours['test_set']['tasks']} tasks like this one; there are {', '.join(baseline_names())}"
    )


def _read(folder: Path) -> Results:
    description = _description(folder)
    final = _read_final(folder / "final.csv")
    stored: dict[str, list[Outcome]] = {}
    with (folder / "results.csv").open(newline="") as file:
        for (teacher, seed), rows in groupby(
            csv.DictReader(file), key=lambda row: (row["teacher"], int(row["seed"]))
        ):
            outcome = _outcome(
                seed, list(rows), description["conditions"], final.get((teacher, seed))
            )
            stored.setdefault(teacher, []).append(outcome)
    return Results({}, stored=stored)


def _description(folder: Path) -> dict[str, Any]:
    description: dict[str, Any] = json.loads((folder / "baseline.json").read_text())
    if description.get("format") != FORMAT:
        raise ValueError(
            f"{folder} is in format {description.get('format')}, and this teachrl reads {FORMAT}: "
            "save it again with the present version"
        )
    return description


def _outcome(
    seed: int,
    rows: Sequence[Mapping[str, str]],
    conditions: Mapping[str, Any],
    final: NDArray[np.bool_] | None,
) -> StoredOutcome:
    columns = {name: [row[name] for row in rows] for name in ("steps", "env_steps", *METRICS)}
    known = {name: np.array(cells, float) for name, cells in columns.items() if all(cells)}
    env_steps = known["env_steps"].astype(np.int64) if "env_steps" in known else None
    scores = {name: known[name] for name in METRICS if name in known}
    return StoredOutcome(
        seed, conditions, known["steps"].astype(np.int64), env_steps, scores, final
    )


def _save_final(results: Results, path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("teacher", "seed", "mastered"))  # a digit per test task, 1: mastered
        for name, outcomes in results.outcomes.items():
            for outcome in outcomes:
                if outcome.final_mastered is not None:
                    digits = "".join("01"[int(task)] for task in outcome.final_mastered)
                    writer.writerow((name, outcome.seed, digits))


def _read_final(path: Path) -> dict[tuple[str, int], NDArray[np.bool_]]:
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {
            (row["teacher"], int(row["seed"])): np.array(
                [digit == "1" for digit in row["mastered"]]
            )
            for row in csv.DictReader(file)
        }
