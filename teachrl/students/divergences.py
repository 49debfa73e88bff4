"""How far a student's policy is from an expert's, in closed form, with gradients for the student.

Which form holds depends on the student: logits of a categorical policy (PPO, A2C, DQN), a diagonal
Gaussian (PPO, A2C; SAC and TQC before the common tanh, under which the divergence is the same), or
actions alone (TD3). An expert answers in the form its student asks for, or is refused.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from teachrl.students.refusals import is_sbx

Form = Literal["logits", "gaussian", "squashed", "actions"]
Divergence = Literal["fkl", "rkl", "jsd"]


class Answer(NamedTuple):
    """What a policy says about a batch of observations: tensors (n, …), by form.

    ``logits``: of each discrete action, one tensor per action; ``gaussian`` and ``squashed``: mean
    and logarithm of the standard deviation; ``actions``: in [-1, 1].
    """

    form: Form
    tensors: tuple[torch.Tensor, ...]

    def rows(self, index: Any) -> "Answer":
        """Return some rows."""
        return Answer(self.form, tuple(tensor[index] for tensor in self.tensors))

    def to(self, device: Any) -> "Answer":
        """Return the answer where a student is."""
        return Answer(self.form, tuple(tensor.to(device) for tensor in self.tensors))


def form_of(model: Any) -> Form:
    """Return the form in which a student is compared, or say why there is none."""
    _require_closed_form(model)
    if isinstance(model, PPO | A2C):  # not every on-policy one takes the steps of an optimiser
        return "gaussian" if isinstance(model.action_space, spaces.Box) else "logits"
    if isinstance(model, DQN):
        return "logits"
    if isinstance(model, TD3):
        return "actions"
    name = type(model).__name__
    if isinstance(model, SAC) or name == "TQC":
        return "squashed"
    raise TypeError(f"{name} cannot be kickstarted: expected PPO, A2C, SAC, TQC, TD3, DDPG or DQN")


def _require_closed_form(model: Any) -> None:
    name = type(model).__name__
    if is_sbx(type(model)):
        raise TypeError(
            f"{name} of SBX computes its loss in JAX, which no gradient of PyTorch can join: "
            "kickstart the class of the same name in Stable-Baselines3"
        )
    if getattr(model, "use_sde", False):
        raise ValueError(
            f"{name} with use_sde draws its noise from the state, so that its policy has no closed "
            "form to compare: choose use_sde=False"
        )
    if "Recurrent" in name:
        raise ValueError(f"{name} trains on sequences, which kickstarting does not see: choose PPO")
    if isinstance(model.action_space, spaces.MultiBinary):
        raise ValueError(f"{name} with MultiBinary actions cannot be kickstarted")


def answer(model: Any, form: Form, observations: Any) -> Answer:
    """Return what a policy says about observations (tensors), in the form that is asked for."""
    return Answer(form, _ANSWERS[form](model, observations))


def answer_of(model: Any, form: Form, distribution: Any) -> Answer:
    """Return a recurrent policy's answer from the distribution that it has just computed."""
    if form == "logits":
        return Answer(form, _distribution_logits(distribution))
    if form == "gaussian":
        return Answer(form, (distribution.mean, distribution.stddev.log()))
    raise _stranger(model, f"{form} parameters", "one of the same kind")


def divergence_of(kind: Divergence, temperature: float) -> Callable[[Answer, Answer], torch.Tensor]:
    """Return a function of expert's and student's answers that gives the divergence of each row.

    Args:
        kind: forward KL(expert || student), reverse KL(student || expert), or Jensen-Shannon.
        temperature: divides logits, of both; softer answers tell more of what is second best.
    """

    def measure(expert: Answer, student: Answer) -> torch.Tensor:
        if student.form == "actions":
            return _squared(expert, student)
        if student.form == "logits":
            return _categorical(kind, temperature, expert, student)
        return _gaussian(expert, student) if kind == "fkl" else _gaussian(student, expert)

    return measure


def require_sense(kind: Divergence, temperature: float, form: Form) -> None:
    """Refuse what has no closed form, or no meaning, for such a student."""
    if kind not in ("fkl", "rkl", "jsd"):
        raise ValueError(f"a divergence is fkl, rkl or jsd, got {kind!r}")
    if kind == "jsd" and form in ("gaussian", "squashed"):
        raise ValueError(
            "the Jensen-Shannon divergence of Gaussians has no closed form: choose fkl or rkl"
        )
    if not temperature > 0:
        raise ValueError(f"a temperature is positive, got {temperature}")
    if temperature != 1 and form != "logits":
        raise ValueError(f"a temperature softens logits, which a {form} student has none of")


