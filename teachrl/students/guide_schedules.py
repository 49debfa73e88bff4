"""How long a guide plays before its student does, as training goes on (JSRL, arXiv 2204.02372)."""

from abc import abstractmethod
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from teachrl.students.vec_env import TaughtVecEnv, find_taught
from teachrl.students.whole_episodes import keep_out_of_logs

_PEEKING = {"first_observations", "success_rates"}  # teachers who play in spare environments


class GuideSchedule(BaseCallback):
    """Tells every :class:`~teachrl.students.guided_starts.GuidedStarts` what its guide plays.

    What is common to :class:`GuideCurriculum` and :class:`RandomGuide`. Logs ``guide/steps``,
    ``guide/mixed_return`` (the mean of guided episodes of late, the guide's part included) and
    ``guide/env_steps``; the latter go to the ledger of a taught run, when an episode ends. The
    first episode of each environment has no guide: SB3 resets before callbacks hear of training.
    SB3 logs nothing of episodes with a guide, whatever monitor is around the environments.

    Args:
        horizon: steps that the guide plays at most, about what it takes for an episode.
        probability: that an episode is guided. With 1 a curriculum teacher hears of no episode
            while the guide plays; with less it learns from the others.
    """

    at_random = False  # whether the number of steps is drawn for each episode

    def __init__(self, horizon: int, probability: float = 1.0) -> None:
        super().__init__()
        if isinstance(horizon, bool) or int(horizon) != horizon or horizon < 1:
            raise ValueError(f"the horizon must be a number of steps from 1 on, got {horizon!r}")
        if not 0 < probability <= 1:
            raise ValueError(f"expected a probability in (0, 1], got {probability}")
        self.horizon, self.probability = int(horizon), probability
        self.current = 0  # steps that environments were told last
        self.guide_steps = 0  # played by the guide, over all environments
        self._counted: list[int] | None = None  # of them, by environment
        self._returns: deque[float] = deque(maxlen=100)
        self._goes_on = False

    def state(self) -> dict[str, Any]:
        """Return what a run that goes on needs."""
        return {
            "current": self.current,
            "guide_steps": self.guide_steps,
            "counted": self._counted,
            "returns": list(self._returns),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        self.current, self.guide_steps = state["current"], state["guide_steps"]
        self._counted = state["counted"]
        self._returns.extend(state["returns"])
        self._goes_on = True

    @abstractmethod
    def planned(self) -> int:
        """Return how many steps the guide should play now."""

    def hear(self, mixed_return: float) -> None:
        """Learn from an episode that was guided as planned."""

    def _on_training_start(self) -> None:
        self._require_guides()
        if self._counted is None:
            self._counted = [0] * self.training_env.num_envs
        self._tell(self.current if self._goes_on else self.planned())
        self._goes_on = False

    def _on_step(self) -> bool:
        keep_out_of_logs(self.locals["infos"])
        for i in np.flatnonzero(self.locals["dones"]).tolist():
            self._take_in(i, self.locals["infos"][i])
        if (steps := self.planned()) != self.current:
            self._tell(steps)
        return True

    def _on_rollout_end(self) -> None:
        self.logger.record("guide/steps", self.current)
        self.logger.record("guide/env_steps", self.guide_steps)
        if self._returns:
            self.logger.record("guide/mixed_return", float(np.mean(self._returns)))

    def _on_training_end(self) -> None:
        self._tell(0)  # whoever evaluates on these environments plays whole episodes
        for i, played in enumerate(self.training_env.env_method("guide_steps")):
            self._count(i, played)

    def _take_in(self, i: int, info: Mapping[str, Any]) -> None:
        """Take in that an episode of environment ``i`` is over."""
        if "mixed_return" not in info:  # the student's alone
            return
        self._count(i, info["guide_steps"])
        self._returns.append(info["mixed_return"])
        if self.at_random or info["guide_asked"] == self.current:
            self.hear(info["mixed_return"])

    def _count(self, i: int, played: int) -> None:
        """Put what the guide has played in environment ``i`` on the ledger."""
        if self._counted is None:
            return
        fresh, self._counted[i] = played - self._counted[i], played
        self.guide_steps += fresh
        if (taught := _taught(self.training_env)) is not None:
            taught.ledger.expert += fresh

    def _tell(self, steps: int) -> None:
        self.training_env.env_method("guide_for", steps, self.probability, self.at_random)
        self.current = steps

    def _require_guides(self) -> None:
        try:
            self.training_env.env_method("guide_steps")
        except AttributeError:
            raise TypeError(
                "these environments have no guide: wrap each of them in GuidedStarts(env, guide)"
            ) from None
        taught = _taught(self.training_env)
        if taught is not None and (asked := taught.teacher.needs & _PEEKING):
            raise ValueError(
                f"{type(taught.teacher).__name__} asks for {', '.join(sorted(asked))}, which a "
                "guide would play into: choose a teacher that learns from episodes"
            )


class GuideCurriculum(GuideSchedule):
    """Lets the guide play ever less: JSRL with a curriculum (its algorithm 1).

    The steps of the guide fall from ``horizon`` to 0 in equal stages. The student is moved on when
    the mean return of the last ``window`` episodes of a stage, the guide's part included, is not
    below the best such mean so far by more than ``tolerance`` of its size. After the last stage it
    plays alone.

    Args:
        horizon: steps of the guide in the first stage.
        stages: the last of which is 0 steps.
        tolerance: as a share of the best mean return's absolute value.
        window: episodes.
        probability: that an episode is guided.

    >>> from stable_baselines3 import PPO
    >>> from stable_baselines3.common.env_util import make_vec_env
    >>> from teachrl.students.guided_starts import GuidedStarts
    >>> guide = lambda observation: int(observation[2] + observation[3] > 0)
    >>> env = make_vec_env(
    ...     "CartPole-v1", 2, wrapper_class=GuidedStarts, wrapper_kwargs={"guide": guide}
    ... )
    >>> curriculum = GuideCurriculum(100, window=2)
    >>> _ = PPO("MlpPolicy", env, n_steps=64, seed=0, device="cpu").learn(512, callback=curriculum)
    >>> curriculum.stage > 0, curriculum.guide_steps > 100
    (True, True)
    """

    def __init__(
        self,
        horizon: int,
        stages: int = 10,
        tolerance: float = 0.0,
        window: int = 20,
        probability: float = 1.0,
    ) -> None:
        super().__init__(horizon, probability)
        if stages < 2 or window < 1 or not 0 <= tolerance < np.inf:
            raise ValueError(
                "a curriculum needs 2 stages or more, a window of at least one episode and a "
                f"tolerance from 0 on, got {stages}, {window}, {tolerance}"
            )
        self.stages, self.tolerance, self.window = stages, tolerance, window
        self.stage = 0
        self.best: float | None = None  # mean return of a window
        self._recent: list[float] = []  # returns of this stage

    def state(self) -> dict[str, Any]:
        """Return what a run that goes on needs."""
        own = {"stage": self.stage, "best": self.best, "recent": list(self._recent)}
        return super().state() | own

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        super().restore(state)
        self.stage, self.best = state["stage"], state["best"]
        self._recent = list(state["recent"])

    def planned(self) -> int:
        """Return the steps of this stage."""
        return round(self.horizon * (1 - self.stage / (self.stages - 1)))

    def hear(self, mixed_return: float) -> None:
        """Move on if guide and student together are as good as ever."""
        self._recent = [*self._recent, mixed_return][-self.window :]
        if len(self._recent) < self.window or self.stage == self.stages - 1:
            return
        mean = float(np.mean(self._recent))
        self.best = mean if self.best is None else max(self.best, mean)
        if mean >= self.best - self.tolerance * abs(self.best):
            self.stage += 1
            self._recent = []


class RandomGuide(GuideSchedule):
    """Draws how many steps the guide plays uniformly, for every episode: JSRL-Random.

    Args:
        horizon: which it stays below.
        until: training steps after which the student plays alone; None: to the end.
        probability: that an episode is guided.
    """

    at_random = True

    def __init__(self, horizon: int, until: int | None = None, probability: float = 1.0) -> None:
        super().__init__(horizon, probability)
        if until is not None and until < 1:
            raise ValueError(f"expected a number of steps, got {until}")
        self.until = until

    def planned(self) -> int:
        """Return the horizon, until it is over."""
        return 0 if self.until is not None and self.num_timesteps >= self.until else self.horizon


def _taught(env: Any) -> TaughtVecEnv | None:
    try:
        return find_taught(env)
    except TypeError:
        return None
