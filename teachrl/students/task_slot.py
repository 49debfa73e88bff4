"""The outermost wrapper of one environment: where a task enters."""

import copy
import warnings
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from teachrl.core import Teacher
from teachrl.pasts import has_past
from teachrl.seeding import stream
from teachrl.spaces import Floats, TaskSpace
from teachrl.targets import Target


class TaskSlot(gym.Wrapper[Any, Any, Any, Any]):
    """Waits for a task between two episodes.

    A ``VecEnv`` resets a finished environment by itself, before anyone could choose a task. That
    reset is skipped here; :meth:`begin` does it once the teacher has seen how the episode went. In
    between, a step changes nothing and costs nothing.
    """

    def __init__(self, env: gym.Env[Any, Any], source: dict[str, Any] | None = None) -> None:
        super().__init__(env)
        self.declaration = Declaration.of(env)
        self.source = source or {}  # how to make this environment again, for failure reports
        self._observation = _zeros(env.observation_space)
        self._running, self._reward, self._length = False, 0.0, 0
        self._asked: Any = None  # the task of the running episode; a snapshot may bring another
        self.has_past = has_past(env)
        self._past: Any = None  # what outlives episodes, as it was before the running one

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Return the last observation, without resetting, unless a task comes with the options."""
        if options and "task" in options:
            return self.begin(options["task"], seed)
        return self._observation, {}

    def begin(self, params: Floats, seed: int | None) -> tuple[Any, dict[str, Any]]:
        """Start an episode on the task ``params``."""
        self._reward, self._length, self._running = 0.0, 0, True
        self._asked = np.array(params)
        if self.has_past:
            self._past = self.past()
        self._observation, info = self.env.reset(seed=seed, options={"task": params})
        return self._observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step the running episode; its last info carries the ``outcome``."""
        if not self._running:
            return self._observation, 0.0, False, False, {}
        self._observation, reward, terminated, truncated, info = self.env.step(action)
        self._reward += float(reward)
        self._length += 1
        if terminated or truncated:
            self._running = False
            info["outcome"] = self._outcome(info, bool(terminated), bool(truncated))
        return self._observation, float(reward), bool(terminated), bool(truncated), info

    def past(self) -> Any:
        """Return what outlives episodes, as it is now."""
        return copy.deepcopy(self.env.get_wrapper_attr("state")())

    def world_past(self) -> Any:
        """Return what outlives episodes in the world itself; None where nothing does.

        What wrappers around it remember, such as from where to begin, is left out.
        """
        world: Any = self.env.unwrapped
        return copy.deepcopy(world.state()) if has_past(world) else None

    def restore_world(self, past: Any) -> None:
        """Give the world itself the past of another one."""
        world: Any = self.env.unwrapped
        world.restore(copy.deepcopy(past))

    def save(self) -> dict[str, Any]:
        """Return what :meth:`load` needs beside the seed and the actions; it changes nothing."""
        saved = {"task": self._asked, "observation": self._observation, "reward": self._reward}
        return saved if self._past is None else saved | {"past": self._past}

    def load(self, seed: int, actions: list[Any], saved: dict[str, Any]) -> str | None:
        """Play an episode again up to where it was; return what went wrong, or None."""
        if "past" in saved:
            self.env.get_wrapper_attr("restore")(saved["past"])
        self.begin(saved["task"], seed)
        for action in actions:
            self.step(action)
        if _same(self._observation, saved["observation"]) and self._reward == saved["reward"]:
            return None
        task = self.declaration.task_space.unpack(saved["task"])
        return (
            f"step {len(actions)} of the episode on task {task} with seed {seed} is not what it "
            "was: its reset does not make everything anew. Let it, or give it state() and "
            "restore(state)"
        )

    def _outcome(self, info: dict[str, Any], terminated: bool, truncated: bool) -> dict[str, Any]:
        reward = float(info.get("raw_return", self._reward))  # where a wrapper pays bonuses
        return {
            "reward": reward,
            "length": self._length,
            "success": self._success(info, reward),
            "terminated": terminated,
            "truncated": truncated,
        }

    def _success(self, info: dict[str, Any], reward: float) -> bool | None:
        """Return the environment's own verdict, or else whether the task is mastered."""
        if (said := info.get("is_success")) is not None:
            return bool(said)
        threshold = self.declaration.mastery_threshold
        return None if threshold is None else reward > threshold

    def is_outermost(self) -> bool:
        """Tell whether ``VecEnv.set_attr("outermost", True)`` arrived here."""
        return "outermost" in vars(self)


