"""A second student in step with the first, for teachers who compare the two."""

import io
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import (
    VecEnv,
    VecMonitor,
    VecNormalize,
    VecTransposeImage,
)

from teachrl.core import Episode, Teacher
from teachrl.models.torch_state import (
    module_state,
    optimizer_state,
    restore_module,
    restore_optimizer,
)
from teachrl.seeding import derive_seed
from teachrl.students.assignments import ANTAGONIST, Assignments
from teachrl.students.gating import ReplayGate, RolloutGate, make_gate, update_sizes
from teachrl.students.ledger import GradientMeter
from teachrl.students.making import make_another
from teachrl.students.randomness import OwnRandomness
from teachrl.students.refusals import is_sbx
from teachrl.students.rollouts import StudentRollout
from teachrl.students.vec_env import TaughtVecEnv, find_taught

_UNNEEDED = (VecMonitor, VecTransposeImage)  # it only logs; SB3 adds it by itself


def require_antagonist(teacher: Teacher, algorithm: type[Any]) -> None:
    """Refuse students of a class that cannot play in pairs, if the teacher needs two."""
    if "antagonist" not in teacher.needs:
        return
    plays_rollouts = issubclass(algorithm, OnPolicyAlgorithm)
    if plays_rollouts and "Recurrent" not in algorithm.__name__ and not is_sbx(algorithm):
        return
    raise ValueError(
        f"{type(teacher).__name__} teaches two students who take turns, rollout by rollout, which "
        f"{algorithm.__name__} does not do: choose Stable-Baselines3's PPO or A2C"
    )


