"""A run is a folder: what is in it, and whether it is finished."""

import json
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm

from teachrl.core import Teacher
from teachrl.episodes import Episodes
from teachrl.evaluation.test_sets import TestSet
from teachrl.registry import from_config, import_object
from teachrl.runs.evaluations import Evaluations
from teachrl.runs.trees import load_tree
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.students.normalizers import FrozenNormalizer, load_statistics
from teachrl.targets import Target


class Run:
    """One student, one teacher, one seed: everything that was recorded, read when asked for.

    The folder holds ``config.json`` (enough to repeat the run), ``command.txt``, ``status``,
    ``monitor.csv`` (episodes), ``evaluations.csv`` and SB3's ``evaluations.npz``, ``test_set.csv``,
    ``progress.csv`` and TensorBoard events, ``model.zip`` and ``best_model.zip`` with the
    ``normalizer.npz`` and ``best_normalizer.npz`` that belong to them, ``teacher.npz``, and
    ``beliefs/`` (what the teacher believed over time).

    Everything but SB3's zips is plain text or npz and runs no code when read. The zips are pickles
    inside: read :attr:`student` of runs you made yourself only.
    """

    def __init__(
        self,
        folder: Path | str,
        student: BaseAlgorithm | None = None,
        keep: tempfile.TemporaryDirectory[str] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self._keep = keep  # a run without a folder lives in a temporary one, as long as this object
        if student is not None:
            self.student = student

    @classmethod
    def load(cls, folder: Path | str) -> "Run":
        """Open a run folder, finished or not."""
        run = cls(folder)
        if not (run.folder / "config.json").is_file():
            raise FileNotFoundError(f"{folder} is not a run folder: it holds no config.json")
        return run

    @cached_property
    def config(self) -> dict[str, Any]:
        """Everything needed to repeat the run."""
        config: dict[str, Any] = json.loads((self.folder / "config.json").read_text())
        return config

    @property
    def status(self) -> str:
        """``running``, ``done`` or ``failed``; ``running`` also after a kill or Ctrl-C."""
        return (self.folder / "status").read_text().strip()

    @property
    def summary(self) -> dict[str, float]:
        """What a finished run cost: its step ledger, episodes, seconds and the teacher's share."""
        summary: dict[str, float] = json.loads((self.folder / "summary.json").read_text())
        return summary

    @cached_property
    def space(self) -> TaskSpace:
        """The task space."""
        return TaskSpace.from_json(self.config["task_space"])

    @property
    def reward_range(self) -> tuple[float, float] | None:
        """Lowest and highest return of an episode, as the environment declares them."""
        declared = self.config["reward_range"]
        return None if declared is None else (declared[0], declared[1])

    @cached_property
    def episodes(self) -> Episodes:
        """Every finished episode."""
        return Episodes.load(self.folder / "monitor.csv", self.space)

    @cached_property
    def test_set(self) -> TestSet:
        """The tasks the student is evaluated on."""
        return TestSet.load(self.folder / "test_set.csv", self.space)

    @cached_property
    def evaluations(self) -> Evaluations:
        """What the student reached on the test set, over the run."""
        return Evaluations.load(self.folder / "evaluations.csv", len(self.test_set))

    @cached_property
    def student(self) -> BaseAlgorithm:
        """The trained student, an ordinary SB3 model without environment."""
        return self.load_student("model.zip")

    def load_student(self, file: str = "best_model.zip") -> BaseAlgorithm:
        """Load ``model.zip`` or ``best_model.zip``; zips of strangers can run code, do not."""
        algorithm = import_object(self.config["student"]["algorithm"])
        if not (isinstance(algorithm, type) and issubclass(algorithm, BaseAlgorithm)):
            raise TypeError(f"{self.folder}: {algorithm!r} is not a Stable-Baselines3 algorithm")
        return algorithm.load(self.folder / file, device="cpu")

    @property
    def normalizer(self) -> FrozenNormalizer | None:
        """The observation statistics that belong to :attr:`student`."""
        return self.load_normalizer("normalizer.npz")

    def load_normalizer(self, file: str = "best_normalizer.npz") -> FrozenNormalizer | None:
        """Load ``normalizer.npz`` or ``best_normalizer.npz``; None if nothing was normalised."""
        path = self.folder / file
        return load_statistics(path) if path.exists() else None

    @cached_property
    def env(self) -> Any:
        """A callable that makes the environment."""
        import gymnasium as gym

        return from_config(self.config["env"], gym.Env)

    def teacher(self) -> Teacher:
        """Return the teacher as it was at the end of the run."""
        teacher: Teacher = from_config(self.config["teacher"], Teacher)()
        rng, target = stream(self.config["seed"], "teacher"), self.config["target"]
        target = None if target is None else Target.from_json(target)
        teacher.start(self.space, rng, self.reward_range or (0, 1), target)
        teacher.restore(load_tree(self.folder / "teacher.npz"))
        return teacher

    @cached_property
    def beliefs(self) -> dict[int, dict[str, NDArray[Any]]]:
        """What the teacher believed, by number of training steps."""
        files = sorted((self.folder / "beliefs").glob("*.npz"))
        beliefs = {}
        for file in files:
            with np.load(file, allow_pickle=False) as saved:
                beliefs[int(file.stem)] = dict(saved)
        return beliefs

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, {self.status})"
