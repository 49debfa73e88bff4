"""evaluations.csv is appended whole, and read as far as it is whole."""

import numpy as np
import pytest

from teachrl.runs.evaluations import Evaluations, append_evaluation


def write(path, n=3, tasks=4):
    rng = np.random.default_rng(0)
    rewards = rng.normal(size=(n, tasks))
    for i in range(n):
        append_evaluation(
            path,
            step=100 * i,
            env_steps=140 * i,
            rewards=rewards[i],
            lengths=np.arange(tasks) + i,
            successes=np.array([1.0, 0.0, np.nan, 1.0]),
            mastered=rewards[i] > 0,
        )
    return rewards


def test_what_is_written_is_read(tmp_path):
    rewards = write(tmp_path / "evaluations.csv")
    read = Evaluations.load(tmp_path / "evaluations.csv", 4)
    np.testing.assert_array_equal(read.rewards, rewards)
    np.testing.assert_array_equal(read.mastered, rewards > 0)
    assert read.steps.tolist() == [0, 100, 200]
    assert read.env_steps.tolist() == [0, 140, 280]
    assert np.isnan(read.successes[:, 2]).all()
    np.testing.assert_allclose(read.share_mastered, (rewards > 0).mean(axis=1))


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_an_evaluation_cut_by_a_crash_is_left_out(tmp_path, cut):
    path = tmp_path / "evaluations.csv"
    write(path)
    path.write_bytes(path.read_bytes()[:-cut])
    assert Evaluations.load(path, 4).steps.tolist() == [0, 100]


def test_no_evaluation_is_an_empty_table(tmp_path):
    read = Evaluations.load(tmp_path / "evaluations.csv", 4)
    assert (len(read), read.rewards.shape, len(read.share_mastered)) == (0, (0, 4), 0)


def test_the_npz_is_what_sb3_writes(tmp_path):
    rewards = write(tmp_path / "evaluations.csv")
    Evaluations.load(tmp_path / "evaluations.csv", 4).save_npz(tmp_path / "evaluations.npz")
    with np.load(tmp_path / "evaluations.npz") as saved:
        assert set(saved.files) == {"timesteps", "results", "ep_lengths", "successes"}
        np.testing.assert_array_equal(saved["results"], rewards)
