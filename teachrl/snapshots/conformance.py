"""Whether a state comes back: save, play on, load, play the same again, and compare."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from teachrl.seeding import draw_seed, stream
from teachrl.snapshots.adapters import Adapter, State, same
from teachrl.snapshots.recording import Env, Recorder, SnapshotError

Array = NDArray[np.float64]
Make = Callable[[], Env]
Policy = Callable[[Any], Any]  # from an observation to an action

STEPS = 20
_AGES = (0, 1, 17, 40)  # steps after which states are saved


class ConformanceError(SnapshotError):
    """An adapter that does not bring an environment back."""


def check_adapter(adapter: Adapter, make: Make, *, steps: int = STEPS, seed: int = 0) -> None:
    """Raise :class:`ConformanceError` unless states of ``make()`` come back.

    States of several ages are saved. Each is loaded into the environment it comes from, after that
    has played on, into a used one, and into a new one; the same actions must then give the same
    observations, rewards and ends, to the last bit. What an approximate adapter brings back must
    be nearer to the truth than any other of these states, in the first observations that follow.

    Args:
        adapter: that claims to accept the environment.
        make: returns a new environment.
        steps: to compare.
        seed: of episodes and actions.
    """
    if not adapter.accepts(make()):
        raise ConformanceError(f"{adapter.name!r} does not accept {make()}")
    probes = list(_probes(adapter, make, steps=steps, seed=seed))
    for probe in probes:
        if adapter.exact and not probe.is_exact:
            raise ConformanceError(
                f"{adapter.name!r} claims to be exact, but after loading a state of age "
                f"{probe.age} into {probe.where} environment, step {probe.first_difference} "
                f"differs by {probe.differences.max():.3g}: the environment holds state "
                "that it does not save. Use the adapter 'replay', or write one"
            )
    if not adapter.exact:
        _require_near(adapter, probes)


def measure(
    adapter: Adapter,
    make: Make,
    *,
    horizons: Sequence[int] = (1, 10, 50),
    ages: Sequence[int] = (0, 10, 25, 50, 75, 100),
    episodes: int = 3,
    seed: int = 0,
    policy: Policy | None = None,
) -> list["Divergence"]:
    """Return how far continued states are from what they should be, at each horizon.

    Args:
        adapter: for the environment.
        make: returns a new environment.
        horizons: in steps.
        ages: of the states, in steps.
        episodes: to take states from.
        seed: of episodes and actions.
        policy: what plays before and after; None: random actions.
    """
    probes = [
        probe
        for k in range(episodes)
        for probe in _probes(
            adapter, make, steps=max(horizons), seed=seed + k, ages=ages, policy=policy
        )
        if probe.where == "a used"
    ]
    return [Divergence.of(horizon, probes) for horizon in horizons]


class Divergence(NamedTuple):
    """Differences of observations, the largest component of each, after so many equal actions."""

    horizon: int
    n: int  # states whose episode lasted so long
    exact: float  # share that was equal to the last bit, rewards and ends included, up to here
    median: float
    largest: float

    @classmethod
    def of(cls, horizon: int, probes: list["Probe"]) -> "Divergence":
        """Summarise those that lasted."""
        lasting = [p for p in probes if len(p.differences) >= horizon]
        if not lasting:
            return cls(horizon, 0, np.nan, np.nan, np.nan)
        apart = np.array([p.differences[horizon - 1] for p in lasting])
        exact = [p.first_difference is None or p.first_difference > horizon for p in lasting]
        return cls(
            horizon,
            len(lasting),
            float(np.mean(exact)),
            float(np.median(apart)),
            float(apart.max()),
        )


class Probe(NamedTuple):
    """One state, loaded and played on."""

    age: int
    where: str
    differences: Array  # of observations after each step; inf where only one episode ended
    first_difference: int | None  # step (from 1) in which anything differed in any bit
    others: Array  # distances of the first observation to those after the other states

    @property
    def is_exact(self) -> bool:
        """Whether nothing ever differed."""
        return self.first_difference is None


class _Step(NamedTuple):
    observation: Any
    reward: float
    ended: tuple[bool, bool]


def _probes(
    adapter: Adapter,
    make: Make,
    *,
    steps: int,
    seed: int,
    ages: Sequence[int] = _AGES,
    policy: Policy | None = None,
) -> Iterator[Probe]:
    """Save states of several ages in one episode, and bring each back in three places."""
    rng = stream(seed, "conformance")
    env, used = Recorder(make()), Recorder(make())
    episode_seed = draw_seed(rng)
    _use(used, rng)
    script = _script(env, max(ages) + steps, rng, episode_seed, policy)
    saved: list[tuple[int, State, list[_Step]]] = []
    for age in ages:
        if age >= len(script):
            break
        _play(env, script[:age], episode_seed)
        state = adapter.save(env)
        after = _continue(env, script[age : age + steps])
        saved.append((age, state, after))
    for age, state, after in saved:
        actions = script[age : age + steps]
        _use(env, rng)
        firsts = [other[0].observation for at, _, other in saved if at != age]
        for where, place in (("its own", env), ("a used", used), ("a new", Recorder(make()))):
            shown = adapter.load(place, state)
            again = _continue(place, actions)
            probe = _compared(age, where, after, again)
            apart = [distance(again[0].observation, first) for first in firsts]
            is_shown = same(shown, state["observation"])
            differs = probe.first_difference if is_shown else 0
            yield probe._replace(others=np.array(apart), first_difference=differs)
            if where == "a new":
                place.close()
    env.close()
    used.close()


def _compared(age: int, where: str, first: list[_Step], again: list[_Step]) -> Probe:
    differences, differs = list[float](), None
    for i in range(max(len(first), len(again))):
        if i >= min(len(first), len(again)):
            differences.append(np.inf)
        else:
            differences.append(distance(first[i].observation, again[i].observation))
        alike = i < min(len(first), len(again)) and _alike(first[i], again[i])
        if differs is None and not alike:
            differs = i + 1
    return Probe(age, where, np.array(differences), differs, np.zeros(0))


def _alike(a: _Step, b: _Step) -> bool:
    return same(a.observation, b.observation) and a.reward == b.reward and a.ended == b.ended


def _require_near(adapter: Adapter, probes: list[Probe]) -> None:
    """Refuse an approximation that is no nearer to its state than other states are."""
    far = [p for p in probes if len(p.others) and p.differences[0] >= p.others.min() > 0]
    broken = [p for p in probes if not np.isfinite(p.differences[0])]
    if broken or len(far) > len(probes) // 4:
        raise ConformanceError(
            f"{adapter.name!r} is approximate, but {len(far)} of {len(probes)} loaded states are "
            f"farther from what they should be than another state of the episode, and "
            f"{len(broken)} end at once: what it writes does not arrive"
        )


def distance(a: Any, b: Any) -> float:
    """Return the largest difference of any component of two observations."""
    if isinstance(a, dict):
        return max((distance(a[key], b[key]) for key in a), default=0.0)
    if isinstance(a, tuple | list):
        return max(map(distance, a, b), default=0.0)
    if isinstance(a, str):
        return float(a != b)
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.abs(first - second).max(initial=0.0))


def _actions(env: Env, n: int, rng: np.random.Generator) -> list[Any]:
    """Draw actions without touching the environment's own generators, each kept for a while."""
    space = env.action_space
    space.seed(draw_seed(rng))
    return [space.sample() for _ in range(n)]


