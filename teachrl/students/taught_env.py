"""The same loop for one plain Gymnasium environment, without a VecEnv."""

from dataclasses import replace
from typing import Any

import gymnasium as gym

from teachrl.core import Episode, Teacher
from teachrl.episodes import Episodes
from teachrl.registry import to_config
from teachrl.seeding import draw_seed, stream
from teachrl.students.failures import NonFiniteError, all_finite
from teachrl.students.task_slot import TaskSlot, start_teacher
from teachrl.students.whole_episodes import is_unasked, played_task


class TaughtEnv(gym.Wrapper[Any, Any, Any, Any]):
    """Plays a task of the teacher in every episode, for anyone who writes their own loop.

    ``reset()`` samples the task; the last step of an episode updates the teacher. An episode
    that is reset before its end is never reported. ``reset(seed=…)`` fixes the seed of that one
    episode; ``reset(options={"task": …})`` plays that task instead, unseen by the teacher.

    >>> from teachrl.envs.toy import ToyEnv
    >>> from teachrl.teachers import Random
    >>> env = TaughtEnv(ToyEnv(), Random(), seed=0)
    >>> observation, info = env.reset()
    >>> observation, reward, terminated, truncated, info = env.step(1)
    >>> terminated, len(env.episodes)
    (True, 1)
    """

    def __init__(self, env: gym.Env[Any, Any], teacher: Teacher, seed: int = 0) -> None:
        if wanted := teacher.needs - {"success"}:
            raise ValueError(
                f"{type(teacher).__name__} needs {', '.join(sorted(wanted))}, of which one plain "
                "environment knows nothing: use TaughtVecEnv, and list TeacherCallback()"
            )
        slot = TaskSlot(env)
        super().__init__(slot)
        self.task_space = slot.declaration.task_space
        self.teacher = start_teacher(teacher, slot.declaration, seed)
        self.episodes = Episodes(self.task_space)
        self._seeds = stream(seed, "env", 0)
        self._running: Episode | None = None
        self._actions: list[Any] = []
        self._steps = self._sampled = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin the teacher's next task, or the one that comes with the options."""
        self._running = None
        self._actions.clear()
        if options and "task" in options:
            return self.env.reset(seed=seed, options=options)
        task = replace(self.teacher.sample(), id=self._sampled)
        self._sampled += 1
        params = self.task_space.require(task.params)
        drawn = draw_seed(self._seeds)
        seed = seed if seed is not None else drawn if task.seed is None else task.seed
        observation, info = self.env.reset(seed=seed, options={"task": params})
        played, start = played_task(task, info), self._steps
        self._running = Episode(
            played, seed, 0.0, 0, first_observation=observation, start_step=start
        )
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step; at the end of the teacher's task, update the teacher."""
        self._actions.append(action)
        self._require_finite("action", action)
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._require_finite("observation", observation)
        self._require_finite("reward", reward)
        self._steps += 1
        outcome = info.pop("outcome", None)
        if is_unasked(info):  # it began from a snapshot: no one is told
            self._running = None
        if outcome and self._running is not None:
            episode = replace(self._running, **outcome)
            self._running = None
            self.teacher.update(episode)
            self.episodes.append(episode, self._steps)
        return observation, reward, terminated, truncated, info

    def _require_finite(self, what: str, value: Any) -> None:
        if self._running is not None and not all_finite(value):
            raise NonFiniteError(
                what,
                value,
                episode=self._running,
                actions=self._actions,
                space=self.task_space,
                source=to_config(type(self.unwrapped)),
            )
