"""The generators that Stable-Baselines3 shares with everybody else in the process."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from teachrl.students.threads import torch_threads


def global_randomness() -> dict[str, Any]:
    """Return the states of the global generators of Python, NumPy and torch."""
    version, internal, gauss = random.getstate()
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 - SB3 uses the global generator
    state = {
        "python": [version, list(internal), gauss],
        "numpy": [str(kind), np.asarray(keys), *rest],
        "torch": torch.get_rng_state().numpy(),
    }
    if torch.cuda.is_available():
        state["cuda"] = [generator.numpy() for generator in torch.cuda.get_rng_state_all()]
    return state


def restore_global_randomness(saved: Mapping[str, Any]) -> None:
    """Give them the states that :func:`global_randomness` returned."""
    version, internal, gauss = saved["python"]
    random.setstate((version, tuple(internal), gauss))
    kind, keys, *rest = saved["numpy"]
    np.random.set_state((kind, keys, *rest))  # noqa: NPY002 - SB3 uses the global generator
    torch.set_rng_state(torch.from_numpy(np.array(saved["torch"])))
    if "cuda" in saved and torch.cuda.is_available():
        states = [torch.from_numpy(np.array(generator)) for generator in saved["cuda"]]
        torch.cuda.set_rng_state_all(states)


class OwnRandomness:
    """Lets what happens inside draw from global generators that nobody outside sees.

    The first time, they begin as those outside are: seed them.

    >>> randomness = OwnRandomness()
    >>> with randomness:
    ...     random.seed(0)
    ...     first = random.random()
    >>> before = random.getstate()
    >>> with randomness:
    ...     second = random.random()
    >>> random.getstate() == before, random.Random(0).random() == first != second
    (True, True)
    """

    def __init__(self) -> None:
        self.inside: dict[str, Any] | None = None  # as they were left
        self._outside: dict[str, Any] = {}

    def __enter__(self) -> None:
        self._outside = global_randomness()
        if self.inside is not None:
            restore_global_randomness(self.inside)

    def __exit__(self, *_: object) -> None:
        self.inside = global_randomness()
        restore_global_randomness(self._outside)


@contextmanager
def undisturbed(student: Any, seed: int = 0) -> Iterator[None]:
    """Give every random generator that students or environments may use its state back.

    Inside, they start from ``seed``, so that even sampled actions are the same every time.
    Torch uses one thread: its rounding then does not depend on the machine, and for batches this
    small more threads were 40 times slower on busy cores.
    """
    device = torch.device(getattr(student, "device", "cpu"))
    space = getattr(student, "action_space", None)  # epsilon-greedy students sample from it
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - not ours, but theirs
    actions = space.np_random.bit_generator.state if space is not None else None
    forked = torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
    with forked, torch_threads(1):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        if space is not None:
            space.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
            if space is not None:
                space.np_random.bit_generator.state = actions
