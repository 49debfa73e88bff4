"""Playing a task without learning from it: ``Task.learn=False``."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import DictReplayBuffer, ReplayBuffer
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import ReplayBufferSamples

from teachrl.registry import object_path

Mask = NDArray[np.bool_]

_TRIES = 20  # of drawing by chance
_STORED = "observations", "actions", "values", "log_probs", "advantages", "returns"
_STORED_BY_SOME = ("action_masks",)
_MEMORIES = "hidden_states_pi", "cell_states_pi", "hidden_states_vf", "cell_states_vf"
_ROLLOUT_BUFFERS = (  # by path, since sb3-contrib is an extra
    "stable_baselines3.common.buffers:RolloutBuffer",
    "stable_baselines3.common.buffers:DictRolloutBuffer",
    "sb3_contrib.common.maskable.buffers:MaskableRolloutBuffer",
    "sb3_contrib.common.maskable.buffers:MaskableDictRolloutBuffer",
    "sb3_contrib.common.recurrent.buffers:RecurrentRolloutBuffer",
    "sb3_contrib.common.recurrent.buffers:RecurrentDictRolloutBuffer",
)


def make_gate(model: Any) -> "RolloutGate | ReplayGate":
    """Return what keeps steps from a student that it must not learn from, or refuse."""
    name = type(model).__name__
    if isinstance(model, OnPolicyAlgorithm):
        # A subclass may hand out its minibatches otherwise, which the gate would pass by.
        if object_path(type(model.rollout_buffer)) not in _ROLLOUT_BUFFERS:
            raise ValueError(
                "steps of a task that is not learnt from are left out of the rollout buffers of "
                f"Stable-Baselines3 and sb3-contrib, and the {type(model.rollout_buffer).__name__} "
                f"of {name} is none of them: make {name} without rollout_buffer_class, or choose "
                "a teacher whose tasks are all learnt from"
            )
        return RolloutGate(model)
    if not is_plain(model.replay_buffer):
        raise ValueError(
            f"the {type(model.replay_buffer).__name__} of {name} cannot leave steps out: choose "
            "SB3's ReplayBuffer, or a teacher whose tasks are all learnt from"
        )
    return ReplayGate(model)


def earlier_gate(model: Any) -> "ReplayGate | None":
    """Return the gate that a replay buffer came with, from a checkpoint or an earlier training.

    It is needed before there is anything new to leave out: rows are overwritten, and were marked.
    """
    buffer = getattr(model, "replay_buffer", None)
    return ReplayGate(model) if type(buffer) in _GATED.values() else None


def release(model: Any) -> None:
    """Leave a model as it was, also one whose training was cut short behind a gate."""
    vars(model).pop("train", None)
    if (buffer := getattr(model, "rollout_buffer", None)) is not None:
        vars(buffer).pop("get", None)


def is_plain(buffer: Any) -> bool:
    """Tell whether a replay buffer is one of SB3's plain ones, with or without a gate."""
    return type(buffer) in {*_GATED, *_GATED.values()}


class RolloutGate:
    """For on-policy students: minibatches are drawn from the steps that may be learnt from.

    If there are none in a rollout, the student skips its training. Where there is nothing to leave
    out, minibatches are those of Stable-Baselines3, bit for bit. Recurrent students learn from
    sequences, and every episode that stays is one, or several where a minibatch ends inside.
    Students who would divide advantages by the deviation of a single one are given none alone.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._columns: list[Mask] = []  # of each step of the rollout, by environment
        self._is_recurrent = hasattr(model.rollout_buffer, _MEMORIES[0])
        self._least = _least_samples(model)

    def step(self, learnable: Mask) -> None:
        """Take in which environments may be learnt from in this step, (n_envs,)."""
        self._columns.append(learnable)

    def install(self) -> list[int]:
        """Shut the gate before training, and return the minibatches' sizes in each epoch."""
        before = self.model.n_steps - len(self._columns)  # until there was anything to gate
        if before < 0:
            raise RuntimeError(
                f"{len(self._columns)} steps were counted in a rollout of {self.model.n_steps}: "
                "list every TeacherCallback once"
            )
        columns = [np.ones(self.model.n_envs, bool)] * before + self._columns
        learnable = np.stack(columns, axis=1).reshape(-1)  # as the buffer flattens itself
        if learnable.all():
            return update_sizes(self.model)
        chosen = np.flatnonzero(learnable)
        if len(chosen) < self._least:
            self.model.train = _skip
            return []
        buffer, draw = self.model.rollout_buffer, _sequences if self._is_recurrent else _some
        buffer.get = lambda batch_size=None: draw(buffer, chosen, batch_size, self._least)
        return _sizes(len(chosen), getattr(self.model, "batch_size", None), self._least)

    def remove(self) -> None:
        """Leave the model as it was, and forget the rollout, which may have been cut short."""
        self._columns.clear()
        release(self.model)


