"""Trained policies that a student may be kickstarted from, and which of them knows which task."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecNormalize

from teachrl.spaces import Floats, TaskSpace
from teachrl.students.divergences import Answer, Form, answer, answer_of
from teachrl.students.normalizers import FrozenNormalizer

_CHUNK = 8192  # observations in one forward pass


class Expert:
    """A frozen SB3 model that is fed raw observations and normalises them as it did in training.

    Args:
        model: any SB3 model.
        normalizer: of its own observations; None: that of the environment it is trained in, as it
            is now, or none, if it has none.
        expected_return: what it reaches, for :class:`ReturnRatio`.
        mastered: tasks (n, d) that it masters, for :meth:`Experts.nearest`.
        measured: tasks (n, d), and what it reached on each, (n,), so that a student is compared
            with it on tasks like those that the student has played.
    """

    def __init__(
        self,
        model: BaseAlgorithm,
        normalizer: FrozenNormalizer | VecNormalize | None = None,
        expected_return: float | None = None,
        mastered: Floats | None = None,
        measured: tuple[Floats, Floats] | None = None,
    ) -> None:
        # In a tuple: as an attribute of a policy it would become a part of the student.
        self._model = (model,)
        if normalizer is None and (own := model.get_vec_normalize_env()) is not None:
            normalizer = FrozenNormalizer.of(own)
        self.normalizer, self.expected_return, self.mastered = normalizer, expected_return, mastered
        self.measured = measured
        self._memory: tuple[torch.Tensor, torch.Tensor] | None = None
        model.policy.set_training_mode(False)

    @property
    def model(self) -> Any:
        """The policy that was trained."""
        return self._model[0]

    @property
    def is_recurrent(self) -> bool:
        """Whether its answers depend on what it saw before."""
        return "Recurrent" in type(self.model).__name__

    def answer(self, form: Form, observations: Any) -> Answer:
        """Return what it says about raw observations (n, …); no gradient reaches it."""
        one = next(iter(observations.values())) if isinstance(observations, dict) else observations
        chunks = (slice(start, start + _CHUNK) for start in range(0, len(one), _CHUNK))
        parts = [self._answer(form, rows_of(observations, chunk)) for chunk in chunks]
        columns = zip(*(part.tensors for part in parts), strict=True)
        return Answer(form, tuple(torch.cat(column) for column in columns))

    def follow(self, form: Form, observations: Any, starts: NDArray[np.bool_]) -> Answer:
        """Return what a recurrent expert says about the next step (n, …) of n trajectories.

        Args:
            form: of the answer.
            observations: raw ones.
            starts: where an episode begins, so that it forgets what was before, (n,).
        """
        policy = self.model.policy
        if self._memory is None or self._memory[0].shape[1] != len(starts):
            layers, _, width = policy.lstm_hidden_state_shape
            zeros = torch.zeros((layers, len(starts), width), device=policy.device)
            self._memory = (zeros, zeros)
        with torch.no_grad():
            inputs, _ = policy.obs_to_tensor(self._normalized(observations))
            begun = torch.as_tensor(starts, dtype=torch.float32, device=policy.device)
            distribution, self._memory = policy.get_distribution(inputs, self._memory, begun)
        return answer_of(self.model, form, distribution.distribution)

    @property
    def memory(self) -> list[NDArray[np.float32]] | None:
        """What a recurrent expert remembers of the trajectories it follows; None: nothing yet."""
        return None if self._memory is None else [part.cpu().numpy() for part in self._memory]

    @memory.setter
    def memory(self, parts: Sequence[NDArray[np.float32]] | None) -> None:
        if parts is None:
            self._memory = None
        else:
            device = self.model.policy.device
            hidden, cell = (
                torch.as_tensor(np.array(part, np.float32), device=device) for part in parts
            )
            self._memory = (hidden, cell)

    def require_spaces(self, observation_space: Any, action_space: spaces.Space[Any]) -> None:
        """Refuse a student that sees or does something else."""
        for what, theirs, ours in (
            ("observations", self.model.observation_space, observation_space),
            ("actions", self.model.action_space, action_space),
        ):
            if not _alike(theirs, ours) or not (
                what == "observations" or _same_bounds(theirs, ours)
            ):
                raise ValueError(
                    f"the expert's {what} are {theirs}, the student's are {ours}: it cannot guide "
                    "what it does not know"
                )

    def _answer(self, form: Form, observations: Any) -> Answer:
        with torch.no_grad():
            inputs, _ = self.model.policy.obs_to_tensor(self._normalized(observations))
            return answer(self.model, form, inputs)

    def _normalized(self, observations: Any) -> Any:
        return self.normalizer.normalize_obs(observations) if self.normalizer else observations


class Experts:
    """Several experts, and which of them is asked about an episode, by its task.

    Args:
        experts: which.
        owner: maps tasks (n, d) to indices of experts (n,); -1: nobody knows.
    """

    def __init__(
        self, experts: Sequence[Expert], owner: Callable[[Floats], NDArray[np.int64]]
    ) -> None:
        if not experts:
            raise ValueError("kickstarting needs at least one expert")
        self.experts, self._owner = list(experts), owner
        self.know_all = False  # one of them knows every task, so that nobody needs to name it

    @classmethod
    def of(cls, given: Any) -> "Experts":
        """Take an expert, a model, a run, or experts that are routed already."""
        if isinstance(given, Experts):
            return given
        experts = cls([_expert(given)], lambda params: np.zeros(len(params), np.int64))
        experts.know_all = True
        return experts

    @classmethod
    def by_region(
        cls, space: TaskSpace, regions: Sequence[tuple[Mapping[str, tuple[float, float]], Any]]
    ) -> "Experts":
        """Ask the first expert whose region holds the task: ``[({"height": (0, 1)}, expert)]``."""
        for ranges, _ in regions:
            if unknown := ranges.keys() - set(space.names):
                raise ValueError(f"a region of {space} names {sorted(unknown)}")

        def owner(params: Floats) -> NDArray[np.int64]:
            owners = np.full(len(params), -1)
            for index, (ranges, _) in reversed(list(enumerate(regions))):
                inside = np.ones(len(params), bool)
                for name, (low, high) in ranges.items():
                    column = params[:, space.names.index(name)]
                    inside &= (column >= low) & (column <= high)
                owners[inside] = index
            return owners

        return cls([_expert(given) for _, given in regions], owner)

    @classmethod
    def nearest(cls, space: TaskSpace, experts: Sequence[Any], farthest: float = 0.1) -> "Experts":
        """Ask the expert who masters the task most like the one at hand.

        Args:
            space: of the tasks.
            experts: from runs, which say what they master.
            farthest: distance in unit coordinates beyond which nobody knows.
        """
        asked = [_expert(given) for given in experts]
        for expert in asked:
            if expert.mastered is None:
                raise ValueError("give Expert the tasks it masters, or take it from run.expert()")
        known = [space.normalize(e.mastered) for e in asked if e.mastered is not None]

        def owner(params: Floats) -> NDArray[np.int64]:
            points = space.normalize(params)[:, None]
            distances = np.stack(
                [
                    np.linalg.norm(points - each, axis=2).min(axis=1)
                    if len(each)
                    else np.full(len(params), np.inf)
                    for each in known
                ]
            )
            return np.where(distances.min(axis=0) <= farthest, distances.argmin(axis=0), -1)

        return cls(asked, owner)

    @property
    def expected_return(self) -> float | None:
        """The mean of what they reach; None, if one of them does not say."""
        returns = [expert.expected_return for expert in self.experts]
        if any(value is None for value in returns):
            return None
        return float(np.mean([value for value in returns if value is not None]))

    def returns_on(self, space: TaskSpace, params: Floats) -> Floats | None:
        """Return what the expert of each task (n, d) reached on the test task most like it, (n,).

        It is NaN where nobody knows the task; None: one of the experts has not been measured.
        """
        returns, owners = np.full(len(params), np.nan, np.float32), self.owner(params)
        for index, expert in enumerate(self.experts):
            if expert.measured is None:
                return None
            rows = np.flatnonzero(owners == index)
            tasks, reached = expert.measured
            points = space.normalize(params[rows])[:, None]
            apart = np.linalg.norm(points - space.normalize(tasks), axis=2)
            returns[rows] = reached[apart.argmin(axis=1)]
        return returns

    def owner(self, params: Floats) -> NDArray[np.int64]:
        """Return who knows each task (n, d), as indices (n,); -1: nobody."""
        owners = np.asarray(self._owner(params), np.int64)
        if owners.shape != (len(params),) or owners.max() >= len(self.experts) or owners.min() < -1:
            raise ValueError(
                f"expected an index from -1 to {len(self.experts) - 1} per task, got {owners}"
            )
        return owners

    def answer(
        self,
        form: Form,
        observations: Any,
        owners: NDArray[np.int64],
        followed: Mapping[int, Answer] | None = None,
    ) -> Answer:
        """Return the answers of each row's own expert; rows of nobody are zero.

        Args:
            form: of the answers.
            observations: raw ones (n, …).
            owners: whom to ask about each, (n,).
            followed: what recurrent experts said about all rows while they followed.
        """
        result: list[torch.Tensor] = []
        for index in np.unique(owners[owners >= 0]).tolist():
            rows = np.flatnonzero(owners == index)
            if followed and index in followed:
                part = followed[index].rows(rows)
            else:
                part = self.experts[index].answer(form, rows_of(observations, rows))
            if not result:
                result = [t.new_zeros((len(owners), *t.shape[1:])) for t in part.tensors]
            for whole, tensor in zip(result, part.tensors, strict=True):
                whole[rows] = tensor
        return Answer(form, tuple(result))


def rows_of(observations: Any, index: Any) -> Any:
    """Return some rows of observations, which may be dicts of arrays."""
    if isinstance(observations, dict):
        return {key: value[index] for key, value in observations.items()}
    return observations[index]


def _expert(given: Any) -> Expert:
    if isinstance(given, Expert):
        return given
    if isinstance(given, BaseAlgorithm):
        return Expert(given)
    if not hasattr(given, "expert"):
        raise TypeError(
            "an expert is a trained model, an Expert or a run, teachrl.runs.Run.load(folder); "
            f"several of them are Experts.by_region(...) or Experts.nearest(...). Got {given!r}"
        )
    expert: Expert = given.expert()
    return expert


def _same_bounds(a: Any, b: Any) -> bool:
    """Tell whether actions mean the same: off-policy policies act in units of their bounds."""
    if not isinstance(a, spaces.Box):
        return True
    return bool(np.array_equal(a.low, b.low) and np.array_equal(a.high, b.high))


def _alike(a: Any, b: Any) -> bool:
    """Tell whether two spaces have the same shapes and kinds; bounds may differ."""
    if isinstance(a, spaces.Dict) and isinstance(b, spaces.Dict):
        return a.keys() == b.keys() and all(_alike(a[key], b[key]) for key in a)
    if isinstance(a, spaces.Box) and isinstance(b, spaces.Box):
        return a.shape == b.shape
    return bool(a == b)
