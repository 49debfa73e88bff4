"""The sheet of paper under every picture."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure, SubFigure

INK, FAINT, PANEL = "#23262b", "#b4bac2", "#f3f4f6"
RETURNS: Colormap = LinearSegmentedColormap.from_list(
    "returns", ["#3b1f5b", "#5b4b9a", "#3f87b5", "#4fb98f", "#b5d44c", "#f9d92e"]
)
PROGRESS: Colormap = LinearSegmentedColormap.from_list(
    "progress", ["#d5d0cb", "#f2b88a", "#e3703a", "#a81e2d"]
)
LINES = ("#c8452f", "#2f6db3", "#2d8f5b", "#8b54a3", "#d08a18", "#4a4f57", "#1ba3a8", "#b5578a")

Range = tuple[float, float] | None


def sheet(width: float, height: float) -> Figure:
    """Return an empty figure of this size in inches, which pyplot knows nothing of."""
    figure = Figure((width, height), dpi=100, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def tidy(ax: Axes, title: str = "") -> None:
    """Give a panel the common look."""
    ax.set_facecolor(PANEL)
    ax.set_axisbelow(True)
    ax.tick_params(which="both", labelsize=8, color=FAINT, labelcolor=INK)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set_fontsize(9)
        axis.label.set_color(INK)
    for spine in ax.spines.values():
        spine.set_visible(False)
    if title:
        ax.set_title(title, loc="left", fontsize=10, color=INK)


def colour_bar(
    figure: Figure | SubFigure,
    panels: Axes | Sequence[Axes],
    colours: Normalize,
    label: str,
    colour_map: Colormap = RETURNS,
) -> None:
    """Add the scale of colours beside panels."""
    style: dict[str, Any] = {"pad": 0.02, "aspect": 25, "fraction": 0.05}
    bar = figure.colorbar(ScalarMappable(colours, colour_map), ax=panels, **style)
    bar.set_label(label, fontsize=9, color=INK)
    bar.ax.tick_params(which="both", labelsize=8, color=FAINT, labelcolor=INK)
    bar.outline.set_visible(False)


def colours_of(rewards: Any, reward_range: Range = None) -> Normalize:
    """Return the range of colours of returns: what the environment declares, or what was seen."""
    seen = np.asarray(rewards, dtype=np.float64)
    if reward_range is None:
        reward_range = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
    low, high = reward_range
    return Normalize(low, high if high > low else low + 1.0, clip=True)


def steps_text(steps: float) -> str:
    """Write a number of steps shortly.

    >>> steps_text(1_500_000), steps_text(60_000), steps_text(500)
    ('1.5M', '60k', '500')
    """
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if steps >= size:
            return f"{steps / size:.3g}{unit}"
    return f"{steps:.0f}"
