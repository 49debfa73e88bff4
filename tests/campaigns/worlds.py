"""Worlds that fail once, kill the process that they are in, or take their time."""

import os
import signal
import time
from functools import partial
from pathlib import Path

from teachrl.evaluation import TestSet
from teachrl.students.presets import PPOPreset
from tests.students.worlds import Reach

PRESET = PPOPreset(rollout=64, batch_size=64, n_epochs=1, net_arch=(8,))
TINY = {"steps": 512, "n_envs": 2, "test_set": TestSet.grid(Reach.task_space, 2)}


class Fragile(Reach):
    """Reach that fails in its ``when``-th step, the first time only, which a file remembers."""

    def __init__(self, marker: str = "", when: int = 150, how: str = "raise") -> None:
        super().__init__()
        self.marker, self.when, self.how, self.played = Path(marker), when, how, 0

    def step(self, action):
        self.played += 1
        if self.how == "always" or (self.played == self.when and not self.marker.exists()):
            self.marker.touch()
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError("the floor gave way")
        return super().step(action)


class Slow(Reach):
    """Reach that takes at least a second for a thousand steps."""

    def step(self, action):
        time.sleep(0.001)
        return super().step(action)


class Gated(Reach):
    """Reach whose 300th step, of an environment that plays so long, waits until a file exists."""

    def __init__(self, gate: str = "") -> None:
        super().__init__()
        self.gate, self.played = Path(gate), 0

    def step(self, action):
        self.played += 1
        while self.played == 300 and not self.gate.exists():
            time.sleep(0.05)
        return super().step(action)


def fragile(folder, **options):
    return partial(Fragile, marker=str(folder / "marker"), **options)
