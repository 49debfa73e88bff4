"""Films of a student at work, as GIF, or as MP4 with the extra ``video``."""

from collections.abc import Callable, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from teachrl.evaluation.evaluating import Normalizer, play
from teachrl.evaluation.exam import Exam
from teachrl.evaluation.test_sets import TestSet
from teachrl.runs.store import Run
from teachrl.students.making import make_task_vec_env
from teachrl.students.randomness import undisturbed

_HEADER, _MARGIN, _FONT = 38, 6, 12  # pixels
_INK, _PAPER = "#23262b", "white"
_PLAIN = Image.Dither.NONE
_MOST_VALUES = 3  # of a task, in a caption


def record_run(run: Run, path: Path | str | None = None, **options: Any) -> Path:
    """Film the student of a run on the easiest, the median and the hardest of its test tasks.

    Its last evaluation says which those are, by their returns.

    Args:
        run: with an evaluation and a student.
        path: ends in ``.gif`` or ``.mp4``; None: ``video.gif`` in the folder of the run.
        **options: of :func:`record`.
    """
    if not len(run.evaluations):
        raise ValueError(f"{run.folder} has no evaluation that says which tasks are easy")
    order = np.argsort(-run.evaluations.rewards[-1], kind="stable")
    titles = ("easiest", "median", "hardest")
    chosen = order[[0, len(order) // 2, -1]]
    tests = TestSet(run.space, run.test_set.params[chosen], run.test_set.seeds[chosen])
    target = Path(path) if path is not None else run.folder / "video.gif"
    options = {"normalizer": run.normalizer, "titles": titles} | options
    return record(run.student, run.env, tests, target, **options)


def record(
    student: Any,
    env: Callable[..., gym.Env[Any, Any]] | str,
    test_set: TestSet,
    path: Path | str,
    *,
    titles: Sequence[str] = (),
    normalizer: Normalizer | None = None,
    every: int = 4,
    width: int = 400,
    most_frames: int = 500,
) -> Path:
    """Film a student on all tasks of ``test_set`` at once, one below the other.

    Every panel shows its task and the return so far. When an episode has ended, its last picture
    stays until the others have ended too.

    Args:
        student: anything with SB3's ``predict``; it acts deterministically.
        env: makes the environment; must accept ``render_mode="rgb_array"``.
        test_set: the tasks, a handful.
        path: ends in ``.gif`` or ``.mp4``.
        titles: of the tasks.
        normalizer: see :func:`teachrl.evaluation.evaluate`.
        every: environment steps per picture; the film runs in real time whatever it is.
        width: of a panel in pixels.
        most_frames: where the film ends, if the episodes have not ended before.
    """
    path = Path(path)
    write = _writer(path)
    venv = make_task_vec_env(env, len(test_set), render_mode="rgb_array")
    with closing(venv), undisturbed(student):
        film = _Film(Exam(venv, test_set), titles, every=every, width=width, most=most_frames)
        play(student, film.exam, film.exam, normalizer=normalizer, watch=film.watch)
        film.shoot()  # how it ended
        rate = venv.get_attr("metadata", indices=[0])[0].get("render_fps", 30) / every
    write(path, film.frames, rate)
    return path


class _Film:
    """The frames of an exam in which every task has an environment of its own."""

    def __init__(
        self, exam: Exam, titles: Sequence[str], *, every: int, width: int, most: int
    ) -> None:
        self.exam, self.every, self.width, self.most = exam, every, width, most
        self.titles = [*titles, *[""] * (len(exam.test_set) - len(titles))]
        self.frames: list[Image.Image] = []
        self._pictures: list[Image.Image] = []
        self._steps = 0

    def watch(self) -> None:
        """Add a frame every few steps."""
        if self._steps % self.every == 0 and len(self.frames) < self.most:
            self.shoot()
        self._steps += 1

    def shoot(self) -> None:
        """Add a frame: running episodes as they are, finished ones as they were last seen."""
        for task in range(len(self.exam.test_set)):
            if task == len(self._pictures):
                self._pictures.append(self._picture(task))
            elif self.exam.episodes[task] is None:
                self._pictures[task] = self._picture(task)
        panels = [self._panel(task, picture) for task, picture in enumerate(self._pictures)]
        # A palette saves two thirds of the memory; of Pillow's, this one keeps small bright things.
        palette: dict[str, Any] = {"method": Image.Quantize.FASTOCTREE, "dither": _PLAIN}
        self.frames.append(_stacked(panels).quantize(256, **palette))

    def _picture(self, task: int) -> Image.Image:
        [pixels] = self.exam.venv.env_method("render", indices=[task])
        if not isinstance(pixels, np.ndarray):
            raise TypeError(
                f"render() must return an RGB array for render_mode='rgb_array', got {pixels!r}"
            )
        picture = Image.fromarray(pixels.astype(np.uint8))
        height = max(1, round(picture.height * self.width / picture.width))
        return picture.resize((self.width, height), Image.Resampling.BILINEAR)

    def _panel(self, task: int, picture: Image.Image) -> Image.Image:
        """Put a caption on top of a picture."""
        ended = self.exam.episodes[task]
        so_far = self.exam.rewards_so_far[task] if ended is None else ended.reward
        state = "so far" if ended is None else f"after {ended.length} steps"
        tests = self.exam.test_set
        title = f"{self.titles[task]}  " if self.titles[task] else ""
        panel = Image.new("RGB", (picture.width, picture.height + _HEADER), _PAPER)
        panel.paste(picture, (0, _HEADER))
        draw = ImageDraw.Draw(panel)
        font = ImageFont.load_default(_FONT)
        draw.text((_MARGIN, 4), f"{title}return {so_far:.0f} {state}", _INK, font)
        draw.text((_MARGIN, 20), _values(tests, task), _INK, font)
        return panel


def _values(test_set: TestSet, task: int) -> str:
    """Write the first few parameters of a task."""
    names, values = test_set.space.names, test_set.params[task]
    pairs = [f"{name} {value:.3g}" for name, value in zip(names, values, strict=True)]
    return ", ".join(pairs[:_MOST_VALUES]) + (", ..." if len(pairs) > _MOST_VALUES else "")


def _stacked(panels: Sequence[Image.Image]) -> Image.Image:
    """Put panels below one another; the size is even, as MP4 demands."""
    width, height = max(p.width for p in panels), sum(p.height for p in panels)
    whole = Image.new("RGB", (width + width % 2, height + height % 2), _PAPER)
    top = 0
    for panel in panels:
        whole.paste(panel, (0, top))
        top += panel.height
    return whole


def _writer(path: Path) -> Callable[[Path, list[Image.Image], float], None]:
    """Return what writes this kind of file, before hours of filming are lost."""
    if path.suffix == ".gif":
        return _write_gif
    if path.suffix != ".mp4":
        raise ValueError(f"a video is a .gif or a .mp4, got {path.name!r}")
    if find_spec("imageio") is None or find_spec("imageio_ffmpeg") is None:
        raise ModuleNotFoundError(
            "MP4 needs imageio and imageio-ffmpeg: pip install 'teachrl[video]', or choose a .gif"
        )
    return _write_mp4


def _write_gif(path: Path, frames: list[Image.Image], rate: float) -> None:
    duration = max(20, round(1000 / rate))  # browsers slow anything faster than 20 ms down to 100
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=duration, loop=0)


def _write_mp4(path: Path, frames: list[Image.Image], rate: float) -> None:
    import imageio.v2 as imageio  # an extra

    pixels: list[Any] = [np.asarray(frame.convert("RGB")) for frame in frames]
    imageio.mimwrite(path, pixels, fps=rate, macro_block_size=1)
