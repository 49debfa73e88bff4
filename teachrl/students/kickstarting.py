"""A student that listens to an expert while it learns (Schmitt et al., 2018, arXiv 1803.03835)."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import (
    VecNormalize,
    VecTransposeImage,
    unwrap_vec_wrapper,
)

from teachrl.students.action_masks import takes_masks
from teachrl.students.divergences import (
    Divergence,
    answer,
    divergence_of,
    form_of,
    require_sense,
)
from teachrl.students.expert_answers import Answers, ReplayedAnswers, RolloutAnswers
from teachrl.students.experts import Experts
from teachrl.students.kickstart_weights import Moment, ReturnRatio, Weight
from teachrl.students.loss_seam import LossSeam
from teachrl.students.vec_env import TaughtVecEnv

_RECENT = 100  # episodes, as SB3's own mean


class Kickstart(BaseCallback):
    """Adds ``weight * divergence(expert, student)`` to a student's own loss, on its own states.

    For PPO, A2C, SAC, TQC, TD3, DDPG and DQN, whose training loops stay as they are: the gradient
    joins theirs in the ``zero_grad`` before ``backward``, hence before the clipping where there is
    one, as if the term stood in their loss. The student's entropy bonus stays on. Between two
    trainings nothing of this is left on the model, so that it can be saved at any time. With a
    weight of 0 the student trains as without.

    Args:
        experts: a trained model, an :class:`Expert`, a :class:`teachrl.runs.Run`, or
            :class:`Experts` for different tasks.
        divergence: ``fkl`` (expert to student, as published), ``rkl`` or ``jsd``.
        weight: a schedule from :mod:`teachrl.students.kickstart_weights`, or a constant.
        temperature: divides logits.
        max_grad_norm: clips this gradient by itself, and adds it after the student's own clipping;
            None: both are clipped together.

    >>> from stable_baselines3 import PPO
    >>> expert = PPO("MlpPolicy", "CartPole-v1", device="cpu")
    >>> student = PPO("MlpPolicy", "CartPole-v1", device="cpu", n_steps=64, batch_size=64)
    >>> _ = student.learn(64, callback=Kickstart(expert, weight=1.0))
    """

    def __init__(
        self,
        experts: Any,
        divergence: Divergence = "fkl",
        weight: Weight | float | None = None,
        temperature: float = 1.0,
        max_grad_norm: float | None = None,
    ) -> None:
        super().__init__()
        if max_grad_norm is not None and not max_grad_norm > 0:
            raise ValueError(f"max_grad_norm must be None or positive, got {max_grad_norm}")
        self.experts = Experts.of(experts)
        self.divergence: Divergence = divergence
        self.temperature, self.max_grad_norm = temperature, max_grad_norm
        self.weight = _weight(weight)
        self._now = 0.0  # the weight of the coming training
        self._seam: LossSeam | None = None
        self._answers: Answers | None = None
        self._train: Callable[..., None] | None = None  # ours, for one call
        self._own_train: Callable[..., None] | None = None  # the model's, if it has one to itself
        self._measured: list[float] = []
        self._saved: Mapping[str, Any] | None = None

    def _init_callback(self) -> None:
        model: Any = self.model
        self.form = form_of(model)
        require_sense(self.divergence, self.temperature, self.form)
        env = model.get_env()
        self._taught = _taught_in(env)
        self._normalizer = unwrap_vec_wrapper(env, VecNormalize)
        self._require_raw_observations(env)
        for expert in self.experts.experts:
            expert.require_spaces(env.observation_space, model.action_space)
            if takes_masks(expert.model, env):
                raise ValueError(
                    f"{type(expert.model).__name__} chooses among legal actions, and what it says "
                    "about others, which the student is drawn to as well, it never learnt: choose "
                    "an expert without action_masks, such as PPO"
                )
        if self._taught is None and not self.experts.know_all:
            raise ValueError(
                "which expert is asked depends on the task, and these environments name none: "
                "train with teach(), or on a TaughtVecEnv, or give one expert"
            )
        self._measure = divergence_of(self.divergence, self.temperature)
        if self._answers is None or self._answers.model is not model:
            kind = RolloutAnswers if isinstance(model, OnPolicyAlgorithm) else ReplayedAnswers
            self._answers = kind(self.experts, self.form, model)

    def state(self) -> dict[str, Any]:
        """Return what is known of stored steps, memories of recurrent experts, and the weight's."""
        weight: Any = self.weight
        own = {"weight": weight.state()} if hasattr(weight, "state") else {}
        return self._asked.state() | own

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`, when training begins."""
        self._saved = state
        weight: Any = self.weight
        if "weight" in state:
            weight.restore(state["weight"])

    def _on_training_start(self) -> None:
        self._asked.begin(self._raw_observations(self.model._last_obs), self._taught)
        if self._saved is not None:
            self._asked.restore(self._saved)
            self._saved = None

    def _on_rollout_start(self) -> None:
        self._remove()
        self._asked.clear()

    def _on_step(self) -> bool:
        self._asked.step(self._raw_observations(self.locals["new_obs"]), self.locals["dones"])
        return True

    def _on_rollout_end(self) -> None:
        self._now = self._checked_weight()
        self.logger.record("kickstart/weight", self._now)
        if self._measured:
            self.logger.record("kickstart/divergence", float(np.mean(self._measured)))
            self._measured.clear()
        if self._now > 0 and self._asked.is_training_next():
            self._asked.prepare()
            self._install()

    def _on_training_end(self) -> None:
        self._remove()

    def _install(self) -> None:
        """Join the student's next call of ``train``, and leave with it, however it ends."""
        model: Any = self.model
        self._seam = LossSeam(_optimizer(model), self._loss, self.max_grad_norm)
        self._asked.install()
        own, stock = vars(model).get("train"), model.train

        def train(*arguments: Any, **options: Any) -> None:
            self._give_train_back()
            try:
                stock(*arguments, **options)
            finally:
                self._remove()

        self._train, self._own_train = train, own
        model.train = train

    def _give_train_back(self) -> None:
        model = vars(self.model)
        if model.get("train") is not self._train:
            return
        if self._own_train is None:
            del model["train"]  # the class's own shows again
        else:
            model["train"] = self._own_train

    def _remove(self) -> None:
        """Leave the model as Stable-Baselines3 made it."""
        if self._seam is not None:
            self._seam.remove()
            self._asked.remove()
            self._give_train_back()
            self._seam = None

    @property
    def _asked(self) -> Answers:
        if self._answers is None:
            raise RuntimeError("kickstarting begins with model.learn(..., callback=Kickstart(...))")
        return self._answers

    def _loss(self) -> torch.Tensor | None:
        """Return the weighted divergence on the minibatch at hand."""
        batch = self._asked.minibatch()
        if batch is None:
            return None
        observations, expert, known = batch
        student = answer(self.model, self.form, observations)
        known = known.to(self.model.device)
        each = self._measure(expert.to(self.model.device), student)
        loss = (each * known).sum() / len(known)
        self._measured.append(float(loss.detach()))
        return self._now * loss

    def _checked_weight(self) -> float:
        value = float(self.weight(self._moment()))
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"a kickstarting weight is finite and not negative, got {value}")
        return value

    def _moment(self) -> Moment:
        """Return how far the student is, beside its experts."""
        if self._taught is None:
            student = self._mean_return()
            return Moment(self.num_timesteps, student, self.experts.expected_return, None)
        lowest = self._taught.teacher.reward_range[0]
        student, expert = self._on_recent_tasks(self._taught)
        return Moment(self.num_timesteps, student, expert, lowest)

    def _mean_return(self) -> float | None:
        episodes: Any = self.model.ep_info_buffer
        return float(np.mean([e["r"] for e in episodes])) if episodes else None

    def _on_recent_tasks(self, taught: TaughtVecEnv) -> tuple[float | None, float | None]:
        """Return the mean returns of the student, and of experts on tasks like its last ones.

        A curriculum gives other tasks than an expert was measured on, so that the mean of one
        says little beside the mean of the other.
        """
        episodes = taught.episodes
        if not len(episodes):
            return None, self.experts.expected_return
        recent = slice(max(0, len(episodes) - _RECENT), None)
        expected = self.experts.returns_on(episodes.space, episodes.params[recent])
        if expected is None:
            return self._mean_return(), self.experts.expected_return
        known = np.isfinite(expected)
        if not known.any():
            return None, self.experts.expected_return
        return float(episodes["r"][recent][known].mean()), float(expected[known].mean())

    def _require_raw_observations(self, env: Any) -> None:
        """Refuse wrappers through which an expert would not see what the student sees."""
        normalizer = self._normalizer
        if isinstance(env, VecTransposeImage):  # SB3's own, which experts do for themselves
            env = env.venv
        if normalizer is not None and normalizer.observation_space != env.observation_space:
            raise ValueError(
                f"a wrapper outside of VecNormalize makes {env.observation_space} of its "
                f"{normalizer.observation_space}, and experts normalise by themselves: let "
                "VecNormalize be the outermost one"
            )

    def _raw_observations(self, observations: Any) -> Any:
        """Return the observations of the last step as the environment gave them."""
        if self._normalizer is None:
            return observations
        return self._normalizer.get_original_obs()


def _optimizer(model: Any) -> torch.optim.Optimizer:
    """Return the optimiser that moves the policy, rather than the critics alone."""
    actor = getattr(model.policy, "actor", None)
    return cast(torch.optim.Optimizer, (model.policy if actor is None else actor).optimizer)


def _weight(given: Weight | float | None) -> Weight:
    if given is None:
        return ReturnRatio()
    if isinstance(given, int | float):
        value = float(given)
        return lambda _: value
    return given


def _taught_in(env: Any) -> TaughtVecEnv | None:
    """Return the taught environment inside, if there is one; kickstarting does without, too."""
    while env is not None and not isinstance(env, TaughtVecEnv):
        env = vars(env).get("venv")
    return env
