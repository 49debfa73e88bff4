"""The honest x-axis: every environment step and every gradient sample a run has paid for."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class StepLedger:
    """Counts environment steps by purpose, and samples that went through a gradient.

    >>> ledger = StepLedger(train=100, evaluation=40)
    >>> ledger.env_steps
    140
    """

    train: int = 0  # played by the student, and learnt from
    explore: int = 0  # played by the student, not learnt from (``Task.learn=False``)
    evaluation: int = 0  # played on a test set
    antagonist: int = 0  # played by a second student
    expert: int = 0  # played for snapshots: by an expert once, and when a snapshot is replayed
    gradient_samples: int = 0  # transitions that went through a gradient step, with repetition

    @property
    def env_steps(self) -> int:
        """All environment steps, whatever for."""
        return self.train + self.explore + self.evaluation + self.antagonist + self.expert

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self) | {"env_steps": self.env_steps}


class GradientMeter:
    """Counts the samples that go through a gradient in one training of a student.

    It goes by Stable-Baselines3's count of updates. Where ``target_kl`` may cut an epoch short,
    which is counted as a whole one there, it goes by the steps of the optimiser.

    Args:
        model: the student, before its training.
        sizes: of the minibatches that make up one update.
    """

    def __init__(self, model: Any, sizes: Sequence[int]) -> None:
        self._model, self._sizes, self._updates, self._steps = model, sizes, model._n_updates, 0
        may_stop = sizes and getattr(model, "target_kl", None) is not None
        optimizer = getattr(model.policy, "optimizer", None) if may_stop else None
        self._hook = optimizer.register_step_post_hook(self._step) if optimizer else None

    def close(self) -> int:
        """Leave the student as it was, and return how many samples it has taken in."""
        samples: int = (self._model._n_updates - self._updates) * sum(self._sizes)
        if self._hook is None:
            return samples
        self._hook.remove()
        epochs, rest = divmod(self._steps, len(self._sizes))
        # TRPO's optimiser goes over a rollout many times for the critic, in one update.
        return min(samples, epochs * sum(self._sizes) + sum(self._sizes[:rest]))

    def _step(self, *_: Any) -> None:
        self._steps += 1
