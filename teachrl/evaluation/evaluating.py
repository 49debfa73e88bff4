"""Play a fixed test set with a student, leaving everything else as it was."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from teachrl.core import Episode
from teachrl.evaluation.exam import Exam
from teachrl.evaluation.test_sets import TestSet
from teachrl.students.action_masks import takes_masks
from teachrl.students.making import make_task_vec_env
from teachrl.students.randomness import undisturbed

_ENDLESS = 100_000  # steps of one episode; worlds here end theirs within a fiftieth of that


class Normalizer(Protocol):
    """A ``VecNormalize``, or what was saved of one."""

    def normalize_obs(self, obs: Any, /) -> Any:
        """Return normalised observations."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a student reached on each task of a test set of n tasks.

    A task is mastered if its return exceeds the environment's ``mastery_threshold``. Where none is
    declared, ``info["is_success"]`` decides; where there is neither, nothing counts as mastered.
    """

    test_set: TestSet
    rewards: NDArray[np.float64]  # (n,) undiscounted raw returns
    lengths: NDArray[np.int64]  # (n,)
    successes: NDArray[np.float64]  # (n,) 1 or 0, NaN where the environment says nothing
    mastered: NDArray[np.bool_]  # (n,)

    @property
    def share_mastered(self) -> float:
        """Share of the tasks that are mastered."""
        return float(self.mastered.mean())

    @property
    def mean_reward(self) -> float:
        """Mean return over the tasks."""
        return float(self.rewards.mean())

    @property
    def steps(self) -> int:
        """Environment steps that it took."""
        return int(self.lengths.sum())

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """Yield one row per test task: its seed, its parameters and how it went.

        A parameter with the name of another column, such as ``length``, is ``task.length`` here.
        """
        outcome = zip(self.rewards, self.lengths, self.successes, self.mastered, strict=True)
        for i, (reward, length, success, mastered) in enumerate(outcome):
            found = {
                "reward": float(reward),
                "length": int(length),
                "success": None if np.isnan(success) else bool(success),
                "mastered": bool(mastered),
            }
            known = {"task": i, "seed": int(self.test_set.seeds[i])}
            names = self.test_set.space.columns(beside=known.keys() | found.keys())
            params = map(float, self.test_set.params[i])
            yield known | dict(zip(names, params, strict=True)) | found


def evaluate(
    student: Any,
    env: Callable[..., gym.Env[Any, Any]] | str | VecEnv,
    test_set: TestSet,
    *,
    n_envs: int = 16,
    processes: bool = False,
    normalizer: Normalizer | None = None,
    wrap: Callable[[VecEnv], VecEnv] | None = None,
    deterministic: bool = True,
) -> Evaluation:
    """Play every test task once, each with its own fixed seed, in ``n_envs`` environments at once.

    Nothing but the returned value tells that it happened: global random generators, the student,
    its normaliser, its environments and its teacher stay as they are. The result does not depend on
    ``n_envs``, except for the last bits: networks round differently in batches of another size.

    Args:
        student: anything with SB3's ``predict``, recurrent or not; one that takes ``action_masks``
            is given those of environments that have them.
        env: a class, function or registered name; or a :func:`make_task_vec_env`, to be used again
            and closed by the caller.
        test_set: the tasks.
        n_envs: number of environments, where ``env`` is not a ``VecEnv`` already.
        processes: one process per environment.
        normalizer: normalises observations as in training; its statistics are not updated.
        wrap: further wrappers that the student is used to, such as
            ``lambda venv: VecFrameStack(venv, 4)``.
        deterministic: take the most likely action; else sample, with the same draws every time.
    """
    if isinstance(student, type) or not callable(getattr(student, "predict", None)):
        raise TypeError(
            f"a student to evaluate is a model with predict(), such as run.student; got {student!r}"
        )
    if not isinstance(test_set, TestSet):
        raise TypeError(
            f"test_set must be a TestSet, such as TestSet.uniform(space, 50); got {test_set!r}"
        )
    with ExitStack() as stack:
        if not isinstance(env, VecEnv):
            env = make_task_vec_env(env, min(n_envs, len(test_set)), processes)
            stack.enter_context(closing(env))
        stack.enter_context(undisturbed(student))
        exam = Exam(env, test_set)
        seen = wrap(exam) if wrap else exam
        play(student, exam, seen, normalizer=normalizer, deterministic=deterministic)
        threshold = env.get_attr("declaration", indices=[0])[0].mastery_threshold
    return _evaluation(test_set, exam.episodes, threshold)


def play(
    student: Any,
    exam: Exam,
    venv: VecEnv,
    *,
    normalizer: Normalizer | None = None,
    deterministic: bool = True,
    watch: Callable[[], None] | None = None,
) -> None:
    """Let ``student`` sit ``exam``, which it sees as ``venv``.

    Args:
        student: anything with SB3's ``predict``.
        exam: the tasks.
        venv: the exam, or wrappers around it.
        normalizer: see :func:`evaluate`.
        deterministic: see :func:`evaluate`.
        watch: called before every step.
    """
    observations = venv.reset()
    state: Any = None
    starts = np.ones(venv.num_envs, dtype=bool)
    is_masked = takes_masks(student, exam)
    while not exam.is_over:
        if watch:
            watch()
        if normalizer is not None:
            observations = normalizer.normalize_obs(observations)
        # Only a recurrent student hands out a state, and only it needs to know what just began.
        known: dict[str, Any] = {} if state is None else {"state": state, "episode_start": starts}
        if is_masked:
            known["action_masks"] = exam.action_masks()
        actions, state = student.predict(observations, deterministic=deterministic, **known)
        observations, _, starts, _ = venv.step(actions)
        if exam.longest == _ENDLESS:
            warnings.warn(
                f"a test episode has taken {_ENDLESS:,} steps and is not over: if it never ends, "
                "neither does the evaluation. Limit its time: max_episode_steps, or a truncation",
                stacklevel=2,
            )


def _evaluation(
    test_set: TestSet, episodes: list[Episode | None], threshold: float | None
) -> Evaluation:
    played = [episode for episode in episodes if episode is not None]
    rewards = np.array([episode.reward for episode in played], dtype=np.float64)
    lengths = np.array([episode.length for episode in played], dtype=np.int64)
    known = [np.nan if episode.success is None else episode.success for episode in played]
    successes = np.array(known, dtype=np.float64)
    mastered = successes == 1 if threshold is None else rewards > threshold
    return Evaluation(test_set, rewards, lengths, successes, mastered)