class Antagonist:
    """A student of the same class, options and network, who plays the same tasks and seeds.

    It has generators of its own, so the first student does not notice it. After each rollout of
    the first, it plays as many steps, and learns from them. Observations and rewards are normalised
    by the first student's statistics, which it does not change: so both see a task alike.

    Args:
        model: the first student, trained on a ``TaughtVecEnv``.
    """

    def __init__(self, model: BaseAlgorithm) -> None:
        self.first: Any = model
        env = model.get_env()
        taught = find_taught(env)
        require_antagonist(taught.teacher, type(model))
        self.taught = AntagonistVecEnv(make_another(taught.venv), taught)
        self.randomness, self.logger = OwnRandomness(), Logger(None, [])
        seed = derive_seed(taught.assignments.seed, ANTAGONIST)
        with self.randomness:
            self.model: Any = _untrained(model, _wrapped_alike(env, self.taught), seed)
        self.model.set_logger(self.logger)
        self.rollout = StudentRollout(self.model)
        self._watching = _Watching(self.rollout)
        self._watching.init_callback(self.model)

    @classmethod
    def beside(cls, model: BaseAlgorithm) -> "Antagonist":
        """Return the antagonist that a student has already, or else a new one."""
        taught = find_taught(model.get_env())
        if taught.companion is None or taught.companion.first is not model:
            if taught.companion is not None:
                taught.companion.taught.close()
            taught.companion = cls(model)
        companion: Antagonist = taught.companion
        return companion

    def play(self) -> None:
        """Collect a rollout as long as the first student's."""
        model = self.model
        with self.randomness:
            if model._last_obs is None:
                model._last_obs = model.env.reset()
                model._last_episode_starts = np.ones(model.n_envs, bool)
            model.collect_rollouts(
                model.env, self._watching, model.rollout_buffer, n_rollout_steps=model.n_steps
            )

    def train(self) -> None:
        """Learn from that rollout, and say in the first student's log how that went."""
        model, meter = self.model, GradientMeter(self.model, self._watching.install())
        # The first student's own progress is brought up to date only after this.
        model._update_current_progress_remaining(
            self.first.num_timesteps, self.first._total_timesteps
        )
        with self.randomness:
            model.train()
        self._watching.remove()
        ledger = find_taught(self.first.get_env()).ledger
        ledger.gradient_samples += meter.close()
        for tag, value in self.logger.name_to_value.items():
            self.first.logger.record(f"antagonist/{tag}", value, exclude="stdout")
        self.logger.name_to_value.clear()

    def state(self) -> dict[str, Any]:
        """Return weights, optimisers, generators and envs in the middle of their episodes."""
        model = self.model
        has_begun = model._last_obs is not None
        return {
            "learnt": {name: _learnt_state(part) for name, part in self._parts()},
            "timesteps": model.num_timesteps,
            "updates": model._n_updates,
            "randomness": self.randomness.inside,
            "seen": [model._last_obs, model._last_episode_starts] if has_begun else None,
            "taught": self.taught.state() if has_begun else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        for name, part in self._parts():
            _restore_learnt(part, state["learnt"][name])
        self.model.num_timesteps = state["timesteps"]
        self.model._n_updates = state["updates"]
        self.randomness.inside = dict(state["randomness"])
        if state["seen"] is not None:
            self.model._last_obs, self.model._last_episode_starts = state["seen"]
            self.taught.restore(state["taught"], self.taught.episodes)

    def _parts(self) -> Iterator[tuple[str, Any]]:
        """Yield what SB3 itself would save: networks and optimisers, by name."""
        for name in self.model._get_torch_save_params()[0]:
            yield name, reduce(getattr, name.split("."), self.model)


class AntagonistVecEnv(TaughtVecEnv):
    """Plays what another taught environment plays; its episodes are told, and not recorded.

    Args:
        venv: as many environments of the same kind.
        first: the taught environment of the first student.
    """

    student = ANTAGONIST

    def __init__(self, venv: VecEnv, first: TaughtVecEnv) -> None:
        self._first = first
        super().__init__(venv, first.teacher, first.assignments.seed)

    def step_wait(self) -> Any:
        """Step, at the expense of the first student's ledger."""
        played = super().step_wait()
        self._first.ledger.antagonist += self.num_envs
        return played

    def _begin(self, i: int) -> Any:
        """Begin a task; what loading a snapshot takes is on the first student's ledger, too."""
        before = self.ledger.expert
        observation = super()._begin(i)
        self._first.ledger.expert += self.ledger.expert - before
        return observation

    @contextmanager
    def teaching(self) -> Iterator[None]:
        """Count the time of what happens inside as the teacher's."""
        with self._first.teaching():
            yield

    def state(self) -> dict[str, Any]:
        """Return what is its own."""
        shared = ("teacher", "assignments")
        return {name: value for name, value in super().state().items() if name not in shared}

    def restore(self, state: Mapping[str, Any], episodes: Any) -> None:
        """Continue from :meth:`state`."""
        shared = {"teacher": self.teacher.state(), "assignments": self.assignments.state()}
        super().restore({**shared, **state}, episodes)

    def _tell(self, episode: Episode) -> None:
        with self.teaching():
            self.teacher.update(episode)

    def _start(self, teacher: Teacher, seed: int) -> tuple[Teacher, Assignments]:  # noqa: ARG002
        """Share the teacher, which has been started, and what it gives out."""
        return teacher, self._first.assignments


class _Watching(BaseCallback):
    """Does for the antagonist's steps what :class:`TeacherCallback` does for the student's."""

    def __init__(self, rollout: StudentRollout) -> None:
        super().__init__()
        self.rollout, self.taught = rollout, rollout.taught
        self._gate: RolloutGate | ReplayGate | None = None

    def install(self) -> list[int]:
        """Shut the gate, and return the minibatches' sizes in each epoch."""
        return self._gate.install() if self._gate else update_sizes(self.model)

    def remove(self) -> None:
        """Leave the antagonist as it was."""
        if self._gate is not None:
            self._gate.remove()

    def _on_rollout_start(self) -> None:
        self.remove()

    def _on_step(self) -> bool:
        self.rollout.see(self.locals["rewards"])
        learnable = self.taught.learnable
        if self._gate is None and not learnable.all():
            self._gate = make_gate(self.model)
        if self._gate is not None:
            self._gate.step(learnable)
        return True


def _wrapped_alike(env: Any, inner: VecEnv) -> VecEnv:
    """Return ``inner`` in wrappers like those of ``env`` that change what a student sees."""
    if isinstance(env, TaughtVecEnv):
        return inner
    inner = _wrapped_alike(env.venv, inner)
    if isinstance(env, VecNormalize):
        return _SharedNormalize(inner, env)
    if not isinstance(env, _UNNEEDED):
        raise ValueError(
            f"a second student cannot be given a {type(env).__name__} like the first one's: leave "
            "it out, or wrap each environment before make_task_vec_env instead"
        )
    return inner


class _SharedNormalize(VecNormalize):
    """Normalises by the statistics of another ``VecNormalize``, and never changes them."""

    def __init__(self, venv: VecEnv, owner: VecNormalize) -> None:
        super().__init__(
            venv,
            training=False,
            norm_obs=owner.norm_obs,
            norm_reward=owner.norm_reward,
            clip_obs=owner.clip_obs,
            clip_reward=owner.clip_reward,
            gamma=owner.gamma,
            epsilon=owner.epsilon,
            norm_obs_keys=owner.norm_obs_keys,
        )
        if owner.norm_obs:
            self.obs_rms = owner.obs_rms
        self.ret_rms = owner.ret_rms


def _untrained(model: BaseAlgorithm, env: VecEnv, seed: int) -> BaseAlgorithm:
    """Return a student with the options of ``model``, and new weights drawn from ``seed``."""
    memory = io.BytesIO()
    model.save(memory)  # SB3's own way of writing down all options; it stays in memory
    memory.seek(0)
    twin = type(model).load(memory, env=env, device=model.device)
    twin.seed = seed
    twin._setup_model()  # seeds the generators, and draws weights anew
    twin._last_obs, twin._last_episode_starts = None, None
    twin.num_timesteps = 0
    twin._n_updates = 0
    twin.ep_info_buffer, twin.ep_success_buffer = deque(maxlen=100), deque(maxlen=100)
    return twin


def _learnt_state(part: Any) -> dict[str, Any]:
    return module_state(part) if isinstance(part, torch.nn.Module) else optimizer_state(part)


def _restore_learnt(part: Any, state: Mapping[str, Any]) -> None:
    restore = restore_module if isinstance(part, torch.nn.Module) else restore_optimizer
    restore(part, state)
