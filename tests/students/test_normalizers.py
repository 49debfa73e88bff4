"""Statistics that were saved normalise as they did in training."""

import numpy as np
import pytest
from stable_baselines3.common.vec_env import VecNormalize

from teachrl.students import TaughtVecEnv, make_task_vec_env
from teachrl.students.normalizers import load_statistics, save_statistics
from tests.students.worlds import Reach, ReachDict, Scripted


@pytest.mark.parametrize(("env", "keys"), [(Reach, None), (ReachDict, ["vector"])])
def test_they_normalise_as_in_training(tmp_path, env, keys):
    taught = TaughtVecEnv(make_task_vec_env(env, 3), Scripted())
    normalizer = VecNormalize(taught, norm_obs_keys=keys, clip_obs=2.0)
    observations = normalizer.reset()
    for _ in range(30):
        observations, *_ = normalizer.step(np.full((3, 1), 0.4, np.float32))
    save_statistics(normalizer, tmp_path / "normalizer.npz")
    frozen = load_statistics(tmp_path / "normalizer.npz")
    raw = normalizer.get_original_obs()
    expected, got = normalizer.normalize_obs(raw), frozen.normalize_obs(raw)
    if keys is None:
        expected, got, observations = {"": expected}, {"": got}, {"": observations}
    for key in expected:
        np.testing.assert_array_equal(expected[key], got[key])
        assert np.abs(got[""] if keys is None else got["vector"]).max() <= 2.0
