"""Episodes as a critic looks back on them, for teachers who score tasks by its surprise."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter
from stable_baselines3.common.distributions import (
    BernoulliDistribution,
    CategoricalDistribution,
    MultiCategoricalDistribution,
)
from stable_baselines3.common.utils import obs_as_tensor

from teachrl.core import Episode
from teachrl.rollouts import Segment
from teachrl.students.transitions import Trajectory
from teachrl.students.vec_env import TaughtVecEnv
from teachrl.students.whole_episodes import UNASKED

Array = NDArray[np.float64]

_DISCRETE = CategoricalDistribution, MultiCategoricalDistribution, BernoulliDistribution


def rollout_segments(
    model: Any, taught: TaughtVecEnv, scale: float, misjudged: Array | None = None
) -> list[Segment]:
    """Cut the rollout of an on-policy student into stretches of one episode each.

    To be called when advantages are there and the buffer is not yet shuffled.

    Args:
        model: the student.
        taught: where it plays.
        scale: raw reward per reward that the student sees.
        misjudged: what the raw rewards are above that, (steps, environments); None: nothing.
    """
    buffer, gamma = model.rollout_buffer, float(model.gamma)
    end = taught.steps // taught.num_envs
    start = end - buffer.buffer_size
    arrays = [scale * getattr(buffer, name) for name in ("rewards", "values", "advantages")]
    likely = _lazily(model)
    segments = []
    for i, episodes in enumerate(taught.episodes_since(start)):
        begins = [episode.start_step // taught.num_envs for episode in episodes]
        for episode, begin, until in zip(episodes, begins, [*begins[1:], end], strict=True):
            rows = slice(max(begin, start) - start, until - start)
            if rows.start == rows.stop or episode.task.id == UNASKED:
                continue
            rewards, values, advantages = (array[rows, i].astype(np.float64) for array in arrays)
            if misjudged is not None:
                more = misjudged[rows, i]
                rewards, advantages = (
                    rewards + more,
                    advantages + _discounted(more, gamma * model.gae_lambda),
                )
            is_complete = episode is not episodes[-1]
            # A_T = r_T + γ V(s') - V_T in the last row of a rollout, whose V(s') is not kept.
            following = (advantages[-1] + values[-1] - rewards[-1]) / gamma if gamma else 0.0
            segments.append(
                _segment(
                    episode,
                    rewards=rewards,
                    values=values,
                    advantages=advantages,
                    next_value=0.0 if is_complete else float(following),
                    discount=gamma,
                    is_start=begin >= start,
                    is_complete=is_complete,
                    probabilities=lambda rows=rows, i=i: [part[rows, i] for part in likely()],
                )
            )
    return segments


def require_probabilities(model: Any) -> None:
    """Refuse students who have no probabilities of actions, or none that tell states apart."""
    kind = getattr(model.policy, "action_dist", None)
    if not isinstance(kind, _DISCRETE):
        raise ValueError(
            f"the score asks how likely each action is, which {type(model).__name__} with actions "
            f"{model.action_space} cannot tell (its spread is the same in every state, or it has "
            "none): choose PPO or A2C in a world with discrete actions, or a score of the critic's"
        )


def _lazily(model: Any) -> Callable[[], Sequence[Array]]:
    """Return what calculates, once, the probabilities (steps, environments, k) of a rollout."""

    @cache
    def probabilities() -> Sequence[Array]:
        buffer = model.rollout_buffer
        rows = buffer.buffer_size * buffer.n_envs
        seen: Any = buffer.observations
        if isinstance(seen, dict):
            seen = {key: value.reshape(rows, *value.shape[2:]) for key, value in seen.items()}
        else:
            seen = seen.reshape(rows, *seen.shape[2:])
        with torch.no_grad():
            known = model.policy.get_distribution(obs_as_tensor(seen, model.device)).distribution
        if isinstance(known, torch.distributions.Bernoulli):
            parts = [torch.stack([1 - p, p], dim=-1) for p in known.probs.unbind(dim=-1)]
        else:
            parts = [part.probs for part in (known if isinstance(known, list) else [known])]
        shape = buffer.buffer_size, buffer.n_envs, -1
        return [part.cpu().numpy().astype(np.float64).reshape(shape) for part in parts]

    return probabilities


def trajectory_segment(
    trajectory: Trajectory, values: Array, discount: float, smoothing: float
) -> Segment:
    """Return a whole episode with advantages from values (n + 1,) of all that was seen."""
    episode, rewards = trajectory.episode, trajectory.rewards.copy()
    last = 0.0 if episode.terminated else float(values[-1])
    rewards[-1] += discount * last  # as Stable-Baselines3 does where time ran out
    following = np.append(values[1:-1], 0.0)
    errors = rewards + discount * following - values[:-1]
    advantages = np.empty_like(errors)
    running = 0.0
    for t in reversed(range(len(errors))):
        running = errors[t] + discount * smoothing * running
        advantages[t] = running
    return _segment(
        episode,
        rewards=rewards,
        values=values[:-1],
        advantages=advantages,
        next_value=0.0,
        discount=discount,
        is_start=True,
        is_complete=True,
    )


def _discounted(rewards: Array, factor: float) -> Array:
    """Return the sum (n,) of each reward and those after it, which count less and less."""
    return np.asarray(lfilter([1.0], [1.0, -factor], rewards[::-1])[::-1])


def _segment(episode: Episode, **rest: Any) -> Segment:
    task = episode.task
    return Segment(
        task_id=task.id,
        params=task.params,
        seed=episode.seed,
        meta=task.meta,
        env_index=episode.env_index,
        **rest,
    )
