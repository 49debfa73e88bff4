"""Tasks that succeed now and then, from a GAN (Florensa et al., 2018, arXiv 1705.06366)."""

from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from teachrl.core import Episode, Task, Teacher
from teachrl.models.gan import PointGAN
from teachrl.models.spread import SpreadPoints
from teachrl.spaces import Floats
from teachrl.teachers.hyperparameters import (
    require_count,
    require_gaussian,
    require_number,
    require_sizes,
)
from teachrl.teachers.successes import require_success

Array = NDArray[np.float64]

_PRETRAINED = 1_000  # tasks that the generator imitates at first
_SHOWN = 200  # tasks of a belief


@dataclass(kw_only=True)
class GoalGAN(Teacher):
    """Learns to generate tasks of intermediate difficulty, at which some attempts succeed.

    Every generated task is attempted ``rollouts`` times and labelled good if the share of successes
    is intermediate. After each ``train_every`` labels, a least-squares GAN learns to generate what
    resembles the good ones, unless there are none. Tasks that succeeded more often are kept and
    now and then replayed. The defaults are those of the benchmark's code (Romac et al., 2021, arXiv
    2103.09815), and :meth:`tuned_for_walker` has those that it tuned.

    >>> from teachrl.envs import play
    >>> teacher = GoalGAN(initial_mean=(0.05, 0.05), initial_std=(0.1, 0.1), pretraining=100)
    >>> bool(play(teacher, episodes=300).student.competence[0, 0] > 0)
    True
    """

    needs: ClassVar[frozenset[str]] = frozenset({"success"})

    rollouts: int = 2  # attempts at a task before it is labelled
    success_low: float = 0.25  # of a good task; the paper's is 0.1
    success_high: float = 0.75  # 0.9 in the paper; a task that succeeds more often is an old one
    train_every: int = 100  # labelled tasks between two trainings, and in each
    iterations: int = 250  # of a training: one step of each network
    noise: float = 0.01  # standard deviation of what is added to a task, as a share of the range
    old_ratio: float = 0.2  # share of decisions for an old task; a third in the paper
    old_distance: float = 0.01  # least one between old tasks, as a share of the space's diagonal
    memory: int = 2_000  # old tasks remembered, and tasks whose label is awaited
    initial_mean: tuple[float, ...] | None = None  # first tasks, in task units; None: uniform
    initial_std: tuple[float, ...] | None = None  # of these, as shares of the range
    pretraining: int = 500  # iterations that teach the generator these
    generator_layers: tuple[int, ...] = (256, 256)
    discriminator_layers: tuple[int, ...] = (128, 128)
    learning_rate: float = 1e-3  # of both
    batch: int = 64  # labelled tasks, and generated ones, of an iteration
    aim: float = 1.0  # what the generator wants to hear; 0 in the paper, 1 in its authors' code

    @classmethod
    def tuned_for_walker(cls) -> Self:
        """Return the values that the benchmark tuned on Stump Tracks."""
        return cls(noise=0.1, old_ratio=0.1)

    def reset(self) -> None:
        """Forget all successes, and teach the generator the initial tasks."""
        self._require_sense()
        d = self.space.dimensions
        self.gan = PointGAN(
            d,
            self.rng,
            generator_layers=self.generator_layers,
            discriminator_layers=self.discriminator_layers,
            rate=self.learning_rate,
            batch=self.batch,
            aim=self.aim,
        )
        self.old = SpreadPoints(d, self.old_distance * sqrt(d), self.memory)
        self.repeats: list[tuple[int, list[float]]] = []  # attempts to come: trial and point
        self.tallies: dict[str, list[int]] = {}  # of each trial: attempts and successes so far
        self.n_trials = 0
        self.points: Array = np.zeros((self.train_every, d))  # labelled since the last training
        self.labels: Array = np.zeros(self.train_every)  # 1: good
        self.n_labelled = 0
        self.report: dict[str, float] = {}  # on the latest labels and the latest training
        self.gan.train(self._initial(), np.ones(_PRETRAINED), self.pretraining, self.rng)

    def sample(self) -> Task:
        """Repeat a task, or replay an old one, or else generate one."""
        if self.repeats:
            trial, point = self.repeats.pop(0)
            return self._attempt(trial, np.array(point))
        if len(self.old) and self.rng.random() < self.old_ratio:
            return Task(self.space.denormalize(self._shake(self.old.draw(self.rng))), origin="old")
        [made] = self.gan.generate(self.rng.standard_normal((1, self.space.dimensions)))
        return self._begin_trial(self._shake(made))

    def update(self, episode: Episode) -> None:
        """Count an attempt, and label its task if it was the last one."""
        success, trial = require_success(self, episode), str(episode.task.meta.get("trial"))
        if trial not in self.tallies:
            return
        tally = self.tallies[trial]
        tally[0] += 1
        tally[1] += success
        if tally[0] == self.rollouts:
            del self.tallies[trial]
            self._label(self.space.normalize(episode.task.params), tally[1] / self.rollouts)

    def preview(self, n: int, rng: np.random.Generator) -> Floats:
        """Return ``n`` tasks (n, d) as the generator makes them now, without noise."""
        return self.space.denormalize(
            self.gan.generate(rng.standard_normal((n, self.space.dimensions)))
        )

    def belief(self) -> dict[str, NDArray[Any]]:
        """Return generated ``points`` (k, d), and how good the discriminator finds them, (k,)."""
        noise = np.random.default_rng(0).standard_normal((_SHOWN, self.space.dimensions))
        points = self.gan.generate(noise)
        return {"points": points, "values": self.gan.discriminate(points)}

    def metrics(self) -> dict[str, float]:
        """Return how many old tasks there are, the share of good ones, and the losses."""
        return {"old_tasks": float(len(self.old)), **self.report}

    def _begin_trial(self, point: Array) -> Task:
        """Return the first attempt at a task, and note those to come."""
        trial, self.n_trials = self.n_trials, self.n_trials + 1
        self.tallies[str(trial)] = [0, 0]
        if len(self.tallies) > self.memory:  # episodes may never come back
            del self.tallies[next(iter(self.tallies))]
        self.repeats += [(trial, point.tolist())] * (self.rollouts - 1)
        return self._attempt(trial, point)

    def _attempt(self, trial: int, point: Array) -> Task:
        return Task(self.space.denormalize(point), origin="generated", meta={"trial": trial})

    def _shake(self, point: Array) -> Array:
        return point + self.noise * self.rng.standard_normal(len(point))

    def _label(self, point: Array, share: float) -> None:
        """Take in how a task went, and train the GAN if it is time."""
        self.points[self.n_labelled] = point
        self.labels[self.n_labelled] = self.success_low <= share <= self.success_high
        self.n_labelled += 1
        if share > self.success_high:
            self.old.add(point)
        if self.n_labelled == self.train_every:
            self._train()
            self.n_labelled = 0

    def _train(self) -> None:
        self.report["good_ratio"] = float(self.labels.mean())
        if self.labels.any():
            losses = self.gan.train(self.points, self.labels, self.iterations, self.rng)
            self.report["generator_loss"], self.report["discriminator_loss"] = losses

    def _initial(self) -> Array:
        """Draw the tasks that the generator shall make at first."""
        shape = _PRETRAINED, self.space.dimensions
        if self.initial_mean is None or self.initial_std is None:
            return self.rng.random(shape)
        points = self.rng.normal(self.space.normalize(self.initial_mean), self.initial_std, shape)
        return np.clip(points, 0.0, 1.0)

    def _require_sense(self) -> None:
        """Refuse hyper-parameters that cannot work in this space."""
        for name in ("rollouts", "train_every", "memory", "batch"):
            require_count(self, name)
        for name in ("iterations", "pretraining"):
            require_count(self, name, least=0)
        for name in ("success_low", "success_high", "old_ratio", "old_distance"):
            require_number(self, name, 0.0, 1.0)
        for name in ("noise", "learning_rate"):
            require_number(self, name, 0.0, 1.0)
        require_number(self, "aim", -1.0, 1.0)
        for name in ("generator_layers", "discriminator_layers"):
            require_sizes(self, name)
        shares = np.arange(self.rollouts + 1) / self.rollouts
        if not ((self.success_low <= shares) & (shares <= self.success_high)).any():
            raise ValueError(
                f"GoalGAN: of {self.rollouts} rollouts, no share of successes lies between "
                f"success_low {self.success_low} and success_high {self.success_high}: no task "
                "could ever be good; raise rollouts or widen the range"
            )
        require_gaussian(self, "initial", 0.0)
