"""Environments and adapters for the tests of snapshots."""

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np

from teachrl.snapshots import Adapter, Recorder, SnapshotLibrary, explore
from teachrl.snapshots.recording import begin_again
from teachrl.spaces import TaskSpace


class Line(gym.Env[Any, Any]):
    """Walk along a line; every step earns where one is, and chance moves one a little."""

    task_space: TaskSpace = TaskSpace(slope=(0, 2))
    reward_range = (-50.0, 50.0)
    mastery_threshold = 5.0
    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float64)
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, noise: float = 0.01, limit: int = 200) -> None:
        self.noise, self.limit = noise, limit
        self.task = np.array([1.0], np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if options and "task" in options:
            self.task = self.task_space.require(options["task"])
        self.place, self.count = float(self.np_random.normal()), 0
        return self._seen(), {}

    def step(self, action):
        self.place += float(np.ravel(action)[0]) + self.noise * self.np_random.normal()
        self.count += 1
        reward = float(self.task[0]) * self.place
        return self._seen(), reward, False, self.count >= self.limit, {}

    def save_snapshot(self):
        return {
            "place": np.array(self.place),
            "count": self.count,
            "rng": self.np_random.bit_generator.state,
        }

    def load_snapshot(self, state, seed):
        self.place, self.count = float(state["place"]), state["count"]
        if seed is None:
            self.np_random.bit_generator.state = state["rng"]

    def _seen(self):
        return np.array([self.place, float(self.task[0])])


class PlainLine(Line):
    """A line that does not know of snapshots."""

    save_snapshot = None  # type: ignore[assignment]

    def __getattribute__(self, name):
        if name in ("save_snapshot", "load_snapshot"):
            raise AttributeError(name)
        return super().__getattribute__(name)


class Forgetful(Adapter):
    """Saves nothing and loads the beginning, as a deep copy of an EzPickle environment does."""

    name, exact = "forgetful", True
    accepted: ClassVar[bool] = True

    @classmethod
    def accepts(cls, env):
        return cls.accepted

    def _save(self, env):
        return {}

    def _load(self, env, state):
        begin_again(env, state["seed"], state.get("task"))


class ForgetfulApproximation(Forgetful):
    """The same, without a claim to be exact."""

    name, exact = "forgetful approximation", False


def line_library(**settings: Any) -> SnapshotLibrary:
    """Return snapshots of a walk to the right."""
    given: dict[str, Any] = {"episodes": 3, "every": 10, "clusters": 3} | settings
    return explore(Line, lambda _: np.ones(1, np.float32), **given)


def recorded(make: Any, steps: int, seed: int = 0) -> tuple[Recorder, list[Any]]:
    """Return an environment after some random steps, and more actions."""
    env = Recorder(make())
    env.action_space.seed(seed)
    actions = [env.action_space.sample() for _ in range(steps + 60)]
    env.reset(seed=seed)
    for action in actions[:steps]:
        env.step(action)
    return env, actions[steps:]
