"""How fast are the tracks, beside Gymnasium's walker and beside their own physics?

All worlds take turns in one process, with random actions on random tasks. Rates and resets are in
CPU seconds. For the share of physics, the same steps are played several times and the fastest time
of each counts, so that other processes do not show.

Run: python -m experiments.benchmarks.env_speed
"""

import csv
import platform
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import gymnasium as gym
import numpy as np
import tyro
from Box2D import b2World
from numpy.typing import ArrayLike
from rich.console import Console
from rich.table import Table

from teachrl import TaskSpace
from teachrl.envs import HexagonTracks, StumpTracks

RESULTS = Path(__file__).parent / "results" / "env_speed.csv"
GYMNASIUM = "Gymnasium hardcore"
ROUGH = TaskSpace(stump_height=(0, 3), obstacle_spacing=(0, 6), roughness=(0.5, 1))
SOLVERS = (
    (180, 60),
    (60, 20),
    (8, 3),
)  # velocity and position iterations, the published ones first
PACKAGES = ("Box2D", "gymnasium", "numba", "numpy")

Make = Callable[[], Any]
WORLDS: dict[str, Make] = {
    GYMNASIUM: lambda: gym.make("BipedalWalkerHardcore-v3").unwrapped,
    "stumps, biped": StumpTracks,
    "stumps on rough ground, biped": lambda: StumpTracks(task_space=ROUGH),
    "stumps, quadruped": lambda: StumpTracks("old_big_quadru"),
    "hexagons, quadruped": HexagonTracks,
}


class Row(NamedTuple):
    """One result: the median of its repetitions, and their range."""

    world: str
    measure: str
    median: float
    low: float
    high: float


def main(
    steps: int = 5_000, repetitions: int = 9, episodes: int = 100, out: Path = RESULTS
) -> None:
    """Measure, show a table, and write it down.

    Args:
        steps: Of each world in each of its turns.
        repetitions: Turns of each world.
        episodes: Played to compare the returns under different solver iterations.
        out: The file to write.
    """
    rows = [
        *compare(WORLDS, steps, repetitions),
        *physics(steps, repetitions),
        *solvers(steps, repetitions, episodes),
    ]
    versions = [f"Python {platform.python_version()}", *(f"{p} {version(p)}" for p in PACKAGES)]
    title = f"{', '.join(versions)}; {repetitions} turns of {steps} steps, {episodes} episodes"
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# {title}\n")
        csv.writer(file, lineterminator="\n").writerows([Row._fields, *map(_texts, rows)])
    table = Table(*Row._fields, title=title)
    for row in rows:
        table.add_row(*_texts(row))
    Console(width=110).print(table)


