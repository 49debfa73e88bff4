"""How often a student's episodes begin from snapshots, as its training goes on."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from teachrl.students.whole_episodes import keep_out_of_logs

_STEP = 0.01  # of the probability, when it fades
_COUNT_EVERY = 1_000  # steps
_ENOUGH = 20  # whole episodes, to compare with an expert's return


class SnapshotSchedule(BaseCallback):
    """Moves the probability in every :class:`~teachrl.snapshots.SnapshotResets`, from p to 0.

    S3RL begins every episode of the first tenth of training from a snapshot, and none afterwards.
    That is the default for off-policy students, whose replay buffers remember ordinary starts. An
    on-policy one forgets them: it solved MountainCar meanwhile, and collapsed at the switch for
    good. Its default fades linearly from 0.8, over the first half of training.

    The first episode of each environment has begun, ordinarily, before training starts: SB3 resets
    them before callbacks hear of it. SB3 logs nothing of episodes from snapshots, whatever monitor
    is around the environments.

    Logs ``snapshots/probability`` and ``snapshots/expert_steps``; the latter, which it took to make
    the library and to load snapshots by replay, are on the ledger of a taught run in any case.

    Args:
        probability: at the beginning; None: by the kind of student.
        steps: of training until it is 0; None: by the kind of student.
        fades: linearly, rather than staying until the end; None: by the kind of student.
        expert_return: of the expert in whole episodes; once the last twenty of the student earn as
            much on average, snapshots end. None: they never end early.
    """

    def __init__(
        self,
        probability: float | None = None,
        steps: int | None = None,
        fades: bool | None = None,
        expert_return: float | None = None,
    ) -> None:
        super().__init__()
        if probability is not None and not 0 < probability <= 1:
            raise ValueError(f"expected a probability in (0, 1], got {probability}")
        if steps is not None and steps < 1:
            raise ValueError(f"expected a number of steps, got {steps}")
        self.probability, self.steps, self.fades = probability, steps, fades
        self.expert_return = expert_return
        self.current = 0.0  # what the environments were told last
        self.is_over = False  # the student is as good as the expert
        self.expert_steps = 0
        self._counted = -_COUNT_EVERY
        self._first, self._until, self._fades = 0.0, 1, True
        self._began: int | None = None
        self._told: float | None = None  # in the run that goes on

    def state(self) -> dict[str, Any]:
        """Return what a run that goes on needs."""
        return {"is_over": self.is_over, "current": self.current, "began": self._began}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        self.is_over, self._began = state["is_over"], state["began"]
        self._told = state["current"]

    def planned(self, step: int) -> float:
        """Return the probability at a step of training."""
        if self.is_over or step >= self._until:
            return 0.0
        return self._first * (1 - step / self._until) if self._fades else self._first

    def _on_training_start(self) -> None:
        on_policy = isinstance(self.model, OnPolicyAlgorithm)
        if self._began is None:
            self._began = self.num_timesteps
        total = self.model._total_timesteps - self._began
        share = 0.5 if on_policy else 0.1
        self._first = self.probability or (0.8 if on_policy else 1.0)
        self._until = max(1, round(share * total)) if self.steps is None else self.steps
        self._fades = on_policy if self.fades is None else self.fades
        self._require_snapshots()
        planned = self.planned(self.num_timesteps - self._began)
        self._tell(planned if self._told is None else self._told)
        self._told = None
        self._count()

    def _on_step(self) -> bool:
        keep_out_of_logs(self.locals["infos"])
        wanted = self.planned(self.num_timesteps - (self._began or 0))
        if abs(wanted - self.current) >= _STEP or (wanted == 0) != (self.current == 0):
            self._tell(wanted)
        if self.num_timesteps - self._counted >= _COUNT_EVERY:
            self._count()
        return True

    def _on_rollout_end(self) -> None:
        recent: Any = self.model.ep_info_buffer or []
        rewards = [episode["r"] for episode in list(recent)[-_ENOUGH:]]
        if self.expert_return is not None and len(rewards) == _ENOUGH:
            self.is_over = self.is_over or float(np.mean(rewards)) >= self.expert_return
        self.logger.record("snapshots/probability", self.current)
        self.logger.record("snapshots/expert_steps", self.expert_steps)

    def _on_training_end(self) -> None:
        self._tell(0.0)  # whoever evaluates on these environments plays whole episodes
        self._count()

    def _tell(self, probability: float) -> None:
        self.training_env.env_method("begin_with_snapshots", probability)
        self.current = probability

    def _count(self) -> None:
        """Count what the expert has played: once for the library, and whenever it is replayed."""
        self._counted = self.num_timesteps
        [library_steps] = self.training_env.get_attr("library_steps", indices=[0])
        self.expert_steps = library_steps + sum(self.training_env.env_method("snapshot_steps"))

    def _require_snapshots(self) -> None:
        try:
            self.training_env.get_attr("probability")
        except AttributeError:
            raise TypeError(
                "these environments do not begin from snapshots by chance: wrap each of them in "
                "SnapshotResets(env, library); SnapshotTasks needs no schedule, a teacher chooses"
            ) from None
