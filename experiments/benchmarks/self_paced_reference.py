"""Why does SelfPaced master less of the toy grid than the published code?

A second implementation of self-paced learning as the benchmark has it (Romac et al., 2021, arXiv
2103.09815), written from its description and sharing no code with the teacher: tasks are remembered
as clipped, a step is accepted if its divergence is at most 1.5 times the bound *or* value is not
lost, the uniform target has a deviation of 0.25. By the repaired rule a step must keep the bound
*and* not lose value. The description leaves open what a first observation of the toy is worth: its
competence, as the teacher is told here, or something else, such as the sum of the coordinates.

Run: python -m experiments.benchmarks.self_paced_reference
"""

import csv
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import tyro
from numpy.typing import NDArray

from teachrl.envs.toy_student import ToyStudent

Array = NDArray[np.float64]
Function = Callable[[Array], float]
Values = Literal["competence", "coordinates"]
Rule = Literal["published", "repaired"]

RESULT = Path(__file__).parent / "results" / "self_paced_reference.csv"
MOMENTS = (5_000, 20_000)  # episodes
PERIOD, FIRST = 250, 1_000  # episodes between updates, before the first: of 200 steps each
ALPHA_OFFSET, ZETA, MAX_KL = 10, 0.25, 0.1  # the benchmark's values
MEAN, STD, TARGET_MEAN, TARGET_STD = 0.05, 0.1, 0.5, 0.25
DAMPING, HALVINGS, LARGEST_ALPHA, LARGEST_LOG = 1e-2, 10, 1e5, 50.0
D = 2
TRIANGLE = np.tril_indices(D)


def main(seeds: int = 8) -> None:
    """Teach with both values under both rules, print and write down what was mastered."""
    rows = []
    for values, rule in product(get_args(Values), get_args(Rule)):
        runs = np.array([mastered(values, rule, seed) for seed in range(seeds)])
        each = [" ".join(f"{x:g}" for x in column) for column in runs.T]
        rows.append((values, rule, seeds, *runs.mean(axis=0), *each))
        print(*rows[-1], sep=", ", flush=True)
    with RESULT.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        names = [f"{what}_{moment}" for what in ("mean", "seeds") for moment in MOMENTS]
        writer.writerow(("values", "rule", "seeds", *names))
        writer.writerows(rows)


def mastered(values: Values, rule: Rule, seed: int) -> list[float]:
    """Return the percentage mastered at each of the moments."""
    rng, student = np.random.default_rng(seed), ToyStudent(D)
    present, target = packed(MEAN, STD), packed(TARGET_MEAN, TARGET_STD)
    tasks, rewards, updates, shares = [], [], 0, []
    for episode in range(1, max(MOMENTS) + 1):
        mean, factor = unpacked(present)
        task = np.clip(mean + factor @ rng.standard_normal(D), 0, 1).astype(np.float32)
        tasks.append(task.astype(float))
        rewards.append(student.play(tasks[-1]))
        if episode % PERIOD == 0 and episode >= FIRST:
            points = np.array(tasks)
            recalled = np.array([student.recall(point) for point in points])
            seen = recalled if values == "competence" else points.sum(axis=1)
            pull = ZETA * float(np.mean(rewards)) if updates >= ALPHA_OFFSET else 0.0
            alpha = min(LARGEST_ALPHA, pull / divergence(present, target))
            present = stepped(present, objective(present, points, seen, alpha, target), rule)
            tasks, rewards, updates = [], [], updates + 1
        if episode in MOMENTS:
            shares.append(student.mastered)
    return shares


def objective(old: Array, points: Array, values: Array, alpha: float, target: Array) -> Function:
    """Return the reweighted mean value minus the weighed divergence from the target."""
    drawn = log_density(old, points)

    def of(new: Array) -> float:
        ratios = np.clip(log_density(new, points) - drawn, -LARGEST_LOG, LARGEST_LOG)
        return float((np.exp(ratios) * values).mean()) - alpha * divergence(new, target)

    return of


def stepped(old: Array, value: Function, rule: Rule) -> Array:
    """Follow the natural gradient as far as the line search accepts it."""
    slope = gradient(value, old, 1e-5)
    fisher = curvature(lambda new: divergence(new, old), old) + DAMPING * np.eye(len(old))
    step = np.linalg.solve(fisher, slope)
    step *= np.sqrt(2 * MAX_KL / (step @ fisher @ step))
    for halvings in range(HALVINGS):
        new = old + step * 0.5**halvings
        is_near = divergence(old, new) <= (1.5 if rule == "published" else 1.0) * MAX_KL
        is_better = value(new) >= value(old)
        if (any if rule == "published" else all)((is_near, is_better)):
            return new
    return old


def packed(mean: float, std: float) -> Array:
    """Return the parameters of a round Gaussian: its mean, and its factor, logarithms within."""
    return np.concatenate([np.full(D, mean), (np.log(std) * np.eye(D))[TRIANGLE]])


def unpacked(parameters: Array) -> tuple[Array, Array]:
    """Return mean (d,) and Cholesky factor (d, d)."""
    factor = np.zeros((D, D))
    factor[TRIANGLE] = parameters[D:]
    np.fill_diagonal(factor, np.exp(np.diagonal(factor)))
    return parameters[:D], factor


def log_density(parameters: Array, points: Array) -> Array:
    """Return log-densities (n,) at points (n, d), up to a constant."""
    mean, factor = unpacked(parameters)
    white = np.linalg.solve(factor, (points - mean).T)
    return np.asarray(-0.5 * (white**2).sum(axis=0) - np.log(np.diagonal(factor)).sum())


def divergence(of: Array, other: Array) -> float:
    """Return KL(of || other)."""
    (mean, factor), (there, scale) = unpacked(of), unpacked(other)
    shape, shift = np.linalg.solve(scale, factor), np.linalg.solve(scale, mean - there)
    logarithms = np.log(np.diagonal(scale)).sum() - np.log(np.diagonal(factor)).sum()
    return float(0.5 * ((shape**2).sum() + shift @ shift - D) + logarithms)


def gradient(function: Function, at: Array, width: float) -> Array:
    """Return central differences."""
    shifts = width * np.eye(len(at))
    return np.array([(function(at + s) - function(at - s)) / (2 * width) for s in shifts])


def curvature(function: Function, at: Array, width: float = 1e-4) -> Array:
    """Return the symmetric matrix of second differences."""
    rows = [
        (gradient(function, at + shift, width) - gradient(function, at - shift, width))
        / (2 * width)
        for shift in width * np.eye(len(at))
    ]
    return 0.5 * (np.array(rows) + np.array(rows).T)


if __name__ == "__main__":
    tyro.cli(main)
