"""``teachrl evaluate``, ``plot``, ``video`` and ``replay``: what to do with runs that exist."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from teachrl.cli.flags import Command, Count


@dataclass(kw_only=True)
class Evaluate(Command):
    """Play the test set with the student of a run, and show how each task went."""

    folder: tyro.conf.Positional[Path]  # of the run
    best: bool = False  # the student of the best evaluation, instead of the last one
    tasks: Count | None = None  # play only so many of the test tasks
    n_envs: Count = 16  # environments that play at the same time
    processes: bool = False  # give each environment a process of its own

    def run(self) -> None:
        """Evaluate, with the observation statistics that belong to the student."""
        from teachrl.cli.show import show_rows
        from teachrl.evaluation.evaluate import evaluate
        from teachrl.runs.store import Run

        run = Run.load(self.folder)
        prefix = "best_" if self.best else ""
        evaluation = evaluate(
            run.load_student(f"{prefix}model.zip"),
            run.env,
            run.test_set.subset(self.tasks) if self.tasks else run.test_set,
            n_envs=self.n_envs,
            processes=self.processes,
            normalizer=run.load_normalizer(f"{prefix}normalizer.npz"),
        )
        show_rows(
            list(evaluation.rows()),
            f"{self.folder}: {evaluation.share_mastered:.0%} mastered, "
            f"mean return {evaluation.mean_reward:.1f}",
        )


@dataclass(kw_only=True)
class Plot(Command):
    """Draw the curriculum and the learning curve of each run, and compare several runs."""

    folders: tyro.conf.Positional[tuple[Path, ...]]  # of the runs

    def run(self) -> None:
        """Write the pictures into the run folders."""


@dataclass(kw_only=True)
class Video(Command):
    """Film the student of a run on the easiest, the median and the hardest test task."""

    folder: tyro.conf.Positional[Path]  # of the run

    def run(self) -> None:
        """Write the videos into the run folder."""


@dataclass(kw_only=True)
class Replay(Command):
    """Play an episode again that stopped a run, and say where it goes wrong."""

    file: tyro.conf.Positional[Path]  # that the error named

    def run(self) -> None:
        """Replay the actions on the same task with the same seed."""
        from rich.console import Console

        from teachrl.students.failures import replay

        Console().print(replay(self.file), highlight=False, soft_wrap=True)