class Declaration(NamedTuple):
    """What an environment declares about its tasks."""

    task_space: TaskSpace
    reward_range: tuple[float, float] | None = None  # lowest and highest return of an episode
    mastery_threshold: float | None = None  # a return above it means that the task is mastered
    target: Target | None = None  # the tasks that matter in the end
    max_episode_steps: int | None = None  # after which an episode is over in any case
    library_steps: int = 0  # environment steps that its library of snapshots has taken

    @classmethod
    def of(cls, env: gym.Env[Any, Any]) -> "Declaration":
        """Read the declarations of ``env`` or of a wrapper in it, or say how to make them."""
        found = {
            name: env.get_wrapper_attr(name) for name in cls._fields if env.has_wrapper_attr(name)
        }
        if "max_episode_steps" not in found and env.unwrapped.spec is not None:
            found["max_episode_steps"] = env.unwrapped.spec.max_episode_steps
        if not isinstance(found.get("task_space"), TaskSpace):
            raise TypeError(
                f"{env} declares no task_space: give its class, or a wrapper around it, the "
                "attribute task_space = TaskSpace(name=(low, high), ...) and read "
                'options["task"] in reset'
            )
        _require_sense(*map(found.get, ("reward_range", "mastery_threshold", "target")))
        return cls(**found)


def _require_sense(reward_range: Any, mastery_threshold: Any, target: Any) -> None:
    """Refuse declarations of another kind, which would fail late or count for nothing."""
    numbers = np.asarray((0, 1) if reward_range is None else reward_range)
    if numbers.shape != (2,) or numbers.dtype.kind not in "iuf":
        raise TypeError(
            "reward_range must be (lowest, highest return) of an episode, such as (0, 1); got "
            f"{reward_range!r}"
        )
    threshold = np.asarray(0 if mastery_threshold is None else mastery_threshold)
    if threshold.shape != () or threshold.dtype.kind not in "iuf" or not np.isfinite(threshold):
        raise TypeError(
            "mastery_threshold must be a finite number, above which a return means that a task is "
            f"mastered; got {mastery_threshold!r}"
        )
    if not isinstance(target, Target | None):
        raise TypeError(
            "target must be a Target, such as Target.uniform() or Target.gaussians(means, stds); "
            f"got {target!r}"
        )


STUDENT_SIGNALS = frozenset(
    {
        *{"values", "actions", "transitions", "first_observations", "segments"},
        *{"probabilities", "success_rates"},
    }
)
"""What :meth:`teachrl.Teacher.study` is given; whether a student has it, its callback checks."""

_OTHER_SIGNALS = frozenset({"success", "repeats", "antagonist", "rollouts"})


def start_teacher(teacher: Teacher, declared: Declaration, seed: int) -> Teacher:
    """Start ``teacher`` on the declared space, or refuse with what it lacks."""
    warn_of_returns(declared)
    return try_teacher(teacher, declared, seed)


def warn_of_returns(declared: Declaration) -> None:
    """Say what it means if the range of returns is unknown, or the threshold is not in it."""
    if declared.reward_range is None:
        warnings.warn(
            "the environment declares no reward_range = (lowest, highest return): the teacher sees "
            "returns as they are, which weighs them against task coordinates in [0, 1]",
            stacklevel=1,  # one place, whoever asks: shown once by default
        )
    elif declared.mastery_threshold is not None:
        low, high = declared.reward_range
        if not low <= declared.mastery_threshold < high:
            verdict = "no task can be" if declared.mastery_threshold >= high else "every task is"
            warnings.warn(
                f"mastery_threshold is {declared.mastery_threshold:g}, but reward_range says that "
                f"returns lie in [{low:g}, {high:g}]: {verdict} mastered, which means a return "
                "above the threshold. Correct one of the two",
                stacklevel=1,
            )


def try_teacher(teacher: Teacher, declared: Declaration, seed: int) -> Teacher:
    """Start ``teacher`` without a warning, to see whether it can be started."""
    name = type(teacher).__name__
    if "success" in teacher.needs and declared.mastery_threshold is None:
        raise ValueError(
            f"{name} learns from success, which the environment does not declare: give it the "
            "attribute mastery_threshold, above which a return is a success where "
            'info["is_success"] does not say so, or choose a teacher that learns from returns'
        )
    if unknown := teacher.needs - STUDENT_SIGNALS - _OTHER_SIGNALS:
        known = sorted(STUDENT_SIGNALS | _OTHER_SIGNALS)
        raise ValueError(
            f"{name} needs {', '.join(sorted(unknown))}, which nothing supplies; known are "
            f"{', '.join(known)}"
        )
    reward_range = declared.reward_range or (0.0, 1.0)
    rng = stream(seed, "teacher")
    return teacher.start(declared.task_space, rng, reward_range, declared.target)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return all(_same(a[key], b[key]) for key in a)
    return bool(np.array_equal(a, b))


def _zeros(space: gym.Space[Any]) -> Any:
    """Return a placeholder for the moment before the first task; no student ever acts on it."""
    if isinstance(space, gym.spaces.Dict):
        return {key: _zeros(inner) for key, inner in space.items()}
    if isinstance(space, gym.spaces.Tuple):
        return tuple(_zeros(inner) for inner in space)
    if space.shape is None or space.dtype is None:
        raise TypeError(f"observations must be arrays or dicts of arrays, got {space}")
    zeros: NDArray[Any] = np.zeros(space.shape, space.dtype)
    return zeros
