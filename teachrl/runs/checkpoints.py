"""Everything a run needs to go on as if it had never stopped, in a folder that is whole or absent.

A checkpoint is a folder ``checkpoint/<steps>/``: ``model.zip`` (SB3's own), ``replay_buffer.npz``,
``state.npz``, and ``digests.json`` that vouches for them. It is written under another name, flushed
to disk, and renamed when it is complete; the last two are kept.
"""

import io
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import NormalActionNoise, VectorizedActionNoise
from stable_baselines3.common.vec_env import VecEnv

from teachrl.digests import read_known, require_complete, seal
from teachrl.episodes import Episodes
from teachrl.files import DamagedFileError, read_npz, sync_folder, write_atomically, write_npz
from teachrl.registry import object_path
from teachrl.runs.learner import (
    buffer_state,
    environment_of,
    random_state,
    replay_buffer_of,
    restore_buffer,
    restore_random,
    restore_wrapper,
    wrapper_state,
    wrappers,
)
from teachrl.runs.trees import load_tree, save_tree
from teachrl.runs.versions import versions
from teachrl.students.gating import is_plain
from teachrl.students.refusals import is_sbx
from teachrl.students.vec_env import find_taught

_KEPT = 2
_FORMAT = 5  # of a checkpoint; another one is refused


class CheckpointMismatchError(ValueError):
    """A checkpoint that is whole, but of another version, environment or student."""


def save_checkpoint(folder: Path, model: BaseAlgorithm, extra: Mapping[str, Any]) -> Path:
    """Write a checkpoint of ``model`` and its environment, between two updates.

    Args:
        folder: of the run.
        model: its environment is a ``TaughtVecEnv``, perhaps in ``VecMonitor``, ``VecNormalize``.
        extra: what the callbacks want back, arrays and JSON values.

    Raises:
        OSError: it could not be written, for example on a full disk; those before it are untouched.
    """
    path = folder / "checkpoint" / f"{model.num_timesteps:012d}"
    partial = path.with_name(f".{path.name}.partial")
    _clear(path.parent)
    partial.mkdir(parents=True)
    try:
        _write(partial, model, extra)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)  # on a full disk above all
        raise
    _discard(path)
    partial.rename(path)
    sync_folder(path.parent)
    for other in checkpoints(folder):
        if other.name > path.name:  # of a future that damage has made the run forget
            _discard(other)
    for old in checkpoints(folder)[_KEPT:]:
        _discard(old)
    return path


def obstacle(model: BaseAlgorithm) -> str | None:
    """Return why ``model`` cannot be continued exactly, or None if it can."""
    buffer, noise = getattr(model, "replay_buffer", None), getattr(model, "action_noise", None)
    if is_sbx(type(model)):
        return "SBX keeps a generator of its own"
    if getattr(model, "use_sde", False):
        return "state-dependent exploration draws its noise before a rollout begins"
    if hasattr(model, "_last_lstm_states"):
        return "recurrent states are not saved"
    if buffer is not None and not is_plain(buffer):
        return f"{type(buffer).__name__} is not one of SB3's plain buffers"
    if isinstance(noise, VectorizedActionNoise):  # SB3 makes it of one, for many environments
        noise = noise.base_noise
    if noise is not None and not isinstance(noise, NormalActionNoise):
        return f"{type(noise).__name__} forgets its state"
    return None


def checkpoints(folder: Path) -> list[Path]:
    """Return the complete checkpoints of a run, newest first."""
    return sorted((folder / "checkpoint").glob("[0-9]*"), reverse=True)


def load_checkpoint(folder: Path, env: VecEnv, algorithm: type[BaseAlgorithm]) -> "Restored | None":
    """Read the newest checkpoint that is whole; None if there never was one.

    Nothing is restored yet: ``Restored.apply`` does that, once the episodes are known. A student's
    zip is opened only after its digest was found right.

    Raises:
        CheckpointMismatchError: it belongs to another version, environment or student.
        DamagedFileError: there are checkpoints, but none of them is whole.
    """
    reasons = []
    for path in checkpoints(folder):
        try:
            return _read(path, env, algorithm)
        except CheckpointMismatchError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a damaged file raises
            reasons.append(str(error))
            warnings.warn(
                f"the checkpoint {path} is passed over for the one before: {error}", stacklevel=2
            )
    if reasons:
        raise DamagedFileError(
            f"no checkpoint of {folder} can be read ({reasons[0]}). Restore its folder checkpoint, "
            "or begin again with restart=True (--restart)"
        )
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
        env = environment_of(self.model)
        for wrapper, saved in zip(wrappers(env), self._state["wrappers"], strict=True):
            restore_wrapper(wrapper, saved)
        find_taught(env).restore(self._state["taught"], episodes)
        if (buffer := replay_buffer_of(self.model)) is not None:
            restore_buffer(buffer, self._buffer)
        restore_random(self.model, self._state["random"])


