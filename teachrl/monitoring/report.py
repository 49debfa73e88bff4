"""The pictures of a run folder, as files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from teachrl.monitoring.beliefs import is_drawable
from teachrl.monitoring.curriculum import History, curriculum_figure
from teachrl.monitoring.figures import Curve, belief_figure, learning_curve_figure, mastered_figure
from teachrl.runs.store import Run

_CLOUD = 1000  # last tasks behind the belief
_STRETCHES = 50


def save_pictures(run: Run, folder: Path | str | None = None) -> list[Path]:
    """Write what the run has recorded as PNG files, and return their paths.

    ``curriculum.png``, ``belief.png``, ``mastered.png`` and ``learning_curve.png``, except for
    those with nothing to show: no episode, no evaluation, a teacher whose belief has no picture.

    Args:
        run: finished or not.
        folder: made if it does not exist; None: ``pictures`` in the folder of the run.
    """
    target = Path(folder) if folder is not None else run.folder / "pictures"
    target.mkdir(parents=True, exist_ok=True)
    makers: dict[str, Callable[[Run], Figure | None]] = {
        "curriculum.png": _curriculum,
        "belief.png": _belief,
        "mastered.png": _mastered,
        "learning_curve.png": _learning_curve,
    }
    paths = []
    for name, make in makers.items():
        if (figure := make(run)) is not None:
            figure.savefig(target / name)
            paths.append(target / name)
    return paths


def _curriculum(run: Run) -> Figure | None:
    if not len(run.episodes):
        return None
    return curriculum_figure(History.of(run), title=_title(run))


def _belief(run: Run) -> Figure | None:
    beliefs = {step: b for step, b in run.beliefs.items() if is_drawable(b)}
    if not beliefs:
        return None
    params, rewards = run.episodes.params[-_CLOUD:], run.episodes["r"][-_CLOUD:]
    return belief_figure(run.space, beliefs[max(beliefs)], params, rewards)


def _mastered(run: Run) -> Figure | None:
    evaluations = run.evaluations
    if not len(evaluations):
        return None
    rewards, mastered = evaluations.rewards[-1], evaluations.mastered[-1]
    return mastered_figure(run.test_set, rewards, mastered, run.reward_range)


def _learning_curve(run: Run) -> Figure | None:
    evaluations = run.evaluations
    if not len(evaluations):
        return None
    steps, share = evaluations.steps, evaluations.share_mastered
    returns = {"test set": Curve.of_runs([(steps, evaluations.rewards.mean(axis=1))])}
    if len(run.episodes):
        returns["tasks of the teacher"] = _returns_of_episodes(run)
    mastered = {"test set": Curve.of_runs([(steps, share)])}
    return learning_curve_figure({"mastered test tasks (%)": mastered, "mean return": returns})


def _returns_of_episodes(run: Run) -> Curve:
    """Return the mean return of the episodes that ended in each of up to fifty stretches."""
    steps, rewards = run.episodes["t"], run.episodes["r"]
    edges = np.linspace(0, steps[-1], _STRETCHES + 1)
    stretch = np.searchsorted(edges[1:-1], steps, side="left")
    counts = np.bincount(stretch, minlength=_STRETCHES)
    means = np.bincount(stretch, rewards, _STRETCHES) / np.maximum(counts, 1)
    return Curve(edges[1:][counts > 0], means[None, counts > 0])


def _title(run: Run) -> str:
    """Say who teaches whom where: "ALPGMM teaches PPO on StumpTracks, seed 0"."""
    config = run.config
    teacher, student = config["teacher"]["make"], config["student"]["algorithm"]
    names = [path.rpartition(":")[2] for path in (teacher, student, config["env"]["make"])]
    return f"{names[0]} teaches {names[1]} on {names[2]}, seed {config['seed']}"
