"""Which actions are legal, for students who want to be told, as MaskablePPO does."""

from inspect import signature
from typing import Any

import gymnasium as gym
from stable_baselines3.common.vec_env import VecEnv


def takes_masks(student: Any, env: VecEnv | gym.Env[Any, Any]) -> bool:
    """Tell whether ``predict`` takes ``action_masks``, and the world has a method that says them.

    >>> from stable_baselines3 import PPO
    >>> env = gym.make("CartPole-v1")
    >>> takes_masks(PPO("MlpPolicy", env), env)
    False
    """
    if "action_masks" not in signature(student.predict).parameters:
        return False
    if isinstance(env, VecEnv):
        return env.has_attr("action_masks")
    return env.has_wrapper_attr("action_masks")
