"""Where a further loss joins a training loop that stays as it is."""

from collections.abc import Callable
from typing import Any

import torch


class LossSeam:
    """Lets a loss join that of an optimiser's next step.

    Joint: its gradient is made in ``zero_grad``, which the student calls right before ``backward``.
    By itself: it is clipped and added right before the step, after the student's own clipping.

    Args:
        optimizer: of the student's policy.
        loss: called once per step; None: nothing to add.
        max_grad_norm: clips the gradient by itself; None: joint.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        loss: Callable[[], torch.Tensor | None],
        max_grad_norm: float | None,
    ) -> None:
        self._optimizer, self._loss, self._max = optimizer, loss, max_grad_norm or 0.0
        self._hook: Any = None
        if max_grad_norm is None:
            self._zero_grad = optimizer.zero_grad
            optimizer.zero_grad = self._join  # type: ignore[method-assign]
        else:
            self._hook = optimizer.register_step_pre_hook(self._add)

    def remove(self) -> None:
        """Give the optimiser back."""
        if self._hook is None:
            del self._optimizer.zero_grad  # the class's own shows again
        else:
            self._hook.remove()

    def _join(self, set_to_none: bool = True) -> None:
        self._zero_grad(set_to_none)
        loss = self._loss()
        if loss is not None:
            loss.backward()  # type: ignore[no-untyped-call]

    def _add(self, *_: Any) -> None:
        loss = self._loss()
        if loss is None:
            return
        parameters = [p for group in self._optimizer.param_groups for p in group["params"]]
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        pairs = [(p, g) for p, g in zip(parameters, gradients, strict=True) if g is not None]
        norm = torch.sqrt(sum((g**2).sum() for _, g in pairs))  # type: ignore[arg-type]
        scale = torch.clamp(self._max / (norm + 1e-6), max=1.0)
        for parameter, gradient in pairs:
            addition = scale * gradient
            parameter.grad = addition if parameter.grad is None else parameter.grad + addition
