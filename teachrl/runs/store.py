"""A run is a folder: what is in it, and whether it is finished."""

import tempfile
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm

from teachrl.core import Teacher
from teachrl.digests import require_unchanged
from teachrl.episodes import Episodes
from teachrl.evaluation.test_sets import TestSet
from teachrl.files import read_json, read_npz, reading
from teachrl.registry import from_config
from teachrl.runs.evaluations import Evaluations
from teachrl.runs.folder import read_status
from teachrl.runs.trees import load_tree
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.students.experts import Expert
from teachrl.students.normalizers import FrozenNormalizer, load_statistics
from teachrl.students.stored_students import load_model
from teachrl.targets import Target


class Run:
    """One student, one teacher, one seed: everything that was recorded, read when asked for.

    The folder holds ``config.json`` (enough to repeat the run), ``command.txt``, ``status``,
    ``monitor.csv`` (episodes), ``evaluations.csv`` and SB3's ``evaluations.npz``, ``test_set.csv``,
    ``progress.csv`` and TensorBoard events, ``model.zip`` and ``best_model.zip`` with the
    ``normalizer.npz`` and ``best_normalizer.npz`` that belong to them, ``teacher.npz``, and
    ``beliefs/`` (what the teacher believed over time).

    Everything but SB3's zips is plain text or npz and runs no code when read. The zips are pickles
    inside, so they are opened only if ``digests.json`` says that this run wrote them, or if
    ``trust`` says that you trust whoever did. That finds a zip that was exchanged or damaged; it
    cannot find a folder that was forged as a whole, digests included, so read :attr:`student` only
    of runs that come from people you trust.
    """

    def __init__(
        self,
        folder: Path | str,
        student: BaseAlgorithm | None = None,
        keep: tempfile.TemporaryDirectory[str] | None = None,
        trust: bool = False,
    ) -> None:
        self.folder, self.trust = Path(folder), trust
        self._keep = keep  # a run without a folder lives in a temporary one, as long as this object
        if student is not None:
            self.student = student

    @classmethod
    def load(cls, folder: Path | str, trust: bool = False) -> "Run":
        """Open a run folder, finished or not.

        Args:
            folder: of the run.
            trust: load its student even if nothing shows that this run wrote it.
        """
        run = cls(folder, trust=trust)
        if not (run.folder / "config.json").is_file():
            raise FileNotFoundError(f"{folder} is not a run folder: it holds no config.json")
        return run

    @cached_property
    def config(self) -> dict[str, Any]:
        """Everything needed to repeat the run."""
        path = self.folder / "config.json"
        require_unchanged(path)
        return read_json(path)

    @property
    def status(self) -> str:
        """``running``, ``done`` or ``failed``; ``running`` also after a kill or Ctrl-C."""
        return read_status(self.folder)

    @property
    def summary(self) -> dict[str, float]:
        """What a finished run cost: its step ledger, episodes, seconds and the teacher's share."""
        return read_json(self._at_the_end("summary.json"))

    @cached_property
    def space(self) -> TaskSpace:
        """The task space."""
        with self._reading_config():
            return TaskSpace.from_json(self.config["task_space"])

    @property
    def reward_range(self) -> tuple[float, float] | None:
        """Lowest and highest return of an episode, as the environment declares them."""
        with self._reading_config():
            declared = self.config["reward_range"]
            return None if declared is None else (float(declared[0]), float(declared[1]))

    @cached_property
    def episodes(self) -> Episodes:
        """Every finished episode."""
        path = self.folder / "monitor.csv"
        require_unchanged(path)
        return Episodes.load(path, self.space)

    @cached_property
    def test_set(self) -> TestSet:
        """The tasks the student is evaluated on."""
        return TestSet.load(self.folder / "test_set.csv", self.space)

    @cached_property
    def evaluations(self) -> Evaluations:
        """What the student reached on the test set, over the run."""
        path = self.folder / "evaluations.csv"
        require_unchanged(path)
        return Evaluations.load(path, len(self.test_set))

    @cached_property
    def student(self) -> BaseAlgorithm:
        """The trained student, an ordinary SB3 model without environment."""
        return self.load_student("model.zip")

    def load_student(self, file: str = "best_model.zip") -> BaseAlgorithm:
        """Load ``model.zip`` or ``best_model.zip``.

        Raises:
            UntrustedFileError: this run did not write that zip, and ``trust`` was not asked for.
        """
        return load_model(self.folder, self._at_the_end(file).name, self.trust)

    @property
    def normalizer(self) -> FrozenNormalizer | None:
        """The observation statistics that belong to :attr:`student`."""
        return self.load_normalizer("normalizer.npz")

    def load_normalizer(self, file: str = "best_normalizer.npz") -> FrozenNormalizer | None:
        """Load ``normalizer.npz`` or ``best_normalizer.npz``; None if nothing was normalised."""
        path = self.folder / file
        return load_statistics(path) if path.exists() else None

    def expert(self) -> Expert:
        """Return the trained student as an expert for :class:`teachrl.students.Kickstart`."""
        last = self.evaluations
        if not len(last):
            return Expert(self.student, self.normalizer)
        tasks, reached = self.test_set.params, last.rewards[-1]
        return Expert(
            self.student,
            self.normalizer,
            expected_return=float(reached.mean()),
            mastered=tasks[last.mastered[-1]],
            measured=(tasks, reached),
        )

    @cached_property
    def env(self) -> Any:
        """A callable that makes the environment."""
        import gymnasium as gym

        with self._reading_config():
            return from_config(self.config["env"], gym.Env)

    def teacher(self) -> Teacher:
        """Return the teacher as it was at the end of the run."""
        path = self._at_the_end("teacher.npz")
        with self._reading_config():
            teacher: Teacher = from_config(self.config["teacher"], Teacher)()
            rng, target = stream(self.config["seed"], "teacher"), self.config["target"]
            target = None if target is None else Target.from_json(target)
            teacher.start(self.space, rng, self.reward_range or (0, 1), target)
        state = load_tree(path)
        with reading(path):
            teacher.restore(state)
        return teacher

    @cached_property
    def beliefs(self) -> dict[int, dict[str, NDArray[Any]]]:
        """What the teacher believed, by number of training steps."""
        beliefs = {}
        for path in sorted((self.folder / "beliefs").glob("*.npz")):
            with reading(path):
                beliefs[int(path.stem)] = read_npz(path)
        return beliefs

    def _at_the_end(self, file: str) -> Path:
        """Return the path of what a run leaves when it ends, or say that it has not ended."""
        path = self.folder / file
        if not path.exists() and self.status != "done":
            raise FileNotFoundError(
                f"the run in {self.folder} is {self.status} and has no {file} yet: "
                f"teachrl resume {self.folder} goes on with it, or teach() as before"
            )
        return path

    def _reading_config(self) -> AbstractContextManager[None]:
        return reading(self.folder / "config.json")

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, {self.status})"
