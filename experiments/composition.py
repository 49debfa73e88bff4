"""Does a curriculum go together with an expert, several experts, or their snapshots?

PPO learns Stump Tracks: from random tasks; from ALP-GMM; from ALP-GMM while an expert is listened
to, or two experts that know a half of the task space each; and from ALP-GMM with episodes that
begin where the expert has been. All students take the same number of steps. The experts learnt with
ALP-GMM, too, each of them for twice that long. Two experts learnt apart, each with a gait of its
own, or are related: they are the one expert after as many steps again as students take, in their
halves. Steps of experts and of the library of snapshots are in `costs.csv`; the figure is that of
the students alone.

Runs go on where they were stopped; those that are finished are not repeated.
"""

import copy
import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import tyro
from stable_baselines3.common.callbacks import BaseCallback

from teachrl import TaskSpace, Teacher, teach
from teachrl.envs import StumpTracks
from teachrl.evaluation import TestSet, default_test_set
from teachrl.results import Results
from teachrl.runs import Run
from teachrl.snapshots import SnapshotLibrary, SnapshotResets
from teachrl.students import Kickstart
from teachrl.students.experts import Experts
from teachrl.students.presets import PPOPreset
from teachrl.students.snapshot_library import expert_snapshots
from teachrl.students.snapshot_schedule import SnapshotSchedule
from teachrl.teachers import ALPGMM, Random

FOLDER = Path("runs/composition")
RESULTS = Path(__file__).parent / "results" / "composition"
STUDENT = PPOPreset()
N_ENVS, EXPERT_SEED = 16, 1000
RANDOM, ALP_GMM = "random", "alp-gmm"
RELATED = ", related"
TWO, TWO_RELATED = "alp-gmm, two experts", "alp-gmm, two related experts"
ARMS = (RANDOM, ALP_GMM, "alp-gmm, expert", TWO, TWO_RELATED, "alp-gmm, snapshots")

WHOLE = StumpTracks.task_space
HALVES = {  # which expert knows what
    name: {"obstacle_spacing": spacing} for name, spacing in (("near", (0, 3)), ("far", (3, 6)))
}


@dataclass(kw_only=True)
class Arguments:
    """Does a curriculum go together with an expert, several experts, or their snapshots?"""

    arms: tuple[str, ...] = ARMS
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    steps: int = 500_000  # of every student
    expert_steps: int = 1_000_000  # of every expert
    evaluate_every: int = 100_000
    test_tasks: int = 100  # fewer are spread over the published ones
    episodes: int = 100  # that the expert plays for the library of snapshots
    workers: int = 2
    folder: Path = FOLDER  # gets the runs
    out: Path = RESULTS  # gets curves, table, picture and costs


def main(arguments: Arguments) -> None:
    """Carry out the runs that are missing, and compare."""
    if unknown := set(arguments.arms) - set(ARMS):
        raise ValueError(f"unknown arms {sorted(unknown)}; known are {', '.join(ARMS)}")
    with joblib.Parallel(arguments.workers) as parallel:
        parallel(joblib.delayed(_expert)(name, arguments) for name in ("expert", *HALVES))
        parallel(joblib.delayed(_expert)(name + RELATED, arguments) for name in HALVES)
        _library(arguments)
        parallel(
            joblib.delayed(_run)(arm, seed, arguments)
            for seed in arguments.seeds
            for arm in arguments.arms
        )
    results = Results.load(arguments.folder / "students", arguments.arms)
    for row in results.table("mastered"):
        mastered = row.value.text(100, ".1f", " % mastered")
        print(f"{row.teacher}: {mastered}, {row.runs} runs")
    print(*results.save(arguments.out), _costs(arguments), sep="\n")


class Heir(BaseCallback):
    """Gives a student the policy of another one before its first step."""

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self.weights = copy.deepcopy(policy.state_dict())

    def _on_training_start(self) -> None:
        if not self.num_timesteps:
            self.model.policy.load_state_dict(self.weights)

    def _on_step(self) -> bool:
        return True


