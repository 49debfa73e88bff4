"""How fast are the tracks, beside Gymnasium's walker and beside their own physics?

All worlds take turns in one process, with random actions on random tasks. Rates and resets are in
CPU seconds. For the share of physics, the same steps are played several times and the fastest time
of each counts, so that other processes do not show.

Run: python experiments/benchmarks/env_speed.py
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
from gymnasium.envs.box2d.bipedal_walker import BipedalWalkerHeuristics
from numpy.typing import ArrayLike
from rich.console import Console
from rich.table import Table

from teachrl import TaskSpace
from teachrl.envs import HexagonTracks, StumpTracks

RESULTS = Path(__file__).parent / "results" / "env_speed.csv"
GYMNASIUM = "Gymnasium BipedalWalkerHardcore-v3"
ROUGH = TaskSpace(stump_height=(0, 3), obstacle_spacing=(0, 6), roughness=(0.5, 1))
SOLVERS = (
    (180, 60),
    (60, 20),
    (8, 3),
)  # velocity and position iterations, the published ones first
EASY = [0.2, 5.0]  # the task that the gait is given: it was written by hand for flat ground
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


def main(steps: int = 5_000, repetitions: int = 9, episodes: int = 40, out: Path = RESULTS) -> None:
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
    Console(width=130).print(table)


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
        yield row(name, "steps per CPU second", rates[name])
        yield row(name, "median reset, ms", resets[name])
        if name != first:
            yield row(name, f"steps/s relative to {first}", np.divide(rates[name], rates[first]))
            yield row(name, f"reset relative to {first}", np.divide(resets[name], resets[first]))


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
        yield row(name, "whole step, us", [step[part].mean() for part in parts])
        yield row(name, "b2World.Step, us", [world[part].mean() for part in parts])
        yield row(name, "whole / b2World.Step", [step[p].sum() / world[p].sum() for p in parts])


def solvers(steps: int, repetitions: int, episodes: int) -> Iterator[Row]:
    """Yield what fewer solver iterations change in speed and in returns.

    The returns of two sets of action sequences are compared, both recorded in the published world
    and replayed with the same seeds and tasks: random ones, and those of the gait that comes with
    Gymnasium's walker. The gait is also played where it sees what happens.
    """
    envs = {f"solver {v}/{p}": _make_solver(v, p) for v, p in SOLVERS}
    yield from compare(envs, steps, repetitions)
    published = next(iter(envs.values()))()
    recordings = {
        "random actions": [_random_episode(published, seed) for seed in range(episodes)],
        "recorded gait": [_gait_episode(published, seed) for seed in range(episodes)],
    }
    for name, make in envs.items():
        env = make()
        for player, recorded in recordings.items():
            returns = [replay(env, seed, actions) for seed, (_, actions) in enumerate(recorded)]
            change = np.abs(np.subtract(returns, [total for total, _ in recorded]))
            yield row(name, f"return of {player}", returns)
            yield row(name, f"change of return of {player}", change)
        live = [_gait_episode(env, seed)[0] for seed in range(episodes)]
        yield row(name, "return of the gait, live", live)


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


def replay(env: Any, seed: int, actions: ArrayLike) -> float:
    """Return what recorded actions earn; after their end, the motors rest."""
    env.reset(seed=seed, options={"task": EASY})
    total, over, remaining = 0.0, False, iter(np.asarray(actions))
    while not over:
        _, reward, terminated, truncated, _ = env.step(next(remaining, np.zeros(4)))
        total, over = total + float(reward), terminated or truncated
    return total


def row(world: str, measure: str, values: ArrayLike) -> Row:
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


def _random_episode(env: Any, seed: int) -> tuple[float, list[Any]]:
    actions = np.random.default_rng(seed).uniform(-1, 1, (2000, 4))
    return replay(env, seed, actions), list(actions)


def _gait_episode(env: Any, seed: int) -> tuple[float, list[Any]]:
    """Return what the gait earns, and its actions."""
    gait: Any = BipedalWalkerHeuristics()
    actions: list[Any] = []
    gait.a = np.zeros(4)  # its class would share one array between all gaits
    observation, _ = env.reset(seed=seed, options={"task": EASY})
    total, over = 0.0, False
    while not over:
        actions.append(gait.step_heuristic(observation).copy())
        observation, reward, terminated, truncated, _ = env.step(actions[-1])
        total, over = total + float(reward), terminated or truncated
    return total, actions


def _make_solver(velocity: int, position: int) -> Make:
    return lambda: StumpTracks(velocity_iterations=velocity, position_iterations=position)


def _texts(row: Row) -> list[str]:
    return [row.world, row.measure, *(f"{value:.4g}" for value in row[2:])]


if __name__ == "__main__":
    tyro.cli(main)
