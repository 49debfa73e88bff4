"""Teaching a student made of counters, by itself or seen as an environment."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from teachrl.core import Episode, Teacher
from teachrl.seeding import stream
from teachrl.spaces import Floats
from teachrl.targets import Target

from .toy_student import EXPERT, MASTERED, ToyStudent, ToyThoughts

_SIGNALS = frozenset({"success", "values", "first_observations", "success_rates", "repeats"})


@dataclass(frozen=True)
class ToyRun:
    """What came of teaching a :class:`ToyStudent`."""

    student: ToyStudent
    every: int  # episodes between two entries of the curve
    curve: NDArray[np.float64]  # percentage of cubes mastered, after ``every`` episodes and so on

    @property
    def mastered(self) -> float:
        """Percentage of the cubes mastered in the end."""
        return self.student.mastered


def play(
    teacher: Teacher,
    episodes: int,
    seed: int = 0,
    *,
    dimensions: int = 2,
    irrelevant: int = 0,
    every: int = 1000,
    length: int = 1,
) -> ToyRun:
    """Let ``teacher`` teach a fresh :class:`ToyStudent`; it keeps what it learns of it.

    A teacher that asks for values is told the student's competence, and studies after every
    episode; one that asks for actions or transitions is refused, since there are none.

    Args:
        teacher: which one.
        episodes: to be played.
        seed: of the teacher; the student knows no chance.
        dimensions: of the task space that matter, at most 7.
        irrelevant: dimensions of the task space that do not.
        every: episodes between two entries of the curve.
        length: environment steps that an episode counts for, with teachers who wait for those.

    >>> from teachrl.teachers import Random
    >>> play(Random(), episodes=3000, seed=0).curve.shape
    (3,)
    """
    if missing := teacher.needs - _SIGNALS:
        raise ValueError(
            f"{type(teacher).__name__} needs {', '.join(sorted(missing))}; the toy student neither "
            "acts nor observes: teach a Stable-Baselines3 student instead"
        )
    student, curve = ToyStudent(dimensions, irrelevant), []
    rng = stream(seed, "teacher")
    teacher.start(student.task_space, rng, ToyEnv.reward_range, ToyEnv.target)
    thoughts = ToyThoughts(student)
    for i in range(episodes):
        task = replace(teacher.sample(), id=i)
        seen = thoughts.first_observations(task.params[None])[0] if teacher.needs else None
        reward = student.play(task.params)
        episode = Episode(
            task,
            seed,
            reward,
            length,
            success=reward > MASTERED / EXPERT,
            first_observation=seen,
            start_step=i * length,
        )
        teacher.update(episode)
        if teacher.needs - {"success"}:
            thoughts.steps = (i + 1) * length
            teacher.study(thoughts)
        if (i + 1) % every == 0:
            curve.append(student.mastered)
    return ToyRun(student, every, np.array(curve))


class ToyEnv(gym.Env[Floats, np.int64]):
    """A :class:`ToyStudent` seen as an environment whose episodes last one step.

    Action 1 practises the task and action 0 rests, which earns what is known already. The
    observation holds the task and how well it is known. That knowledge outlives episodes: it
    belongs to this one object, and :meth:`state` and :meth:`restore` carry it elsewhere.

    >>> env = ToyEnv()
    >>> observation, _ = env.reset(seed=0, options={"task": [0.75, 0.25]})
    >>> observation.tolist(), env.step(1)[1:4]
    ([0.75, 0.25, 0.0], (0.0, True, False))
    """

    reward_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    mastery_threshold: ClassVar[float] = MASTERED / EXPERT
    target: ClassVar[Target] = Target.uniform()

    def __init__(self, dimensions: int = 2, irrelevant: int = 0) -> None:
        self.student = ToyStudent(dimensions, irrelevant)
        self.task_space = self.student.task_space
        self.default_task = self.task_space.denormalize(np.full(self.task_space.shape, 0.05))
        self.task = self.default_task
        self.action_space = Discrete(2)
        self.observation_space = Box(0.0, 1.0, (self.task_space.dimensions + 1,), np.float32)
        self._is_over = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Begin an episode on ``options["task"]``, or on the last task if there is none."""
        super().reset(seed=seed)
        if options is not None and "task" in options:
            self.task = self.task_space.require(options["task"])
        self._is_over = False
        return self._observe(), {}

    def step(self, action: np.int64 | int) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Practise (1) or rest (0), and end the episode.

        ``info`` says whether the task is mastered, under both names in use, and the percentage of
        ``mastered_cubes``.
        """
        if self._is_over:
            raise gym.error.ResetNeeded("this episode is over: call reset() before step()")
        if not self.action_space.contains(action):
            raise ValueError(f"expected 1 (practise) or 0 (rest), got {action!r}")
        self._is_over = True
        reward = self.student.play(self.task) if action else self.student.recall(self.task)
        mastered = reward > self.mastery_threshold
        info = {
            "is_success": mastered,
            "mastered": mastered,
            "mastered_cubes": self.student.mastered,
        }
        return self._observe(), reward, True, False, info

    def state(self) -> dict[str, Any]:
        """Return all that outlives an episode."""
        return {"student": self.student.state(), "task": self.task.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`, with the next ``reset``."""
        self.student.restore(state["student"])
        self.task = self.task_space.require(state["task"])

    def _observe(self) -> Floats:
        known = self.student.recall(self.task)
        return np.append(self.task, np.float32(known))
