"""PAIRED: designs on which a second student does better (Dennis et al., 2020, arXiv 2012.02096)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np

from teachrl.teachers.designing import DesigningTeacher, Returns
from teachrl.teachers.hyperparameters import require_choice

RegretName = Literal["basic", "flexible", "unclipped"]


@dataclass(kw_only=True)
class PAIRED(DesigningTeacher):
    """Lets a designer propose what the antagonist can do and the protagonist, the student, cannot.

    Both play the same tasks with the same seeds, equally many steps, and learn from them; the
    designer is rewarded by the regret, the best return of the antagonist minus the mean return of
    the protagonist. ``flexible``: whoever did best on a task counts as the antagonist there.

    Regret over one task per update is noise: give it at least two environments, better 16.

    >>> from teachrl import TaskSpace
    >>> from teachrl.seeding import stream
    >>> teacher = PAIRED(designer="cross-entropy")
    >>> teacher = teacher.start(TaskSpace(height=(0, 3)), stream(0, "teacher"))
    >>> teacher.sample().origin, teacher.judge({"student": [0.2, 0.4], "antagonist": [0.9, 0.1]})
    ('design', 0.6...)
    """

    needs: ClassVar[frozenset[str]] = frozenset({"repeats", "antagonist"})
    worth: ClassVar[str] = "regret"

    regret: RegretName = "basic"

    def judge(self, returns: Returns) -> float | None:
        """Return the regret on a design, None unless both students have finished it."""
        if not (returns.get("student") and returns.get("antagonist")):
            return None
        return REGRETS[self.regret](returns["student"], returns["antagonist"])

    def _require_sense(self) -> None:
        super()._require_sense()
        require_choice(self, "regret", get_args(RegretName))


def unclipped_regret(protagonist: Sequence[float], antagonist: Sequence[float]) -> float:
    """Return the best return of the antagonist minus the mean of the protagonist."""
    return float(np.max(antagonist) - np.mean(protagonist))


def basic_regret(protagonist: Sequence[float], antagonist: Sequence[float]) -> float:
    """Return the same, and 0 where the protagonist did better."""
    return max(0.0, unclipped_regret(protagonist, antagonist))


def flexible_regret(protagonist: Sequence[float], antagonist: Sequence[float]) -> float:
    """Return the regret of the student with the lower best return towards the other one."""
    if np.max(protagonist) > np.max(antagonist):
        protagonist, antagonist = antagonist, protagonist
    return basic_regret(protagonist, antagonist)


REGRETS: dict[str, Callable[[Sequence[float], Sequence[float]], float]] = {
    "basic": basic_regret,
    "flexible": flexible_regret,
    "unclipped": unclipped_regret,
}
