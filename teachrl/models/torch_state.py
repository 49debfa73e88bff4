"""What PyTorch has learnt, as arrays and JSON values: nothing is pickled."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

_PREFIX = "tensor:"  # of what was a tensor in an optimiser's state, which also holds plain numbers


def module_state(module: torch.nn.Module) -> dict[str, Any]:
    """Return the parameters and buffers of a network by name."""
    return {name: _copied(tensor) for name, tensor in module.state_dict().items()}


def restore_module(module: torch.nn.Module, state: Mapping[str, Any]) -> None:
    """Continue from :func:`module_state`.

    Raises:
        ValueError: the network has other layers than the one that was saved.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    found = {name: np.shape(array) for name, array in state.items()}
    if expected != found:
        raise ValueError(f"expected a network of {expected}, got one of {found}")
    module.load_state_dict({name: _tensor(array) for name, array in state.items()})


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return what an optimiser remembers of each parameter, by its number."""
    return {
        str(number): {
            (_PREFIX if torch.is_tensor(value) else "") + name: _plain(value)
            for name, value in remembered.items()
        }
        for number, remembered in optimizer.state_dict()["state"].items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Continue from :func:`optimizer_state`; hyper-parameters stay as they are."""
    remembered = {
        int(number): {
            name.removeprefix(_PREFIX): _tensor(value) if name.startswith(_PREFIX) else value
            for name, value in each.items()
        }
        for number, each in state.items()
    }
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": remembered, "param_groups": groups})


def _plain(value: Any) -> Any:
    return _copied(value) if torch.is_tensor(value) else value


def _copied(tensor: torch.Tensor) -> Any:
    return np.array(tensor.detach().cpu().numpy())


def _tensor(array: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(array))
