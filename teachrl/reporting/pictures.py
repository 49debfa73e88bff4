"""The figures of a benchmark as files, for papers and slides."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from teachrl.evaluation.statistics import estimate
from teachrl.monitoring.comparisons import (
    bars_figure,
    difficulty_figure,
    profile_figure,
    radar_figure,
)
from teachrl.monitoring.curriculum import History
from teachrl.monitoring.films import save_curriculum_film
from teachrl.results import LABELS, Results


def save_figures(results: Results, folder: Path | str, metric: str = "mastered") -> list[Path]:
    """Write curves, bars, profile and difficulty as PNG, and a film of each teacher's first run.

    What cannot be drawn of these results is left out: a film of a baseline, whose episodes are not
    here, the difficulty where nobody kept which tasks were mastered.

    Args:
        results: of one benchmark.
        folder: made if it does not exist.
        metric: of curves, bars and profile.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    final, label = results.final(metric), LABELS[metric]
    figures = {
        "curves": results.plot(metric),
        "bars": bars_figure(final, label),
        "profile": profile_figure(final, label),
    }
    mastered = {
        name: np.array([outcome.final_mastered for outcome in outcomes])
        for name, outcomes in results.outcomes.items()
        if all(outcome.final_mastered is not None for outcome in outcomes)
    }
    runs = {name: found[0] for name, found in results.runs.items() if found}
    if mastered and runs:
        test_set = next(iter(runs.values())).test_set
        figures["difficulty"] = difficulty_figure(test_set, mastered)
    paths = []
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=120)
        paths.append(folder / f"{name}.png")
    for teacher, run in runs.items():
        if len(run.episodes):
            name = re.sub(r"[^\w.,-]", "_", teacher)
            title = f"{teacher}, seed {run.config['seed']}"
            paths.append(save_curriculum_film(History.of(run), folder / f"{name}.gif", title=title))
    return paths


def save_radar(benchmarks: Mapping[str, Results], path: Path, metric: str = "mastered") -> Path:
    """Write a radar with one spoke per benchmark, of which there are three or more."""
    rows = {
        name: {teacher: estimate(scores) for teacher, scores in results.final(metric).items()}
        for name, results in benchmarks.items()
    }
    radar_figure(rows, LABELS[metric]).savefig(path, dpi=120)
    return path