def _logits(model: Any, observations: Any) -> tuple[torch.Tensor, ...]:
    if isinstance(model, DQN):
        return (model.q_net(observations),)
    if isinstance(model, OnPolicyAlgorithm):
        return _distribution_logits(model.policy.get_distribution(observations).distribution)
    raise _stranger(model, "logits", "PPO, A2C or DQN")


def _distribution_logits(distribution: Any) -> tuple[torch.Tensor, ...]:
    each = distribution if isinstance(distribution, list) else [distribution]
    return tuple(one.logits for one in each)


def _gaussian_parameters(model: Any, observations: Any) -> tuple[torch.Tensor, ...]:
    if not isinstance(model, OnPolicyAlgorithm):
        raise _stranger(model, "a Gaussian over unbounded actions", "PPO or A2C")
    if model.policy.squash_output:
        raise _stranger(model, "a Gaussian over unbounded actions", "one that does not squash them")
    normal: Any = model.policy.get_distribution(observations).distribution
    return normal.mean, normal.stddev.log()


def _squashed_parameters(model: Any, observations: Any) -> tuple[torch.Tensor, ...]:
    if not hasattr(model.policy, "actor") or isinstance(model, TD3):
        raise _stranger(model, "a squashed Gaussian", "SAC or TQC")
    actor = model.policy.actor
    mean, log_std, by_state = actor.get_action_dist_params(observations)
    if by_state:  # gSDE: the noise follows from the state
        normal = actor.action_dist.proba_distribution(mean, log_std, **by_state).distribution
        return normal.mean, normal.stddev.log()
    return mean, log_std


def _actions(model: Any, observations: Any) -> tuple[torch.Tensor, ...]:
    if isinstance(model, TD3):
        return (model.policy.actor(observations),)
    actions = model.policy._predict(observations, deterministic=True)
    if isinstance(model, OnPolicyAlgorithm):  # in the units of the space, and perhaps outside
        space: Any = model.action_space
        low, high = torch.as_tensor(space.low), torch.as_tensor(space.high)
        actions = 2 * (torch.clamp(actions, low, high) - low) / (high - low) - 1
    return (actions,)


_ANSWERS: dict[Form, Callable[[Any, Any], tuple[torch.Tensor, ...]]] = {
    "logits": _logits,
    "gaussian": _gaussian_parameters,
    "squashed": _squashed_parameters,
    "actions": _actions,
}


def _stranger(model: Any, form: str, others: str) -> ValueError:
    return ValueError(
        f"the student is compared by {form}, which an expert of class {type(model).__name__} does "
        f"not have: choose an expert trained by {others}"
    )


def _squared(expert: Answer, student: Answer) -> torch.Tensor:
    return ((student.tensors[0] - expert.tensors[0]) ** 2).mean(dim=1)


def _categorical(
    kind: Divergence, temperature: float, expert: Answer, student: Answer
) -> torch.Tensor:
    """Sum over the discrete actions, which are independent."""
    each = []
    for theirs, ours in zip(expert.tensors, student.tensors, strict=True):
        log_t = torch.log_softmax(theirs / temperature, dim=1)
        log_s = torch.log_softmax(ours / temperature, dim=1)
        if kind == "fkl":
            each.append(_kl(log_t, log_s))
        elif kind == "rkl":
            each.append(_kl(log_s, log_t))
        else:
            log_m = torch.logaddexp(log_t, log_s) - torch.log(torch.tensor(2.0))
            each.append(0.5 * _kl(log_t, log_m) + 0.5 * _kl(log_s, log_m))
    return torch.stack(each).sum(dim=0)


def _kl(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    return (log_p.exp() * (log_p - log_q)).sum(dim=1)


def _gaussian(first: Answer, second: Answer) -> torch.Tensor:
    """Return KL(first || second) of diagonal Gaussians."""
    (mean_1, log_1), (mean_2, log_2) = first.tensors, second.tensors
    spread = (2 * (log_1 - log_2)).exp() + ((mean_1 - mean_2) / log_2.exp()) ** 2
    return (log_2 - log_1 + 0.5 * (spread - 1)).sum(dim=1)
