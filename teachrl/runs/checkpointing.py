"""When checkpoints are written, and how a run stops when it is asked to."""

import signal
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import Any, Protocol, runtime_checkable

from stable_baselines3.common.callbacks import BaseCallback

from teachrl.runs.checkpoints import checkpoints, obstacle, save_checkpoint
from teachrl.runs.trees import load_tree, save_tree
from teachrl.students.vec_env import find_taught

_SHARE = 0.02  # of the time of a run that checkpoints may cost
_MINUTES = 10.0  # between two of them, if the steps do not ask for one before


@runtime_checkable
class Part(Protocol):
    """Something that goes into a checkpoint."""

    def state(self) -> dict[str, Any]:
        """Return it as arrays and JSON values."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from it."""


class CheckpointCallback(BaseCallback):
    """Writes checkpoints between two updates, where nothing is under way.

    One that cannot be written, on a full disk for example, costs a warning and no more. Whether all
    can be saved that goes into them is tried before anything is learnt.

    Args:
        folder: of the run.
        every: steps between checkpoints, but never so often that they cost more than 2 % of the
            time; whatever it is, ten minutes do not pass without one. 0: no checkpoints at all.
        parts: what else to save, by name.
    """

    def __init__(self, folder: Path, every: int, parts: Mapping[str, Part]) -> None:
        super().__init__()
        self.folder, self.every, self.parts = folder, every, parts
        self.stop_asked = False
        self.cost = 0.0  # seconds of the last checkpoint
        self._saved_at: int | None = None  # steps of the last checkpoint
        self._is_tried = False  # whether all states can be saved
        self._tried_at, self._tried_time = 0, perf_counter()

    def restore(self, extra: Mapping[str, Any]) -> None:
        """Give every part its state back."""
        for name, part in self.parts.items():
            if name in extra:
                part.restore(extra[name])
            else:
                warnings.warn(f"{name} begins anew: no checkpoint knows of it", stacklevel=2)

    def _on_training_start(self) -> None:
        self._tried_at, self._tried_time = self.num_timesteps, perf_counter()
        self._saved_at = next((int(path.name) for path in checkpoints(self.folder)), None)
        if self.every and (reason := obstacle(self.model)):
            self._give_up(reason)

    def _on_rollout_start(self) -> None:
        if self.every and not self._is_tried:  # now: other callbacks have started, too
            self._is_tried = True
            if reason := self._unsaveable():
                self._give_up(reason)
        if self.every and (self.stop_asked or self._is_due()):
            self._save()
        if self.stop_asked:
            raise KeyboardInterrupt(f"stopped as asked; the same command {self._where()}")

    def _on_step(self) -> bool:
        return True

    def _is_due(self) -> bool:
        elapsed = perf_counter() - self._tried_time
        is_cheap = elapsed * _SHARE >= self.cost
        enough = self.num_timesteps - self._tried_at >= self.every or elapsed >= 60 * _MINUTES
        return enough and is_cheap and self.num_timesteps > self._tried_at

    def _save(self) -> None:
        if self._saved_at == self.num_timesteps:
            return
        started = perf_counter()
        try:
            extra = {name: part.state() for name, part in self.parts.items()}
            save_checkpoint(self.folder, self.model, extra)
            self._saved_at = self.num_timesteps
        except OSError as error:
            warnings.warn(
                f"the checkpoint at step {self.num_timesteps} could not be written ({error}). The "
                f"run goes on, and tries again later. Make room for {self.folder}: a run stopped "
                f"now {self._where()}",
                stacklevel=2,
            )
        except (TypeError, ValueError) as error:  # a state that has changed its types since
            self._give_up(f"what goes into them cannot be saved any more ({error})")
        self._tried_at, self._tried_time = self.num_timesteps, perf_counter()
        self.cost = self._tried_time - started

    def _unsaveable(self) -> str | None:
        """Return whose state cannot be saved, and why; None if all can."""
        taught = find_taught(self.training_env)
        owners: dict[str, Any] = {type(taught.teacher).__name__: taught.teacher}
        owners |= {"the environments and tasks": taught, **self.parts}
        for name, owner in owners.items():
            try:
                _try_saving(owner.state())
            except OSError:  # a full disk, of which saving itself will tell
                return None
            except (TypeError, ValueError) as error:
                return (
                    f"the state of {name} cannot be saved ({error.__cause__ or error}). Let its "
                    "state() return arrays and JSON values, and its restore(state) take them back"
                )
        return None

    def _give_up(self, reason: str) -> None:
        """Go on without checkpoints."""
        self.every = 0
        warnings.warn(f"no checkpoints, a stopped run {self._where()}: {reason}", stacklevel=3)

    def _where(self) -> str:
        if self._saved_at is None:
            return "begins again"
        return f"goes on from step {self._saved_at}"


def _try_saving(state: Mapping[str, Any]) -> None:
    """Write a state, and read it again: what is written as objects is refused only then."""
    with tempfile.TemporaryDirectory() as folder:
        save_tree(path := Path(folder) / "state.npz", state)
        load_tree(path)


def parts_of(callbacks: Sequence[BaseCallback]) -> dict[str, Part]:
    """Return those callbacks of a user that can be kept, by a name that the same list repeats."""
    named = ((f"callback {i}, {type(c).__name__}", c) for i, c in enumerate(callbacks))
    return {name: callback for name, callback in named if isinstance(callback, Part)}


@contextmanager
def stopping_softly(callback: CheckpointCallback) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait for a checkpoint; asked a second time, a run stops at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in signals}

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        callback.stop_asked = True
        _set(before)

    _set(dict.fromkeys(signals, ask))
    try:
        yield
    finally:
        _set(before)


def _set(handlers: Mapping[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
