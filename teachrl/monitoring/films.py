"""A curriculum as it moves: one picture per stretch of a run, as an animated GIF."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import Normalize
from PIL import Image

from teachrl.monitoring.curriculum import History, draw_belief, draw_mastered
from teachrl.monitoring.layout import colour_bar, colours_of, sheet, steps_text

_MILLISECONDS = 180  # per picture
_LAST = 1500  # the last picture stays


def save_curriculum_film(
    history: History, path: Path | str, frames: int = 30, title: str = ""
) -> Path:
    """Write a GIF that plays a run in ``frames`` stretches of equal length, and return its path.

    Left: the tasks sampled in the stretch, coloured by return, with the outlines of what the
    teacher believed at its end. Right, where the run was evaluated: the test set at that time,
    mastered tasks marked.
    """
    if frames < 1 or not len(history.steps):
        raise ValueError(f"a film needs an episode and a frame, got {frames} frames of none")
    path = Path(path)
    if path.suffix != ".gif":
        raise ValueError(f"a film is a .gif, got {path}")
    colours = colours_of(history.rewards, history.reward_range)
    stretches = pairwise(np.linspace(0, history.steps[-1], frames + 1))
    sheet_of_paper = _Paper(history, colours, title)
    pictures = [sheet_of_paper.picture(start, end) for start, end in stretches]
    durations = [_MILLISECONDS] * (frames - 1) + [_LAST]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    return path


class _Paper:
    """One figure, drawn anew for every picture: finding its layout takes longer than drawing."""

    def __init__(self, history: History, colours: Normalize, title: str) -> None:
        self.history, tested = history, history.is_tested
        self.view, self.test_view = history.views(colours)
        self.figure = sheet(7.6 if tested else 4.4, 4.0)
        self.panels = self.figure.subplots(1, 2 if tested else 1, squeeze=False)[0]
        colour_bar(self.figure, list(self.panels), colours, "return")
        self.figure.suptitle(title, fontsize=11)

    def picture(self, start: float, end: float) -> Image.Image:
        """Draw the stretch between two numbers of steps."""
        for ax in self.panels:
            ax.clear()
        self._draw_tasks(start, end)
        self._draw_tests(end)
        canvas: Any = self.figure.canvas
        canvas.draw()
        self.figure.set_layout_engine("none")  # as found for the first picture
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        return Image.fromarray(pixels).quantize(256, Image.Quantize.MEDIANCUT)

    def _draw_tasks(self, start: float, end: float) -> None:
        history, ax = self.history, self.panels[0]
        during = slice(*np.searchsorted(history.steps, [start, end], side="right"))
        self.view.prepare(ax, f"{steps_text(start)} to {steps_text(end)} steps")
        self.view.tasks(ax, history.params[during], history.rewards[during])
        draw_belief(ax, self.view, history.beliefs, end)

    def _draw_tests(self, end: float) -> None:
        evaluations, test_set = self.history.evaluations, self.history.test_set
        if test_set and evaluations:
            draw_mastered(self.panels[1], self.test_view, test_set, evaluations, end)
