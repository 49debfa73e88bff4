"""How much there is to learn on a task, told from how a student's critic was surprised by it.

A score looks at one stretch of an episode, in raw rewards (see :class:`teachrl.rollouts.Segment`).
The formulas are those collected by Jiang et al. (2021, arXiv 2110.02439) and Rutherford et al.
(2024, arXiv 2408.15099).
"""

from collections.abc import Callable
from math import isfinite

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from teachrl.rollouts import Segment

Array = NDArray[np.float64]
Score = Callable[[Segment, float], float]


def positive_value_loss(segment: Segment, best_return: float) -> float:  # noqa: ARG001
    """Return the mean of positive advantages: where it went better than the critic thought."""
    return float(np.maximum(segment.advantages, 0.0).mean())


def l1_value_loss(segment: Segment, best_return: float) -> float:  # noqa: ARG001
    """Return the mean absolute advantage (Jiang et al., 2020, arXiv 2010.03934)."""
    return float(np.abs(segment.advantages).mean())


def signed_advantage(segment: Segment, best_return: float) -> float:  # noqa: ARG001
    """Return the mean advantage; it may be negative."""
    return float(segment.advantages.mean())


def one_step_td_error(segment: Segment, best_return: float) -> float:  # noqa: ARG001
    """Return the mean of |r + γ V(s') - V(s)|."""
    following = np.append(segment.values[1:], segment.next_value)
    errors = segment.rewards + segment.discount * following - segment.values
    return float(np.abs(errors).mean())


def max_monte_carlo(segment: Segment, best_return: float) -> float:
    """Return the mean of R_max - V(s), of the best return ever seen on this very task and seed.

    It may be negative, where the critic promises more than was ever reached: rank it.
    """
    return float((best_return - segment.values).mean())


def clamped_max_monte_carlo(segment: Segment, best_return: float) -> float:
    """Return the mean of max(R_max - V(s), 0)."""
    return float(np.maximum(best_return - segment.values, 0.0).mean())


def policy_entropy(segment: Segment, best_return: float) -> float:  # noqa: ARG001
    """Return the mean entropy of discrete actions, as a share of the most there can be."""
    parts = segment.probabilities()
    entropies = np.sum([entr(part).sum(axis=1) for part in parts], axis=0)
    return float(entropies.mean() / sum(np.log(part.shape[1]) for part in parts))


def least_confidence(segment: Segment, best_return: float) -> float:  # noqa: ARG001
    """Return the mean of 1 - max π(a|s) over discrete actions a."""
    likeliest = np.prod([part.max(axis=1) for part in segment.probabilities()], axis=0)
    return float((1.0 - likeliest).mean())


def learnability(success_rates: Array) -> Array:
    """Return p (1 - p) of success rates (n,): most where a student succeeds half of the time.

    A task on which no episode has ended has no rate; it counts as 0, and not as NaN, which would be
    sorted to the top.

    >>> learnability(np.array([0.0, 0.5, 1.0, np.nan])).tolist()
    [0.0, 0.25, 0.0, 0.0]
    """
    rates = np.nan_to_num(np.asarray(success_rates, np.float64), nan=0.0)
    if rates.size and not (rates.min() >= 0 and rates.max() <= 1):
        raise ValueError(f"success rates are between 0 and 1, got {success_rates}")
    return np.asarray(rates * (1.0 - rates))


SCORES: dict[str, Score] = {
    "positive-value-loss": positive_value_loss,
    "l1-value-loss": l1_value_loss,
    "signed-advantage": signed_advantage,
    "one-step-td-error": one_step_td_error,
    "max-monte-carlo": max_monte_carlo,
    "clamped-max-monte-carlo": clamped_max_monte_carlo,
    "policy-entropy": policy_entropy,
    "least-confidence": least_confidence,
}
MAY_BE_NEGATIVE = frozenset({"signed-advantage", "max-monte-carlo"})
NEEDS_BEST_RETURN = frozenset({"max-monte-carlo", "clamped-max-monte-carlo"})
_OF_ACTIONS = frozenset({"policy-entropy", "least-confidence"})


def signals_for(score: str) -> frozenset[str]:
    """Return what a student must tell for a score: see :attr:`teachrl.Teacher.needs`."""
    return frozenset({"segments"} | ({"probabilities"} if score in _OF_ACTIONS else set()))


class EpisodeScores:
    """Collects the scores of the stretches of each episode, until it is over.

    Stretches of one episode lie in different rollouts, under different policies. They are merged by
    their numbers of steps, or else the earlier ones are dropped, as the reference does.

    >>> scores = EpisodeScores()
    >>> scores.add(7, score=1.0, steps=30, is_complete=False)
    >>> scores.add(7, score=2.0, steps=10, is_complete=True)
    1.25
    """

    def __init__(self, merge: bool = True, memory: int = 1000) -> None:
        self.merge, self.memory = merge, memory
        self._partial: dict[int, tuple[float, int]] = {}  # by task id: sum and steps

    def add(self, task_id: int, score: float, steps: int, *, is_complete: bool) -> float | None:
        """Take in a stretch, and return the score of its episode if that is over.

        Raises:
            ValueError: the score is not finite.
        """
        if not isfinite(score):
            raise ValueError(f"the score of task {task_id} must be finite, got {score}")
        earlier = self._partial.pop(task_id, (0.0, 0))
        total, count = earlier if self.merge else (0.0, 0)
        total, count = total + score * steps, count + steps
        if is_complete:
            return total / count
        self._partial[task_id] = (total, count)
        while len(self._partial) > self.memory:  # episodes that never come back
            del self._partial[next(iter(self._partial))]
        return None

    def state(self) -> dict[str, list[float]]:
        """Return the stretches of unfinished episodes."""
        rows = [(task, total, count) for task, (total, count) in self._partial.items()]
        return {"partial": [float(x) for row in rows for x in row]}

    def restore(self, state: dict[str, list[float]]) -> None:
        """Continue from :meth:`state`."""
        flat = [float(x) for x in state["partial"]]
        rows = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
        self._partial = {int(task): (total, int(count)) for task, total, count in rows}
