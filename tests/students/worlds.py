"""Small environments and teachers for the tests of the loop."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from teachrl.core import Episode, Task, Teacher
from teachrl.spaces import TaskSpace


class Reach(gym.Env[Any, Any]):
    """Walk right until the goal is passed, within ``limit`` steps; the start is random."""

    task_space = TaskSpace(distance=(0, 10), friction=(0, 1))
    reward_range = (0.0, 1.0)
    mastery_threshold = 0.5
    observation_space: gym.Space[Any] = gym.spaces.Box(-50.0, 50.0, (3,), np.float32)
    action_space: gym.Space[Any] = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, limit: int = 20) -> None:
        self.limit = limit

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.task = self.task_space.unpack((options or {}).get("task", (1, 0)))
        self.position, self.count = float(self.np_random.normal(0, 0.1)), 0
        return self.observe(), {"began": self.task["distance"]}

    def step(self, action):
        self.position += float(np.ravel(action)[0]) * (1 - 0.5 * self.task["friction"])
        self.count += 1
        success = self.position >= self.task["distance"]
        info = {"is_success": success} if success or self.count >= self.limit else {}
        return self.observe(), float(success), success, self.count >= self.limit, info

    def observe(self):
        return np.float32([self.position, self.task["distance"], self.count])


class ReachDiscrete(Reach):
    """Reach with two actions."""

    action_space = gym.spaces.Discrete(2)

    def step(self, action):
        return super().step([float(action)])


class ReachDict(Reach):
    """Reach that observes a dictionary with a picture in it."""

    observation_space: gym.Space[Any] = gym.spaces.Dict(
        vector=Reach.observation_space, picture=gym.spaces.Box(0, 255, (1, 36, 36), np.uint8)
    )

    def observe(self):
        picture = np.full((1, 36, 36), 20 + self.count, np.uint8)
        return {"vector": super().observe(), "picture": picture}


class ReachImage(ReachDict):
    """Reach that observes a picture."""

    observation_space = gym.spaces.Box(0, 255, (1, 36, 36), np.uint8)

    def observe(self):
        return super().observe()["picture"]


class Broken(Reach):
    """Reach that returns NaN: in the ``where`` of step ``when``."""

    def __init__(self, where: str = "reward", when: int = 3) -> None:
        super().__init__()
        self.where, self.when = where, when

    def reset(self, *, seed=None, options=None):
        observation, info = super().reset(seed=seed, options=options)
        return (observation * np.nan if self.where == "first observation" else observation), info

    def step(self, action):
        observation, reward, *rest = super().step(action)
        if self.count == self.when and self.where == "observation":
            observation = observation * np.float32(np.inf)
        if self.count == self.when and self.where == "reward":
            reward = np.nan
        return (observation, reward, *rest)


@dataclass
class Scripted(Teacher):
    """Counts up, and writes down everything it is asked and told."""

    explore: bool = False

    def reset(self):
        self.log: list[tuple[str, float]] = []
        self.episodes: list[Episode] = []

    def sample(self):
        distance = float(len([entry for entry in self.log if entry[0] == "sample"]) % 10)
        self.log.append(("sample", distance))
        return Task(np.float32([distance, self.rng.random()]), learn=not self.explore)

    def update(self, episode):
        self.log.append(("update", float(episode.task.params[0])))
        self.episodes.append(episode)
