"""What an SB3 student tells its teacher: a :class:`teachrl.rollouts.Rollout`."""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import DQN, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import (
    VecMonitor,
    VecNormalize,
    VecTransposeImage,
    unwrap_vec_wrapper,
)

from teachrl.core import Teacher
from teachrl.rollouts import Segment, Transitions
from teachrl.seeding import derive_seed
from teachrl.spaces import Floats
from teachrl.students.action_masks import takes_masks
from teachrl.students.randomness import undisturbed
from teachrl.students.refusals import is_sbx
from teachrl.students.segments import (
    require_probabilities,
    rollout_segments,
    trajectory_segment,
)
from teachrl.students.task_slot import STUDENT_SIGNALS
from teachrl.students.trials import Trials
from teachrl.students.vec_env import TaughtVecEnv, find_taught

Array = NDArray[np.float64]

_CRITICS = {
    *{"PPO", "A2C", "SAC", "TD3", "DDPG", "DQN", "TQC", "MaskablePPO", "TRPO", "RecurrentPPO"}
}
_OF_THE_PAST = {"segments", "transitions", "rollouts"}  # the rest asks about observations
_TRIAL_ENVS = 16  # spare environments that candidates are tried out in
_SMOOTHING = 0.95  # λ of advantages, for students who have none of their own
_TRANSPARENT = (VecMonitor, VecNormalize, VecTransposeImage)


def require_signals(teacher: Teacher, algorithm: type[Any]) -> None:
    """Refuse a teacher that asks what students of this class cannot tell."""
    signals = teacher.needs & STUDENT_SIGNALS
    wanted = frozenset(teacher.needs & (STUDENT_SIGNALS | {"rollouts"}))
    for reason in _refusals(type(teacher).__name__, wanted, algorithm):
        raise ValueError(reason)
    if signals and not any(base.__name__ in _CRITICS for base in algorithm.__mro__):
        raise ValueError(
            f"{type(teacher).__name__} asks its student for {', '.join(sorted(signals))}, which "
            f"{algorithm.__name__} cannot tell: choose one of {', '.join(sorted(_CRITICS))}, or a "
            "teacher that learns from returns"
        )


def _refusals(name: str, signals: frozenset[str], algorithm: type[Any]) -> Iterator[str]:
    """Yield why students of this class do not do, whose critic would."""
    student, is_on_policy = algorithm.__name__, issubclass(algorithm, OnPolicyAlgorithm)
    if signals - _OF_THE_PAST and "Recurrent" in student:
        yield (
            f"{name} asks its student about single observations, which mean nothing to {student} "
            "without those before: choose PPO"
        )
    if "probabilities" in signals and not is_on_policy:
        yield (
            f"{name} asks its student how likely each action is, which {student} cannot tell: "
            "choose PPO or A2C, or a score of the critic's"
        )
    if is_sbx(algorithm) and signals & _judged_by(algorithm):
        yield (
            f"{name} asks its student's critic for estimates, which those of SBX do not give: "
            f"choose Stable-Baselines3's own {student}"
        )
    if "rollouts" in signals and not is_on_policy:
        yield (
            f"{name} repeats a task until a rollout ends, and those of {student} end after a few "
            'steps: choose PPO or A2C, or let the teacher sample anew (PLR: on_done="resample")'
        )
    if "success_rates" in signals and issubclass(algorithm, TD3):
        yield (
            f"{name} asks how often its student succeeds on the same task and seed, which "
            f"{student}, whose policy draws nothing, does always or never: choose PPO, A2C, SAC, "
            "TQC or DQN"
        )


def _judged_by(algorithm: type[Any]) -> set[str]:
    """Return the signals for which the critic is asked; a rollout has its values already."""
    return {"values"} if issubclass(algorithm, OnPolicyAlgorithm) else {"values", "segments"}


