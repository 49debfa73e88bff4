"""What the experts say about the states that a student trains on, row for row."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import HerReplayBuffer

from teachrl.students.divergences import Answer, Form
from teachrl.students.experts import Experts, rows_of
from teachrl.students.vec_env import TaughtVecEnv

Minibatch = tuple[Any, Answer, torch.Tensor]  # observations, answers, 1 where an expert knows


class Answers(ABC):
    """Watches a student play, then sees which rows it trains on."""

    def __init__(self, experts: Experts, form: Form, model: Any) -> None:
        self.experts, self.form, self.model = experts, form, model
        self.taught: TaughtVecEnv | None = None
        self._batch: Minibatch | None = None
        self._is_watched = False  # whether the rows at hand were seen
        self.clear()

    @property
    @abstractmethod
    def _buffer(self) -> Any:
        """The buffer that the student trains from."""

    @abstractmethod
    def _watched(self, observations: Any, index: NDArray[Any]) -> Minibatch | None:
        """Return what belongs to the rows that the buffer has just handed out."""

    def begin(self, observations: Any, taught: TaughtVecEnv | None) -> None:
        """Take in the raw observations that the first actions answer, and who knows the tasks."""
        self.taught = taught
        self._seen = _copied(observations)
        self._owners = self._current_owners()

    @abstractmethod
    def step(self, observations: Any, dones: NDArray[np.bool_]) -> None:
        """Take in the raw observations that a step has led to."""

    def state(self) -> dict[str, Any]:
        """Return what outlives a rollout."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`, after :meth:`begin`."""

    def clear(self) -> None:
        """Forget the states of the last rollout."""

    def is_training_next(self) -> bool:
        """Tell whether the student trains after this rollout."""
        return True

    def prepare(self) -> None:
        """Ask what can be asked at once."""

    def minibatch(self) -> Minibatch | None:
        """Return the rows at hand, once; None, if no expert knows any of them."""
        if not self._is_watched:
            raise RuntimeError(
                f"{type(self.model).__name__} trains on rows that {type(self._buffer).__name__} "
                "did not hand out one batch at a time: kickstarting cannot see which"
            )
        batch, self._batch, self._is_watched = self._batch, None, False
        return batch

    def install(self) -> None:
        """Watch which rows the buffer hands out."""
        stock = self._buffer._get_samples

        def watching(index: NDArray[Any], *rest: Any, **options: Any) -> Any:
            before = np.random.get_state() if self._draws else None  # noqa: NPY002 - SB3's stream
            samples = stock(index, *rest, **options)
            self._batch = self._watched(samples.observations, self._rows(index, before))
            self._is_watched = True
            return samples

        self._buffer._get_samples = watching

    def remove(self) -> None:
        """Give the buffer back."""
        del self._buffer._get_samples
        self._batch, self._is_watched = None, False

    _draws = False  # whether the buffer draws an environment for each row

    def _rows(self, index: NDArray[Any], before: Any) -> Any:  # noqa: ARG002 - where it draws
        return index

    def _current_owners(self) -> NDArray[np.int64]:
        """Return the expert of the episode that each environment is in."""
        if self.taught is None:
            return self.experts.owner(np.zeros((self.model.n_envs, 0), np.float32))
        return self.experts.owner(self.taught.running_params())


