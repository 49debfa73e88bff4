"""What does each teacher cost per episode, and how long is its longest call?

CPU time of sample, update and study over the first 5,000 episodes on the toy in two dimensions,
without that of the student; medians over repetitions. The reference is the published code of Romac
et al. (2021) as measured on today's Python, or on its own for the two that need TensorFlow 1. Ours
may take a third of it, or 25 µs where that is more.

Run: python experiments/benchmarks/teacher_cost.py
"""

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import process_time

import tyro

from experiments.benchmarks.toy_teachers import teachers
from teachrl.core import Episode, Teacher
from teachrl.envs import ToyEnv, ToyStudent
from teachrl.envs.toy import ToyThoughts
from teachrl.seeding import stream

RESULTS = Path(__file__).parent / "results" / "teacher_cost.csv"
REFERENCE = {  # µs per episode
    "adr": 35,
    "riac, tuned": 1467,
    "alp-gmm, tuned": 493,
    "covar-gmm, tuned": 1124,
    "self-paced": 174,
    "goal-gan": 561,
    "setter-solver": 2919,
}
EPISODES = 5_000
LENGTH = 200  # steps that an episode counts for


@dataclass
class Settings:
    """What to measure."""

    repetitions: int = 3
    only: tuple[str, ...] = ()  # teachers, by label; by default all


def main(settings: Settings) -> None:
    """Measure, print and write down microseconds per episode."""
    rows = []
    for name, teacher in teachers(2).items():
        if settings.only and name not in settings.only:
            continue
        _cost(teacher, 0)  # compile once
        found = [_cost(teacher, seed) for seed in range(settings.repetitions)]
        cost, longest = (median(values) for values in zip(*found, strict=True))
        allowed = round(max(REFERENCE[name] / 3, 25.0), 1) if name in REFERENCE else ""
        rows.append((name, round(cost, 1), round(longest, 1), allowed))
        print(*rows[-1], sep=", ", flush=True)
    with RESULTS.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("teacher", "cpu_us_per_episode", "longest_call_ms", "allowed_us"))
        writer.writerows(rows)


def _cost(teacher: Teacher, seed: int) -> tuple[float, float]:
    """Return microseconds per episode and milliseconds of the longest call."""
    teacher, student = replace(teacher), ToyStudent()  # type: ignore[type-var]
    teacher.start(student.task_space, stream(seed, "teacher"), (0.0, 1.0), ToyEnv.target)
    thoughts, spent, longest = ToyThoughts(student), 0.0, 0.0
    for i in range(EPISODES):
        began = process_time()
        task = replace(teacher.sample(), id=i)
        took = [process_time() - began]
        seen = thoughts.first_observations(task.params[None])[0] if teacher.needs else None
        reward = student.play(task.params)
        episode = Episode(
            task,
            seed,
            reward,
            LENGTH,
            success=reward > ToyEnv.mastery_threshold,
            first_observation=seen,
            start_step=i * LENGTH,
        )
        thoughts.steps = (i + 1) * LENGTH
        began = process_time()
        teacher.update(episode)
        took.append(process_time() - began)
        if teacher.needs - {"success"}:
            began = process_time()
            teacher.study(thoughts)
            took.append(process_time() - began)
        spent, longest = spent + sum(took), max(longest, *took)
    return 1e6 * spent / EPISODES, 1e3 * longest


if __name__ == "__main__":
    main(tyro.cli(Settings))