class StudentRollout:
    """A student's values, actions and steps, for its teacher; asks nothing of it before needed."""

    def __init__(self, model: BaseAlgorithm) -> None:
        self.model = model
        env: Any = model.get_env()
        self.taught: TaughtVecEnv = find_taught(env)
        self.taught.is_attended = True
        if self.taught.teacher.needs & STUDENT_SIGNALS:
            self._require_plain(env)
        if "probabilities" in self.taught.teacher.needs:
            require_probabilities(model)
        self._on_policy = isinstance(model, OnPolicyAlgorithm)
        if self._on_policy:  # whose buffer holds all that is needed
            self.taught.trajectories.wanted = False
            n_steps: int = model.n_steps  # type: ignore[attr-defined]
            self._earned: deque[tuple[Array, Array]] = deque(maxlen=n_steps)
        else:  # nobody cuts a rollout into its episodes
            self.taught.trajectories.asked = False
        if "success_rates" in self.taught.teacher.needs and getattr(model, "use_sde", False):
            raise ValueError(
                f"{type(self.taught.teacher).__name__} asks how often its student succeeds on the "
                f"same task and seed, which {type(model).__name__} with use_sde, whose noise stays "
                "the same for many steps, does always or never: choose use_sde=False"
            )
        self._normalizer = unwrap_vec_wrapper(env, VecNormalize)
        self._transposer = unwrap_vec_wrapper(env, VecTransposeImage)

    @property
    def steps(self) -> int:
        """Environment steps of the run so far."""
        return self.taught.steps

    @property
    def discount(self) -> float:
        """The student's discount factor."""
        return float(self.model.gamma)  # type: ignore[attr-defined]

    @property
    def antagonist(self) -> "StudentRollout":
        """The same of the second student."""
        if self.taught.companion is None:
            raise ValueError("nobody plays beside this student: needs lacks antagonist")
        rollout: StudentRollout = self.taught.companion.rollout
        return rollout

    def see(self, rewards: Any) -> None:
        """Take in what a step earned (n,) in the student's eyes, before it bootstraps."""
        if self._on_policy and (normalizer := self._reward_normalizer()):
            raw = normalizer.get_original_reward()
            self._earned.append((raw.astype(np.float64), np.array(rewards, np.float64)))

    def running(self) -> list[Mapping[str, Any]]:
        """Return the notes of tasks that anyone still plays, or will play again."""
        return [task.meta for task in self.taught.tasks_in_play()]

    def values(self, observations: Any) -> Array:
        """Return the critic's estimates (n,), in raw rewards even under ``VecNormalize``."""
        inputs, _ = self.model.policy.obs_to_tensor(self._prepared(observations))
        # SAC draws an action, which the run must not notice.
        with torch.no_grad(), undisturbed(self.model, self.steps):
            values = state_values(self.model, inputs).cpu().numpy().astype(np.float64).reshape(-1)
        if not np.isfinite(values).all():
            raise ValueError(
                f"the critic of {type(self.model).__name__} estimates values that are not finite: "
                "its training has diverged; lower its learning rate, or normalise rewards"
            )
        return np.asarray(values * self._reward_scale())

    def actions(self, observations: Any) -> NDArray[Any]:
        """Return what it would do, (n, …), without exploring."""
        return self.model.predict(self._prepared(observations), deterministic=True)[0]

    def normalize(self, observations: Any) -> Any:
        """Return observations as ``VecNormalize`` shows them to the student now."""
        return self._normalizer.normalize_obs(observations) if self._normalizer else observations

    def first_observations(self, params: Floats) -> Any:
        """Return the observation (n, …) that an episode of each task begins with."""
        return self.taught.spares.first_observations(params)

    def segments(self) -> list[Segment]:
        """Return the stretches of episodes of the last rollout, or the episodes that ended."""
        if self._on_policy:
            scale = self._reward_scale()
            return rollout_segments(self.model, self.taught, scale, self._misjudged(scale))
        discount, smoothing = self.discount, _SMOOTHING
        return [
            trajectory_segment(
                trajectory, self.values(trajectory.observations), discount, smoothing
            )
            for trajectory in self.taught.trajectories.take()
        ]

    def success_rates(
        self, params: Floats, seeds: NDArray[np.int64], episodes: int
    ) -> NDArray[np.float64]:
        """Return how often (n,) it succeeds on tasks (n, d) now; its steps are on the ledger."""
        slots = self.taught.spares.take(_TRIAL_ENVS)
        trials = Trials(slots, masked=takes_masks(self.model, slots[0]))
        seed = derive_seed(self.taught.assignments.seed, "trials", self.steps)
        with undisturbed(self.model, seed):
            rates, steps = trials.success_rates(self._explore, params, seeds, episodes)
        self.taught.ledger.evaluation += steps
        return rates

    def transitions(self) -> Transitions:
        """Return the steps that it played since the last call."""
        return self.taught.transitions.take()

    def _explore(self, observations: Any, **masks: Any) -> NDArray[Any]:
        """Return actions (n, …) as it draws them in training."""
        seen = self._prepared(observations)
        return self.model.predict(seen, deterministic=False, **masks)[0]

    def _prepared(self, observations: Any) -> Any:
        seen = self.normalize(observations)
        return self._transposer.transpose_observations(seen) if self._transposer else seen

    def _reward_scale(self) -> float:
        normalizer = self._reward_normalizer()
        if normalizer is None:
            return 1.0
        return float(np.sqrt(normalizer.ret_rms.var + normalizer.epsilon))

    def _reward_normalizer(self) -> VecNormalize | None:
        normalizer = self._normalizer
        return normalizer if normalizer is not None and normalizer.norm_reward else None

    def _misjudged(self, scale: float) -> Array | None:
        """Return by how much the rewards of a rollout (steps, n) are not ``scale`` times its own.

        ``VecNormalize`` divides each by the deviation of its moment, and cuts off what is extreme.
        """
        if self._reward_normalizer() is None:
            return None
        raw, seen = (np.array(part) for part in zip(*self._earned, strict=True))
        return np.asarray(raw - scale * seen)

    def _require_plain(self, env: Any) -> None:
        """Refuse wrappers that make of an observation more than one, and masks beside it."""
        if "actions" in self.taught.teacher.needs and takes_masks(self.model, self.taught):
            raise ValueError(
                f"{type(self.taught.teacher).__name__} asks what its student would do after "
                f"observations of the past, and {type(self.model).__name__} has to know which "
                "actions were legal then, while action_masks of the environment says which are "
                "now: choose a student without masks, such as PPO, or another teacher"
            )
        while env is not self.taught:
            if not isinstance(env, _TRANSPARENT):
                raise ValueError(
                    f"{type(self.taught.teacher).__name__} asks the student about single "
                    f"observations, which {type(env).__name__} changes: leave it out"
                )
            env = env.venv


def state_values(model: Any, observations: Any) -> Any:
    """Return V(s) (n,) of any of SB3's students, in the scale that it learns in."""
    if isinstance(model, OnPolicyAlgorithm):
        return model.policy.predict_values(observations)
    if isinstance(model, DQN):
        return model.q_net(observations).max(dim=1).values
    if isinstance(model, TD3):  # and DDPG
        actions = model.actor(observations)
        return torch.cat(model.critic(observations, actions), dim=1).min(dim=1).values
    actions, log_probability = model.actor.action_log_prob(observations)
    entropy = -_temperature(model) * log_probability.reshape(-1)
    if isinstance(model, SAC):
        q_values = torch.cat(model.critic(observations, actions), dim=1).min(dim=1).values
    else:  # TQC: critics of quantiles, (n, critics, quantiles)
        q_values = model.critic(observations, actions).mean(dim=(1, 2))
    return q_values + entropy


def _temperature(model: Any) -> float:
    if model.log_ent_coef is not None:
        return float(model.log_ent_coef.detach().exp())
    return float(model.ent_coef_tensor)
