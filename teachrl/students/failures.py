"""What stops a run at once, and the file that reproduces it."""

import json
import os
import tempfile
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from teachrl.core import Episode, Task
from teachrl.files import importing, read_npz, reading
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
        self.report = save_report(source, space, episode, actions)
        super().__init__(
            f"{what} is not finite: {np.array2string(np.asarray(value), threshold=8)} in "
            f"environment {episode.env_index} at step {len(actions)} of its episode, on task "
            f"{task_text(space, episode.task)} with seed {episode.seed}. "
            f"{how_to_replay(self.report, source)}"
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
    """Play a saved episode again and say where it goes wrong: an error, or NaN or infinity.

    Args:
        report: a file that a :class:`NonFiniteError` or a ``WorkerDiedError`` names.
        env: makes the environment, where it is not an importable class.
    """
    saved = read_npz(report)
    with reading(report):
        source = json.loads(str(saved["source"]))
        task = TaskSpace.from_json(json.loads(str(saved["space"]))).unpack(saved["params"])
        params, seed, actions = saved["params"], int(saved["seed"]), saved["actions"]
    with importing(report):
        make = env or from_config(source, gym.Env)
    made = make()
    where = f"{source['make']} on task {task} with seed {seed}"
    try:
        problem = _first_problem(made, params, seed, actions)
    except Exception as error:  # noqa: BLE001 - whatever the environment raises is the answer
        last = traceback.extract_tb(error.__traceback__)[-1]
        problem = f"{type(error).__name__}: {error} ({last.filename}, line {last.lineno})"
    return (
        f"{where}: {problem or f'{len(actions)} steps replayed, everything was finite this time'}"
    )


def _first_problem(
    env: gym.Env[Any, Any], params: NDArray[Any], seed: int, actions: NDArray[Any]
) -> str | None:
    observation, _ = env.reset(seed=seed, options={"task": params})
    if not all_finite(observation):
        return f"the first observation is not finite: {observation}"
    for step, action in enumerate(actions, start=1):
        if not all_finite(action):
            return f"action {step} of the student is not finite: {action}"
        observation, reward, *_ = env.step(action)
        for what, value in (("observation", observation), ("reward", reward)):
            if not all_finite(value):
                return f"{what} is not finite at step {step}: {value}"
    return None


def how_to_replay(report: Path, source: Mapping[str, Any]) -> str:
    """Return the sentence with the command that plays a saved episode again."""
    again = f"To reproduce: teachrl replay {report}"
    if not source.get("importable"):
        again += " --env MODULE:CLASS, with the class of this environment"
    return again


def task_text(space: TaskSpace, task: Task) -> str:
    """Return the parameters of a task by name."""
    return ", ".join(f"{k}={v}" for k, v in space.unpack(task.params).items())


def save_report(
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
