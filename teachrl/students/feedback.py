"""What a trainer says about single actions, for students that learn from that (COACH)."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3 import DQN
from stable_baselines3.common.distributions import Distribution

from teachrl.seeding import stream
from teachrl.students.experts import Expert, Experts

Array = NDArray[np.float64]
Quality = Callable[[Any, NDArray[Any]], Any]  # of observations (n, …) and actions (n, …): (n,)


class Step(NamedTuple):
    """What a trainer watches: one step of n environments."""

    observations: Any  # (n, …) that were acted on, as the environments gave them
    actions: NDArray[Any]  # (n, …) as they were played
    policy: Distribution  # SB3's, of all that the student might have done instead
    action_space: spaces.Space[Any]


class Feedback(Protocol):
    """A trainer, scripted or not.

    One that draws or remembers has ``state()`` and ``restore(state)`` too, arrays and JSON values,
    so that a run can go on.
    """

    def __call__(self, step: Step) -> Any:
        """Return what it says now, (n,), or (n, k) with a column for each of k traces; 0: nothing.

        That need not be about this step: trainers take time to react.
        """


class CriticTrainer:
    """A scripted trainer that praises what a known critic finds better than the student's usual.

    It says the sign of the advantage ``Q(s, a) - V(s)`` under the student's policy of the moment,
    on which human feedback depends as well (MacGlashan et al., 2017). ``V`` is the mean of ``Q``
    over the policy where actions are discrete, and ``Q`` of its most likely action where not.

    Args:
        quality: returns Q (n,) of raw observations (n, …) and actions (n, …).
        accuracy: probability that the sign is right.
        attention: probability that it says anything about a step.
        indifference: advantages not larger than this are passed over.
        seed: of what is drawn.

    >>> from stable_baselines3 import A2C
    >>> from teachrl.students.coach import COACH
    >>> upright = lambda seen, actions: actions == (seen[:, 2] + seen[:, 3] > 0)
    >>> student = A2C("MlpPolicy", "CartPole-v1", seed=0, device="cpu")
    >>> _ = student.learn(100, callback=COACH(CriticTrainer(upright, accuracy=0.9)))
    """

    def __init__(
        self,
        quality: Quality,
        *,
        accuracy: float = 1.0,
        attention: float = 1.0,
        indifference: float = 1e-6,
        seed: int = 0,
    ) -> None:
        if not (0 <= accuracy <= 1 and 0 <= attention <= 1):
            raise ValueError(
                f"accuracy and attention are probabilities, got {accuracy}, {attention}"
            )
        self.quality, self.accuracy, self.attention = quality, accuracy, attention
        self.indifference = indifference
        self._rng = stream(seed, "trainer")

    @classmethod
    def of(cls, expert: Any, **settings: Any) -> Self:
        """Return a trainer with the critic of a trained DQN, SAC, TQC, TD3 or DDPG.

        Args:
            expert: such a model, an :class:`~teachrl.students.experts.Expert` or a run.
            **settings: see the class.
        """
        [known] = Experts.of(expert).experts
        if not (isinstance(known.model, DQN) or hasattr(known.model, "critic")):
            raise TypeError(
                f"{type(known.model).__name__} has no critic of actions: choose an expert trained "
                "by DQN, SAC, TQC, TD3 or DDPG, or give a function"
            )
        return cls(lambda observations, actions: _quality(known, observations, actions), **settings)

    def __call__(self, step: Step) -> Array:
        """Return the sign of each advantage, (n,)."""
        chosen = self._asked(step.observations, step.actions)
        advantages = chosen - self._usual(step)
        signs = np.where(np.abs(advantages) > self.indifference, np.sign(advantages), 0.0)
        n = len(signs)
        if self.accuracy < 1:
            signs = np.where(self._rng.random(n) < self.accuracy, signs, -signs)
        if self.attention < 1:
            signs = np.where(self._rng.random(n) < self.attention, signs, 0.0)
        return signs

    def state(self) -> dict[str, Any]:
        """Return its generator."""
        return {"rng": self._rng.bit_generator.state}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        self._rng.bit_generator.state = state["rng"]

    def _usual(self, step: Step) -> Array:
        """Return what the student's policy is worth in each state, (n,)."""
        space = step.action_space
        if isinstance(space, spaces.Discrete):
            shares: Any = step.policy.distribution
            shares = shares.probs.detach().cpu().numpy().astype(np.float64)
            each = [
                self._asked(step.observations, np.full(len(shares), space.start + k))
                for k in range(int(space.n))
            ]
            return np.asarray((shares * np.stack(each, axis=1)).sum(axis=1))
        likeliest = step.policy.mode().detach().cpu().numpy()
        if isinstance(space, spaces.Box):
            likeliest = np.clip(likeliest, space.low, space.high)
        return self._asked(step.observations, likeliest)

    def _asked(self, observations: Any, actions: NDArray[Any]) -> Array:
        values = np.asarray(self.quality(observations, actions), np.float64)
        if values.shape != (len(actions),) or not np.isfinite(values).all():
            raise ValueError(f"expected finite qualities ({len(actions)},), got {values}")
        return values


class Delayed:
    """A trainer who says about a step what another would have said, but some steps later.

    Args:
        feedback: the other.
        steps: between an action and what is said about it.
    """

    def __init__(self, feedback: Feedback, steps: int) -> None:
        if steps < 0:
            raise ValueError(f"a reaction takes 0 steps or more, got {steps}")
        self.feedback, self.steps = feedback, steps
        self._waiting: deque[Array] = deque()

    def __call__(self, step: Step) -> Array:
        """Return what there was to say about the step so many steps ago."""
        self._waiting.append(np.asarray(self.feedback(step), np.float64))
        if len(self._waiting) > self.steps:
            return self._waiting.popleft()
        return np.zeros_like(self._waiting[0])

    def state(self) -> dict[str, Any]:
        """Return what has not been said yet."""
        other: Any = self.feedback
        inner = other.state() if hasattr(other, "state") else None
        return {"waiting": list(self._waiting), "feedback": inner}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        self._waiting = deque(np.array(each) for each in state["waiting"])
        if state["feedback"] is not None:
            other: Any = self.feedback
            other.restore(state["feedback"])


def _quality(expert: Expert, observations: Any, actions: NDArray[Any]) -> Array:
    """Return Q (n,) as the expert's critic sees it."""
    model, normalizer = expert.model, expert.normalizer
    seen = normalizer.normalize_obs(observations) if normalizer else observations
    with torch.no_grad():
        inputs, _ = model.policy.obs_to_tensor(seen)
        if isinstance(model, DQN):
            chosen = torch.as_tensor(np.asarray(actions, np.int64)).reshape(-1, 1)
            values = model.q_net(inputs).gather(1, chosen)[:, 0]
        else:
            scaled = torch.as_tensor(model.policy.scale_action(actions), dtype=torch.float32)
            values = model.critic(inputs, scaled)
            if isinstance(values, tuple):  # SAC, TD3, DDPG: one tensor of each critic
                values = torch.cat(values, dim=1).min(dim=1).values
            else:  # TQC: critics of quantiles, (n, critics, quantiles)
                values = values.mean(dim=(1, 2))
    return np.asarray(values.numpy(), np.float64)
