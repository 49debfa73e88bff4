"""Which adapter saves which environment; none before it has been seen to work."""

from typing import Any

from teachrl.snapshots.adapters import Adapter, Attributes, Native, Replay
from teachrl.snapshots.box2d import Box2D
from teachrl.snapshots.conformance import ConformanceError, Make, check_adapter
from teachrl.snapshots.mujoco import MuJoCo
from teachrl.snapshots.recording import Env, SnapshotError

# The exact ones, by what they cost; approximations are taken only by those who ask for them.
_BUILT_IN: tuple[type[Adapter], ...] = (Native, MuJoCo, Attributes, Replay, Box2D)
_KNOWN: dict[str, type[Adapter]] = {adapter.name: adapter for adapter in _BUILT_IN}
_CHOSEN: dict[str, Adapter] = {}  # by kind of environment, after a check


def adapter_for(make: Make, *, exact: bool = True) -> Adapter:
    """Return the adapter for an environment, after a check that it brings it back.

    Args:
        make: returns a new environment.
        exact: False prefers one that writes states approximately where the exact way is to play
            an episode again, which takes as long as the episode did.

    Raises:
        ConformanceError: none does.

    >>> import gymnasium as gym
    >>> adapter_for(lambda: gym.make("CartPole-v1")).name
    'attributes'
    """
    env = make()
    kind = f"{_kind(env)} {exact}"
    if kind in _CHOSEN:
        return _CHOSEN[kind]
    reasons = []
    for known in _order(exact):
        if known.accepts(env):
            try:
                check_adapter(known(), make)
            except SnapshotError as error:
                reasons.append(str(error))
                continue
            _CHOSEN[kind] = known()
            return _CHOSEN[kind]
    raise ConformanceError(f"no adapter brings {env} back: {'; '.join(reasons)}")


def register(adapter: Adapter, make: Make) -> None:
    """Let ``adapter`` save environments of the kind of ``make()``, after a check.

    Raises:
        ConformanceError: it does not bring the environment back.
    """
    taken = _KNOWN.get(adapter.name, type(adapter))
    if taken is not type(adapter):
        raise ValueError(f"the name {adapter.name!r} is {taken.__name__}'s: choose another")
    check_adapter(adapter, make)
    _KNOWN[adapter.name] = type(adapter)
    env = make()
    for exact in (True, False) if adapter.exact else (False,):
        _CHOSEN[f"{_kind(env)} {exact}"] = adapter


def adapter_named(name: str) -> Adapter:
    """Return the adapter that a library names."""
    if name not in _KNOWN:
        raise SnapshotError(
            f"unknown adapter {name!r}, known are {', '.join(_KNOWN)}: register it before its "
            "libraries are loaded"
        )
    return _KNOWN[name]()


def _order(exact: bool) -> list[type[Adapter]]:
    exacts = [known for known in _KNOWN.values() if known.exact]
    if exact:
        return exacts
    others = [known for known in _KNOWN.values() if not known.exact]
    return [k for k in exacts if k is not Replay] + others + [Replay]


def _kind(env: Env) -> str:
    """Name the classes of an environment and its wrappers, and the id it was made by."""
    inner: Any = env
    names = []
    while inner is not env.unwrapped:
        names.append(type(inner).__qualname__)
        inner = inner.env
    of = type(inner)
    return f"{names} {of.__module__}.{of.__qualname__} {getattr(inner.spec, 'id', None)}"
