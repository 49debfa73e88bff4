"""Pictures of the curriculum among the curves of TensorBoard, while the student trains."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure as MatplotlibFigure
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Figure, TensorBoardOutputFormat

from teachrl.evaluation.evaluating import Evaluation
from teachrl.monitoring.beliefs import is_drawable
from teachrl.monitoring.buffers import buffer_figure, is_buffer, scores_figure, summary_of
from teachrl.monitoring.duels import duel_figure, duel_of, is_duel
from teachrl.monitoring.figures import (
    Curve,
    belief_figure,
    learning_curve_figure,
    mastered_figure,
    tasks_figure,
)
from teachrl.monitoring.layout import steps_text
from teachrl.students.vec_env import TaughtVecEnv, find_taught

_LOOKS = 200  # at the teacher in a run, for curves of its scores and regrets


class PictureCallback(BaseCallback):
    """Draws a few pictures per run, at about an eighth of a second each.

    Tags: ``curriculum/tasks``, what was sampled since the last picture, coloured by return;
    ``teacher/belief``, what the teacher believes now; ``teacher/buffer`` and ``teacher/scores``, of
    a teacher that keeps tasks to play them again; ``teacher/duel``, the returns of protagonist and
    antagonist and the regret over time, of one that teaches both; and for every evaluation that is
    handed to :meth:`record_evaluation`, ``eval/mastered_tasks`` and ``eval/learning_curve``.
    Without a TensorBoard output in SB3's logger, nothing is drawn.

    >>> PictureCallback(total_steps=1_000_000).every
    200000

    Args:
        total_steps: of the run.
        pictures: how often the tasks and the belief are drawn in that time.
    """

    def __init__(self, total_steps: int, pictures: int = 5) -> None:
        super().__init__()
        if total_steps < 1 or pictures < 1:
            raise ValueError(
                f"expected a step and a picture at least, got total_steps={total_steps}, "
                f"pictures={pictures}"
            )
        self.every = max(1, total_steps // pictures)
        self.taught: TaughtVecEnv
        self._next = self.every
        self._drawn_episodes = 0
        self._results: list[tuple[int, float, float]] = []  # steps, share mastered, mean return
        self._scores: dict[int, list[float]] = {}  # by step, of the teacher's buffer
        self._duels: dict[int, list[float]] = {}  # by step, of its two students
        self._look_at, self._look_every = 0, max(1, total_steps // _LOOKS)

    def state(self) -> dict[str, Any]:
        """Return what it has drawn, and the curves so far."""
        return {
            "next": self._next,
            "drawn_episodes": self._drawn_episodes,
            "results": list(self._results),
            "look_at": self._look_at,
            "scores": {str(step): row for step, row in self._scores.items()},
            "duels": {str(step): row for step, row in self._duels.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        self._next, self._drawn_episodes = state["next"], state["drawn_episodes"]
        self._results = [(step, share, reward) for step, share, reward in state["results"]]
        self._scores = {int(step): list(row) for step, row in state["scores"].items()}
        self._duels = {int(step): list(row) for step, row in state["duels"].items()}
        self._look_at = state["look_at"]

    def record_evaluation(self, evaluation: Evaluation) -> None:
        """Draw what is mastered now, and the way there."""
        reached = float(evaluation.share_mastered), float(evaluation.mean_reward)
        self._results.append((self.model.num_timesteps, *reached))
        if not self._outputs():
            return
        rewards, mastered = evaluation.rewards, evaluation.mastered
        reward_range = self._reward_range()
        self._show(
            {
                "eval/mastered_tasks": mastered_figure(
                    evaluation.test_set, rewards, mastered, reward_range
                ),
                "eval/learning_curve": learning_curve_figure(self._curves()),
            }
        )

    def _on_training_start(self) -> None:
        self.taught = find_taught(self.training_env)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self._look()
        if self.num_timesteps >= self._next:
            self._next = self.num_timesteps - self.num_timesteps % self.every + self.every
            self._draw()

    def _on_training_end(self) -> None:
        self._draw()

    def _look(self) -> None:
        """Note the scores of the teacher's buffer, and how its two students do, if it has them."""
        if self.num_timesteps < self._look_at or not self._outputs():
            return
        self._look_at = self.num_timesteps + self._look_every
        teacher = self.taught.teacher
        if is_buffer(belief := teacher.belief()):
            self._scores[self.num_timesteps] = summary_of(belief)
        if "antagonist" in teacher.needs and is_duel(metrics := teacher.metrics()):
            self._duels[self.num_timesteps] = duel_of(metrics)

    def _draw(self) -> None:
        """Draw the episodes since the last picture, and the belief they led to."""
        episodes = self.taught.episodes
        recent = slice(self._drawn_episodes, None)
        if len(episodes) == self._drawn_episodes or not self._outputs():
            return
        self._drawn_episodes = len(episodes)
        space, params, rewards = episodes.space, episodes.params[recent], episodes["r"][recent]
        since = f"{steps_text(float(episodes['t'][recent][0]))} to {steps_text(self.num_timesteps)}"
        title = f"Tasks sampled from step {since}"
        pictures = {
            "curriculum/tasks": tasks_figure(space, params, rewards, self._reward_range(), title)
        }
        belief = self.taught.teacher.belief()
        if is_drawable(belief):
            pictures["teacher/belief"] = belief_figure(space, belief, params, rewards)
        if is_buffer(belief):
            pictures["teacher/buffer"] = buffer_figure(space, belief)
        if len(self._scores) > 1:
            pictures["teacher/scores"] = scores_figure(self._scores)
        if len(self._duels) > 1:
            pictures["teacher/duel"] = duel_figure(self._duels)
        self._show(pictures)

    def _curves(self) -> dict[str, dict[str, Curve]]:
        steps, share, reward = map(list, zip(*self._results, strict=True))
        return {
            "mastered test tasks (%)": {"test set": Curve.of_runs([(steps, share)])},
            "mean return": {"test set": Curve.of_runs([(steps, reward)])},
        }

    def _reward_range(self) -> tuple[float, float] | None:
        [declared] = self.taught.venv.get_attr("declaration", indices=[0])
        reward_range: tuple[float, float] | None = declared.reward_range
        return reward_range

    def _outputs(self) -> list[TensorBoardOutputFormat]:
        formats = self.logger.output_formats
        return [output for output in formats if isinstance(output, TensorBoardOutputFormat)]

    def _show(self, pictures: dict[str, MatplotlibFigure]) -> None:
        """Write to TensorBoard at once: to dump the logger would tear SB3's rows apart."""
        values = {tag: Figure(figure, close=True) for tag, figure in pictures.items()}
        for output in self._outputs():
            output.write(values, dict.fromkeys(values, ()), self.model.num_timesteps)