def _write(partial: Path, model: BaseAlgorithm, extra: Mapping[str, Any]) -> None:
    """Write the files of a checkpoint, each flushed to disk."""
    env = environment_of(model)
    write_atomically(partial / "model.zip", as_zip(model))
    if (buffer := replay_buffer_of(model)) is not None:
        write_npz(partial / "replay_buffer.npz", buffer_state(buffer))
    state = {
        "format": _FORMAT,
        "versions": versions(),
        "belongs_to": _identity(env, type(model)),
        "wrappers": [wrapper_state(wrapper) for wrapper in wrappers(env)],
        "taught": find_taught(env).state(),
        "random": random_state(model),
        "extra": dict(extra),
    }
    save_tree(partial / "state.npz", state)
    seal(partial, ("model.zip", "replay_buffer.npz", "state.npz"))


def as_zip(model: BaseAlgorithm) -> bytes:
    """Return SB3's zip of a student: made in memory, so that writing it fails as a file does."""
    memory = io.BytesIO()
    model.save(memory)
    return memory.getvalue()


def _read(path: Path, env: VecEnv, algorithm: type[BaseAlgorithm]) -> Restored:
    require_complete(path)
    state = load_tree(path / "state.npz")
    _require_same(path, state, _identity(env, algorithm))
    content = io.BytesIO(read_known(path / "model.zip"))
    model = algorithm.load(content, env=env, force_reset=False)
    buffer = path / "replay_buffer.npz"
    return Restored(model, state, read_npz(buffer) if buffer.exists() else {})


def _identity(env: VecEnv, algorithm: type[BaseAlgorithm]) -> dict[str, str]:
    """Return what must be the same when a checkpoint is read."""
    return {
        "student": object_path(algorithm),
        "environments": str(env.num_envs),
        "observations": str(env.observation_space),
        "actions": str(env.action_space),
        "task space": str(find_taught(env).task_space),
    }


def _require_same(path: Path, state: Mapping[str, Any], now: Mapping[str, str]) -> None:
    """Refuse a checkpoint of another version, environment or student; warn of other libraries."""
    then, there = state.get("versions", {}), state.get("belongs_to", {})
    here = versions()
    if state.get("format") != _FORMAT or then.get("teachrl") != here["teachrl"]:
        raise CheckpointMismatchError(
            f"{path} was written by teachrl {then.get('teachrl')}, and this is {here['teachrl']}: "
            "go on with that version, or begin again with restart=True (--restart)"
        )
    if different := [name for name in now if now[name] != there.get(name)]:
        changes = "; ".join(f"{n}: {there.get(n)} there, {now[n]} now" for n in different)
        raise CheckpointMismatchError(
            f"{path} belongs to another student or environment ({changes}): go on with that one, "
            "or begin again with restart=True (--restart)"
        )
    if changed := [n for n in then if n in here and then[n] != here[n]]:
        changes = ", ".join(f"{n} {then[n]}, now {here[n]}" for n in changed)
        warnings.warn(
            f"{path} was written with {changes}: the run goes on, but may not end as one that "
            "never stopped",
            stacklevel=4,
        )


def _discard(path: Path) -> None:
    """Remove a checkpoint so that a kill in between leaves none that looks complete."""
    if path.exists():
        path.rename(condemned := path.with_name(f".{path.name}.old"))
        shutil.rmtree(condemned)


def _clear(root: Path) -> None:
    """Remove what kills have left behind."""
    for pattern in (".*.partial", ".*.old"):
        for left in root.glob(pattern):
            shutil.rmtree(left, ignore_errors=True)
