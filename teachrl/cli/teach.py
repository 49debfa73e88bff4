"""``teachrl teach``: one teacher, one student, one run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from teachrl.cli.flags import Command, Count, OptionalCount, OptionalStepsOrZero, Steps
from teachrl.cli.paths import short_name


@dataclass(kw_only=True)
class Teach(Command):
    """Teach one student, and record the run in a folder.

    Whatever is chosen brings its own flags: see teachrl teach --teacher alp-gmm --help
    Your own comes as MODULE:NAME, from the working directory: --teacher mine:MyTeacher
    """

    tables: ClassVar[Mapping[str, str]] = {
        "env": "teachrl.envs:ENVS",
        "teacher": "teachrl.teachers:TEACHERS",
        "student": "teachrl.students.presets:STUDENTS",
    }

    env: str = "stump-tracks"  # where the student acts
    teacher: str = "alp-gmm"  # who chooses its tasks
    student: str = "ppo"  # who learns
    steps: Steps = 300_000  # environment steps over all environments, as 2e6 or 2_000_000
    seed: int = 0  # of everything: the same seed gives the same run
    n_envs: Count = 16  # environments that play at the same time
    processes: bool = False  # give each environment a process of its own
    folder: Path | None = None  # of the run; by default runs/ENV/TEACHER-STUDENT-SEED
    restart: bool = False  # remove the run that the folder holds
    test_tasks: OptionalCount = None  # evaluate on so many of the test tasks only
    evaluate_every: OptionalStepsOrZero = None  # 0: never; by default every fifth of the run
    checkpoint_every: OptionalStepsOrZero = None  # 0: never; by default every tenth of the run
    threads: Count = 1  # of torch

    def run(self) -> None:
        """Train with a progress bar; then show what came out and where the pictures are."""
        from teachrl.cli.show import show_paths, show_run
        from teachrl.monitoring import save_pictures
        from teachrl.training import teach

        run = teach(
            self.things["student"],
            self.things["env"],
            self.things["teacher"],
            steps=self.steps,
            seed=self.seed,
            n_envs=self.n_envs,
            processes=self.processes,
            folder=self.folder or self._default_folder(),
            test_set=test_subset(self.things["env"], self.test_tasks),
            evaluate_every=self.evaluate_every,
            progress_bar=True,
            restart=self.restart,
            checkpoint_every=self.checkpoint_every,
            threads=self.threads,
        )
        show_run(run)
        show_paths(save_pictures(run))

    def _default_folder(self) -> Path:
        env, teacher, student = map(short_name, (self.env, self.teacher, self.student))
        return Path("runs", env, f"{teacher}-{student}-{self.seed}")


def test_subset(make_env: Any, n: int | None) -> Any:
    """Return ``n`` tasks of the environment's test set; None stands for all of them."""
    if n is None:
        return None
    from teachrl.evaluation.test_sets import default_test_set

    example = make_env()
    try:
        return default_test_set(example).subset(n)
    finally:
        example.close()
