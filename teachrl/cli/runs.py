"""``teachrl evaluate``, ``plot``, ``video`` and ``replay``: what to do with runs that exist."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from teachrl.cli.flags import Command, Count, Folders, OptionalCount


@dataclass(kw_only=True)
class Evaluate(Command):
    """Play the test set with the student of a run."""

    folder: tyro.conf.Positional[Path]  # of the run
    best: bool = False  # the student of the best evaluation, instead of the last one
    tasks: OptionalCount = None  # play only so many of the test tasks
    n_envs: Count = 16  # environments that play at the same time
    processes: bool = False  # give each environment a process of its own
    trust: bool = False  # load a student that this run did not write: it can run any code

    def run(self) -> None:
        """Show how each task went, and how much is mastered."""
        from teachrl.cli.show import show_rows
        from teachrl.evaluation.evaluating import evaluate
        from teachrl.runs.store import Run

        run = Run.load(self.folder, self.trust)
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
class Resume(Command):
    """Go on with a run that was stopped, from its last checkpoint."""

    folder: tyro.conf.Positional[Path]  # of the run
    threads: Count = 1  # of torch

    def run(self) -> None:
        """Train to the end; then show what came out and where the pictures are."""
        from teachrl.cli.show import show_paths, show_run
        from teachrl.monitoring import save_pictures
        from teachrl.training import resume

        run = resume(self.folder, progress_bar=True, threads=self.threads)
        show_run(run)
        show_paths(save_pictures(run))


@dataclass(kw_only=True)
class Plot(Command):
    """Draw what runs recorded, or compare the teachers of a benchmark."""

    folders: Folders  # of runs or benchmarks
    out: Path | None = None  # where pictures go; by default into each folder

    def run(self) -> None:
        """Write the pictures, and show where they are."""
        from teachrl.cli.show import show_paths, show_results
        from teachrl.monitoring import save_pictures
        from teachrl.results import Results
        from teachrl.runs.store import Run

        for folder in self.folders:
            out = self.out and self.out / folder.name
            if any(folder.glob("*/seed_*/config.json")):
                results = Results.load(folder)
                show_results(results)
                show_paths(results.save(out or folder))
            else:
                show_paths(save_pictures(Run.load(folder), out))


@dataclass(kw_only=True)
class Video(Command):
    """Film the student of a run on an easy, a median and a hard test task."""

    folder: tyro.conf.Positional[Path]  # of the run
    out: Path | None = None  # a .gif or .mp4 file; by default video.gif in the folder
    every: Count = 4  # environment steps per picture; the film runs in real time whatever it is
    width: Count = 400  # in pixels
    trust: bool = False  # load a student that this run did not write: it can run any code

    def run(self) -> None:
        """Write the video, and show where it is."""
        from teachrl.cli.show import show_paths
        from teachrl.monitoring.videos import record_run
        from teachrl.runs.store import Run

        run = Run.load(self.folder, self.trust)
        show_paths([record_run(run, self.out, every=self.every, width=self.width)])


@dataclass(kw_only=True)
class Replay(Command):
    """Play an episode again that stopped a run."""

    file: tyro.conf.Positional[Path]  # that the error named
    env: str | None = None  # MODULE:CLASS in the working directory, where the file cannot name it

    def run(self) -> None:
        """Take the same actions on the same task with the same seed, and say what goes wrong."""
        from rich.console import Console

        from teachrl.cli.paths import import_path
        from teachrl.students.failures import replay

        env = import_path(self.env) if self.env else None
        Console().print(replay(self.file, env), highlight=False, soft_wrap=True)
