"""Snapshots of what an expert meets, told apart by what its critic expects there."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from stable_baselines3 import SAC
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from teachrl.seeding import derive_seed
from teachrl.snapshots import Adapter, SnapshotLibrary, explore
from teachrl.students.action_masks import takes_masks
from teachrl.students.experts import Expert, Experts
from teachrl.students.randomness import undisturbed
from teachrl.students.rollouts import state_values

_CHUNK = 4096  # observations in one forward pass


def expert_snapshots(
    expert: Any,
    make: Callable[[], gym.Env[Any, Any]],
    *,
    tasks: ArrayLike | None = None,
    episodes: int = 10,
    best: int | None = None,
    every: int = 10,
    clusters: int = 6,
    seed: int = 0,
    deterministic: bool | None = None,
    adapter: Adapter | None = None,
) -> SnapshotLibrary:
    """Let an expert play, and return snapshots in clusters of like value (S3RL, arXiv 2403.00673).

    Args:
        expert: an SB3 model that saw raw observations, a run, or an
            :class:`~teachrl.students.experts.Expert`.
        make: returns a new environment, with the wrappers that it was trained in.
        tasks: to play in turn, (n, d); None: the one that the environment begins with.
        episodes: to play.
        best: how many of them to keep; None: all.
        every: steps between snapshots.
        clusters: of the critic's values.
        seed: of all that is drawn.
        deterministic: let it take its most likely actions; None: unless it is an on-policy one,
            as S3RL's authors do.
        adapter: None: the one that fits.
    """
    known = Experts.of(expert).experts[0]
    if known.is_recurrent:
        raise ValueError(
            "a recurrent expert's values depend on what it has seen before: give explore() a "
            "policy and values that remember"
        )
    example = make()
    known.require_spaces(example.observation_space, example.action_space)
    if takes_masks(known.model, example):
        raise ValueError(
            f"the expert acts on observations here, and {type(known.model).__name__} has to know "
            "which actions are legal: give explore() a policy that asks the environment"
        )
    example.close()
    if deterministic is None:
        deterministic = not isinstance(known.model, OnPolicyAlgorithm)

    def act(observation: Any) -> Any:
        inputs = _normalized(known, observation)
        return known.model.predict(inputs, deterministic=deterministic)[0]

    with undisturbed(known.model, derive_seed(seed, "expert")):  # a student's run must not notice
        return explore(
            make,
            act,
            values=lambda observations: _values(known, observations),
            tasks=tasks,
            episodes=episodes,
            best=best,
            every=every,
            clusters=clusters,
            seed=seed,
            adapter=adapter,
        )


def _values(expert: Expert, observations: list[Any]) -> NDArray[np.float64]:
    """Return what the expert's critic expects from each observation, in its own scale."""
    parts = []
    for start in range(0, len(observations), _CHUNK):
        rows = [_normalized(expert, seen) for seen in observations[start : start + _CHUNK]]
        inputs, _ = expert.model.policy.obs_to_tensor(_stacked(rows))
        with torch.no_grad():
            parts.append(_critic(expert.model, inputs).cpu().numpy().reshape(-1))
    return np.concatenate(parts).astype(np.float64)


def _critic(model: Any, inputs: Any) -> Any:
    """Return V(s), or Q(s, π(s)) with the most likely action: one that is drawn adds noise."""
    if not hasattr(model, "log_ent_coef"):
        return state_values(model, inputs)
    quality = model.critic(inputs, model.actor(inputs, deterministic=True))
    if isinstance(model, SAC):
        return torch.cat(quality, dim=1).min(dim=1).values
    return quality.mean(dim=(1, 2))  # TQC: critics of quantiles, (n, critics, quantiles)


def _normalized(expert: Expert, observation: Any) -> Any:
    return expert.normalizer.normalize_obs(observation) if expert.normalizer else observation


def _stacked(rows: list[Any]) -> Any:
    if isinstance(rows[0], dict):
        return {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    return np.stack(rows)
