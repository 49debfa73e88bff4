"""A student that learns from feedback on its actions (COACH, MacGlashan et al., 2017)."""

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecNormalize, unwrap_vec_wrapper

from teachrl.students.experts import rows_of
from teachrl.students.feedback import Feedback, Step
from teachrl.students.vec_env import TaughtVecEnv, find_taught

Array = NDArray[np.float64]


class COACH(BaseCallback):
    """Moves the policy of a PPO or A2C student by what a trainer says (arXiv 1701.06049).

    Feedback stands where a policy gradient has the advantage. After every step of an environment,

    ``trace = decay * trace + ∇ log π(a | s)`` and ``θ = θ + learning_rate * feedback * trace``,

    where the gradient is that of the step ``delay`` steps ago, at the policy of now. Several decays
    make several traces, between which each piece of feedback chooses. As published, traces go on
    over the end of an episode. Every environment has traces of its own.

    The student's own training is left out, reward and critic play no part; all else, such as
    saving, evaluating and teaching, is as with any student. Logs ``coach/feedback``, the mean of
    what was said, and ``coach/share``, of steps about which something was.

    Args:
        feedback: the trainer, as in :mod:`teachrl.students.feedback`.
        learning_rate: of plain gradient ascent. The authors take 0.05, for linear policies.
        delay: steps that the trainer takes to react; for a person 0.2 to 0.8 seconds.
        decays: of the traces, in [0, 1].

    >>> from teachrl.students.feedback import CriticTrainer
    >>> trainer = CriticTrainer(lambda seen, actions: actions == (seen[:, 2] + seen[:, 3] > 0))
    >>> student = A2C("MlpPolicy", "CartPole-v1", seed=0, device="cpu")
    >>> _ = student.learn(100, callback=COACH(trainer, decays=(0.5,)))
    """

    def __init__(
        self,
        feedback: Feedback,
        *,
        learning_rate: float = 0.01,
        delay: int = 0,
        decays: tuple[float, ...] = (0.95,),
    ) -> None:
        super().__init__()
        if not (np.isfinite(learning_rate) and learning_rate > 0):
            raise ValueError(f"a learning rate is positive, got {learning_rate}")
        if isinstance(delay, bool) or int(delay) != delay or delay < 0:
            raise ValueError(f"delay must be a number of steps from 0 on, got {delay!r}")
        if not decays or not all(0 <= decay <= 1 for decay in decays):
            raise ValueError(f"expected one decay or more in [0, 1], got {decays}")
        self.feedback, self.learning_rate, self.delay = feedback, learning_rate, int(delay)
        self.decays = np.array(decays, np.float64)
        self._saved: Mapping[str, Any] | None = None
        self._said: list[Array] = []  # in this rollout

    def state(self) -> dict[str, Any]:
        """Return traces, steps that nobody has said anything about yet, and the trainer's state."""
        trainer: Any = self.feedback
        return {
            "traces": self._traces.numpy().copy(),
            "pending": [[list(step) for step in steps] for steps in self._pending],
            "starts": self._starts.copy(),
            "lengths": self._lengths.copy(),
            "feedback": trainer.state() if hasattr(trainer, "state") else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`, when training begins."""
        self._saved = state

    def weight(self, length: int) -> float:  # noqa: ARG002 - of E-COACH alone
        """Return how much feedback counts after ``length`` steps of an episode."""
        return 1.0

    def begin_episode(self, i: int) -> None:
        """Take in that environment ``i`` begins an episode."""

    def _on_training_start(self) -> None:
        model: Any = self.model
        _require_plain(model)
        n = model.n_envs
        self._taught = _taught(self.training_env)
        self._normalizer = unwrap_vec_wrapper(self.training_env, VecNormalize)
        self._parameters = [p for p in model.policy.parameters() if p.requires_grad]
        size = sum(p.numel() for p in self._parameters)
        self._traces = torch.zeros((n, len(self.decays), size))
        self._pending: list[deque[Any]] = [deque() for _ in range(n)]
        self._starts = np.ones(n, bool)
        self._lengths = np.zeros(n, np.int64)  # of the running episodes
        self._seen = self._raw(model._last_obs)
        if self._saved is not None:
            self._go_on(self._saved)
            self._saved = None

    def _on_step(self) -> bool:
        said = self._listen()
        self._said.append(said)
        learnable = np.ones(len(said), bool) if self._taught is None else self._taught.learnable
        change = torch.zeros(self._traces.shape[2])
        for i in range(len(said)):
            if self._starts[i]:
                self._lengths[i] = 0
                self.begin_episode(i)
            if learnable[i]:
                self._follow(i)
                weights = self.weight(int(self._lengths[i])) * torch.as_tensor(said[i])
                change += (weights[:, None] * self._traces[i]).sum(dim=0).float()
            self._lengths[i] += 1
        if said.any():
            self._move(self.learning_rate * change)
        self._starts = np.array(self.locals["dones"], bool)
        self._seen = self._raw(self.locals["new_obs"])
        return True

    def _on_rollout_end(self) -> None:
        said = np.stack(self._said)
        self.logger.record("coach/feedback", float(said.sum() / max(1, np.count_nonzero(said))))
        self.logger.record("coach/share", float((said != 0).any(axis=2).mean()))
        if self._taught is not None:
            self._taught.ledger.gradient_samples += int((said != 0).any(axis=2).sum())
        self._said.clear()
        # Gone once it is called, so that no file ever has it.
        self.model.train = lambda: vars(self.model).pop("train")  # type: ignore[attr-defined]

    def _listen(self) -> Array:
        """Return what the trainer says now, (n, traces)."""
        model: Any = self.model
        with torch.no_grad():
            policy = model.policy.get_distribution(self.locals["obs_tensor"])
        played = np.asarray(self.locals["clipped_actions"])
        said = np.asarray(
            self.feedback(Step(self._seen, played, policy, model.action_space)), np.float64
        )
        n, k = self._traces.shape[:2]
        shapes = [(n, k)] + ([(n,)] if k == 1 else [])
        if said.shape not in shapes or not np.isfinite(said).all():
            raise ValueError(f"expected finite feedback of shape {shapes[-1]}, got {said}")
        return said.reshape(n, k)

    def _follow(self, i: int) -> None:
        """Add the step that feedback is about now to the traces of environment ``i``."""
        seen = rows_of(self.locals["obs_tensor"], slice(i, i + 1))
        seen = {k: v.numpy() for k, v in seen.items()} if isinstance(seen, dict) else seen.numpy()
        self._pending[i].append((seen, np.array(self.locals["actions"][i : i + 1])))
        if len(self._pending[i]) > self.delay:
            decays = torch.as_tensor(self.decays, dtype=torch.float32)
            gradient = self._gradient(*self._pending[i].popleft())
            self._traces[i] = decays[:, None] * self._traces[i] + gradient

    def _gradient(self, seen: Any, action: NDArray[Any]) -> torch.Tensor:
        """Return the gradient of log π(a | s) at the present policy."""
        model: Any = self.model
        if isinstance(seen, dict):
            inputs: Any = {key: torch.as_tensor(value) for key, value in seen.items()}
        else:
            inputs = torch.as_tensor(seen)
        distribution = model.policy.get_distribution(inputs)
        log_probability = distribution.log_prob(torch.as_tensor(action)).sum()
        gradients = torch.autograd.grad(log_probability, self._parameters, allow_unused=True)
        pairs = zip(self._parameters, gradients, strict=True)
        return torch.cat([(torch.zeros_like(p) if g is None else g).reshape(-1) for p, g in pairs])

    def _move(self, change: torch.Tensor) -> None:
        """Move the policy."""
        if not torch.isfinite(change).all():
            raise ValueError(
                "feedback would move the policy beyond all bounds: lower the learning rate "
                f"({self.learning_rate}) or the decays ({self.decays.tolist()})"
            )
        parts = torch.split(change, [p.numel() for p in self._parameters])
        with torch.no_grad():
            for parameter, part in zip(self._parameters, parts, strict=True):
                parameter.add_(part.view_as(parameter))

    def _go_on(self, saved: Mapping[str, Any]) -> None:
        self._traces = torch.as_tensor(np.array(saved["traces"]))
        self._pending = [deque(tuple(step) for step in steps) for steps in saved["pending"]]
        self._starts = np.array(saved["starts"], bool)
        self._lengths = np.array(saved["lengths"], np.int64)
        if saved["feedback"] is not None:
            trainer: Any = self.feedback
            trainer.restore(saved["feedback"])

    def _raw(self, observations: Any) -> Any:
        """Return the observations of the last step as the environments gave them."""
        if self._normalizer is not None:
            observations = self._normalizer.get_original_obs()
        if isinstance(observations, dict):
            return {key: np.array(value) for key, value in observations.items()}
        return np.array(observations)


class EpisodicCOACH(COACH):
    """E-COACH (Shah et al., 2021, arXiv 2109.07054): with a discount, and traces of one episode.

    Feedback at step t of an episode counts ``discount ** t``, and traces do not decay, but begin
    anew with every episode. It converges whether a trainer's feedback is a reward, a verdict on the
    action or an advantage.

    Args:
        feedback: see :class:`COACH`.
        discount: γ.
        learning_rate: see :class:`COACH`.
        delay: see :class:`COACH`; what comes after the end of an episode is lost.
    """

    def __init__(
        self,
        feedback: Feedback,
        *,
        discount: float = 0.99,
        learning_rate: float = 0.01,
        delay: int = 0,
    ) -> None:
        super().__init__(feedback, learning_rate=learning_rate, delay=delay, decays=(1.0,))
        if not 0 < discount <= 1:
            raise ValueError(f"a discount is in (0, 1], got {discount}")
        self.discount = discount

    def weight(self, length: int) -> float:
        """Return the discount of step ``length``."""
        return float(self.discount**length)

    def begin_episode(self, i: int) -> None:
        """Forget the steps of the last episode."""
        self._traces[i] = 0.0
        self._pending[i].clear()


def _require_plain(model: Any) -> None:
    """Refuse students whose actions have no probability that depends on one observation."""
    if not isinstance(model, PPO | A2C) or model.use_sde:
        raise TypeError(
            f"COACH moves the policy of a PPO or A2C student without use_sde, got {model}: its "
            "hyper-parameters do not matter"
        )
    if model.device.type != "cpu":
        raise ValueError(
            f"COACH takes single steps, on a CPU: choose device='cpu' ({model.device})"
        )


def _taught(env: Any) -> TaughtVecEnv | None:
    try:
        return find_taught(env)
    except TypeError:
        return None
