"""Everything a run needs to go on as if it had never stopped, in a folder that is whole or absent.

A checkpoint is a folder ``checkpoint/<steps>/``: ``model.zip`` (SB3's own), ``replay_buffer.npz``
and ``state.npz``. It is written under another name and renamed when it is complete; the last two
are kept.
"""

import random
import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import DictReplayBuffer, ReplayBuffer
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecEnv, VecMonitor, VecNormalize

from teachrl.episodes import Episodes
from teachrl.runs.trees import load_tree, save_tree
from teachrl.students.vec_env import find_taught

_KEPT = 2
_BUFFER = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


def save_checkpoint(folder: Path, model: BaseAlgorithm, extra: Mapping[str, Any]) -> Path:
    """Write a checkpoint of ``model`` and its environment, between two updates.

    Args:
        folder: of the run.
        model: its environment is a ``TaughtVecEnv``, perhaps in ``VecMonitor``, ``VecNormalize``.
        extra: what the callbacks want back, arrays and JSON values.
    """
    root = folder / "checkpoint"
    path = root / f"{model.num_timesteps:012d}"
    partial = root / f".{path.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    env = _environment(model)
    model.save(partial / "model.zip")
    if (buffer := _replay_buffer(model)) is not None:
        np.savez(partial / "replay_buffer.npz", **_buffer_state(buffer))
    state = {
        "wrappers": [_wrapper_state(wrapper) for wrapper in _wrappers(env)],
        "taught": find_taught(env).state(),
        "random": _random_state(model),
        "extra": dict(extra),
    }
    save_tree(partial / "state.npz", state)
    shutil.rmtree(path, ignore_errors=True)
    partial.replace(path)
    for old in checkpoints(folder)[_KEPT:]:
        shutil.rmtree(old)
    return path


def obstacle(model: BaseAlgorithm) -> str | None:
    """Return why ``model`` cannot be continued exactly, or None if it can."""
    buffer, noise = getattr(model, "replay_buffer", None), getattr(model, "action_noise", None)
    if type(model).__module__.startswith("sbx."):
        return "SBX keeps a generator of its own"
    if getattr(model, "use_sde", False):
        return "state-dependent exploration draws its noise before a rollout begins"
    if hasattr(model, "_last_lstm_states"):
        return "recurrent states are not saved"
    if buffer is not None and type(buffer) not in (ReplayBuffer, DictReplayBuffer):
        return f"{type(buffer).__name__} is not one of SB3's plain buffers"
    if noise is not None and not isinstance(noise, NormalActionNoise):
        return f"{type(noise).__name__} forgets its state"
    return None


def checkpoints(folder: Path) -> list[Path]:
    """Return the complete checkpoints of a run, newest first."""
    return sorted((folder / "checkpoint").glob("[0-9]*"), reverse=True)


def load_checkpoint(folder: Path, env: VecEnv, algorithm: type[BaseAlgorithm]) -> "Restored | None":
    """Read the newest checkpoint that can be read; None if there is none.

    Nothing is restored yet: ``Restored.apply`` does that, once the episodes are known.
    """
    for path in checkpoints(folder):
        try:
            state = load_tree(path / "state.npz")
            model = algorithm.load(path / "model.zip", env=env, force_reset=False)
            buffer = _read(path / "replay_buffer.npz")
        except Exception as error:  # noqa: BLE001 - whatever a damaged file raises
            warnings.warn(f"{path} cannot be read ({error}): trying the one before", stacklevel=2)
            continue
        return Restored(model, state, buffer)
    return None


class Restored:
    """What was read of a checkpoint.

    Args:
        model: with its weights, optimisers and counters.
        state: of everything around it.
        buffer: of its replay buffer, empty where it has none.
    """

    def __init__(self, model: BaseAlgorithm, state: dict[str, Any], buffer: dict[str, Any]) -> None:
        self.model, self._state, self._buffer = model, state, buffer
        self.extra: dict[str, Any] = state["extra"]

    def apply(self, episodes: Episodes) -> None:
        """Bring environment, buffer and generators to where they were.

        Generators come last, since loading and replaying draw from them.
        """
        env = _environment(self.model)
        for wrapper, saved in zip(_wrappers(env), self._state["wrappers"], strict=True):
            _restore_wrapper(wrapper, saved)
        find_taught(env).restore(self._state["taught"], episodes)
        if (buffer := _replay_buffer(self.model)) is not None:
            _restore_buffer(buffer, self._buffer)
        _restore_random(self.model, self._state["random"])


def _environment(model: BaseAlgorithm) -> VecEnv:
    env = model.get_env()
    if env is None:
        raise ValueError("a model without environment has nothing to continue")
    return env


def _wrappers(env: VecEnv) -> Iterator[VecEnv]:
    """Yield what is around the taught environment, outermost first."""
    taught, inner = find_taught(env), env
    while inner is not taught:
        yield inner
        inner = vars(inner)["venv"]


def _wrapper_state(wrapper: VecEnv) -> dict[str, Any]:
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


def _restore_wrapper(wrapper: VecEnv, saved: Mapping[str, Any]) -> None:
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


def _replay_buffer(model: BaseAlgorithm) -> ReplayBuffer | None:
    buffer: ReplayBuffer | None = getattr(model, "replay_buffer", None)
    return buffer


def _buffer_state(buffer: ReplayBuffer) -> dict[str, Any]:
    """Return the rows in use by name; those of dict observations as ``observations/key``."""
    used = buffer.buffer_size if buffer.full else buffer.pos
    state: dict[str, Any] = {"pos": buffer.pos, "full": buffer.full}
    for name in _BUFFER:
        rows = getattr(buffer, name, None)  # without next_observations when memory is saved
        if isinstance(rows, dict):
            state |= {f"{name}/{key}": inner[:used] for key, inner in rows.items()}
        elif rows is not None:
            state[name] = rows[: used + 1] if name == "observations" else rows[:used]
    return state


def _restore_buffer(buffer: ReplayBuffer, saved: Mapping[str, Any]) -> None:
    buffer.pos, buffer.full = int(saved["pos"]), bool(saved["full"])
    for name, rows in saved.items():
        if name in ("pos", "full"):
            continue
        attribute, _, key = name.partition("/")
        target = getattr(buffer, attribute)
        (target[key] if key else target)[: len(rows)] = rows


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as saved:
        return dict(saved)


def _random_state(model: BaseAlgorithm) -> dict[str, Any]:
    """Return the states of all generators that SB3 draws from."""
    version, internal, gauss = random.getstate()
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 - SB3 uses the global generator
    state = {
        "python": [version, list(internal), gauss],
        "numpy": [str(kind), np.asarray(keys), *rest],
        "torch": torch.get_rng_state().numpy(),
        "actions": model.action_space.np_random.bit_generator.state,
    }
    if torch.cuda.is_available():
        state["cuda"] = [generator.numpy() for generator in torch.cuda.get_rng_state_all()]
    return state


def _restore_random(model: BaseAlgorithm, saved: Mapping[str, Any]) -> None:
    version, internal, gauss = saved["python"]
    random.setstate((version, tuple(internal), gauss))
    kind, keys, *rest = saved["numpy"]
    np.random.set_state((kind, keys, *rest))  # noqa: NPY002 - SB3 uses the global generator
    torch.set_rng_state(torch.from_numpy(np.array(saved["torch"])))
    model.action_space.np_random.bit_generator.state = saved["actions"]
    if "cuda" in saved and torch.cuda.is_available():
        states = [torch.from_numpy(np.array(generator)) for generator in saved["cuda"]]
        torch.cuda.set_rng_state_all(states)
