"""Vectorised environments whose every episode is a task of the teacher, with no episode of lag."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, replace
from time import perf_counter
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from teachrl.core import Episode, Task, Teacher
from teachrl.episodes import Episodes
from teachrl.spaces import Floats
from teachrl.students.assignments import (
    STUDENT,
    Assignments,
    episode_state,
    require_companions,
    restored_episode,
)
from teachrl.students.failures import NonFiniteError, ReplayError, all_finite
from teachrl.students.ledger import StepLedger
from teachrl.students.observations import cast_rows, get_row, put_row
from teachrl.students.refusals import common_space, refuse_evaluation, require_slots
from teachrl.students.spares import Spares
from teachrl.students.task_slot import start_teacher
from teachrl.students.transitions import TrajectoryRecorder, TransitionRecorder
from teachrl.students.whole_episodes import UNASKED, played_task
from teachrl.students.workers import reporting


class TaughtVecEnv(VecEnvWrapper):
    """Begins every episode on a task its teacher sampled, and tells the teacher how it went.

    When an episode ends, in this order and before the student sees the next observation: the
    teacher is updated, samples, and the environment begins the new task. ``VecMonitor``,
    ``VecNormalize`` and ``VecFrameStack`` go outside of it. It cannot be evaluated on, since every
    episode played here is reported to the teacher: use :func:`teachrl.evaluation.evaluate`.

    >>> from teachrl.envs.toy import ToyEnv
    >>> from teachrl.students import make_task_vec_env
    >>> from teachrl.teachers import Random
    >>> env = TaughtVecEnv(make_task_vec_env(ToyEnv), Random(), seed=0)
    >>> env.reset().shape[0], env.step([1])[2].tolist(), len(env.episodes)
    (1, [True], 1)
    """

    student = STUDENT  # who plays here

    def __init__(self, venv: VecEnv, teacher: Teacher, seed: int = 0) -> None:
        require_slots(venv)
        super().__init__(venv)
        self.task_space = common_space(venv)
        self._sources = venv.get_attr("source")  # now: a dead process would not tell
        self.ledger = StepLedger()
        self.teacher, self.assignments = self._start(teacher, seed)
        self.episodes = Episodes(self.task_space)
        self.listeners: list[Callable[[Episode], None]] = []
        self.steps = 0  # environment steps played here, over all environments
        self.teacher_seconds = 0.0
        self._started = perf_counter()
        self._learn = np.ones(self.num_envs, bool)  # whether the running tasks are learnt from
        self.learnable = self._learn  # whether the last step may be learnt from, by environment
        self.transitions = TransitionRecorder(wanted="transitions" in teacher.needs)
        self.trajectories = TrajectoryRecorder(self.num_envs, wanted="segments" in teacher.needs)
        self.spares = Spares(venv, self.observation_space)
        self._running: list[Episode | None] = [None] * self.num_envs
        self._begun: list[list[Episode]] = [[] for _ in range(self.num_envs)]
        self._actions: list[list[Any]] = [[] for _ in range(self.num_envs)]
        self.companion: Any = None  # of the student, who plays the same tasks elsewhere
        self.is_attended = False  # by who tells the teacher of rollouts, and masks gradients

    def reset(self) -> Any:
        """Begin a new episode everywhere; episodes that were running are abandoned."""
        refuse_evaluation()
        observations = self.venv.reset()
        for i in range(self.num_envs):
            put_row(observations, i, self._begin(i))
        self.transitions.see(observations)
        self.trajectories.abandon()
        self.trajectories.see(observations)
        return cast_rows(observations, self.observation_space)

    def step_async(self, actions: Any) -> None:
        """Send the actions, after making sure that they are finite."""
        if not self.is_attended:
            self._refuse_neglect()
        for played, action in zip(self._actions, actions, strict=True):
            played.append(action)
        if not all_finite(actions):
            i = next(i for i, action in enumerate(actions) if not all_finite(action))
            self._fail(i, "action", actions[i])
        with self._reporting():
            self.venv.step_async(actions)

    def step_wait(self) -> Any:
        """Return the step; a finished environment already shows its next task."""
        with self._reporting():
            observations, rewards, dones, infos = self.venv.step_wait()
        # Sub-processes keep float64 rewards where one process has float32: same run, same bytes.
        rewards = np.asarray(rewards, dtype=np.float32)
        self._require_finite(observations, rewards)
        self.steps += self.num_envs
        self.learnable = self._learn.copy()
        learnt = int(np.count_nonzero(self.learnable))
        self.ledger.explore += self.num_envs - learnt
        self.ledger.train += learnt
        infos = list(infos)
        self.transitions.record(self._last_actions(), observations, rewards, dones, infos)
        self.trajectories.record(rewards)
        for i in np.flatnonzero(dones).tolist():
            self._finish(i, infos[i])
            put_row(observations, i, self._begin(i))
        self.transitions.see(observations)
        self.trajectories.see(observations)
        return cast_rows(observations, self.observation_space), rewards, dones, infos

    @contextmanager
    def teaching(self) -> Iterator[None]:
        """Count the time of what happens inside as the teacher's."""
        started = perf_counter()
        yield
        self.teacher_seconds += perf_counter() - started

    def teacher_share(self) -> float:
        """Return the share of wall time, since construction, that was spent in the teacher."""
        return self.teacher_seconds / (perf_counter() - self._started)

    def state(self) -> dict[str, Any]:
        """Return everything that continuing needs, the episodes in their middle included."""
        return {
            "teacher": self.teacher.state(),
            "assignments": self.assignments.state(),
            "ledger": asdict(self.ledger),
            "steps": self.steps,
            "transitions": self.transitions.state(),
            "trajectories": self.trajectories.state(),
            "running": [self._running_state(i) for i in range(self.num_envs)],
        }

    def episodes_since(self, step: int) -> list[list[Episode]]:
        """Return by environment the episodes that ran in its own step ``step`` or later.

        The last one of each is running still, or about to begin.
        """
        for i, begun in enumerate(self._begun):
            ends = [episode.start_step // self.num_envs for episode in begun[1:]]
            self._begun[i] = [
                e for e, end in zip(begun, [*ends, None], strict=True) if end is None or end > step
            ]
        return [list(begun) for begun in self._begun]

    def running_params(self) -> Floats:
        """Return the task (n_envs, d) that each environment plays, a snapshot's own included."""
        running = [episode.task.params for episode in self._running if episode is not None]
        return np.stack(running)

    def tasks_in_play(self) -> list[Task]:
        """Return the tasks that are played here or by a companion, or will be played again."""
        own = [episode.task for episode in self._running if episode is not None]
        others = self.companion.taught.tasks_in_play() if self.companion else []
        return [*own, *self.assignments.kept(), *others]

    def close(self) -> None:
        """Close the environments, the spare ones and those of a companion too."""
        super().close()
        self.spares.close()
        if self.companion:
            self.companion.taught.close()

    def restore(self, state: Mapping[str, Any], episodes: Episodes) -> None:
        """Continue from :meth:`state`, playing the running episodes again up to where they were.

        Raises:
            ReplayError: an environment did not play the same again; it cannot be continued.
        """
        self.teacher.restore(state["teacher"])
        self.assignments.restore(state["assignments"])
        self.ledger = StepLedger(**state["ledger"])
        self.steps, self.episodes = int(state["steps"]), episodes
        self.transitions.restore(state["transitions"])
        self.trajectories.restore(state["trajectories"])
        for i, running in enumerate(state["running"]):
            self._continue(i, running)

    def _running_state(self, i: int) -> dict[str, Any]:
        running = self._running[i]
        if running is None:
            raise RuntimeError("nothing to save before the first reset")
        [slot] = self.venv.env_method("save", indices=[i])
        return {
            "begun": episode_state(running),
            "actions": np.array(self._actions[i]),
            "slot": slot,
        }

    def _continue(self, i: int, saved: Mapping[str, Any]) -> None:
        """Bring environment ``i`` to the middle of a saved episode."""
        running = restored_episode(saved["begun"])
        self._running[i] = running
        self._learn[i] = running.task.learn
        self._begun[i] = [running] if self.trajectories.asked else []
        self._actions[i] = list(saved["actions"])
        with self._reporting():
            [problem] = self.venv.env_method(
                "load", running.seed, self._actions[i], saved["slot"], indices=[i]
            )
        if problem:
            raise ReplayError(f"environment {i} ({self._sources[i].get('make')}): {problem}")

    def _begin(self, i: int) -> Any:
        """Sample the next task of environment ``i``, begin it, and return its observation."""
        with self.teaching():
            task, seed = self.assignments.next(i, self.student)
        begun = Episode(
            task, seed, 0.0, 0, start_step=self.steps, env_index=i, student=self.student
        )
        self._running[i] = begun
        self._actions[i].clear()
        with self._reporting():
            [(observation, info)] = self.venv.env_method("begin", task.params, seed, indices=[i])
        self.venv.reset_infos = self.reset_infos = list(self.venv.reset_infos)
        self.reset_infos[i] = info
        self._learn[i] = task.learn
        self.ledger.expert += info.get("replayed", 0)
        begun = replace(begun, task=played_task(task, info))
        self._running[i] = replace(begun, first_observation=observation)
        if self.trajectories.asked:
            self._begun[i].append(begun)
        if not all_finite(observation):
            self._fail(i, "first observation", observation)
        return observation

    def _refuse_neglect(self) -> None:
        """Refuse to go on where nobody supplies what the teacher relies on."""
        wanted = sorted(self.teacher.needs - {"success"})
        if not self._learn.all():
            wanted.append("tasks that are not learnt from")
        if wanted:
            raise RuntimeError(
                f"{type(self.teacher).__name__} needs {', '.join(wanted)}, for which nobody cares "
                "here: list TeacherCallback() among the callbacks of learn()"
            )

    def _finish(self, i: int, info: dict[str, Any]) -> None:
        """Tell the teacher, the record and the listeners how the episode of ``i`` went."""
        running = self._running[i]
        if running is None:
            raise RuntimeError("a step before the first reset: call reset() once before step()")
        episode = replace(running, **info.pop("outcome"))
        self.trajectories.end(i, episode, info["terminal_observation"])
        if episode.task.id == UNASKED:
            return
        self.assignments.finish(i, self.student, episode.task.id)
        self._tell(episode)

    def _tell(self, episode: Episode) -> None:
        with self.teaching():
            self.teacher.update(episode)
        self.episodes.append(episode, self.steps)
        for listen in self.listeners:
            listen(episode)

    def _start(self, teacher: Teacher, seed: int) -> tuple[Teacher, Assignments]:
        """Start the teacher, and what it gives out."""
        require_companions(teacher, self.num_envs)
        [declaration] = self.venv.get_attr("declaration", indices=[0])
        self.ledger.expert = declaration.library_steps
        started = start_teacher(teacher, declaration, seed)
        return started, Assignments(started, self.task_space, seed, self.num_envs)

    def _last_actions(self) -> list[Any]:
        return [played[-1] for played in self._actions] if self.transitions.wanted else []

    def _reporting(self) -> AbstractContextManager[None]:
        """Name the task on which a process dies inside."""
        return reporting(
            lambda i: (self._running[i], self._actions[i]), self.task_space, self._sources
        )

    def _require_finite(self, observations: Any, rewards: Any) -> None:
        if all_finite(observations) and all_finite(rewards):
            return
        for i in range(self.num_envs):
            if not all_finite(get_row(observations, i)):
                self._fail(i, "observation", get_row(observations, i))
            if not all_finite(rewards[i]):
                self._fail(i, "reward", rewards[i])

    def _fail(self, i: int, what: str, value: Any) -> None:
        running = self._running[i]
        if running is None:
            raise RuntimeError("a step before the first reset: call reset() once before step()")
        raise NonFiniteError(
            what,
            value,
            episode=running,
            actions=self._actions[i],
            space=self.task_space,
            source=self._sources[i],
        )


def find_taught(env: Any) -> TaughtVecEnv:
    """Return the :class:`TaughtVecEnv` inside ``env``, or raise an error that says what to do."""
    inner = env
    while inner is not None:
        if isinstance(inner, TaughtVecEnv):
            return inner
        inner = vars(inner).get("venv")
    raise TypeError(
        f"no TaughtVecEnv inside {type(env).__name__}: train on "
        "TaughtVecEnv(make_task_vec_env(env, n=8), teacher)"
    )
