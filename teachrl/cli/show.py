"""Short tables and lists for the terminal."""

from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from teachrl.evaluation.statistics import Estimate
from teachrl.monitoring.layout import steps_text
from teachrl.results import Results
from teachrl.runs.store import Run

_LAST = 100  # episodes
_ANY_WIDTH = 1000  # of a terminal, in characters


def show_run(run: Run) -> None:
    """Show what a finished run cost and what it reached."""
    cost, returns = run.summary, run.episodes["r"]
    table = Table(title=str(run.folder), show_header=False)
    table.add_row("environment steps", f"{cost['train'] + cost['explore']:,.0f}")
    for purpose, steps in {"explored": "explore", "antagonist's": "antagonist"}.items():
        if cost.get(steps):  # few teachers ask for them
            table.add_row(f"{purpose} steps", f"{cost[steps]:,.0f}")
    table.add_row("evaluation steps", f"{cost['evaluation']:,.0f}")
    table.add_row("gradient samples", f"{cost['gradient_samples']:,.0f}")
    table.add_row("steps per second", f"{cost['steps_per_second']:,.0f}")
    table.add_row("episodes", f"{len(returns):,}")
    if len(returns):
        last = min(_LAST, len(returns))
        table.add_row(f"mean return, last {last}", f"{returns[-last:].mean():.1f}")
    if len(run.evaluations):
        table.add_row("test tasks mastered", f"{run.evaluations.share_mastered[-1]:.0%}")
    table.add_row("teacher's share of time", f"{cost['teacher_share']:.1%}")
    Console().print(table)


def show_rows(rows: Sequence[Mapping[str, Any]], title: str) -> None:
    """Show rows that have the same keys; floats with three digits that matter."""
    table = Table(title=title)
    for name in rows[0]:
        words = all(isinstance(row[name], str) and " " not in row[name] for row in rows)
        longest = max(map(len, name.split()))
        table.add_column(name, justify="right", overflow="fold", no_wrap=words, min_width=longest)
    for row in rows:
        table.add_row(*map(_text, row.values()))
    console = Console()
    # A terminal too narrow for the words breaks whole lines, which spares names more than columns.
    least = Measurement.get(console, console.options.update(width=_ANY_WIDTH), table).minimum
    console.width = max(console.width, least)
    console.print(table, crop=False)


def show_results(results: Results, threshold: float = 0.5) -> None:
    """Show interquartile means with their 95 % intervals, and which teachers beat the first."""
    rows = results.table(threshold=threshold)
    show_rows(
        [
            {
                "teacher": row.teacher,
                "runs": row.runs,
                "% mastered": row.value.text(100),
                "% over training": row.area.text(100),
                f"steps to {threshold:.0%}": _time(row.time),
                f"P(better than {rows[0].teacher})": row.improvement and row.improvement.text(),
            }
            for row in rows
        ],
        title="interquartile mean over runs [95 % interval]",
    )
    pairs = [pair for pair in results.pairs() if pair.welch]
    if pairs:
        show_rows(
            [
                {
                    "teacher": pair.teacher,
                    "against": pair.other,
                    "difference of means (%)": Estimate(*pair.welch[:3]).text(100),
                    "p (Welch)": pair.welch.p_value,
                    "p (Holm)": pair.adjusted,
                }
                for pair in pairs
                if pair.welch
            ],
            title="share mastered at the end, every comparison",
        )


def show_paths(paths: Iterable[Path]) -> None:
    """Show one path per line, unbroken, so that it can be copied or clicked."""
    for path in paths:
        Console().print(str(path), soft_wrap=True, highlight=False)


def _time(estimate: Estimate) -> str:
    """Write the time to a threshold; infinity means that it was not reached."""
    value, low, high = ("never" if t == float("inf") else steps_text(t) for t in estimate)
    return value if isnan(estimate.low) else f"{value} [{low}, {high}]"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
