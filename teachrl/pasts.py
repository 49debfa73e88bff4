"""Worlds in which something outlives an episode: their past."""

from typing import Any

import gymnasium as gym


def has_past(env: gym.Env[Any, Any]) -> bool:
    """Tell whether ``env`` declares a past, by the methods ``state()`` and ``restore(state)``.

    A mere attribute ``state``, as CartPole's, is none.

    >>> has_past(gym.make("CartPole-v1"))
    False
    """
    names = ("state", "restore")
    return all(env.has_wrapper_attr(n) and callable(env.get_wrapper_attr(n)) for n in names)
