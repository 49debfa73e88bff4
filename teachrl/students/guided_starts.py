"""Episodes whose first steps a guide plays (JSRL, Uchendu et al., 2022, arXiv 2204.02372)."""

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.utils import seeding

from teachrl.pasts import has_past
from teachrl.seeding import draw_seed, stream
from teachrl.students.frozen_policies import FrozenPolicy
from teachrl.students.making import made_env


class GuidedStarts(gym.Wrapper[Any, Any, Any, Any]):
    """Lets a guide play the first steps of an episode, inside its reset.

    The student takes over where the guide leaves it, in the same episode: the guide's steps count
    for time limits, and nobody is trained on them. As all of it happens in the environment, it
    works for every student, on-policy ones included. Until :meth:`guide_for` is called, as by a
    schedule of :mod:`teachrl.students.guide_schedules` in training, all episodes are ordinary: a
    copy that a student is evaluated on needs no thought.

    Infos of the first and the last step have ``guided``, how many steps the guide has played, and
    ``partial=True`` where those are any: such an episode never reaches a teacher, a log or an
    evaluation. The last info has ``mixed_return``, what guide and student have earned together.

    A guide that would end the episode by itself is played again from the same seed, and stops
    ``least`` steps before that. If the episode is over even so, or no expert knows its task, the
    student plays all of it.

    Args:
        env: an environment, or the name of one.
        guide: a model, an expert, a run or its folder, experts by task, or a function: see
            :class:`~teachrl.students.frozen_policies.FrozenPolicy`. It sees raw observations.
        least: steps that are left to the student before a guide would end the episode.
        **options: of the environment, where it is named.

    >>> env = GuidedStarts("MountainCar-v0", guide=lambda observation: 2 * (observation[1] > 0))
    >>> env.guide_for(50)
    >>> observation, info = env.reset(seed=0)
    >>> info["guided"], info["partial"], env.guide_steps()
    (50, True, 50)
    """

    def __init__(
        self, env: gym.Env[Any, Any] | str, guide: Any, *, least: int = 10, **options: Any
    ) -> None:
        super().__init__(made_env(env, options))
        if least < 1:
            raise ValueError(f"least must be 1 or more steps for the student, got {least}")
        _require_plain(self.env)
        self.least, self._guide = least, FrozenPolicy(guide, self.env)
        self._rng, _ = seeding.np_random()  # until a seed is given
        self._played = 0  # steps of the guide so far
        self._asked = self._guided = 0  # of the running episode
        self._reward = 0.0
        inner = self.env
        self._task = inner.get_wrapper_attr("task") if inner.has_wrapper_attr("task") else None
        self.guide_for(0)

    def guide_for(self, steps: int, probability: float = 1.0, at_random: bool = False) -> None:
        """Set what the guide plays, from the next reset on.

        Args:
            steps: of each episode; 0: nothing.
            probability: that an episode is guided at all.
            at_random: draw the number of steps uniformly, below ``steps``: JSRL-Random.
        """
        if isinstance(steps, bool) or int(steps) != steps or steps < 0:
            raise ValueError(f"a guide plays a whole number of steps from 0 on, got {steps!r}")
        if not 0 < probability <= 1:
            raise ValueError(f"expected a probability in (0, 1], got {probability}")
        self.steps, self.probability, self.at_random = int(steps), float(probability), at_random

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode, and let the guide play; how long follows from ``seed``, if given."""
        if seed is not None:
            self._rng = stream(seed, "guide")
        if options and "task" in options:
            self._task = np.array(options["task"])
        self._asked, self._guided, self._reward = self._draw(), 0, 0.0
        if not self._asked:
            return self.env.reset(seed=seed, options=options)
        seed = draw_seed(self._rng) if seed is None else seed
        steps = self._asked
        for _ in range(2):
            if steps < 1:
                break
            start = self._play(steps, seed, options)
            if not start.is_over:
                self._guided, self._reward = steps, start.reward
                return start.observation, start.info | self._marks()
            steps = start.length - self.least
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, info | self._marks()

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step; the last info of an episode says what the guide had to do with it."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if not self._asked:
            return observation, reward, terminated, truncated, info
        self._reward += float(reward)
        if terminated or truncated:
            if self._guided:
                info.pop("episode", None)  # of a monitor inside, to which it looked whole
            info |= self._marks() | {"mixed_return": self._reward, "guide_steps": self._played}
        return observation, reward, terminated, truncated, info

    def guide_steps(self) -> int:
        """Return the environment steps that the guide has played so far."""
        return self._played

    def state(self) -> dict[str, Any]:
        """Return what outlives episodes; see :meth:`restore`."""
        past = {"rng": self._rng.bit_generator.state, "played": self._played}
        past |= {"steps": self.steps, "probability": self.probability, "at_random": self.at_random}
        past |= {"task": None if self._task is None else np.array(self._task)}
        if has_past(self.env):
            past["inner"] = self.env.get_wrapper_attr("state")()
        return copy.deepcopy(past)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`: the next reset is the one that followed it."""
        self._rng.bit_generator.state = copy.deepcopy(state["rng"])
        self._played = state["played"]
        self.guide_for(state["steps"], state["probability"], state["at_random"])
        self._task = None if state["task"] is None else np.array(state["task"])
        if "inner" in state:
            self.env.get_wrapper_attr("restore")(state["inner"])

    def _draw(self) -> int:
        """Draw how many steps the guide is asked for; 0 where it does not know the task."""
        if not self.steps or (self.probability < 1 and self._rng.random() >= self.probability):
            return 0
        steps = int(self._rng.integers(self.steps)) if self.at_random else self.steps
        return steps if self._guide.begin(self._task) else 0

    def _play(self, steps: int, seed: int, options: dict[str, Any] | None) -> "_Start":
        """Begin an episode, and let the guide play it for so many steps, or to its end."""
        self._guide.begin(self._task)
        observation, info = self.env.reset(seed=seed, options=options)
        earned = 0.0
        for played in range(1, steps + 1):
            observation, reward, terminated, truncated, info = self.env.step(
                self._guide.act(observation)
            )
            earned += float(reward)
            self._played += 1
            if terminated or truncated:
                return _Start(observation, info, earned, played, True)
        return _Start(observation, info, earned, steps, False)

    def _marks(self) -> dict[str, Any]:
        marks = {"guide_asked": self._asked, "guided": self._guided}
        return marks | ({"partial": True} if self._guided else {})


class _Start(NamedTuple):
    """Where a guide has led to."""

    observation: Any
    info: dict[str, Any]
    reward: float
    length: int
    is_over: bool  # the guide has ended the episode


def _require_plain(env: gym.Env[Any, Any]) -> None:
    """Refuse what would take an episode with a guide for something else."""
    if env.has_wrapper_attr("snapshot_steps") or env.has_wrapper_attr("guide_steps"):
        raise ValueError(
            "episodes begin from snapshots, or after one guide: leave one of the wrappers out"
        )
    inner: Any = env
    while isinstance(inner, gym.Wrapper):
        if getattr(inner, "results_writer", None) is not None:
            raise ValueError(
                f"the {type(inner).__name__} inside writes a file, in which a guide's episodes "
                "would look like the student's: leave its file name out, and log with "
                "teachrl.students.whole_episodes.WholeEpisodeMonitor around the VecEnv"
            )
        inner = inner.env
