"""How much there is to learn on a task, told from how a student's critic was surprised by it.

A score looks at one stretch of an episode, in raw rewards (see :class:`teachrl.rollouts.Segment`).
The formulas are those collected by Jiang et al. (2021, arXiv 2110.02439) and Rutherford et al.
(2024, arXiv 2408.15099).
"""

from collections.abc import Callable, Set

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

    It may be negative, where the critic promises more than was ever reached: rank it. In a buffer
    with a least distance, R_max is that of all the near tasks whose place this one has taken.
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


def pieces_of(score: str, segment: Segment) -> Array:
    """Return what a score needs of a stretch once its rollout is gone: (k, 2), values and steps.

    That is one row; but where R_max - V(s) is clamped, one for every V(s), since R_max is known
    when the episode is over.

    Raises:
        ValueError: a value is not finite.
    """
    if score == "clamped-max-monte-carlo":
        pieces = np.stack([-segment.values, np.ones(len(segment))], axis=1)
    else:
        pieces = np.array([[SCORES[score](segment, 0.0), len(segment)]])
    if not np.isfinite(pieces).all():
        bad = pieces[~np.isfinite(pieces)][0]
        raise ValueError(f"the score of task {segment.task_id} must be finite, got {bad}")
    return pieces


def score_of(score: str, pieces: Array, best_return: float) -> float:
    """Return the score of all the pieces (k, 2), merged by their steps."""
    values, steps = pieces.T
    if score in NEEDS_BEST_RETURN:
        values = best_return + values
    if score == "clamped-max-monte-carlo":
        values = np.maximum(values, 0.0)
    return float((values * steps).sum() / steps.sum())


class EpisodeScores:
    """Collects what the score needs of the stretches of each episode, until it is over.

    Stretches of one episode lie in different rollouts, under different policies. They are merged by
    their numbers of steps, or else the earlier ones are dropped, as the reference does.
    """

    def __init__(self, score: str, merge: bool = True) -> None:
        self.score, self.merge = score, merge
        self._partial: dict[int, Array] = {}  # by task id: pieces (k, 2)

    def add(self, segment: Segment) -> Array | None:
        """Take in a stretch, and return the pieces of its episode, for :func:`score_of`, if over.

        Raises:
            ValueError: a value is not finite.
        """
        pieces, earlier = pieces_of(self.score, segment), self._partial.pop(segment.task_id, None)
        if self.merge and earlier is not None:
            pieces = np.concatenate([earlier, pieces])
        if segment.is_complete:
            return pieces
        self._partial[segment.task_id] = pieces
        return None

    def forget_others(self, running: Set[int]) -> None:
        """Forget the stretches of all but these tasks: of episodes that will never end."""
        self._partial = {task: kept for task, kept in self._partial.items() if task in running}

    def state(self) -> dict[str, Array]:
        """Return the stretches of unfinished episodes: rows of task id, value and steps."""
        rows = [np.insert(pieces, 0, task, axis=1) for task, pieces in self._partial.items()]
        return {"partial": np.concatenate([np.zeros((0, 3)), *rows])}

    def restore(self, state: dict[str, Array]) -> None:
        """Continue from :meth:`state`."""
        rows = np.reshape(np.asarray(state["partial"], np.float64), (-1, 3))
        tasks = dict.fromkeys(rows[:, 0].tolist())  # in the order in which they came
        self._partial = {int(task): rows[rows[:, 0] == task, 1:] for task in tasks}