class RolloutAnswers(Answers):
    """For PPO and A2C: every expert is asked once per rollout, about all of its states at once."""

    def begin(self, observations: Any, taught: TaughtVecEnv | None) -> None:
        """Take in the raw observations that the first actions answer, and who knows the tasks."""
        super().begin(observations, taught)
        self._starts = np.ones(self.model.n_envs, bool)

    def state(self) -> dict[str, Any]:
        """Return the memories of recurrent experts, and where episodes begin."""
        memories = {str(i): self.experts.experts[i].memory for i in self._followed}
        return {"starts": self._starts, "memories": memories}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`, after :meth:`begin`."""
        self._starts = np.array(state["starts"], bool)
        for i, memory in state["memories"].items():
            self.experts.experts[int(i)].memory = memory

    def clear(self) -> None:
        """Forget the states of the last rollout."""
        self._states: list[Any] = []
        self._state_owners: list[NDArray[np.int64]] = []
        self._followed: dict[int, list[Answer]] = {
            i: [] for i, expert in enumerate(self.experts.experts) if expert.is_recurrent
        }

    def step(self, observations: Any, dones: NDArray[np.bool_]) -> None:
        """Remember the states that were acted on, and who knows about them."""
        self._states.append(self._seen)
        self._state_owners.append(self._owners)
        said = dict[int, Answer]()  # by expert, who may be asked about several regions
        for i, answers in self._followed.items():
            expert = self.experts.experts[i]
            if id(expert) not in said:
                said[id(expert)] = expert.follow(self.form, self._seen, self._starts)
            answers.append(said[id(expert)])
        self._seen, self._starts = _copied(observations), np.array(dones, bool)
        if self._starts.any():  # only then is there another task
            self._owners = self._current_owners()

    def prepare(self) -> None:
        """Ask every expert about the states whose task it knows."""
        # Environment by environment, as the buffer flattens itself.
        self._all_owners = np.stack(self._state_owners, axis=1).reshape(-1)
        states = _flattened(self._states)
        if (self._all_owners >= 0).any():
            followed = {i: _joined(answers) for i, answers in self._followed.items()}
            self._all = self.experts.answer(self.form, states, self._all_owners, followed)

    @property
    def _buffer(self) -> Any:
        return self.model.rollout_buffer

    def _watched(self, observations: Any, index: NDArray[Any]) -> Minibatch | None:
        known = self._all_owners[index] >= 0
        if not known.any():
            return None
        mask = torch.as_tensor(known, dtype=torch.float32)
        return observations, self._all.rows(torch.as_tensor(index)), mask


class ReplayedAnswers(Answers):
    """For students with a replay buffer: experts are asked about each minibatch."""

    _draws = True
    _noted: Any = None  # the buffer whose rows are known

    def begin(self, observations: Any, taught: TaughtVecEnv | None) -> None:
        """Make room for the expert of each row of the buffer.

        Rows that were written when nobody noted their task are nobody's, unless one expert knows
        all tasks.
        """
        super().begin(observations, taught)
        if any(expert.is_recurrent for expert in self.experts.experts):
            raise ValueError(
                "a recurrent expert follows a trajectory, which a replay buffer tears apart: "
                "choose an expert without memory, or an on-policy student"
            )
        if isinstance(self._buffer, HerReplayBuffer):
            raise ValueError(
                "HerReplayBuffer makes up the goals of what it hands out, about which an expert "
                "cannot be asked by row: choose another replay buffer"
            )
        if self._noted is not self._buffer:
            self._noted, shape = self._buffer, (self._buffer.buffer_size, self._buffer.n_envs)
            self._row_owners = np.full(shape, 0 if self.experts.know_all else -1, np.int16)

    def state(self) -> dict[str, Any]:
        """Return whose rows the buffer holds."""
        return {"owners": self._row_owners.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`, after :meth:`begin`."""
        self._row_owners = np.array(state["owners"], np.int16)

    def step(self, observations: Any, dones: NDArray[np.bool_]) -> None:  # noqa: ARG002
        """Note whose rows are about to be written."""
        self._row_owners[self._buffer.pos] = self._owners
        if np.any(dones):  # only then is there another task
            self._owners = self._current_owners()

    def is_training_next(self) -> bool:
        """Tell whether the student trains after this rollout."""
        return bool(self.model.num_timesteps > self.model.learning_starts)

    @property
    def _buffer(self) -> Any:
        return self.model.replay_buffer

    def _rows(self, index: NDArray[Any], before: Any) -> Any:
        """Draw the environment of each row again, as the buffer did."""
        if getattr(self._buffer, "n_hidden", 0):  # it leaves steps out, and chose rows of its own
            return self._buffer.drawn
        generator = np.random.RandomState()
        generator.set_state(before)
        return index, generator.randint(0, high=self._buffer.n_envs, size=(len(index),))

    def _watched(self, observations: Any, index: Any) -> Minibatch | None:
        owners = self._row_owners[index].astype(np.int64)
        if (owners < 0).all():
            return None
        raw = rows_of(self._buffer.observations, index)
        expert = self.experts.answer(self.form, raw, owners)
        return observations, expert, torch.as_tensor(owners >= 0, dtype=torch.float32)


def _joined(answers: list[Answer]) -> Answer:
    """Join T answers about n environments to (n * T, …), environment by environment."""
    columns = zip(*(answer.tensors for answer in answers), strict=True)
    stacked = (torch.stack(column, dim=1) for column in columns)
    return Answer(answers[0].form, tuple(t.reshape(-1, *t.shape[2:]) for t in stacked))


def _copied(observations: Any) -> Any:
    if isinstance(observations, dict):
        return {key: np.array(value) for key, value in observations.items()}
    return np.array(observations)


def _flattened(states: list[Any]) -> Any:
    """Join T observations of n environments to (n * T, …), environment by environment."""
    if isinstance(states[0], dict):
        return {key: _flattened([state[key] for state in states]) for key in states[0]}
    joined = np.stack(states, axis=1)
    return joined.reshape(-1, *joined.shape[2:])