def compare(worlds: dict[str, Make], steps: int, repetitions: int) -> Iterator[Row]:
    """Yield the speed of all worlds, by itself and relative to the first."""
    envs = {name: make() for name, make in worlds.items()}
    rates: dict[str, list[float]] = {name: [] for name in envs}
    resets: dict[str, list[float]] = {name: [] for name in envs}
    for env in envs.values():
        speed(env, steps // 10, seed=0)  # compiles, and fills caches
    for seed in range(repetitions):
        for name, env in envs.items():
            rate, milliseconds = speed(env, steps, seed)
            rates[name].append(rate)
            resets[name].append(milliseconds)
    first = next(iter(envs))
    for name in envs:
        yield summary(name, "steps per CPU second", rates[name])
        yield summary(name, "median reset, ms", resets[name])
        if name != first:
            yield summary(
                name, f"rate, times that of {first}", np.divide(rates[name], rates[first])
            )
            yield summary(
                name, f"reset, times that of {first}", np.divide(resets[name], resets[first])
            )


def physics(steps: int, repetitions: int) -> Iterator[Row]:
    """Yield how long whole steps take, their ``b2World.Step``, and the ratio of both."""
    for name in (GYMNASIUM, "stumps, biped", "stumps, quadruped"):
        whole, bare = [], []
        for _ in range(repetitions):
            # New ones each time: a used one of Gymnasium's does not repeat itself.
            env = WORLDS[name]()
            whole.append(call_times(env, type(env), "step", steps))
            bare.append(call_times(WORLDS[name](), b2World, "Step", steps))
        step, world = np.min(whole, axis=0), np.min(bare, axis=0)
        parts = np.array_split(np.arange(len(step)), repetitions)  # the range is that of the parts
        yield summary(name, "whole step, us", [step[part].mean() for part in parts])
        yield summary(name, "b2World.Step, us", [world[part].mean() for part in parts])
        yield summary(name, "whole / b2World.Step", [step[p].sum() / world[p].sum() for p in parts])


def solvers(steps: int, repetitions: int, episodes: int) -> Iterator[Row]:
    """Yield what fewer solver iterations change in speed and in returns.

    The same random actions, seeds and tasks are played in each world; once with a new action in
    every step, and once with each action held for ten steps, which moves the body much more.
    """
    worlds = {f"solver {v}/{p}": _with_solver(v, p) for v, p in SOLVERS}
    yield from (row for row in compare(worlds, steps, repetitions) if "reset" not in row.measure)
    published: dict[int, list[float]] = {}
    for name, make in worlds.items():
        env = make()
        for held in (1, 10):
            returns = [random_return(env, seed, held) for seed in range(episodes)]
            change = np.abs(np.subtract(returns, published.setdefault(held, returns)))
            yield summary(name, f"return, actions held for {held}", returns)
            yield summary(name, f"its change by the solver, held for {held}", change)


def speed(env: Any, steps: int, seed: int) -> tuple[float, float]:
    """Return steps per CPU second, resets left out, and the median milliseconds of a reset."""
    clock, playing, resets = time.process_time, 0.0, []
    for reset, play in _episodes(env, steps, seed):
        start = clock()
        reset()
        began = clock()
        play()
        playing += clock() - began
        resets.append(1e3 * (began - start))
    return steps / playing, float(np.median(resets))


def call_times(env: Any, owner: type, method: str, steps: int) -> list[float]:
    """Return the microseconds that a method takes in each of ``steps`` steps."""
    original, clock = getattr(owner, method), time.perf_counter_ns
    times: list[float] = []
    kept: list[float] = []

    def timed(*args: Any) -> Any:
        start = clock()
        result = original(*args)
        times.append((clock() - start) / 1e3)
        return result

    with patch.object(owner, method, timed):
        for reset, play in _episodes(env, steps, seed=0):
            reset()
            times.clear()  # a reset steps too
            play()
            kept += times
    return kept


def random_return(env: Any, seed: int, held: int) -> float:
    """Return what one episode of random actions earns, each of them ``held`` for some steps."""
    rng = np.random.default_rng(seed)
    env.reset(seed=seed, options={"task": env.task_space.uniform(rng)})
    total, over = 0.0, False
    while not over:
        action = rng.uniform(-1, 1, env.action_space.shape)
        for _ in range(held):
            _, reward, terminated, truncated, _ = env.step(action)
            total, over = total + float(reward), terminated or truncated
            if over:
                break
    return total


def summary(world: str, measure: str, values: ArrayLike) -> Row:
    """Summarise the repetitions of one measurement."""
    array = np.asarray(values, dtype=float)
    return Row(world, measure, float(np.median(array)), float(array.min()), float(array.max()))


def _episodes(env: Any, steps: int, seed: int) -> Iterator[tuple[Callable[[], Any], Make]]:
    """Yield what resets and what plays each episode, its random actions drawn beforehand."""
    rng = np.random.default_rng(seed)
    space = getattr(env, "task_space", None)
    remaining = steps
    while remaining > 0:
        options = None if space is None else {"task": space.uniform(rng)}
        actions = rng.uniform(-1, 1, (remaining, *env.action_space.shape)).astype(np.float32)
        episode_seed = int(rng.integers(2**31))
        played = 0

        def reset(seed: int = episode_seed, options: Any = options) -> None:
            env.reset(seed=seed, options=options)

        def play(actions: Any = actions) -> None:
            nonlocal played
            for action in actions:
                played += 1
                if env.step(action)[2]:
                    break

        yield reset, play
        remaining -= played


def _with_solver(velocity: int, position: int) -> Make:
    return lambda: StumpTracks(velocity_iterations=velocity, position_iterations=position)


def _texts(row: Row) -> list[str]:
    return [row.world, row.measure, *(f"{x:.0f}" if x > 999 else f"{x:.4g}" for x in row[2:])]


if __name__ == "__main__":
    tyro.cli(main)
