"""What each latent of a task manifold does to a task, as one picture."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from teachrl.models.manifolds import Manifold
from teachrl.monitoring.layout import INK, LINES, sheet, tidy
from teachrl.spaces import Floats

Drawing = Callable[[Floats], NDArray[np.uint8]]

_COLUMNS = 7
_MOST_ROWS = 16
_WIDTH, _LEAST_HEIGHT = 1.5, 0.6  # of a cell, in inches; a row's label needs some height
_BARS = 2, 3  # height to width, where tasks are bars
_MARGIN = 8  # pixels


def traversal_figure(
    manifold: Manifold, divergences: Sequence[float] = (), draw: Drawing | None = None
) -> Figure:
    """Draw tasks along each latent, from one end of its range to the other.

    All other latents are in the middle. A row is a latent, those that tell most about a task first.

    Args:
        manifold: to look at.
        divergences: what each latent tells, in nats, as ``inspect_manifold`` found; they order the
            rows and stand beside them.
        draw: returns the picture of a task, of which the part is shown where tasks differ; None: a
            task is a row of bars, one per parameter.
    """
    order = np.argsort(-np.asarray(divergences), kind="stable") if len(divergences) else None
    latents = range(manifold.latent_dimensions) if order is None else order.tolist()
    shown = [*latents][:_MOST_ROWS]
    points = np.array([_along(manifold, latent) for latent in shown])
    pictures = None if draw is None else _pictures(draw, manifold.space.denormalize(points))
    shape = _BARS if pictures is None else pictures.shape[2:4]
    height = max(_LEAST_HEIGHT, _WIDTH * shape[0] / shape[1])
    figure = sheet(_WIDTH * _COLUMNS, 0.8 + (height + 0.1) * len(shown))
    grid = figure.subplots(len(shown), _COLUMNS, squeeze=False)
    for i, (row, latent) in enumerate(zip(grid, shown, strict=True)):
        for j, ax in enumerate(row):
            tidy(ax)
            ax.set_xticks([])
            ax.set_yticks([])
            if pictures is None:
                _bars(ax, points[i, j])
            else:
                ax.imshow(pictures[i, j])
        told = f"\n{divergences[latent]:.2f} nats" if len(divergences) else ""
        row[0].set_ylabel(f"latent {latent}{told}", fontsize=8, color=INK)
    for ax, share in zip(grid[0], np.linspace(0, 1, _COLUMNS), strict=True):
        ax.set_title(f"{share:.2f}", fontsize=8, color=INK)
    figure.suptitle(f"Manifold {manifold.id}: tasks along each latent", fontsize=10, color=INK)
    return figure


@contextmanager
def task_drawing(make_env: Callable[..., Any]) -> Iterator[Drawing | None]:
    """Yield a function that draws a task as its environment looks at first; None if it cannot.

    Every task is reset with the same seed, so that nothing but the task makes a difference.
    """
    with closing(make_env()) as env:
        can_draw = "rgb_array" in env.metadata.get("render_modes", ())
    if not can_draw:
        yield None
        return
    with closing(make_env(render_mode="rgb_array")) as env:

        def draw(params: Floats) -> NDArray[np.uint8]:
            env.reset(seed=0, options={"task": params})
            return np.asarray(env.render(), np.uint8)

        yield draw


def _along(manifold: Manifold, latent: int) -> NDArray[np.float64]:
    """Return points (m, d) along a latent."""
    places = np.full((_COLUMNS, manifold.latent_dimensions), 0.5)
    places[:, latent] = np.linspace(0, 1, _COLUMNS)
    return manifold.decode(places)


def _pictures(draw: Drawing, tasks: Floats) -> NDArray[np.uint8]:
    """Return pictures (n, m, h, w, 3) of tasks (n, m, d), cut to where any two of them differ."""
    pictures = np.array([[draw(task) for task in row] for row in tasks])
    differs = (pictures != pictures[0, 0]).any(axis=(0, 1, 4))
    if not differs.any():
        return pictures
    top, bottom, left, right = (
        edge
        for axis in (1, 0)
        for edge in np.flatnonzero(differs.any(axis=axis))[[0, -1]] + (-_MARGIN, _MARGIN + 1)
    )
    return pictures[:, :, max(top, 0) : bottom, max(left, 0) : right]


def _bars(ax: Axes, point: NDArray[np.float64]) -> None:
    """Draw a point of the unit cube: one bar per coordinate."""
    ax.bar(np.arange(len(point)), point, width=0.8, color=LINES[1])
    ax.set_ylim(0, 1)
