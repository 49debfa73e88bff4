"""What does each teacher cost per episode, how long is its longest call, and does it stay so cheap?

CPU time of sample, update and study, without that of the student. First over 5,000 episodes on the
toy in two dimensions, medians over repetitions. The reference is the published code of Romac et al.
(2021) as measured on today's Python, or on its own for the two that need TensorFlow 1. Ours may
take a third of it, or 25 µs where that is more. Then around some later episodes of one long life,
in which rewards are drawn at random, so that there is progress to the end; a quarter of an hour for
those who train networks.

Run: python -m experiments.benchmarks.teacher_cost
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any, Literal

import numpy as np
import tyro

from experiments.benchmarks.toy_teachers import teachers
from teachrl.core import Episode, Teacher
from teachrl.envs import ToyEnv, ToyStudent
from teachrl.envs.toy_student import ToyThoughts
from teachrl.seeding import stream
from teachrl.teachers import ALPGMM

RESULTS = Path(__file__).parent / "results"
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
MOMENTS = (10_000, 100_000, 1_000_000)  # episodes around which a long life is measured
WINDOW = 3_000  # episodes of such a measurement
UNFORGETTING = "alp-gmm, tuned, all episodes kept"


@dataclass
class Settings:
    """What to measure."""

    parts: tuple[Literal["first", "late"], ...] = ("first", "late")
    repetitions: int = 3  # of the first episodes
    only: tuple[str, ...] = ()  # teachers, by label; by default all
    out: Path = RESULTS


def main(settings: Settings) -> None:
    """Measure, print and write down microseconds per episode."""
    chosen = teachers(2) | {UNFORGETTING: replace(ALPGMM.tuned_for_walker(), memory=None)}
    if settings.only:
        chosen = {name: chosen[name] for name in settings.only}
    if "first" in settings.parts:
        names = ("teacher", "cpu_us_per_episode", "longest_call_ms", "allowed_us")
        write(settings.out / "teacher_cost.csv", names, first(chosen, settings.repetitions))
    if "late" in settings.parts:
        columns = [f"cpu_us_around_{moment}" for moment in MOMENTS]
        write(settings.out / "teacher_cost_late.csv", ["teacher", *columns], late(chosen))


def first(chosen: dict[str, Teacher], repetitions: int) -> Iterator[Sequence[Any]]:
    """Yield what each teacher's first episodes cost."""
    for name, teacher in chosen.items():
        _first_episodes(teacher, 0)  # compile once
        found = [_first_episodes(teacher, seed) for seed in range(repetitions)]
        cost, longest = (median(values) for values in zip(*found, strict=True))
        allowed = round(max(REFERENCE[name] / 3, 25.0), 1) if name in REFERENCE else ""
        yield name, round(cost, 1), round(longest, 1), allowed


def late(chosen: dict[str, Teacher]) -> Iterator[Sequence[Any]]:
    """Yield what later episodes of each teacher cost."""
    for name, teacher in chosen.items():
        lesson, costs = Lesson(teacher, 0), list[float]()
        noise = np.random.default_rng(1)
        for moment in MOMENTS:
            while lesson.played < moment:
                lesson.episode(float(noise.random()))
            spent = sum(sum(lesson.episode(float(noise.random()))) for _ in range(WINDOW))
            costs.append(round(1e6 * spent / WINDOW, 1))
        yield name, *costs


class Lesson:
    """A teacher on the toy, whose calls are timed."""

    def __init__(self, teacher: Teacher, seed: int) -> None:
        self.student, self.teacher = ToyStudent(), replace(teacher)  # type: ignore[type-var]
        rng = stream(seed, "teacher")
        self.teacher.start(self.student.task_space, rng, (0.0, 1.0), ToyEnv.target)
        self.thoughts = ToyThoughts(self.student)
        self.played = 0

    def episode(self, reward: float | None = None) -> list[float]:
        """Teach one, with this reward or the student's; return the seconds of each call."""
        began = process_time()
        task = replace(self.teacher.sample(), id=self.played)
        took = [process_time() - began]
        asks = self.teacher.needs
        seen = self.thoughts.first_observations(task.params[None])[0] if asks else None
        reached = self.student.play(task.params) if reward is None else reward
        start = self.played * LENGTH
        success = reached > ToyEnv.mastery_threshold
        episode = Episode(
            task, 0, reached, LENGTH, success=success, first_observation=seen, start_step=start
        )
        self.played += 1
        self.thoughts.steps = self.played * LENGTH
        began = process_time()
        self.teacher.update(episode)
        took.append(process_time() - began)
        if asks - {"success"}:
            began = process_time()
            self.teacher.study(self.thoughts)
            took.append(process_time() - began)
        return took


def _first_episodes(teacher: Teacher, seed: int) -> tuple[float, float]:
    """Return microseconds per episode and milliseconds of the longest call."""
    lesson = Lesson(teacher, seed)
    took = [lesson.episode() for _ in range(EPISODES)]
    return 1e6 * sum(map(sum, took)) / EPISODES, 1e3 * max(map(max, took))


def write(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write and print rows as they come."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for row in rows:
            writer.writerow(row)
            file.flush()
            print(*row, sep=", ", flush=True)


if __name__ == "__main__":
    main(tyro.cli(Settings))
