"""Who plays which task next, and with which seed."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np

from teachrl.core import Episode, Task, Teacher
from teachrl.seeding import draw_seed, stream
from teachrl.spaces import TaskSpace

STUDENT, ANTAGONIST = "student", "antagonist"
_BEGUN = ("seed", "first_observation", "start_step", "env_index", "student")  # of an episode


class Assignment(NamedTuple):
    """A task, and the seed that its episode is reset with."""

    task: Task
    seed: int


class Assignments:
    """Asks the teacher for tasks, and numbers them.

    For a teacher that needs ``repeats``, an environment plays its task again and again, with the
    same seed, until a rollout ends in which everyone finished it; one that a rollout's end found
    unfinished, only until everyone has; one that is not repeated, by
    :meth:`teachrl.Teacher.is_repeated`, just once. Environment ``i`` of an antagonist plays the
    same as environment ``i`` of the student, whichever of the two comes first, unless the teacher
    knows a :meth:`teachrl.Teacher.counterpart`.

    Args:
        teacher: that has been started.
        space: its task space.
        seed: of the environments' own randomness, where a task names none.
        n_envs: of each student.
    """

    def __init__(self, teacher: Teacher, space: TaskSpace, seed: int, n_envs: int) -> None:
        require_companions(teacher, n_envs)
        self.teacher, self.space, self.seed = teacher, space, seed
        self.students = (STUDENT, ANTAGONIST) if "antagonist" in teacher.needs else (STUDENT,)
        self._repeats = bool(teacher.needs & {"repeats", "antagonist"})
        self._streams = [stream(seed, "env", i) for i in range(n_envs)]
        self._kept: list[dict[str, Assignment]] = [{} for _ in range(n_envs)]  # by student
        self._finished: list[set[str]] = [set() for _ in range(n_envs)]  # students
        self._is_late = [False] * n_envs  # whether a rollout has ended since it was first given out
        self._sampled = 0

    def next(self, i: int, student: str = STUDENT) -> Assignment:
        """Return what environment ``i`` of a student plays next."""
        if self._is_late[i]:
            self._let_go(i)
        kept = self._kept[i].get(student)
        if kept and (student not in self._finished[i] or self.teacher.is_repeated(kept.task)):
            return kept
        if kept and student == ANTAGONIST:
            return self._keep(i, ANTAGONIST, self._opposed(i, self._kept[i][STUDENT]))
        drawn = self._numbered(self.teacher.sample(), i, "sample")
        if not self._repeats:
            return drawn
        if not kept:
            self._finished[i], self._is_late[i] = set(), False
            if ANTAGONIST in self.students:
                self._keep(i, ANTAGONIST, self._opposed(i, drawn))
        self._keep(i, STUDENT, drawn)
        return self._kept[i][student]

    def finish(self, i: int, student: str, task_id: int) -> None:
        """Take in that an episode of environment ``i`` is over."""
        kept = self._kept[i].get(student)
        if kept is not None and kept.task.id == task_id:
            self._finished[i].add(student)

    def end_rollout(self) -> None:
        """Let go of the tasks that everyone has finished, and of those that are not repeated."""
        for i in range(len(self._kept)):
            self._let_go(i)
            self._is_late[i] = True

    def kept(self) -> list[Task]:
        """Return the tasks that will be played again."""
        return [each.task for kept in self._kept for each in kept.values()]

    def state(self) -> dict[str, Any]:
        """Return what the next assignments depend on, besides the teacher."""
        return {
            "streams": [stream.bit_generator.state for stream in self._streams],
            "kept": [
                {name: [_task_state(task), seed] for name, (task, seed) in kept.items()}
                for kept in self._kept
            ],
            "finished": [sorted(finished) for finished in self._finished],
            "late": list(self._is_late),
            "sampled": self._sampled,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        for generator, saved in zip(self._streams, state["streams"], strict=True):
            generator.bit_generator.state = saved
        self._kept = [
            {name: Assignment(_restored_task(task), seed) for name, (task, seed) in kept.items()}
            for kept in state["kept"]
        ]
        self._finished = [set(finished) for finished in state["finished"]]
        self._is_late = list(state["late"])
        self._sampled = int(state["sampled"])

    def _opposed(self, i: int, drawn: Assignment) -> Assignment:
        """Return what the antagonist plays while the student plays what was drawn."""
        other = self.teacher.counterpart(drawn.task)
        return drawn if other is drawn.task else self._numbered(other, i, "counterpart")

    def _keep(self, i: int, student: str, drawn: Assignment) -> Assignment:
        """Let a student play a task until it is finished."""
        self._kept[i][student] = drawn
        self._finished[i].discard(student)
        return drawn

    def _let_go(self, i: int) -> None:
        """Forget the task of environment ``i`` if everyone has finished it, or need not."""
        tasks = [each.task for each in self._kept[i].values()]
        if self._finished[i] == set(self.students) or not any(map(self.teacher.is_repeated, tasks)):
            self._kept[i].clear()

    def _numbered(self, task: Any, i: int, method: str) -> Assignment:
        """Give a task of the teacher's ``method`` its id, and a seed if it has none."""
        if not isinstance(task, Task):
            raise TypeError(
                f"{type(self.teacher).__name__}.{method}() must return a Task, such as "
                f"Task(params), got {task!r}"
            )
        task = replace(task, id=self._sampled)
        self._sampled += 1
        self.space.require(task.params)
        drawn = draw_seed(self._streams[i])
        return Assignment(task, drawn if task.seed is None else task.seed)


def require_companions(teacher: Teacher, n_envs: int) -> None:
    """Refuse one environment alone for a teacher that compares two students."""
    if "antagonist" in teacher.needs and n_envs < 2:
        raise ValueError(
            f"{type(teacher).__name__} designs tasks by the regret between two students, and with "
            "one environment there is one design per update, whose regret is noise: take n_envs of "
            "2 or more, better 16"
        )


def episode_state(running: Episode) -> dict[str, Any]:
    """Return an episode that is running as arrays and JSON values."""
    begun = {name: getattr(running, name) for name in _BEGUN}
    return begun | {"task": _task_state(running.task)}


def restored_episode(saved: Mapping[str, Any]) -> Episode:
    """Return the episode of :func:`episode_state`."""
    begun = dict(saved) | {"task": _restored_task(saved["task"])}
    return Episode(**begun, reward=0.0, length=0)


def _task_state(task: Task) -> dict[str, Any]:
    return asdict(task) | {"params": np.array(task.params), "meta": dict(task.meta)}


def _restored_task(saved: Mapping[str, Any]) -> Task:
    return Task(**dict(saved) | {"params": np.asarray(saved["params"], np.float32)})
