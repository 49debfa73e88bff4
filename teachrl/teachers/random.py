"""Uniformly random tasks, also known as domain randomisation: what every teacher must beat."""

from dataclasses import dataclass

from teachrl.core import Task, Teacher


@dataclass(kw_only=True)
class Random(Teacher):
    """Samples every task uniformly, and learns nothing.

    >>> from teachrl import TaskSpace
    >>> from teachrl.seeding import stream
    >>> teacher = Random().start(TaskSpace(gravity=(-12, -1)), stream(0, "teacher"))
    >>> teacher.sample().params.round(1)
    array([...], dtype=float32)
    """

    def sample(self) -> Task:
        """Draw a task uniformly in unit coordinates."""
        return Task(self.space.uniform(self.rng))
