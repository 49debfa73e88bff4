"""Worlds and students for the tests of runs that are stopped."""

from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from teachrl.spaces import TaskSpace
from teachrl.targets import Target
from tests.students.worlds import Reach


class ShortReach(Reach):
    """Reach with many short episodes, and everything that a teacher may ask of a world."""

    target = Target.gaussians([[8.0, 0.5]], stds=0.1)

    def __init__(self):
        super().__init__(limit=4)


class ReachPicture(Reach):
    """Reach that observes a picture whose channels come last, as cameras make them."""

    observation_space: gym.Space[Any] = gym.spaces.Box(0, 255, (36, 36, 3), np.uint8)

    def observe(self):
        picture = np.full((36, 36, 3), 20 + self.count, np.uint8)
        picture[: max(0, int(self.position)), :, 1] = 200
        return picture


class ReachPictureDict(ReachPicture):
    """The same picture beside a vector, which is normalised."""

    observation_space = gym.spaces.Dict(
        vector=Reach.observation_space, picture=ReachPicture.observation_space
    )

    def observe(self):
        return {"vector": Reach.observe(self), "picture": super().observe()}


class PoleLength(gym.Wrapper):
    """Gymnasium's CartPole with a pole to choose: somebody else's world, taught in ten lines."""

    task_space = TaskSpace(length=(0.2, 2))
    reward_range, mastery_threshold = (0.0, 60.0), 50.0

    def __init__(self):
        super().__init__(gym.make("CartPole-v1", max_episode_steps=60))

    def reset(self, *, seed=None, options=None):
        self.unwrapped.length = float((options or {}).get("task", [0.5])[0])
        return self.env.reset(seed=seed)


class HiddenPast(gym.Wrapper):
    """Gymnasium's BipedalWalker, whose past outlives a reset without saying so."""

    task_space = TaskSpace(friction=(0.5, 3))
    reward_range, mastery_threshold = (-200.0, 300.0), 200.0

    def __init__(self):
        super().__init__(gym.make("BipedalWalker-v3"))

    def reset(self, *, seed=None, options=None):
        return self.env.reset(seed=seed)


class Stop(BaseCallback):
    """Fails in the middle of a rollout."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def _on_step(self):
        if self.num_timesteps >= self.at:
            raise InterruptedError
        return True
