"""What the teachers with a designer share (Dennis et al., 2020, arXiv 2012.02096)."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from teachrl.core import Episode, Task, Teacher
from teachrl.models.designers import Array, Designer, Proposals
from teachrl.models.designers.beta import BetaDesigner
from teachrl.models.designers.cross_entropy import CrossEntropyDesigner
from teachrl.rollouts import Rollout
from teachrl.seeding import draw_seed
from teachrl.spaces import Floats
from teachrl.teachers.hyperparameters import require_choice, require_count, require_number

DesignerName = Literal["beta", "cross-entropy"]
Returns = Mapping[str, Sequence[float]]  # of complete episodes, by student; shares of reward_range

_OPEN = 10_000  # designs whose episodes may still come
_SHOWN = 200  # designs in a picture


@dataclass(kw_only=True)
class DesigningTeacher(Teacher):
    """Lets a designer propose tasks, each with a seed, and rewards it by how students fare on them.

    A task is played again and again until a rollout ends in which everyone finished it, or after
    that rollout until everyone has. It is judged when nobody plays it any more: so an episode that
    crosses rollouts counts for its own task, and one that never ends for none. Subclasses say what
    a task is worth (:meth:`judge`); one that lets the designer work in another space than that of
    tasks overrides :attr:`design_dimensions` and :meth:`decode`.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"repeats"})
    worth: ClassVar[str] = "reward"  # what metrics call the designer's reward

    designer: DesignerName = "beta"
    designs_per_update: int = 16  # at least; a gradient from fewer is mostly noise
    uniform_ratio: float = 0.1  # share of designs that are uniformly random
    learning_rate: float = 3e-3  # of the Beta policy
    epochs: int = 5  # of PPO, per update of the Beta policy
    entropy_bonus: float = 1e-2  # per nat, where rewards are standardised
    noise: int = 4  # normal numbers that the Beta policy answers to; 0: always the same Beta
    normalize: bool = True  # the Beta policy's rewards by their running mean and deviation
    memory: int = 128  # latest designs that cross-entropy chooses its elite from
    elite_ratio: float = 0.25  # of them
    step: float = 0.5  # of cross-entropy, from the Gaussian that was to that of the elite
    least_deviation: float = 0.03  # of cross-entropy's Gaussian, as a share of the range

    def reset(self) -> None:
        """Begin with a designer who knows nothing."""
        self._require_sense()
        self.model = self._make_designer()
        self.ahead: list[list[Array]] = []  # points and notes that were proposed and not yet asked
        self.open: dict[str, dict[str, Any]] = {}  # designs that are played, by number
        self.judged: list[list[Any]] = []  # point, notes and reward, since the last update
        self.latest: dict[str, float] = {}  # what was measured at the last update
        self.n_designs = self.n_updates = 0

    @property
    def design_dimensions(self) -> int:
        """Number of coordinates that the designer chooses."""
        return self.space.dimensions

    def decode(self, points: Array) -> Floats:
        """Return the tasks (n, d) that points (n, design_dimensions) of the unit cube stand for."""
        return self.space.denormalize(points)

    @abstractmethod
    def judge(self, returns: Returns) -> float | None:
        """Return the designer's reward for a design; None if those episodes do not tell."""

    def sample(self) -> Task:
        """Return the next design."""
        if not self.ahead:
            made = self.model.propose(self.designs_per_update, self.rng)
            self.ahead = [list(row) for row in zip(made.points, made.notes, strict=True)]
        point, notes = self.ahead.pop(0)
        number = self.n_designs
        self.n_designs += 1
        self.open[str(number)] = {"point": point, "notes": notes, "returns": {}}
        if len(self.open) > _OPEN:  # of a student who never tells what it plays
            del self.open[next(iter(self.open))]
        [params] = self.decode(point[None])
        return Task(params, seed=draw_seed(self.rng), origin="design", meta={"design": number})

    def update(self, episode: Episode) -> None:
        """Note how a design went."""
        reward = self.scale(episode.reward)
        design = self.open.get(str(episode.task.meta.get("design")))
        if design is not None:
            design["returns"].setdefault(episode.student, []).append(reward)

    def study(self, rollout: Rollout) -> None:
        """Judge the designs that nobody plays any more, and let the designer learn from them."""
        self._judge(rollout)
        self._learn()

    def preview(self, n: int, rng: np.random.Generator) -> Floats:
        """Return ``n`` tasks (n, d) that the designer would propose now."""
        return self.decode(self.model.propose(n, rng).points)

    def belief(self) -> dict[str, NDArray[Any]]:
        """Return ``points`` (n, d) that the designer would propose now."""
        tasks = self.preview(_SHOWN, np.random.default_rng(0))
        return {"points": self.space.normalize(tasks)}

    def metrics(self) -> dict[str, float]:
        """Return rewards and returns of the last update, and how far the designs are from uniform.

        Rewards and mean returns by student are shares of ``reward_range``. ``entropy`` is the
        designer's, in nats; ``distance`` the mean over coordinates of the Wasserstein distance to
        the uniform distribution, from 0 to a half.
        """
        ranked = np.sort(self.model.propose(_SHOWN, np.random.default_rng(0)).points, axis=0)
        uniform = (np.arange(_SHOWN) + 0.5) / _SHOWN
        distance = float(np.abs(ranked - uniform[:, None]).mean())
        counts = {"designs": float(self.n_designs), "updates": float(self.n_updates)}
        return counts | {"entropy": self.model.entropy(), "distance": distance} | self.latest

    def _judge(self, rollout: Rollout) -> None:
        """Move the designs that nobody plays any more from the open ones to the judged ones."""
        running = {str(notes["design"]) for notes in rollout.running() if "design" in notes}
        for number in [number for number in self.open if number not in running]:
            design = self.open.pop(number)
            reward = self.judge(design["returns"])
            if reward is not None:
                means = {name: float(np.mean(each)) for name, each in design["returns"].items()}
                self.judged.append([design["point"], design["notes"], float(reward), means])

    def _learn(self) -> None:
        """Let the designer learn, once enough designs have been judged."""
        if len(self.judged) < self.designs_per_update:
            return
        points, notes, given, means = zip(*self.judged, strict=True)
        rewards = np.array(given)
        self.model.learn(Proposals(np.stack(points), np.stack(notes)), rewards)
        students = sorted({name for each in means for name in each})
        self.latest = {
            f"{self.worth}_mean": float(rewards.mean()),
            f"{self.worth}_max": float(rewards.max()),
        }
        for name in students:
            self.latest[f"{name}_return"] = float(np.mean([m[name] for m in means if name in m]))
        self.judged = []
        self.ahead = []  # proposed by who the designer was before
        self.n_updates += 1

    def _make_designer(self) -> Designer:
        """Return a designer with this teacher's hyper-parameters."""
        if self.designer == "beta":
            return BetaDesigner(
                self.design_dimensions,
                self.rng,
                uniform_ratio=self.uniform_ratio,
                rate=self.learning_rate,
                epochs=self.epochs,
                entropy_bonus=self.entropy_bonus,
                noise=self.noise,
                normalize=self.normalize,
            )
        return CrossEntropyDesigner(
            self.design_dimensions,
            uniform_ratio=self.uniform_ratio,
            memory=self.memory,
            elite_ratio=self.elite_ratio,
            step=self.step,
            least_deviation=self.least_deviation,
        )

    def _require_sense(self) -> None:
        """Refuse hyper-parameters that cannot work."""
        require_choice(self, "designer", get_args(DesignerName))
        for name in ("designs_per_update", "epochs", "memory"):
            require_count(self, name)
        require_count(self, "noise", 0)
        require_number(self, "uniform_ratio", 1e-3, 0.9)  # so that no point is out of reach
        require_number(self, "learning_rate", 0.0, 1.0)
        require_number(self, "entropy_bonus", 0.0)
        require_number(self, "elite_ratio", 1e-3, 1.0)
        require_number(self, "step", 0.0, 1.0)
        require_number(self, "least_deviation", 1e-6, 1.0)
