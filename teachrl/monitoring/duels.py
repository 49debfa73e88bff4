"""Pictures of two students on the same tasks: their returns, and the regret between them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from teachrl.monitoring.layout import INK, LINES, sheet, steps_text, tidy

_NAMES = ("student_return", "antagonist_return", "regret_mean", "regret_max")  # of metrics


def is_duel(metrics: Mapping[str, float]) -> bool:
    """Tell whether a teacher's metrics are about two students."""
    return metrics.keys() >= set(_NAMES)


def duel_of(metrics: Mapping[str, float]) -> list[float]:
    """Return what :func:`duel_figure` needs of one moment.

    >>> about = {"student_return": 0.2, "antagonist_return": 0.5}
    >>> duel_of(about | {"regret_mean": 0.3, "regret_max": 0.4, "designs": 32.0})
    [0.2, 0.5, 0.3, 0.4]
    """
    return [float(metrics[name]) for name in _NAMES]


def duel_figure(history: Mapping[int, Sequence[float]]) -> Figure:
    """Draw the returns of protagonist and antagonist, and the regret, over time.

    All are shares of the environment's ``reward_range``, of the designs that the designer learnt
    from last.

    Args:
        history: by environment step, what :func:`duel_of` returned.
    """
    steps = np.array(sorted(history), np.float64)
    protagonist, antagonist, mean, highest = np.array([history[int(step)] for step in steps]).T
    held: dict[str, Any] = {"drawstyle": "steps-post"}  # until the designer learns again
    figure = sheet(9.6, 3.6)
    left, right = figure.subplots(1, 2)
    tidy(left, "Mean returns on the designs")
    left.plot(steps, protagonist, color=LINES[1], lw=2.0, label="protagonist (the student)", **held)
    left.plot(steps, antagonist, color=LINES[0], lw=2.0, label="antagonist", **held)
    left.set_ylabel("return, as a share of its range")
    tidy(right, "Regret of the designs")
    right.plot(steps, highest, color=LINES[3], lw=1.0, ls="--", label="highest", **held)
    right.plot(steps, mean, color=LINES[3], lw=2.0, label="mean", **held)
    right.axhline(0.0, color=INK, lw=0.6)
    right.set_ylabel("regret, as a share of the same")
    style: dict[str, Any] = {"frameon": False, "fontsize": 8, "labelcolor": INK}
    for ax in (left, right):
        ax.set_xlabel("environment steps (training)")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: steps_text(value)))
        ax.legend(**style)
    return figure
