"""A progress bar that shows what the student has mastered."""

from stable_baselines3.common.callbacks import BaseCallback
from tqdm import tqdm

from teachrl.evaluation.callback import EvaluationCallback
from teachrl.evaluation.evaluating import Evaluation


class ProgressBarCallback(BaseCallback):
    """Shows steps, speed and the share of mastered test tasks.

    Args:
        total_steps: of the run.
        evaluation: the callback that knows the share.
    """

    def __init__(self, total_steps: int, evaluation: EvaluationCallback) -> None:
        super().__init__()
        self.total_steps, self.evaluation = total_steps, evaluation

    def _on_training_start(self) -> None:
        done = self.num_timesteps  # before, in a run that goes on
        self._bar = tqdm(total=self.total_steps, initial=done, unit="step", unit_scale=True)
        self._shown: Evaluation | None = None

    def _on_step(self) -> bool:
        self._bar.update(self.num_timesteps - self._bar.n)
        last = self.evaluation.last
        if last is not self._shown and last is not None:
            self._shown = last
            self._bar.set_postfix_str(f"mastered {100 * last.share_mastered:.0f} %")
        return True

    def _on_training_end(self) -> None:
        if self.evaluation.last is not None:
            share = 100 * self.evaluation.last.share_mastered
            self._bar.set_postfix_str(f"mastered {share:.0f} %")
        self._bar.close()