def _script(
    env: Recorder, n: int, rng: np.random.Generator, seed: int, policy: Policy | None
) -> list[Any]:
    """Return actions of an episode that lasts as long as possible, at most ``n``."""
    if policy is None:
        tries = [_actions(env, n, rng) for _ in range(10)]
        played = [actions[: len(_play(env, actions, seed))] for actions in tries]
        return max(played, key=len)
    observation, actions, over = env.reset(seed=seed)[0], list[Any](), False
    while len(actions) < n and not over:
        actions.append(policy(observation))
        observation, _, terminated, truncated, _ = env.step(actions[-1])
        over = terminated or truncated
    return actions


def _use(env: Recorder, rng: np.random.Generator) -> None:
    """Play an episode, on another task where there are tasks."""
    options = None
    if env.has_wrapper_attr("task_space"):
        options = {"task": env.get_wrapper_attr("task_space").uniform(rng)}
    actions = _actions(env, 30, rng)
    env.reset(seed=draw_seed(rng), options=options)
    _continue(env, actions)


def _play(env: Recorder, actions: list[Any], seed: int) -> list[_Step]:
    env.reset(seed=seed)
    return _continue(env, actions)


def _continue(env: Env, actions: list[Any]) -> list[_Step]:
    steps = []
    for action in actions:
        observation, reward, terminated, truncated, _ = env.step(action)
        steps.append(_Step(observation, float(reward), (bool(terminated), bool(truncated))))
        if terminated or truncated:
            break
    return steps
