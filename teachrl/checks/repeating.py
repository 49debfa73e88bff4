"""Whether an episode can be played again, on which going on with a stopped run rests."""

import warnings
from collections.abc import Iterator
from time import monotonic

from teachrl.checks.stage import Env, Stage, Step

_STEPS, _ROUNDS = 20, 3


def repeats_itself(env: Env, seconds: float = 0.5) -> bool:
    """Tell whether a used environment plays an episode as it did when it was new, byte for byte.

    Gymnasium's BipedalWalker does not: its physics keeps traces of former episodes. It takes a few
    short episodes, whose task, seed and actions are the same, with another one in between.

    Args:
        env: a new one; it is used afterwards.
        seconds: after which it ends, but for the step or the reset that it is in; what shows later
            than that is not found. :func:`teachrl.checks.check_env` looks longer.

    >>> from teachrl.envs import ToyEnv
    >>> repeats_itself(ToyEnv())
    True
    """
    stage, deadline = Stage(lambda: env), monotonic() + seconds
    task, other = stage.space.low, stage.space.high
    first = [s.as_bytes() for s in _until(deadline, stage.episode(task, 0, _STEPS))]
    for _ in range(_ROUNDS):
        stage.rewind()
        for _ in _until(deadline, stage.episode(other, 1, _STEPS)):
            pass
        if monotonic() > deadline:
            break
        stage.rewind()
        again = _until(deadline, stage.episode(task, 0, _STEPS))
        if any(known != step.as_bytes() for known, step in zip(first, again, strict=False)):
            return False
    return True


def warn_unless_repeating(env: Env) -> None:
    """Warn of an environment with which a stopped run may go on differently; see above."""
    try:
        repeats = repeats_itself(env)
    except Exception:  # noqa: BLE001 - training will meet it too, and name task and seed
        return
    if not repeats:
        warnings.warn(
            f"{env} does not repeat itself: used, it played an episode unlike new, with the same "
            "task, seed and actions. This run is sound, but stopped and resumed it may go on "
            "differently, or be refused. Let reset make everything anew, or give the environment "
            "state() and restore(state); teachrl.checks.check_env tells more",
            stacklevel=3,
        )


def _until(deadline: float, steps: Iterator[Step]) -> Iterator[Step]:
    """Yield steps until time is up; the first in any case."""
    for step in steps:
        yield step
        if monotonic() > deadline:
            return
