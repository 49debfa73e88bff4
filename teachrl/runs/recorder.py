"""The callback that writes a run folder while the student trains."""

import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from teachrl.core import Episode
from teachrl.digests import prefix_digest, write_known
from teachrl.episodes import Episodes, EpisodeWriter
from teachrl.evaluation.evaluating import Evaluation
from teachrl.evaluation.test_sets import TestSet
from teachrl.files import DamagedFileError, write_atomically, write_npz
from teachrl.runs.checkpoints import as_zip
from teachrl.runs.evaluations import Evaluations, append_evaluation
from teachrl.runs.trees import save_tree
from teachrl.spaces import TaskSpace
from teachrl.students.normalizers import save_statistics
from teachrl.students.vec_env import TaughtVecEnv, find_taught

_BELIEFS = 20  # pictures of a curriculum need no more moments than this
_APPENDED = ("monitor.csv", "evaluations.csv")


class Recorder(BaseCallback):
    """Writes episodes as they end, evaluations, what the teacher believes, and the result.

    Args:
        folder: of the run.
        test_set: what the evaluations are on.
        total_steps: of the run.
    """

    def __init__(self, folder: Path, test_set: TestSet, total_steps: int) -> None:
        super().__init__()
        self.folder, self.test_set, self.total_steps = folder, test_set, total_steps
        self.taught: TaughtVecEnv
        self._beliefs = 0
        self._best = (-1.0, 0.0)  # share mastered and mean return
        self._started = perf_counter()

    def state(self) -> dict[str, Any]:
        """Return how much of each file belongs to the run so far."""
        sizes = {name: _size(self.folder / name) for name in _APPENDED}
        return {
            "beliefs": self._beliefs,
            "best": list(self._best),
            "seconds": self._seconds(),
            "sizes": sizes,
            "digests": {n: prefix_digest(self.folder / n, size) for n, size in sizes.items()},
        }

    def episodes_before(self, state: Mapping[str, Any], space: TaskSpace) -> Episodes:
        """Return the episodes that had ended at :meth:`state`; touches nothing.

        Raises:
            DamagedFileError: what was written before it is not there any more.
        """
        for name, size in state["sizes"].items():
            if prefix_digest(self.folder / name, size) != state["digests"][name]:
                raise DamagedFileError(
                    f"{self.folder / name} is not what it was at the checkpoint, where it had "
                    f"{size} bytes: restore it, or begin again with restart=True (--restart)"
                )
        path = self.folder / "monitor.csv"
        return Episodes.load(path, space, size=state["sizes"][path.name])

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`: what was written after it will be written again."""
        self._beliefs, self._best = state["beliefs"], (state["best"][0], state["best"][1])
        self._started = perf_counter() - state["seconds"]
        for name, size in state["sizes"].items():
            _cut(self.folder / name, size)
        self._save_evaluations_npz()

    def record_evaluation(self, evaluation: Evaluation) -> None:
        """Append an evaluation, and keep the student if it is the best so far."""
        path = self.folder / "evaluations.csv"
        append_evaluation(
            path,
            step=self.num_timesteps,
            env_steps=self.taught.ledger.env_steps,
            rewards=evaluation.rewards,
            lengths=evaluation.lengths,
            successes=evaluation.successes,
            mastered=evaluation.mastered,
        )
        self._save_evaluations_npz()
        result = (float(evaluation.share_mastered), float(evaluation.mean_reward))
        if result > self._best:
            self._best = result
            self._save_student("best_")

    def _on_training_start(self) -> None:
        self.taught = find_taught(self.training_env)
        self.test_set.save(self.folder / "test_set.csv")
        space = self.taught.task_space
        name = self.taught.venv.get_attr("source", indices=[0])[0].get("make", "")
        self._writer = EpisodeWriter(self.folder / "monitor.csv", space, name)
        self.taught.listeners.append(self._write_episode)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if self.taught.steps * _BELIEFS >= self._beliefs * self.total_steps:
            self._write_belief()

    def _on_training_end(self) -> None:
        self._write_belief()
        self._save_student("")
        write_atomically(self.folder / "summary.json", json.dumps(self._summary(), indent=2) + "\n")
        self._writer.close()
        self._save_teacher()

    def _write_episode(self, episode: Episode) -> None:
        self._writer.write(episode, self.taught.steps)

    def _write_belief(self) -> None:
        self._beliefs = self.taught.steps * _BELIEFS // self.total_steps + 1
        if belief := self.taught.teacher.belief():
            write_npz(self.folder / "beliefs" / f"{self.taught.steps:012d}.npz", belief)

    def _save_student(self, prefix: str) -> None:
        model: BaseAlgorithm = self.model
        write_known(self.folder / f"{prefix}model.zip", as_zip(model))
        if (normalizer := model.get_vec_normalize_env()) is not None:
            save_statistics(normalizer, self.folder / f"{prefix}normalizer.npz")

    def _save_evaluations_npz(self) -> None:
        path = self.folder / "evaluations.csv"
        if path.exists():
            table = Evaluations.load(path, len(self.test_set))
            table.save_npz(self.folder / "evaluations.npz")

    def _save_teacher(self) -> None:
        try:
            save_tree(self.folder / "teacher.npz", self.taught.teacher.state())
        except TypeError as error:  # a teacher of the user's own must not cost them a whole run
            name = type(self.taught.teacher).__name__
            warnings.warn(
                f"the state of {name} is not saved: {error}. Give {name} a state() and restore()",
                stacklevel=2,
            )

    def _summary(self) -> dict[str, float]:
        """Return what the run cost; clocks make it differ between equal runs."""
        seconds = self._seconds()
        return self.taught.ledger.as_dict() | {
            "episodes": len(self.taught.episodes),
            "seconds": seconds,
            "steps_per_second": self.taught.steps / seconds,
            "teacher_share": self.taught.teacher_share(),
        }

    def _seconds(self) -> float:
        """Return how long the run took so far, without the time in which it was stopped."""
        return perf_counter() - self._started


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _cut(path: Path, size: int) -> None:
    """Drop what a file holds beyond ``size``; a file that did not exist then is removed."""
    if not size:
        path.unlink(missing_ok=True)
    elif _size(path) > size:
        with path.open("r+b") as file:
            file.truncate(size)
            os.fsync(file.fileno())
