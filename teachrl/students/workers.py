"""Environments in processes of their own, which can die or hang, and must not linger."""

import atexit
import multiprocessing
import select
import signal
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from time import monotonic
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.vec_env import SubprocVecEnv

from teachrl.core import Episode
from teachrl.spaces import TaskSpace
from teachrl.students.failures import how_to_replay, save_report, task_text

TIMEOUT = 3600.0  # seconds; by default so long that no step is cut short that would end
_PATIENCE = 10.0  # seconds that a worker may take to finish its step before it is killed
_GLANCE = 1.0  # seconds between two looks at the pipe to a worker that is late


class WorkerDiedError(RuntimeError):
    """The process of an environment that is no more, by itself or since it did not answer.

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

    Args:
        makes: makes each environment.
        timeout: seconds after which a worker that does not answer is killed, and named like one
            that died; None: never. Playing a long episode again, at a resume, may take longer.
    """

    def __init__(
        self,
        makes: Sequence[Callable[[], gym.Env[Any, Any]]],
        timeout: float | None = TIMEOUT,
    ) -> None:
        if timeout is not None and not timeout > 0:
            raise ValueError(f"timeout must be None (never) or seconds above 0, got {timeout!r}")
        # The server that they are forked from imports this once for all of them: PyTorch takes
        # seconds. It does so when it starts, with the first processes of a program.
        multiprocessing.set_forkserver_preload(["__main__", __name__])
        super().__init__([_Undisturbed(make) for make in makes])
        self.timeout = timeout
        pipes = zip(self.remotes, self.processes, strict=True)
        self.remotes = tuple(_Line(i, *pipe, timeout) for i, pipe in enumerate(pipes))
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
    """Name the task of a worker that dies or hangs inside, and how to play its episode again.

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
    """The pipe to one worker, which says who it was that died, or does not answer."""

    def __init__(
        self, index: int, pipe: Connection, process: Any, timeout: float | None = None
    ) -> None:
        self.index, self.pipe, self.process = index, pipe, process
        self.timeout, self._has_answer = timeout, _look_at(pipe)
        self._may_take_long = False  # as a whole episode does

    def send(self, message: Any) -> None:
        command, data = message
        self._may_take_long = command == "env_method" and data[0] == "load"
        try:
            self.pipe.send(message)
        except ConnectionError:
            raise self._death() from None

    def recv(self) -> Any:
        try:
            if self.timeout is not None and not self._may_take_long and self._is_silent():
                raise self._hanging()
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

    def _is_silent(self) -> bool:
        """Wait, at most until time is up, and tell whether there is still no answer.

        What is counted are glances: while all processes stand still, as after Ctrl-Z, a clock goes
        on.
        """
        left = self.timeout or 0.0
        while left > 0 and not self._has_answer(min(left, _GLANCE)):
            left -= _GLANCE
        return left <= 0

    def _hanging(self) -> WorkerDiedError:
        self.process.kill()  # nothing else would end it
        return WorkerDiedError(
            f"the process of an environment did not answer for {self.timeout:g} s and was killed "
            "(make_task_vec_env(..., worker_timeout=) sets how long it may take)",
            self.index,
        )

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


def _look_at(pipe: Connection) -> Callable[[float], Any]:
    """Return what waits some seconds for something to read; ``pipe.poll`` takes 10 µs for it."""
    if not hasattr(select, "poll"):  # Windows
        return pipe.poll
    look = select.poll()
    look.register(pipe, select.POLLIN)
    return lambda seconds: look.poll(1000 * seconds)


class _Undisturbed:
    """Makes an environment in a process that only its pipe ends; see :class:`WorkerVecEnv`."""

    def __init__(self, make: Callable[[], gym.Env[Any, Any]]) -> None:
        self.make = make

    def __call__(self) -> gym.Env[Any, Any]:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        torch.set_num_threads(1)  # of policies that act inside; more would fight over the cores
        np.random.seed()  # noqa: NPY002 - a fork has its siblings' state; some worlds draw from it
        torch.seed()
        return self.make()


class _Closing:
    """Closes a vectorised environment that still lives when Python ends."""

    def __init__(self, venv: "weakref.ref[WorkerVecEnv]") -> None:
        self.venv = venv

    def __call__(self) -> None:
        if (venv := self.venv()) is not None:
            venv.close()
