"""What stops a run at once, and the file that reproduces it."""

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from teachrl.core import Episode
from teachrl.registry import from_config
from teachrl.spaces import TaskSpace


class NonFiniteError(ValueError):
    """NaN or infinity in an action, an observation or a reward; nothing has learnt from it.

    ``report`` is the file with which ``teachrl replay`` plays the episode again.
    """

    def __init__(
        self,
        what: str,
        value: Any,
        *,
        episode: Episode,
        actions: list[Any],
        space: TaskSpace,
        source: Mapping[str, Any],
    ) -> None:
        self.report = _save(source, space, episode, actions)
        again = f"teachrl replay {self.report}"
        if not source.get("importable"):
            again += " --env MODULE:CLASS, with the class of this environment"
        task = ", ".join(f"{k}={v}" for k, v in space.unpack(episode.task.params).items())
        super().__init__(
            f"{what} is not finite: {np.array2string(np.asarray(value), threshold=8)} in "
            f"environment {episode.env_index} at step {len(actions)} of its episode, on task "
            f"{task} with seed {episode.seed}. To reproduce: {again}"
        )


class ReplayError(RuntimeError):
    """An environment that did not play an episode again as it was, so nothing can continue it."""


def all_finite(values: Any) -> bool:
    """Tell whether every number in an array, or in a dict of arrays, is finite."""
    if isinstance(values, dict):
        return all(all_finite(inner) for inner in values.values())
    array = np.asarray(values)
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())


def replay(report: Path, env: Callable[[], gym.Env[Any, Any]] | None = None) -> str:
    """Play a saved episode again and say where its first non-finite number appears.

    Args:
        report: a file that a :class:`NonFiniteError` names.
        env: makes the environment, where it is not an importable class.
    """
    with np.load(report, allow_pickle=False) as saved:
        source, space = json.loads(str(saved["source"])), json.loads(str(saved["space"]))
        params, seed, actions = saved["params"], int(saved["seed"]), saved["actions"]
    made = (env or from_config(source, gym.Env))()
    task = TaskSpace.from_json(space).unpack(params)
    observation, _ = made.reset(seed=seed, options={"task": params})
    where = f"{source['make']} on task {task} with seed {seed}"
    if not all_finite(observation):
        return f"{where}: the first observation is not finite: {observation}"
    for step, action in enumerate(actions, start=1):
        if not all_finite(action):
            return f"{where}: action {step} of the student is not finite: {action}"
        observation, reward, *_ = made.step(action)
        for what, value in (("observation", observation), ("reward", reward)):
            if not all_finite(value):
                return f"{where}: {what} is not finite at step {step}: {value}"
    return f"{where}: {len(actions)} steps replayed, everything was finite this time"


def _save(
    source: Mapping[str, Any], space: TaskSpace, episode: Episode, actions: list[Any]
) -> Path:
    """Write what :func:`replay` needs into a new file of the temporary folder."""
    descriptor, path = tempfile.mkstemp(prefix="teachrl-failure-", suffix=".npz")
    with os.fdopen(descriptor, "wb") as file:
        np.savez(
            file,
            source=json.dumps(source),
            space=json.dumps(space.to_json()),
            params=episode.task.params,
            seed=episode.seed,
            actions=np.array(actions),
        )
    return Path(path)