def update_sizes(model: Any) -> list[int]:
    """Return the sizes of the minibatches that make up one update, where none is left out."""
    batch_size = getattr(model, "batch_size", None)
    if getattr(model, "rollout_buffer", None) is None:
        return [model.batch_size]
    return _sizes(model.n_steps * model.n_envs, batch_size, 1)


def _least_samples(model: Any) -> int:
    """Return how many samples a student must be given at once; SB3's PPO looks for itself."""
    if isinstance(model, PPO) or not getattr(model, "normalize_advantage", False):
        return 1
    return 1 + int(getattr(model, "sub_sampling_factor", 1))  # of which TRPO takes every k-th


def _some(buffer: Any, chosen: NDArray[np.int64], batch_size: int | None, least: int) -> Any:
    """Yield minibatches of the chosen samples in a random order, as the buffer does of all."""
    if not buffer.generator_ready:
        _flatten(buffer)
    order = chosen[np.random.permutation(len(chosen))]  # noqa: NPY002 - SB3's stream
    for start, end in _batches(len(order), batch_size, least):
        yield buffer._get_samples(order[start:end])


def _sequences(buffer: Any, chosen: NDArray[np.int64], batch_size: int | None, least: int) -> Any:
    """Yield minibatches of the chosen samples in their order, from a random one on, and round."""
    if not buffer.generator_ready:
        for name in _MEMORIES:  # (steps, layers, environments, …)
            setattr(buffer, name, getattr(buffer, name).swapaxes(1, 2))
        _flatten(buffer, (*_STORED, *_MEMORIES, "episode_starts"))
    begins = np.zeros((buffer.buffer_size * buffer.n_envs, 1), bool)
    begins[:: buffer.buffer_size] = True  # where the steps of another environment follow,
    begins[chosen[np.diff(chosen, prepend=-2) != 1]] = True  # or something was left out
    cut = np.random.randint(len(chosen))  # noqa: NPY002 - SB3's stream
    order = np.roll(chosen, -cut)
    for start, end in _batches(len(order), batch_size, least):
        yield buffer._get_samples(order[start:end], begins)


