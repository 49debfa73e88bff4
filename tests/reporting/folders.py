"""Run folders without a run: written as real ones are, with results as a test wants them."""

import json
from pathlib import Path

import numpy as np

from teachrl.core import Episode, Task
from teachrl.episodes import EpisodeWriter
from teachrl.evaluation.test_sets import TestSet
from teachrl.runs.evaluations import append_evaluation
from teachrl.spaces import TaskSpace

PLANE = TaskSpace(height=(0, 3), gap=(0, 6))
STEPS = (0, 500, 1000)
RANGE = (-100.0, 300.0)


def write_run(
    folder: Path,
    shares,
    *,
    seed=0,
    space=PLANE,
    steps=STEPS,
    cost=100,
    episodes=200,
    teacher="teachrl.teachers.random:Random",
    command="teachrl benchmark --steps 1000",
    belief=None,
    tests=None,
    **config,
):
    """Write a finished run that masters these shares of its test set, the first tasks first."""
    folder.mkdir(parents=True)
    tests = tests or TestSet.grid(space, (4, 5))
    config = {
        "student": {"algorithm": "stable_baselines3.ppo.ppo:PPO", "options": {}},
        "env": {"make": "tests.students.worlds:Reach", "options": {}, "importable": True},
        "task_space": space.to_json(),
        "reward_range": RANGE,
        "mastery_threshold": 230.0,
        "target": None,
        "teacher": {"make": teacher, "options": {}, "importable": True},
        "steps": 1000,
        "seed": seed,
        "n_envs": 2,
        "processes": False,
        "evaluate_every": 500,
        "test_set": {"tasks": len(tests), "fingerprint": tests.fingerprint},
        "versions": {"python": "3.11", "teachrl": "0.1.0"},
        "git": "abc123",
        **config,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "status").write_text("done\n")
    (folder / "command.txt").write_text(command + "\n")
    (folder / "summary.json").write_text(json.dumps({"env_steps": 1300, "seconds": 7200.0}))
    tests.save(folder / "test_set.csv")
    for e, (step, share) in enumerate(zip(steps, shares, strict=True)):
        mastered = np.arange(len(tests)) < round(share * len(tests))
        append_evaluation(
            folder / "evaluations.csv",
            step=step,
            env_steps=step + cost * (e + 1),
            rewards=np.where(mastered, 250.0, -50.0),
            lengths=np.full(len(tests), 10),
            successes=np.full(len(tests), np.nan),
            mastered=mastered,
        )
    write_episodes(folder / "monitor.csv", space, episodes, seed)
    (folder / "beliefs").mkdir()
    for step in steps:
        if belief is not None:
            np.savez(folder / "beliefs" / f"{step:012d}.npz", **belief)
    return folder


def write_episodes(path, space, n, seed, last=1000):
    """Write episodes at equal distances, the returns of which fall along the first coordinate."""
    rng = np.random.default_rng(seed)
    writer = EpisodeWriter(path, space, "test")
    for i, params in enumerate(space.uniform(rng, n)):
        reward = float(300 - 400 * space.normalize(params[None])[0, 0])
        end = max(1, (i + 1) * last // n)
        episode = Episode(Task(params, id=i), seed=i, reward=reward, length=max(1, last // n))
        writer.write(episode, end)
    writer.close()


def write_benchmark(folder: Path, shares, **options):
    """Write ``<folder>/<teacher>/seed_<n>`` for final shares by teacher and seed."""
    for teacher, runs in shares.items():
        for seed, share in enumerate(runs):
            path = folder / teacher / f"seed_{seed}"
            write_run(path, (0.0, share / 2, share), seed=seed, **options)
    return folder
