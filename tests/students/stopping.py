"""Ctrl-C at a step of one's choice."""

from stable_baselines3.common.callbacks import BaseCallback


class StopAt(BaseCallback):
    """Interrupts training, as a person does."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def _on_step(self):
        if self.num_timesteps >= self.steps:
            raise KeyboardInterrupt
        return True
