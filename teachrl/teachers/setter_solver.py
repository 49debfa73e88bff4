"""Tasks of every feasibility, from a flow (Racanière et al., 2020, arXiv 1909.12892)."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from teachrl.core import Episode, Task, Teacher
from teachrl.models.setters import Setter
from teachrl.spaces import Floats
from teachrl.teachers.hyperparameters import require_count, require_number, require_sizes
from teachrl.teachers.successes import require_success

Array = NDArray[np.float64]

_SHOWN = 200  # tasks of a belief


@dataclass(kw_only=True)
class SetterSolver(Teacher):
    """Learns to make tasks of a wanted chance of success, and wants every chance alike.

    A judge learns from successes how feasible each task is. A setter, an invertible network given
    noise and a wanted feasibility, learns to make tasks that the judge finds as feasible as wanted
    (feasibility), that resemble those that succeeded (validity), and that differ (coverage). Both
    make one step after every ``train_every`` episodes. The defaults are those of the benchmark's
    code (Romac et al., 2021, arXiv 2103.09815), and :meth:`tuned_for_walker` has those that it
    tuned. As there, no loss draws tasks towards a target.

    >>> from teachrl.envs import play
    >>> play(SetterSolver(hidden=16), episodes=200).student.competence.shape
    (10, 10)
    """

    needs: ClassVar[frozenset[str]] = frozenset({"success"})

    train_every: int = 100  # episodes between two steps, and in each
    hidden: int = 128  # neurons of a layer of the setter
    judge_layers: tuple[int, ...] = (64, 64, 64)
    learning_rate: float = 3e-4  # of both
    blur: float = 0.05  # tasks that succeeded are shifted by up to that share of the range

    @classmethod
    def tuned_for_walker(cls) -> Self:
        """Return the values that the benchmark tuned on Stump Tracks."""
        return cls(train_every=50, hidden=64, blur=0.1)

    def reset(self) -> None:
        """Draw new networks."""
        self._require_sense()
        d = self.space.dimensions
        self.setter = Setter(
            d,
            self.rng,
            hidden=self.hidden,
            judge_layers=self.judge_layers,
            rate=self.learning_rate,
            blur=self.blur,
        )
        self.ahead: Array = np.zeros((0, d + 1))  # made but not played yet: points, and feasibility
        self.points: Array = np.zeros((self.train_every, d))  # played since the last step
        self.successes: Array = np.zeros(self.train_every)
        self.n_played = 0
        self.losses: dict[str, float] = {}

    def sample(self) -> Task:
        """Make a task of a random feasibility."""
        if not len(self.ahead):  # the networks rest meanwhile, and many cost what one does
            points, chances = self.setter.draw(self.train_every, self.rng)
            self.ahead = np.column_stack([points, chances])
        made, self.ahead = self.ahead[0], self.ahead[1:]
        params, feasibility = self.space.denormalize(made[:-1]), float(made[-1])
        return Task(params, origin="setter", meta={"feasibility": feasibility})

    def update(self, episode: Episode) -> None:
        """Note whether a task succeeded, and train both networks if it is time."""
        self.successes[self.n_played] = require_success(self, episode)
        self.points[self.n_played] = self.space.normalize(episode.task.params)
        self.n_played += 1
        if self.n_played == self.train_every:
            self.losses = self.setter.learn(self.points, self.successes, self.rng)
            self.ahead, self.n_played = self.ahead[:0], 0

    def preview(self, n: int, rng: np.random.Generator) -> Floats:
        """Return ``n`` tasks (n, d) as it would make them now."""
        return self.space.denormalize(self.setter.draw(n, rng)[0])

    def belief(self) -> dict[str, NDArray[Any]]:
        """Return ``points`` (k, d) that it makes, and as ``values`` (k,) their feasibility.

        The feasibility is what the judge says, not what was wanted.
        """
        points, _ = self.setter.draw(_SHOWN, np.random.default_rng(0))
        return {"points": points, "values": self.setter.judge(points)}

    def metrics(self) -> dict[str, float]:
        """Return the losses of the latest step."""
        return {f"{name}_loss": loss for name, loss in self.losses.items()}

    def _require_sense(self) -> None:
        """Refuse hyper-parameters that cannot work."""
        require_count(self, "train_every")
        require_count(self, "hidden")
        require_number(self, "learning_rate", 0.0, 1.0)
        require_number(self, "blur", 0.0, 1.0)
        require_sizes(self, "judge_layers")
