"""What does population-based training make of the weight of an expert that is not good enough?

A population of PPO students is kickstarted from a weak expert, each with a weight of its own
(`External`). After every interval Ray Tune's population-based training lets the worst go on from
the weights of the best, and moves their kickstarting weights by a factor of 1.2 up or down
(Jaderberg et al., 2017, arXiv 1711.09846, with the factors of Espeholt et al., 2018). The table
has one row per student and interval; `from` says whose weights it began with.

Needs the extra `population`. A run that was stopped goes on with the same command.
"""

import csv
import json
import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when ray is imported
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")

import numpy as np
import ray as _ray
import torch
import tyro
from ray import tune as _tune
from ray.tune.schedulers import PopulationBasedTraining
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import (
    EvalCallback,
    StopTrainingOnRewardThreshold,
)
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from teachrl.seeding import derive_seed, stream
from teachrl.students import Kickstart
from teachrl.students.experts import Expert
from teachrl.students.kickstart_weights import External

ray: Any = _ray  # what it says about its types differs from release to release
tune: Any = _tune
Trainable: Any = tune.Trainable
Callback: Any = tune.Callback

RESULTS = Path(__file__).parent / "results" / "kickstart_population"
FOLDER = Path("runs/kickstart_population")
ENV, N_ENVS, EPISODES = "CartPole-v1", 8, 20
WEAK = 100.0  # the return at which the expert's training is stopped; 500 is the most possible
WEIGHTS = (0.01, 5.0)  # of the first population
COLUMNS = ("student", "interval", "steps", "weight", "from", "mean_return")


@dataclass(kw_only=True)
class Arguments:
    """What does population-based training make of the weight of a weak expert?"""

    population: int = 4
    intervals: int = 6
    interval: int = 4_096  # steps of a student between two comparisons; 50,000 where it is harder
    workers: int = 2  # students that train at the same time
    seed: int = 0
    folder: Path = FOLDER
    results: Path = RESULTS


