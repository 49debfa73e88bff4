"""``teachrl benchmark``: several teachers, several seeds, one comparison."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from teachrl.cli.flags import Command, Count, CountOrZero, OptionalCount, OptionalStepsOrZero, Steps
from teachrl.cli.paths import short_name


@dataclass(kw_only=True)
class Benchmark(Command):
    """Compare teachers over several seeds.

    The same command again repeats no finished run, so that it completes what was interrupted.
    --engine ray --address auto spreads the runs over a Ray cluster.
    Each teacher has its own flags: --teachers random alp-gmm --alp-gmm.fit-every 150
    So has one of your own: --teachers random mine:MyTeacher --my-teacher.width 0.5
    """

    tables: ClassVar[Mapping[str, str]] = {
        "env": "teachrl.envs:ENVS",
        "teachers": "teachrl.teachers:TEACHERS",
        "student": "teachrl.students.presets:STUDENTS",
    }

    env: str = "stump-tracks"  # where the students act
    teachers: tuple[str, ...] = ("random", "alp-gmm")  # the first is what the others must beat
    student: str = "ppo"  # who learns
    seeds: Count = 5  # runs of each teacher
    first_seed: int = 0  # their seeds are this one and those after it
    steps: Steps = 2_000_000  # environment steps of each run, as 2e6 or 2_000_000
    n_envs: Count = 16  # environments that play at the same time, in each run
    workers: OptionalCount = None  # runs at the same time; by default one per core
    engine: str = "local"  # where the runs are: local, or ray (pip install 'teachrl[campaign]')
    address: str | None = None  # of a Ray cluster, such as auto; by default Ray on this machine
    retries: CountOrZero = 2  # a run that fails goes on from its checkpoint so many times
    ship: bool = False  # send runs back over the network, to machines that do not see the folder
    folder: Path | None = None  # of all runs; by default runs/ENV-benchmark
    restart: bool = False  # remove the runs that the folder holds
    test_tasks: OptionalCount = None  # evaluate on so many of the test tasks only
    evaluate_every: OptionalStepsOrZero = None  # by default every fifth of a run
    against: str | None = None  # show "baselines", a set of them or a folder beside these runs

    def run(self) -> None:
        """Carry out what is missing, then show the comparison and where its files are."""
        from teachrl.baselines import ANY, find_baselines, load_baselines
        from teachrl.benchmarking import benchmark
        from teachrl.cli.show import show_paths, show_results
        from teachrl.cli.teach import test_subset

        if self.against and self.against != ANY:
            find_baselines(self.against)  # a misspelt name is not told after hours of training
        folder = self.folder or Path("runs", f"{short_name(self.env)}-benchmark")
        results = benchmark(
            self.things["student"],
            self.things["env"],
            [self.things[name] for name in self.teachers],
            seeds=range(self.first_seed, self.first_seed + self.seeds),
            steps=self.steps,
            folder=folder,
            workers=self.workers,
            n_envs=self.n_envs,
            test_set=test_subset(self.things["env"], self.test_tasks),
            evaluate_every=self.evaluate_every,
            engine=self.engine,
            address=self.address,
            retries=self.retries,
            ship=self.ship,
            restart=self.restart,
            live=True,
        )
        if self.against:
            results = results.against(load_baselines(self.against, results))
        show_results(results)
        show_paths(results.save(folder))
