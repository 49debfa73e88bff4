"""What an SB3 student keeps outside of its zip: wrappers, replay buffer, generators."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import (
    VecEnv,
    VecMonitor,
    VecNormalize,
    VecTransposeImage,
)

from teachrl.students.gating import gate_buffer
from teachrl.students.randomness import global_randomness, restore_global_randomness
from teachrl.students.vec_env import find_taught

_BUFFER = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


def environment_of(model: BaseAlgorithm) -> VecEnv:
    """Return the environment that a student was given.

    Where its pictures have their channels last, SB3 wraps it once more, in what has no state.
    """
    env = model.get_env()
    if env is None:
        raise ValueError("a model without environment has nothing to continue")
    return env.venv if isinstance(env, VecTransposeImage) else env


def wrappers(env: VecEnv) -> Iterator[VecEnv]:
    """Yield what is around the taught environment, outermost first."""
    taught, inner = find_taught(env), env
    while inner is not taught:
        yield inner
        inner = vars(inner)["venv"]


def wrapper_state(wrapper: VecEnv) -> dict[str, Any]:
    """Return what a wrapper has counted and learnt."""
    if isinstance(wrapper, VecMonitor):
        return {"returns": wrapper.episode_returns, "lengths": wrapper.episode_lengths}
    if isinstance(wrapper, VecNormalize):
        seen = wrapper.obs_rms if wrapper.norm_obs else {}
        by_key = seen if isinstance(seen, dict) else {"": seen}
        return {
            "observations": {key: _moments(rms) for key, rms in by_key.items()},
            "reward": _moments(wrapper.ret_rms),
            "returns": wrapper.returns,
            "old_obs": wrapper.old_obs,
            "old_reward": wrapper.old_reward,
        }
    raise TypeError(
        f"{type(wrapper).__name__} cannot be checkpointed: only VecMonitor, VecNormalize"
    )


def restore_wrapper(wrapper: VecEnv, saved: Mapping[str, Any]) -> None:
    """Continue from :func:`wrapper_state`."""
    if isinstance(wrapper, VecMonitor):
        wrapper.episode_returns = np.array(saved["returns"])
        wrapper.episode_lengths = np.array(saved["lengths"])
    elif isinstance(wrapper, VecNormalize):
        seen = wrapper.obs_rms if wrapper.norm_obs else {}
        for key, rms in (seen if isinstance(seen, dict) else {"": seen}).items():
            _restore_moments(rms, saved["observations"][key])
        _restore_moments(wrapper.ret_rms, saved["reward"])
        wrapper.returns = np.array(saved["returns"])
        wrapper.old_obs = saved["old_obs"]
        wrapper.old_reward = saved["old_reward"]


def _moments(seen: RunningMeanStd) -> dict[str, Any]:
    return {"mean": np.asarray(seen.mean), "var": np.asarray(seen.var), "count": seen.count}


def _restore_moments(seen: RunningMeanStd, saved: Mapping[str, Any]) -> None:
    seen.mean, seen.var, seen.count = saved["mean"], saved["var"], saved["count"]


def replay_buffer_of(model: BaseAlgorithm) -> ReplayBuffer | None:
    """Return the replay buffer, None if this kind of student has none."""
    buffer: ReplayBuffer | None = getattr(model, "replay_buffer", None)
    return buffer


def buffer_state(buffer: ReplayBuffer) -> dict[str, Any]:
    """Return the rows in use by name; those of dict observations as ``observations/key``."""
    used = buffer.buffer_size if buffer.full else buffer.pos
    state: dict[str, Any] = {"pos": buffer.pos, "full": buffer.full}
    for name in _BUFFER:
        rows = getattr(buffer, name, None)  # without next_observations when memory is saved
        if isinstance(rows, dict):
            state |= {f"{name}/{key}": inner[:used] for key, inner in rows.items()}
        elif rows is not None:
            state[name] = rows[: used + 1] if name == "observations" else rows[:used]
    if hasattr(buffer, "learnable"):
        state["learnable"] = buffer.learnable[:used]
    return state


def restore_buffer(buffer: Any, saved: Mapping[str, Any]) -> None:
    """Fill a buffer with what :func:`buffer_state` returned."""
    buffer.pos, buffer.full = int(saved["pos"]), bool(saved["full"])
    if "learnable" in saved:
        gate_buffer(buffer)
        buffer.n_hidden = int((~saved["learnable"]).sum())
    for name, rows in saved.items():
        if name in ("pos", "full"):
            continue
        attribute, _, key = name.partition("/")
        target = getattr(buffer, attribute)
        (target[key] if key else target)[: len(rows)] = rows


def random_state(model: BaseAlgorithm) -> dict[str, Any]:
    """Return the states of all generators that SB3 draws from."""
    return global_randomness() | {"actions": model.action_space.np_random.bit_generator.state}


def restore_random(model: BaseAlgorithm, saved: Mapping[str, Any]) -> None:
    """Give all generators the state that :func:`random_state` returned."""
    restore_global_randomness(saved)
    model.action_space.np_random.bit_generator.state = saved["actions"]
