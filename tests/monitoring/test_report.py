"""A run folder becomes pictures, as many as it has something to show for."""

import json

import numpy as np
import pytest
from PIL import Image

from teachrl.core import Episode, Task
from teachrl.episodes import EpisodeWriter
from teachrl.evaluation import TestSet
from teachrl.monitoring import save_pictures
from teachrl.runs import Run
from teachrl.runs.evaluations import append_evaluation
from tests.monitoring.pictures import SPACES, gaussians, is_blank, played

NAMES = ["curriculum.png", "belief.png", "mastered.png", "learning_curve.png"]


def write_run(folder, space, episodes=60, evaluations=3, beliefs=2):
    """Write what a run records, without running it."""
    config = {
        "task_space": space.to_json(),
        "reward_range": [-100, 300],
        "seed": 4,
        "teacher": {"make": "teachrl.teachers.alp_gmm:ALPGMM"},
        "student": {"algorithm": "stable_baselines3.ppo.ppo:PPO"},
        "env": {"make": "teachrl.envs.stump_tracks:StumpTracks"},
    }
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    writer = EpisodeWriter(folder / "monitor.csv", space, "env")
    for i, (params, reward) in enumerate(zip(*played(space, episodes), strict=True)):
        task, start = Task(params, id=i), 10 * i
        episode = Episode(task, seed=i, reward=float(reward), length=9, start_step=start)
        writer.write(episode, start + 10)
    writer.close()
    tests = TestSet.uniform(space, 12)
    tests.save(folder / "test_set.csv")
    for i in range(evaluations):
        append_evaluation(
            folder / "evaluations.csv",
            step=200 * i,
            env_steps=250 * i,
            rewards=np.linspace(-90, 90 * i, 12),
            lengths=np.full(12, 5),
            successes=np.full(12, np.nan),
            mastered=np.arange(12) < 4 * i,
        )
    (folder / "beliefs").mkdir()
    for i in range(beliefs):
        np.savez(folder / "beliefs" / f"{300 * i:012d}.npz", **gaussians(space))
    return Run.load(folder)


@pytest.mark.parametrize("space", SPACES)
def test_a_run_has_four_pictures(space, tmp_path):
    paths = save_pictures(write_run(tmp_path / "run", space))
    assert paths == [tmp_path / "run" / "pictures" / name for name in NAMES]
    assert not any(is_blank(Image.open(path).convert("RGB")) for path in paths)


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        ({"evaluations": 0}, ["curriculum.png", "belief.png"]),
        ({"beliefs": 0}, ["curriculum.png", "mastered.png", "learning_curve.png"]),
        ({"episodes": 0, "beliefs": 0}, ["mastered.png", "learning_curve.png"]),
        ({"episodes": 0, "beliefs": 0, "evaluations": 0}, []),
    ],
)
def test_what_a_run_has_not_recorded_is_left_out(parts, names, tmp_path):
    run = write_run(tmp_path / "run", SPACES[1], **parts)
    assert [path.name for path in save_pictures(run, tmp_path / "new" / "folder")] == names