def main(arguments: Arguments) -> None:
    """Train the expert and the population, and write down what became of the weights."""
    folder = arguments.folder.resolve()
    expert = folder / "expert.zip"
    if not expert.exists():
        print(f"the expert reaches {_train_expert(expert, arguments.seed):.0f}")
    ray.init(
        num_cpus=arguments.workers, include_dashboard=False, log_to_driver=False, address="local"
    )
    found = _tuner(arguments, folder, expert).fit()
    ray.shutdown()
    if found.errors:
        raise RuntimeError(f"{len(found.errors)} students failed, the first: {found.errors[0]}")
    rows = _read(folder / "rows.csv")
    arguments.results.mkdir(parents=True, exist_ok=True)
    with (arguments.results / "population.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    for interval in range(1, arguments.intervals + 1):
        now = [row for row in rows if row[1] == interval]
        weights = ", ".join(f"{row[3]:.2g}" for row in now)
        best, clones = max(row[5] for row in now), sum(row[4] != row[0] for row in now)
        print(f"interval {interval}: weights {weights}; best {best:.0f}; {clones} cloned")


class Student(Trainable):  # type: ignore[misc]
    """One member of the population: PPO, and the weight that its expert has at the moment."""

    def setup(self, config: dict[str, Any]) -> None:
        """Begin anew; the student's number, not its configuration, is what a clone keeps."""
        torch.set_num_threads(1)
        self.number = self.origin = int(self.trial_id.rpartition("_")[2])
        seed = derive_seed(config["seed"], "student", self.number)
        env = make_vec_env(ENV, N_ENVS, seed=seed)
        self.model = PPO("MlpPolicy", env, n_steps=256, batch_size=256, seed=seed, device="cpu")
        self.weight, self.interval = External(config["weight"]), config["interval"]
        # Written by this script into the user's own folder; SB3's zips may run code.
        expert = Expert(PPO.load(config["expert"], device="cpu"))
        self.kickstart = Kickstart(expert, weight=self.weight)
        self.tests = make_vec_env(ENV, EPISODES)

    def step(self) -> dict[str, Any]:
        """Train for an interval, and evaluate."""
        before, self.origin = self.origin, self.number
        self.model.learn(self.interval, callback=self.kickstart, reset_num_timesteps=False)
        self.tests.seed(10_000)  # the same starts for everybody
        mean, _ = evaluate_policy(self.model, self.tests, EPISODES)
        steps, weight = self.model.num_timesteps, self.weight.value
        return {"mean_return": mean, "steps": steps, "weight": weight, "from": before}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write the student's weights, its optimiser, and how far it is."""
        self.model.save(Path(checkpoint_dir, "model.zip"))
        about = {"steps": self.model.num_timesteps, "student": self.number}
        Path(checkpoint_dir, "about.json").write_text(json.dumps(about))

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Go on from a checkpoint, which may be another student's."""
        self.model.set_parameters(str(Path(checkpoint, "model.zip")), device="cpu")
        about = json.loads(Path(checkpoint, "about.json").read_text())
        self.model.num_timesteps, self.origin = about["steps"], about["student"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Become another student in the same process: a new one imports torch for seconds."""
        self.setup(new_config)
        return True


def _tuner(arguments: Arguments, folder: Path, expert: Path) -> Any:
    if tune.Tuner.can_restore(str(folder / "tune")):
        return tune.Tuner.restore(str(folder / "tune"), Student, restart_errored=True)
    random.seed(arguments.seed)  # which the scheduler draws from
    rng = stream(arguments.seed, "weights")
    low, high = np.log(WEIGHTS)
    weights = np.exp(rng.uniform(low, high, arguments.population)).tolist()
    scheduler = PopulationBasedTraining(
        perturbation_interval=1,
        hyperparam_mutations={"weight": tune.loguniform(*WEIGHTS)},
        perturbation_factors=(1.2, 1 / 1.2),  # so that doing nothing is what happens on average
        resample_probability=0.0,
        synch=True,
        time_attr="training_iteration",
    )
    return tune.Tuner(
        Student,
        param_space={
            "weight": tune.grid_search(weights),
            "expert": str(expert),
            "interval": arguments.interval,
            "seed": arguments.seed,
        },
        tune_config=tune.TuneConfig(
            metric="mean_return", mode="max", scheduler=scheduler, reuse_actors=True
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(folder),
            stop={"training_iteration": arguments.intervals},
            callbacks=[_Notes(folder / "rows.csv")],
            verbose=0,
        ),
    )


class _Notes(Callback):  # type: ignore[misc]
    """Writes down all reports; Tune forgets some where a process serves several students."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_trial_result(self, trials: Any, trial: Any, result: dict[str, Any], **_: Any) -> None:  # noqa: ARG002
        """Append a row."""
        number = int(trial.trial_id.rpartition("_")[2])
        weight, mean = float(f"{result['weight']:.4g}"), round(float(result["mean_return"]), 1)
        counts = (number, result["training_iteration"], result["steps"])
        with self.path.open("a", newline="") as file:
            row = (*counts, weight, result["from"], mean)
            csv.writer(file, lineterminator="\n").writerow(row)


def _read(path: Path) -> list[tuple[Any, ...]]:
    """Return the rows by student and interval; of those that a stop made twice, the last."""
    with path.open(newline="") as file:
        cells = list(csv.reader(file))
    rows = {
        (int(student), int(interval)): (int(steps), float(weight), int(origin), float(mean))
        for student, interval, steps, weight, origin, mean in cells
    }
    return [(*key, *rows[key]) for key in sorted(rows)]


def _train_expert(path: Path, seed: int) -> float:
    """Train a student until it is half-way good, and return what it reaches."""
    torch.set_num_threads(1)
    path.parent.mkdir(parents=True, exist_ok=True)
    env = make_vec_env(ENV, N_ENVS, seed=derive_seed(seed, "expert"))
    model = PPO("MlpPolicy", env, n_steps=256, batch_size=256, seed=seed, device="cpu")
    tests = make_vec_env(ENV, EPISODES, seed=10_000)
    until = StopTrainingOnRewardThreshold(WEAK)
    examined = EvalCallback(
        tests, until, n_eval_episodes=EPISODES, eval_freq=64, verbose=0, deterministic=True
    )
    model.learn(200_000, callback=examined)
    model.save(path)
    return float(np.mean(evaluate_policy(model, tests, EPISODES)[0]))


if __name__ == "__main__":
    main(tyro.cli(Arguments))
