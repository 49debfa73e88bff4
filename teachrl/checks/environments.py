"""What every environment promises that a teacher shall choose the tasks of."""

from collections.abc import Callable
from typing import Any

import numpy as np

from teachrl.checks.contract import ContractError, global_state_kept, noted
from teachrl.checks.stage import Env, Stage, as_bytes, leaves


def check_env(make: Callable[[], Env], *, max_steps: int = 10_000) -> None:
    """Raise :class:`ContractError` if an environment breaks one of these promises.

    It declares ``task_space``, ``reward_range`` and ``mastery_threshold``. It takes the task from
    the options of ``reset``, keeps the last one where there is none, and refuses what is no task.
    The task matters. The same seed, task and actions give the same bytes, in a used object as in a
    new one. Observations lie in their space, are finite, and are not written to later. Episodes
    end. ``is_success`` comes with the last step, if at all. Global randomness is left alone.

    What outlives an episode is declared by two methods, ``state()`` and ``restore(state)``.

    Args:
        make: the class, or a function that returns a new environment.
        max_steps: in which an episode of random actions must end.

    >>> from teachrl.envs import ToyEnv
    >>> check_env(ToyEnv)
    """
    for promise in _PROMISES:
        with noted(f"checking {make}: {promise.__doc__}"), global_state_kept():
            stage = Stage(make, max_steps)
            promise(stage)
            stage.env.close()


def _declares_itself(stage: Stage) -> None:
    """It declares its task space, the range of its returns, and which return is mastery."""
    low, high = map(float, stage.declared("reward_range"))
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ContractError(f"reward_range must be finite with low < high, got {(low, high)}")
    if not low <= float(stage.declared("mastery_threshold")) < high:
        raise ContractError(
            f"mastery_threshold must lie in the reward_range, {(low, high)}, and below its upper "
            "end: a task is mastered by a return above it"
        )
    _ = stage.space


def _keeps_the_last_task(stage: Stage) -> None:
    """A reset without a task keeps the last one, at first a default."""
    stage.env.reset(seed=0)
    stage.env.reset(options={})
    task, traces = stage.tasks()[-1], []
    for second in (task, None):
        stage.rewind()
        stage.env.reset(seed=1, options={"task": task})
        traces.append(stage.trace(second))
    if traces[0] != traces[1]:
        raise ContractError("a reset without a task did not keep the last one")


def _refuses_what_is_no_task(stage: Stage) -> None:
    """Tasks outside of the space, of another shape, or with NaN, raise a ValueError."""
    space, width = stage.space, stage.space.high - stage.space.low
    wrong = [space.low - width, space.high + width, space.low * np.nan, np.append(space.low, 0)]
    for task in wrong:
        try:
            stage.env.reset(options={"task": task})
        except ValueError:
            continue
        raise ContractError(
            f'reset took {task} for a task: use task_space.require(options["task"])'
        )


def _tasks_matter(stage: Stage) -> None:
    """Some tasks differ from others."""
    traces = []
    for task in stage.tasks():
        stage.rewind()
        traces.append(stage.trace(task))
    if all(trace == traces[0] for trace in traces):
        raise ContractError('all tasks gave the same episode: does reset read options["task"]?')


def _is_deterministic(stage: Stage) -> None:
    """The same seed, task and actions give the same bytes, in a used object as in a new one."""
    for i, task in enumerate(stage.tasks()):
        new = Stage(stage.make, stage.max_steps)
        stage.rewind()
        if stage.trace(task, seed=i) != new.trace(task, seed=i):
            raise ContractError(f"a used object played {task} with seed {i} unlike a new one")
        new.env.close()


def _observes_properly(stage: Stage) -> None:
    """Observations lie in their space, are finite, and stay as they are; rewards are finite."""
    for task in stage.tasks():
        seen = [(step, as_bytes(step.observation)) for step in stage.episode(task)]
        for step, before in seen:
            if not _is_finite(step.observation) or not np.isfinite(step.reward):
                raise ContractError(f"not finite: {step.observation}, or its reward {step.reward}")
            if not stage.env.observation_space.contains(step.observation):
                raise ContractError(f"{step.observation} is not in {stage.env.observation_space}")
            if as_bytes(step.observation) != before:
                raise ContractError("a later step wrote to an observation: return a copy")


def _ends(stage: Stage) -> None:
    """Episodes end, and say on their last step whether they were a success, if they ever do."""
    for task in stage.tasks()[:2]:
        infos, last = [], None
        for last in stage.episode(task, steps=stage.max_steps):
            infos.append(last.info)
        if last is None or not (last.terminated or last.truncated):
            raise ContractError(f"no end within {stage.max_steps} steps: limit the episode's time")
        if any("is_success" in info for info in infos) and "is_success" not in infos[-1]:
            raise ContractError("is_success came before the last step, but not with it")


_PROMISES = (
    _declares_itself,
    _refuses_what_is_no_task,
    _is_deterministic,
    _keeps_the_last_task,
    _tasks_matter,
    _observes_properly,
    _ends,
)


def _is_finite(observation: Any) -> bool:
    numbers = (array for array in leaves(observation) if array.dtype.kind in "iufb")
    return all(bool(np.isfinite(array).all()) for array in numbers)