def _expert(name: str, arguments: Arguments) -> Run:
    """Train an expert, or return it if that is done."""
    half, is_related = name.removesuffix(RELATED), name.endswith(RELATED)
    make: Callable[..., Any] = StumpTracks
    tests = _tests(arguments)
    if half in HALVES:
        space = TaskSpace(**(dict(WHOLE.parameters) | HALVES[half]))
        make = partial(StumpTracks, task_space=space)
        tests = TestSet.grid(space, round(arguments.test_tasks**0.5))
    steps = arguments.steps if is_related else arguments.expert_steps
    return teach(
        STUDENT,
        make,
        ALPGMM.tuned_for_walker(),
        steps=steps,
        seed=EXPERT_SEED,
        n_envs=N_ENVS,
        folder=arguments.folder / "experts" / name,
        callbacks=[Heir(_trained("expert", arguments).student.policy)] if is_related else (),
        test_set=tests,
        evaluate_every=steps,
    )


def _trained(name: str, arguments: Arguments) -> Run:
    return Run.load(arguments.folder / "experts" / name)


def _tests(arguments: Arguments) -> TestSet:
    return default_test_set(StumpTracks).subset(arguments.test_tasks)


def _library(arguments: Arguments) -> SnapshotLibrary:
    """Let the expert play what it has mastered, once."""
    folder = arguments.folder / "library"
    if not (folder / "library.json").exists():
        expert = _trained("expert", arguments)
        mastered = expert.evaluations.mastered[-1]
        tasks = expert.test_set.params[mastered if mastered.any() else slice(None)]
        made = expert_snapshots(
            expert, StumpTracks, tasks=tasks, episodes=arguments.episodes, every=10
        )
        made.save(folder)
    return SnapshotLibrary.load(folder)


def snapshot_tracks(library: str) -> SnapshotResets:
    """Return tracks on which some episodes begin where the expert has been."""
    return SnapshotResets(StumpTracks(), library)


def _run(arm: str, seed: int, arguments: Arguments) -> None:
    teacher: Teacher = Random() if arm == RANDOM else ALPGMM.tuned_for_walker()
    make: Any = StumpTracks
    callbacks: Sequence[BaseCallback] = ()
    if arm.endswith("snapshots"):
        make = partial(snapshot_tracks, library=str(arguments.folder / "library"))
        callbacks = [SnapshotSchedule()]
    elif arm in (TWO, TWO_RELATED):
        ending = RELATED if arm == TWO_RELATED else ""
        known = [(HALVES[name], _trained(name + ending, arguments)) for name in HALVES]
        callbacks = [Kickstart(Experts.by_region(WHOLE, known))]
    elif arm.endswith("expert"):
        callbacks = [Kickstart(_trained("expert", arguments))]
    teach(
        STUDENT,
        make,
        teacher,
        steps=arguments.steps,
        seed=seed,
        n_envs=N_ENVS,
        folder=arguments.folder / "students" / arm / f"seed_{seed}",
        callbacks=callbacks,
        test_set=_tests(arguments),
        evaluate_every=arguments.evaluate_every,
    )


def _costs(arguments: Arguments) -> Path:
    """Write down what the experts took, and what they reach."""
    path = arguments.out / "costs.csv"
    rows: list[tuple[Any, ...]] = [("what", "steps", "mastered_percent", "mean_return")]
    for name in ("expert", *HALVES, *(name + RELATED for name in HALVES)):
        run = _trained(name, arguments)
        last = run.evaluations
        mastered, mean = 100 * last.mastered[-1].mean(), last.rewards[-1].mean()
        rows.append((name, run.config["steps"], round(mastered, 1), round(mean, 1)))
    rows.append(("library", _library(arguments).steps, "", ""))
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    return path


if __name__ == "__main__":
    main(tyro.cli(Arguments))
