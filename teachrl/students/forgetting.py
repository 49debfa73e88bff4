"""A student that forgets everything now and then (Romac et al., 2021, arXiv 2103.09815)."""

from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback


class Forgetting(BaseCallback):
    """Gives the student new networks and optimisers, and an empty buffer, every so many steps.

    The teacher goes on as before: it has to notice. It happens between two updates, off-policy
    without another phase of random actions; running statistics of a ``VecNormalize`` are kept, and
    so are the episodes under way. A run that was stopped and resumed forgets at the same steps.

    Args:
        every: steps, over all environments.

    >>> from stable_baselines3 import PPO
    >>> student = PPO("MlpPolicy", "CartPole-v1", n_steps=32, batch_size=32, seed=0)
    >>> student.learn(128, callback=Forgetting(every=64)).times_forgotten
    1
    """

    def __init__(self, every: int = 7_000_000) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"every must be a whole number of at least 1, got {every!r}")
        super().__init__()
        self.every = every

    def _on_training_start(self) -> None:
        if not isinstance(getattr(self.model, "policy", None), torch.nn.Module):
            raise TypeError(
                f"{type(self.model).__name__} cannot forget: its networks are not torch modules; "
                "choose a student of Stable-Baselines3 or sb3-contrib"
            )

    def _on_rollout_start(self) -> None:
        due = self.num_timesteps // self.every
        # An attribute of the model is saved and loaded with it, and so outlives a stop.
        if due > getattr(self.model, "times_forgotten", 0):
            forget(self.model)
            self.model.times_forgotten = due  # type: ignore[attr-defined]

    def _on_step(self) -> bool:
        return True


def forget(model: BaseAlgorithm) -> None:
    """Initialise networks and optimisers of a student anew, in place, and empty its buffer."""
    _renew(model)
    if getattr(model, "ent_coef_optimizer", None) is not None:
        _renew_temperature(model)
    if (buffer := getattr(model, "replay_buffer", None)) is not None:
        buffer.reset()


def _renew(model: Any) -> None:
    """Load new weights into the old modules, which others hold on to: targets, optimisers."""
    policy = model.policy
    arguments = policy._get_constructor_parameters() | {"lr_schedule": model.lr_schedule}
    fresh = type(policy)(**arguments)
    policy.load_state_dict(fresh.state_dict())
    renewed = dict(fresh.named_modules())
    for name, module in policy.named_modules():
        if (optimizer := getattr(module, "optimizer", None)) is not None:
            optimizer.load_state_dict(renewed[name].optimizer.state_dict())


def _renew_temperature(model: Any) -> None:
    """Reset an entropy coefficient that is learnt; SB3 writes its start as ``auto_0.1``."""
    _, _, start = str(model.ent_coef).partition("_")
    with torch.no_grad():
        model.log_ent_coef.fill_(float(np.log(float(start or 1.0))))
    model.ent_coef_optimizer.state.clear()
