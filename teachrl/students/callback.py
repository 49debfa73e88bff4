"""The teacher's voice in SB3's logger."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from teachrl.students.budgets import Budget
from teachrl.students.gating import (
    ReplayGate,
    RolloutGate,
    earlier_gate,
    make_gate,
    release,
    update_sizes,
)
from teachrl.students.ledger import GradientMeter
from teachrl.students.pairs import Antagonist
from teachrl.students.rollouts import StudentRollout, require_signals
from teachrl.students.vec_env import TaughtVecEnv, find_taught


class TeacherCallback(BaseCallback):
    """Logs what the teacher does, beside SB3's own ``rollout/``, ``train/`` and ``time/``.

    Tags: ``teacher/…`` its metrics, ``curriculum/…`` mean and spread of the tasks of the episodes
    that ended since the last log and their raw returns, ``ledger/…`` steps by purpose,
    ``time/teacher_share`` the share of wall time spent in the teacher.

    Args:
        every: environment steps between two logs; SB3 decides when they are written out.
    """

    def __init__(self, every: int = 2_000) -> None:
        super().__init__()
        self.every = every
        self.taught: TaughtVecEnv
        self.rollout: StudentRollout | None = None  # what the teacher asks, if it asks at all
        self.antagonist: Antagonist | None = None  # who plays beside the student, if anyone does
        self._antagonist_state: Mapping[str, Any] | None = None  # to continue from
        self._budget: Budget
        self._logged_steps = self._logged_episodes = 0
        self._gate: RolloutGate | ReplayGate | None = None  # from the first task not learnt from
        self._meter: GradientMeter | None = None  # of the training under way
        self._goes_on = False  # from a state that says what was logged

    def state(self) -> dict[str, Any]:
        """Return what it has logged, so that a run that goes on logs at the same steps."""
        state = {"logged_steps": self._logged_steps, "logged_episodes": self._logged_episodes}
        return state | ({"antagonist": self.antagonist.state()} if self.antagonist else {})

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        self._logged_steps = state["logged_steps"]
        self._logged_episodes = state["logged_episodes"]
        self._antagonist_state = state.get("antagonist")
        self._goes_on = True

    def _on_training_start(self) -> None:
        self.taught = find_taught(self.training_env)
        self.taught.is_attended = True
        if self._meter is not None:  # of a training that failed
            self._meter.close()
            self._meter = None
        release(self.model)
        self._gate = earlier_gate(self.model)
        self._require_gate()
        if not self._goes_on:
            self._logged_steps = self.taught.steps
            self._logged_episodes = len(self.taught.episodes)
        self._goes_on = False
        n_steps = getattr(self.model, "n_steps", 1)  # others have no rollouts to speak of
        self._budget = Budget(self.taught, self.model._total_timesteps, n_steps)
        self._budget.check_start()
        if self.taught.teacher.needs - {"success"}:
            require_signals(self.taught.teacher, type(self.model))
            self.rollout = StudentRollout(self.model)
        if "antagonist" in self.taught.teacher.needs:
            self.antagonist = Antagonist.beside(self.model)
            if self._antagonist_state is not None:
                self.antagonist.restore(self._antagonist_state)
                self._antagonist_state = None

    def _on_step(self) -> bool:
        if self.rollout is not None:
            self.rollout.see(self.locals["rewards"])
        self._require_gate()
        if self._gate is not None:
            self._gate.step(self.taught.learnable)
        return True

    def _on_rollout_start(self) -> None:
        self._count_gradient_samples()
        self._open_gate()

    def _on_rollout_end(self) -> None:
        self._budget.check_progress()
        if self.antagonist is not None:
            self.antagonist.play()
        self.taught.assignments.end_rollout()
        if self.rollout is not None:
            with self.taught.teaching():
                self.taught.teacher.study(self.rollout)
        if self.antagonist is not None:
            self.antagonist.train()
        if self.taught.steps - self._logged_steps >= self.every:
            self._record()
        sizes = self._gate.install() if self._gate is not None else update_sizes(self.model)
        self._meter = GradientMeter(self.model, sizes)

    def _on_training_end(self) -> None:
        self._count_gradient_samples()
        self._open_gate()

    def _require_gate(self) -> None:
        """Make the gate once a task is not learnt from, or refuse a student that cannot have it."""
        if self._gate is None and not self.taught.learnable.all():
            self._gate = make_gate(self.model)

    def _open_gate(self) -> None:
        if self._gate is not None:
            self._gate.remove()

    def _count_gradient_samples(self) -> None:
        if self._meter is not None:
            self.taught.ledger.gradient_samples += self._meter.close()
            self._meter = None

    def _record(self) -> None:
        taught, recent = self.taught, slice(self._logged_episodes, None)
        values = {f"teacher/{name}": value for name, value in taught.teacher.metrics().items()}
        values |= {f"ledger/{name}": count for name, count in taught.ledger.as_dict().items()}
        values |= {"curriculum/episodes": len(taught.episodes)}
        values |= {"time/teacher_share": taught.teacher_share()}
        if len(taught.episodes) > self._logged_episodes:
            values |= {"curriculum/reward": float(taught.episodes["r"][recent].mean())}
            values |= _task_statistics(taught, recent)
        for tag, value in values.items():
            # The episodes are in monitor.csv: curves of tasks belong in TensorBoard, not on stdout.
            self.logger.record(tag, value, exclude="stdout")
        self._logged_steps, self._logged_episodes = taught.steps, len(taught.episodes)


def _task_statistics(taught: TaughtVecEnv, recent: slice) -> dict[str, float]:
    """Return mean and standard deviation of each task parameter; vectors are pooled."""
    params, statistics, start = taught.episodes.params[recent], {}, 0
    for name, parameter in taught.task_space.parameters.items():
        column = params[:, start : start + parameter.size]
        statistics[f"curriculum/{name}_mean"] = float(np.mean(column))
        statistics[f"curriculum/{name}_std"] = float(np.std(column))
        start += parameter.size
    return statistics
