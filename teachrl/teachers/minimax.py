"""Designs on which the student does badly: the minimax adversary of arXiv 2012.02096."""

from dataclasses import dataclass

from teachrl.teachers.designing import DesigningTeacher, Returns


@dataclass(kw_only=True)
class Minimax(DesigningTeacher):
    """Lets a designer propose tasks on which the student's best return is lowest.

    It ends at tasks that nobody can do, wherever there are any: a baseline for ``PAIRED``, whose
    antagonist must be able to do them (Dennis et al., 2020).

    >>> from teachrl import TaskSpace
    >>> from teachrl.seeding import stream
    >>> teacher = Minimax(designer="cross-entropy")
    >>> teacher = teacher.start(TaskSpace(height=(0, 3)), stream(0, "teacher"))
    >>> teacher.sample().origin, teacher.judge({"student": [0.2, 0.4]})
    ('design', -0.4)
    """

    def judge(self, returns: Returns) -> float | None:
        """Return minus the best return, None unless the student has finished the design."""
        return -max(returns["student"]) if returns.get("student") else None
