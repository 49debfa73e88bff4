"""Tasks on whose value several critics disagree (Zhang et al., 2020, arXiv 2006.09641)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from teachrl.core import Task, Teacher
from teachrl.models.q_ensemble import QEnsemble
from teachrl.rollouts import Rollout
from teachrl.spaces import Floats
from teachrl.teachers.hyperparameters import require_count, require_number, require_sizes
from teachrl.teachers.ring import Ring

_WIDEST = 4096  # numbers in an observation; the replay of larger ones would fill the memory


@dataclass(kw_only=True)
class VDS(Teacher):
    """Value disagreement sampling: tasks at the edge of what critics can tell.

    An ensemble of Q-networks learns from the student's steps: each by itself, towards r + γ Q(s',
    a') with the action a' that the student would take. Every ``update_every`` steps it is trained,
    and many uniform tasks are weighed by the standard deviation of Q(s₀, a₀) over the networks;
    until the next time, tasks are drawn from those by that weight. Observations must tell the task:
    the networks see nothing else of it. The defaults are those that Klink et al. (2023, arXiv
    2309.14091) found best on a point mass.

    >>> VDS().needs == {"transitions", "actions", "first_observations"}
    True
    """

    needs: ClassVar[frozenset[str]] = frozenset({"transitions", "actions", "first_observations"})

    networks: int = 5
    hidden: tuple[int, ...] = (128, 128, 128)  # units of each network, with tanh
    learning_rate: float = 1e-3  # of Adam
    epochs: int = 3  # over the remembered steps, whenever the networks are trained
    batches: int = 20  # minibatches of an epoch
    update_every: int = 4096  # environment steps between two trainings
    memory: int = 20_480  # latest environment steps to train on
    candidates: int = 1000  # tasks weighed at a time

    @classmethod
    def tuned_for_maze(cls) -> Self:
        """Return the values that Klink et al. found best in mazes."""
        return cls(learning_rate=5e-4, epochs=10, batches=80, update_every=10_000, memory=50_000)

    def reset(self) -> None:
        """Forget all steps and values."""
        self._require_sense()
        self.replay = Ring(self.memory)
        shape = (self.hidden, self.networks, self.learning_rate)
        self.ensemble = QEnsemble(0, *shape, self.rng)  # its inputs are known with the first steps
        self.n_actions = 0  # discrete ones that were seen so far
        self.pool: Floats = np.zeros((0, self.space.dimensions), np.float32)  # tasks to choose from
        self.disagreement: NDArray[np.float64] = np.zeros(0)  # of the networks about each
        self.next_update = self.update_every  # in environment steps
        self.n_updates = 0
        self.loss = 0.0  # of the last epoch

    def sample(self) -> Task:
        """Choose a task by the networks' disagreement; uniformly, before they know anything."""
        return self._choose(self.rng)

    def study(self, rollout: Rollout) -> None:
        """Remember steps, and if it is time, train the networks and weigh new tasks."""
        if not len(self.replay):
            self._require_visible(rollout)
        self._remember(rollout)
        if rollout.steps >= self.next_update:
            self.next_update = self.update_every * (1 + rollout.steps // self.update_every)
            self.n_updates += 1
            self._train(rollout)
            self._weigh(rollout)

    def preview(self, n: int, rng: np.random.Generator) -> Floats:
        """Return ``n`` tasks (n, d) as it would sample now."""
        tasks = [self._choose(rng).params for _ in range(n)]
        return np.array(tasks, np.float32).reshape(n, self.space.dimensions)

    def belief(self) -> dict[str, NDArray[Any]]:
        """Return the weighed tasks as points (k, d), and the disagreement as their values (k,)."""
        if not len(self.pool):
            return {}
        return {"points": self.space.normalize(self.pool), "values": self.disagreement.copy()}

    def metrics(self) -> dict[str, float]:
        """Return loss, mean disagreement, and the share of tasks that it effectively picks from."""
        if not len(self.pool):
            return {"updates": float(self.n_updates)}
        chances = self._chances()
        entropy = -float(np.sum(chances * np.log(np.where(chances > 0, chances, 1.0))))
        return {
            "updates": float(self.n_updates),
            "loss": self.loss,
            "disagreement": float(self.disagreement.mean()),
            "effective_share": float(np.exp(entropy)) / len(chances),
        }

    def _choose(self, rng: np.random.Generator) -> Task:
        if not len(self.pool):
            return Task(self.space.uniform(rng), origin="uniform")
        passed = np.cumsum(self._chances())[:-1] <= rng.random()
        return Task(self.pool[np.count_nonzero(passed)].copy(), origin="disagreement")

    def _chances(self) -> NDArray[np.float64]:
        """Return the probability of each task of the pool; where all agree they are equal."""
        total = float(self.disagreement.sum())
        n = len(self.disagreement)
        return self.disagreement / total if total > 0 else np.full(n, 1 / n)

    def _remember(self, rollout: Rollout) -> None:
        steps, (low, high) = rollout.transitions(), self.reward_range
        if not np.isfinite(steps.rewards).all():
            raise ValueError(f"rewards must be finite, got {steps.rewards}: the environment's")
        self.replay.add(
            {
                "observations": steps.observations,
                "actions": steps.actions,
                # Shares of the range. Not shifted: that would reward every step.
                "rewards": (steps.rewards / (high - low)).astype(np.float32),
                "next_observations": steps.next_observations,
                "continues": (~steps.terminated).astype(np.float32),
            }
        )

    def _train(self, rollout: Rollout) -> None:
        """Train the networks on the steps that are remembered."""
        rows = self.replay.rows
        answers = rollout.actions(rows["next_observations"])
        self._count(rows["actions"], answers)
        inputs = self._inputs(rollout, rows["observations"], rows["actions"])
        following = self._inputs(rollout, rows["next_observations"], answers)
        discounts = np.float32(rollout.discount) * rows["continues"]

        def targets(chosen: NDArray[np.int64]) -> NDArray[np.float32]:
            hoped = self.ensemble.predict(following[chosen])
            return np.asarray(rows["rewards"][chosen] + discounts[chosen] * hoped)

        for _ in range(self.epochs):
            self.loss = self.ensemble.fit(inputs, targets, self.batches, self.rng)

    def _weigh(self, rollout: Rollout) -> None:
        """Draw tasks, and ask the networks about what the student would do there first."""
        pool = self.space.uniform(self.rng, self.candidates)
        seen = rollout.first_observations(pool)
        actions = rollout.actions(seen)
        self._count(actions)
        values = self.ensemble.predict(self._inputs(rollout, seen, actions))
        if not np.isfinite(values).all():
            raise ValueError(
                "the Q-networks of VDS have diverged: lower its learning_rate, or the student's "
                "discount factor"
            )
        self.pool, self.disagreement = pool, values.astype(np.float64).std(axis=0)

    def _inputs(self, rollout: Rollout, observations: Any, actions: Any) -> NDArray[np.float32]:
        """Return what the networks see of observations and actions, (n, i)."""
        seen = _flat(rollout.normalize(observations))
        inputs = np.concatenate([seen, _coded(actions, self.n_actions)], axis=1)
        if inputs.shape[1] > self.ensemble.inputs:
            self.ensemble.widen(inputs.shape[1], self.rng)
        return inputs

    def _count(self, *actions: Any) -> None:
        """Take note of discrete actions, whose number nobody declares."""
        for each in map(np.asarray, actions):
            if each.dtype.kind in "iu":
                self.n_actions = max(self.n_actions, int(each.max()) + 1)

    def _require_visible(self, rollout: Rollout) -> None:
        """Refuse an environment whose observations are large, or say nothing of the task."""
        corners = self.space.denormalize(np.array([0.0, 1.0])[:, None] + np.zeros(self.space.shape))
        first, last = _flat(rollout.first_observations(corners))
        if len(first) > _WIDEST:
            raise ValueError(
                f"VDS learns from observations of at most {_WIDEST} numbers, got {len(first)}: "
                "images are beyond its networks; choose another teacher"
            )
        if np.array_equal(first, last):
            raise ValueError(
                "VDS weighs tasks by their first observations, but those of the lowest and of the "
                "highest task are the same: add the task to the observation, or choose another "
                "teacher"
            )

    def _require_sense(self) -> None:
        """Refuse hyper-parameters that cannot work."""
        require_count(self, "networks", least=2)  # one agrees with itself
        require_number(self, "learning_rate", 1e-9, 1.0)
        for name in ("epochs", "batches", "update_every", "memory", "candidates"):
            require_count(self, name)
        require_sizes(self, "hidden")
        if not self.hidden:
            raise ValueError(
                f"VDS.hidden must be whole numbers of at least 1, one per layer, got {self.hidden}"
            )


def _flat(observations: Any) -> NDArray[np.float32]:
    """Return observations (n, …), or a dict of such, as (n, i)."""
    if isinstance(observations, Mapping):
        parts = [_flat(observations[key]) for key in sorted(observations)]
        return np.concatenate(parts, axis=1)
    array = np.asarray(observations, np.float32)
    return array.reshape(len(array), -1)


def _coded(actions: Any, n_actions: int) -> NDArray[np.float32]:
    """Return continuous actions as they are, and discrete ones as columns of zeros and a one.

    The columns of an action that was never seen before are the last ones.
    """
    array = np.asarray(actions)
    if array.dtype.kind not in "iu":
        return _flat(array)
    chosen = array.reshape(len(array), 1, -1) == np.arange(n_actions)[:, None]
    return _flat(chosen)
