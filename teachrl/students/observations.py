"""Observations of several environments at once: arrays, or dicts of arrays, with a row for each."""

from typing import Any

import gymnasium as gym


def put_row(observations: Any, i: int, observation: Any) -> None:
    """Replace the observation of environment ``i``."""
    if isinstance(observations, dict):
        for key, rows in observations.items():
            rows[i] = observation[key]
    else:
        observations[i] = observation


def get_row(observations: Any, i: int) -> Any:
    """Return the observation of environment ``i``."""
    if isinstance(observations, dict):
        return {key: rows[i] for key, rows in observations.items()}
    return observations[i]


def cast_rows(observations: Any, space: gym.Space[Any]) -> Any:
    """Give observations the dtype of their space; sub-processes keep what an env returned."""
    if isinstance(space, gym.spaces.Dict):
        return {key: cast_rows(observations[key], space[key]) for key in space}
    return observations.astype(space.dtype, copy=False)