def _batches(n: int, size: int | None, least: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each minibatch; the last takes in a rest of fewer than ``least``."""
    ends = [*range(size or n, n - least + 1, size or n), n]
    return zip([0, *ends], ends, strict=False)


def _sizes(n: int, size: int | None, least: int) -> list[int]:
    return [end - start for start, end in _batches(n, size, least)]


def _flatten(buffer: Any, names: Sequence[str] = _STORED) -> None:
    """Put the steps of all environments in one row, as the buffer does before it is drawn from."""
    for name in (*names, *(name for name in _STORED_BY_SOME if hasattr(buffer, name))):
        stored = getattr(buffer, name)
        if isinstance(stored, dict):
            flat: Any = {key: buffer.swap_and_flatten(value) for key, value in stored.items()}
        else:
            flat = buffer.swap_and_flatten(stored)
        setattr(buffer, name, flat)
    buffer.generator_ready = True


def _skip(*_: Any, **__: Any) -> None:
    """Train on nothing."""


class ReplayGate:
    """For students with a replay buffer: steps of tasks not learnt from are never drawn from it.

    They are stored all the same, since Stable-Baselines3 stores one row for all environments.
    """

    def __init__(self, model: Any) -> None:
        self.model, buffer = model, model.replay_buffer
        if buffer.optimize_memory_usage:
            raise ValueError(
                "a replay buffer with optimize_memory_usage cannot leave steps out: switch it off"
            )
        gate_buffer(buffer)

    def step(self, learnable: Mask) -> None:
        """Take in which environments may be learnt from in the step about to be stored."""
        buffer = self.model.replay_buffer
        buffer.n_hidden += int((~learnable).sum()) - int((~buffer.learnable[buffer.pos]).sum())
        buffer.learnable[buffer.pos] = learnable

    def install(self) -> list[int]:
        """Shut the gate before training, and return the size of each minibatch."""
        buffer = self.model.replay_buffer
        if buffer.n_hidden == buffer.size() * buffer.n_envs:
            self.model.train = _skip
            return []
        return update_sizes(self.model)

    def remove(self) -> None:
        """Leave the model as it was."""
        release(self.model)


def gate_buffer(buffer: Any) -> None:
    """Teach a replay buffer to leave steps out, unless it knows how already."""
    if type(buffer) in _GATED:
        buffer.__class__ = _GATED[type(buffer)]
        buffer.learnable = np.ones((buffer.buffer_size, buffer.n_envs), bool)
        buffer.n_hidden = 0


class GatedReplayBuffer(ReplayBuffer):
    """Draws steps among those that may be learnt from; if those are all, exactly as SB3 does."""

    learnable: Mask  # (buffer_size, n_envs)
    n_hidden: int  # steps that may not be learnt from
    drawn: tuple[NDArray[np.int64], NDArray[np.int64]]  # rows and environments of the last sample

    def _get_samples(self, batch_inds: NDArray[np.int64], env: Any = None) -> Any:
        if not self.n_hidden:
            return super()._get_samples(batch_inds, env)
        self.drawn = rows, columns = _draw(self.learnable[: self.size()], len(batch_inds))
        ends = self.dones[rows, columns] * (1 - self.timeouts[rows, columns])
        rewards = self._normalize_reward(self.rewards[rows, columns].reshape(-1, 1), env)
        return ReplayBufferSamples(
            self._shown(self.observations, rows, columns, env),
            self.to_torch(self.actions[rows, columns]),
            self._shown(self.next_observations, rows, columns, env),
            self.to_torch(ends.reshape(-1, 1)),
            self.to_torch(rewards),
        )

    def _shown(self, stored: Any, rows: Any, columns: Any, env: Any) -> Any:
        """Return observations as the student sees them."""
        if isinstance(stored, dict):
            seen: Any = self._normalize_obs({k: v[rows, columns] for k, v in stored.items()}, env)
            return {key: self.to_torch(value) for key, value in seen.items()}
        one: Any = self._normalize_obs(stored[rows, columns], env)
        return self.to_torch(one)


class GatedDictReplayBuffer(GatedReplayBuffer, DictReplayBuffer):
    """The same of observations that are dicts."""


_GATED: dict[type, type] = {
    ReplayBuffer: GatedReplayBuffer,
    DictReplayBuffer: GatedDictReplayBuffer,
}


def _draw(learnable: Mask, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw ``n`` places uniformly where ``learnable``: rows and columns."""
    flat, chosen = learnable.reshape(-1), np.empty(0, np.int64)
    for _ in range(_TRIES):
        drawn = np.random.randint(0, len(flat), size=2 * n)  # noqa: NPY002 - SB3's stream
        chosen = np.concatenate([chosen, drawn[flat[drawn]]])
        if len(chosen) >= n:
            break
    else:  # too few of them to be met by chance
        places = np.flatnonzero(flat)
        chosen = places[np.random.randint(0, len(places), size=n)]  # noqa: NPY002
    return np.divmod(chosen[:n], learnable.shape[1])
