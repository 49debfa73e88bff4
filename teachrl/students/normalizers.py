"""Observation statistics of a student, kept beside its weights without pickle."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecNormalize

from teachrl.files import read_npz, reading, write_npz


class FrozenNormalizer:
    """Normalises observations as a ``VecNormalize`` did, never learning from them.

    Args:
        statistics: mean, variance and count by observation key; key "" for a plain array.
        clip: bound of a normalised observation.
        epsilon: added to the variance.
    """

    def __init__(
        self, statistics: dict[str, RunningMeanStd], clip: float = 10.0, epsilon: float = 1e-8
    ) -> None:
        self.statistics, self.clip, self.epsilon = statistics, clip, epsilon

    @classmethod
    def of(cls, normalizer: VecNormalize) -> "FrozenNormalizer":
        """Take the statistics as they are now."""
        return cls(copy.deepcopy(_by_key(normalizer)), normalizer.clip_obs, normalizer.epsilon)

    def normalize_obs(self, observations: Any) -> Any:
        """Return normalised observations; keys without statistics pass unchanged."""
        if not isinstance(observations, dict):
            return self._normalize(observations, self.statistics.get(""))
        return {k: self._normalize(v, self.statistics.get(k)) for k, v in observations.items()}

    def _normalize(self, values: Any, seen: RunningMeanStd | None) -> Any:
        if seen is None:
            return values
        scaled = (values - seen.mean) / np.sqrt(seen.var + self.epsilon)
        return np.clip(scaled, -self.clip, self.clip).astype(np.float32)


def save_statistics(normalizer: VecNormalize, path: Path) -> None:
    """Write the observation statistics as npz."""
    arrays: dict[str, Any] = {
        f"{key}/{name}": np.asarray(getattr(statistics, name))
        for key, statistics in _by_key(normalizer).items()
        for name in ("mean", "var", "count")
    }
    write_npz(path, {"clip": normalizer.clip_obs, "epsilon": normalizer.epsilon} | arrays)


def _by_key(normalizer: VecNormalize) -> dict[str, RunningMeanStd]:
    seen = normalizer.obs_rms if normalizer.norm_obs else {}
    return seen if isinstance(seen, dict) else {"": seen}


def load_statistics(path: Path) -> FrozenNormalizer:
    """Read what :func:`save_statistics` wrote."""
    saved, statistics = read_npz(path), {}
    with reading(path):
        for key in {name.rpartition("/")[0] for name in saved if "/" in name}:
            statistics[key] = seen = RunningMeanStd(shape=saved[f"{key}/mean"].shape)
            seen.mean, seen.var = saved[f"{key}/mean"], saved[f"{key}/var"]
            seen.count = float(saved[f"{key}/count"])
            if not (np.isfinite(seen.mean).all() and (seen.var >= 0).all()):
                raise ValueError("means must be finite and variances positive")
            if seen.mean.shape != seen.var.shape:
                raise ValueError(f"means of {seen.mean.shape}, variances of {seen.var.shape}")
        return FrozenNormalizer(statistics, float(saved["clip"]), float(saved["epsilon"]))
