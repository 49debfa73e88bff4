"""How fast are the worlds calculated in arrays, one by one and moved by a single call?

Each world plays random actions on random tasks: its bare rows, a ``BatchedVecEnv`` on tasks handed
out directly, the same under ``TaughtVecEnv`` with random tasks, and a ``DummyVecEnv`` of as many.
All take turns in one process, and rates are per CPU second, episodes' beginnings included.

Run: python -m experiments.benchmarks.batched_speed
"""

import csv
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tyro
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from teachrl.envs import PointMass, SparseGoal
from teachrl.envs.batched import BatchedEnv, Rows
from teachrl.students import TaskSlot, TaughtVecEnv, make_task_vec_env
from teachrl.teachers import Random

RESULTS = Path(__file__).parent / "results" / "batched_speed.csv"
WORLDS: dict[str, Callable[[], BatchedEnv]] = {
    "point mass, three parameters": PointMass,
    "point mass, two parameters": partial(PointMass, friction=0.0),
    "sparse destination": SparseGoal,
}
PACKAGES = ("gymnasium", "numpy", "stable-baselines3")


@dataclass
class Settings:
    """What to measure."""

    n_envs: int = 64
    steps: int = 2_000  # of all environments, in each turn; the one by one play a tenth
    turns: int = 7
    out: Path = RESULTS


class Row(NamedTuple):
    """Environment steps per CPU second: the median turn, and the range."""

    world: str
    how: str
    n_envs: int
    median: float
    low: float
    high: float
    times_one_by_one: float


def main(settings: Settings) -> None:
    """Measure in turns, print, and write it down."""
    rows: list[Row] = []
    for name, make in WORLDS.items():
        ways = _ways(make, settings.n_envs)
        rates: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(settings.turns):
            for way, step in ways.items():
                steps = settings.steps // (10 if way == "one by one" else 1)
                rates[way].append(_rate(step, steps) * settings.n_envs)
        slowest = float(np.median(rates["one by one"]))
        for way, found in rates.items():
            middle = float(np.median(found))
            speedup = round(middle / slowest, 1)
            row = Row(name, way, settings.n_envs, middle, min(found), max(found), speedup)
            rows.append(row)
            print(f"{name}, {way}: {middle:,.0f} steps/s, {speedup} times one by one", flush=True)
    versions = [f"Python {platform.python_version()}", *(f"{p} {version(p)}" for p in PACKAGES)]
    with settings.out.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# {', '.join(versions)}; {settings.turns} turns of {settings.steps} steps\n")
        csv.writer(file, lineterminator="\n").writerows([Row._fields, *map(_texts, rows)])


def _ways(make: Callable[[], BatchedEnv], n: int) -> dict[str, Callable[[], Any]]:
    """Return what steps all environments once, by the way it is done."""
    one_by_one = DummyVecEnv([lambda: TaskSlot(make())] * n)
    return {
        "rows": _stepping_rows(make(), n),
        "BatchedVecEnv": _stepping_slots(make_task_vec_env(make, n)),
        "TaughtVecEnv": _stepping(TaughtVecEnv(make_task_vec_env(make, n), Random(), seed=0)),
        "one by one": _stepping_slots(one_by_one),
    }


def _stepping_rows(world: BatchedEnv, n: int) -> Callable[[], Any]:
    rows, rng = Rows(world, n), np.random.default_rng(0)
    tasks, actions = _tasks(world, rng), _actions(world, n)
    for i in range(n):
        rows.begin(i, next(tasks), rng)

    def step() -> None:
        played = rows.step(next(actions))
        for i in np.flatnonzero(played.terminated | played.truncated).tolist():
            rows.begin(i, next(tasks), rng)

    return step


def _stepping_slots(venv: VecEnv) -> Callable[[], Any]:
    [world] = venv.get_attr("unwrapped", indices=[0])
    tasks, actions = _tasks(world, np.random.default_rng(0)), _actions(world, venv.num_envs)
    venv.reset()
    for i in range(venv.num_envs):
        venv.env_method("begin", next(tasks), i, indices=[i])

    def step() -> None:
        for i in np.flatnonzero(venv.step(next(actions))[2]).tolist():
            venv.env_method("begin", next(tasks), i, indices=[i])

    return step


def _stepping(env: TaughtVecEnv) -> Callable[[], Any]:
    [world] = env.get_attr("unwrapped", indices=[0])
    actions = _actions(world, env.num_envs)
    env.reset()
    return lambda: env.step(next(actions))


def _tasks(world: BatchedEnv, rng: np.random.Generator) -> Iterator[Any]:
    while True:
        yield from world.task_space.uniform(rng, 1_000)


def _actions(world: BatchedEnv, n: int) -> Iterator[Any]:
    """Yield actions drawn beforehand, from a tenth of the range, as a beginner's."""
    drawn = np.random.default_rng(1).normal(0, 0.1, (100, n, 2)) * world.action_space.high  # type: ignore[attr-defined]
    while True:
        yield from drawn.astype(np.float32)


def _rate(step: Callable[[], Any], steps: int) -> float:
    began = time.process_time()
    for _ in range(steps):
        step()
    return steps / (time.process_time() - began)


def _texts(row: Row) -> list[str]:
    return [f"{x:.0f}" if isinstance(x, float) and x > 999 else str(x) for x in row]


if __name__ == "__main__":
    main(tyro.cli(Settings))
