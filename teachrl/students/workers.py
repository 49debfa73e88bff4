"""Environments in processes of their own, which can die, and must neither hang nor linger."""

import atexit
import signal
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from time import monotonic
from typing import Any

import gymnasium as gym
from stable_baselines3.common.vec_env import SubprocVecEnv

from teachrl.core import Episode
from teachrl.spaces import TaskSpace
from teachrl.students.failures import how_to_replay, save_report, task_text

_PATIENCE = 10.0  # seconds that a worker may take to finish its step before it is killed


class WorkerDiedError(RuntimeError):
    """The process of an environment that is no more.

    ``index`` is that of the environment, ``report`` the file with which ``teachrl replay`` plays
    its last episode again.
    """

    def __init__(self, text: str, index: int, report: Any = None) -> None:
        super().__init__(text)
        self.index, self.report = index, report


class WorkerVecEnv(SubprocVecEnv):
    """SB3's, except that a death is noticed by name, and that closing it always ends.

    Its processes ignore Ctrl-C and SIGTERM, which reach a whole group of processes at once: the
    run needs them until its checkpoint is written. They end with the pipe to this process.
    """

    def __init__(self, makes: Sequence[Callable[[], gym.Env[Any, Any]]]) -> None:
        super().__init__([_Undisturbed(make) for make in makes])
        pipes = zip(self.remotes, self.processes, strict=True)
        self.remotes = tuple(_Line(i, *pipe) for i, pipe in enumerate(pipes))
        # multiprocessing would wait at exit for workers that wait for us.
        self._at_exit = _Closing(weakref.ref(self))
        atexit.register(self._at_exit)

    def close(self) -> None:
        """End all workers, whatever state they are in."""
        if self.closed:
            return
        self.closed = True
        atexit.unregister(self._at_exit)
        lines: Sequence[Any] = self.remotes
        deadline = monotonic() + _PATIENCE
        for line in lines:
            line.say_goodbye()
        for line in lines:
            line.end(deadline)


@contextmanager
def reporting(
    describe: Callable[[int], tuple[Episode | None, list[Any]]],
    space: TaskSpace,
    sources: Sequence[Mapping[str, Any]],
) -> Iterator[None]:
    """Name the task of a worker that dies inside, and how to play its episode again.

    Args:
        describe: returns episode and actions of an environment.
        space: of its task.
        sources: how to make each environment.
    """
    try:
        yield
    except WorkerDiedError as error:
        episode, actions = describe(error.index)
        if episode is None:
            raise
        source = sources[error.index]
        report = save_report(source, space, episode, actions)
        raise WorkerDiedError(
            f"{error}: environment {error.index} ({source.get('make')}), at step {len(actions)} of "
            f"its episode on task {task_text(space, episode.task)} with seed {episode.seed}. "
            f"{how_to_replay(report, source)}. A run with checkpoints goes on with the same "
            "command, once the cause is removed",
            error.index,
            report,
        ) from None


class _Line:
    """The pipe to one worker, which says who it was that died."""

    def __init__(self, index: int, pipe: Connection, process: Any) -> None:
        self.index, self.pipe, self.process = index, pipe, process

    def send(self, message: Any) -> None:
        try:
            self.pipe.send(message)
        except ConnectionError:
            raise self._death() from None

    def recv(self) -> Any:
        try:
            return self.pipe.recv()
        except (EOFError, ConnectionError):
            raise self._death() from None

    def say_goodbye(self) -> None:
        """Ask the worker to end after its step."""
        with suppress(ConnectionError):  # it may be dead already
            self.pipe.send(("close", None))

    def end(self, deadline: float) -> None:
        """Wait for the worker, reading what it still has to say, and kill it when time is up."""
        try:
            while self.process.is_alive() and monotonic() < deadline:
                if self.pipe.poll(0.01):
                    self.pipe.recv()
        except (EOFError, ConnectionError):
            self.process.join(max(0.0, deadline - monotonic()))
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.pipe.close()

    def _death(self) -> WorkerDiedError:
        self.process.join(_PATIENCE)
        code = self.process.exitcode
        if code is None:
            how = "closed its pipe"
        elif code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
        else:
            how = f"ended with status {code}, its own error is printed above"
        return WorkerDiedError(f"the process of an environment {how}", self.index)


class _Undisturbed:
    """Makes an environment in a process that only its pipe ends; see :class:`WorkerVecEnv`."""

    def __init__(self, make: Callable[[], gym.Env[Any, Any]]) -> None:
        self.make = make

    def __call__(self) -> gym.Env[Any, Any]:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        return self.make()


class _Closing:
    """Closes a vectorised environment that still lives when Python ends."""

    def __init__(self, venv: "weakref.ref[WorkerVecEnv]") -> None:
        self.venv = venv

    def __call__(self) -> None:
        if (venv := self.venv()) is not None:
            venv.close()
