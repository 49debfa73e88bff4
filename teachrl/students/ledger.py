"""The honest x-axis: every environment step and every gradient sample a run has paid for."""

from dataclasses import asdict, dataclass


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
