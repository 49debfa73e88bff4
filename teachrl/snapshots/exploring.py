"""Libraries of what a policy meets: an expert's, a heuristic's, or that of blind chance."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teachrl.seeding import draw_seed, stream
from teachrl.snapshots.adapters import Adapter, State
from teachrl.snapshots.conformance import Make
from teachrl.snapshots.library import Snapshot, SnapshotLibrary, Trajectory
from teachrl.snapshots.recording import Recorder
from teachrl.snapshots.registration import adapter_for

Policy = Callable[[Any], Any]  # from an observation to an action
Values = Callable[[list[Any]], NDArray[np.float64]]  # of observations, (n,)

MAX_STEPS = 1_000_000


def explore(
    make: Make,
    policy: Policy | None = None,
    *,
    values: Values | None = None,
    tasks: ArrayLike | None = None,
    episodes: int = 10,
    best: int | None = None,
    every: int = 10,
    clusters: int = 6,
    seed: int = 0,
    adapter: Adapter | None = None,
) -> SnapshotLibrary:
    """Play episodes, and return snapshots of them in clusters of like value.

    S3RL's numbers are the defaults. A snapshot is taken at the first reset, and then at every
    ``every``-th step, counted over all episodes; none where an episode is over.

    Args:
        make: returns a new environment, with the wrappers that students see it through.
        policy: returns the action for an observation; None: uniformly random ones.
        values: what the policy expects to earn from observations; None: what it did earn.
        tasks: to play in turn, (n, d); None: the one that the environment begins with.
        episodes: to play.
        best: how many of them to keep, those with the highest returns; None: all.
        every: steps between snapshots.
        clusters: see :meth:`SnapshotLibrary.classified`.
        seed: of episodes and random actions.
        adapter: None: the one that :func:`adapter_for` finds.

    >>> import gymnasium as gym
    >>> library = explore(lambda: gym.make("CartPole-v1"), episodes=3, every=5)
    >>> library.steps == sum(len(t.rewards) for t in library.trajectories)
    True
    """
    if min(episodes, every, clusters) < 1 or not (best is None or 1 <= best <= episodes):
        raise ValueError(
            "episodes, every and clusters must be 1 or more, and best at most episodes; got "
            f"{episodes}, {every}, {clusters}, {best}"
        )
    rng = stream(seed, "explore")
    saver = adapter or adapter_for(make)
    env = Recorder(make())
    library = SnapshotLibrary(saver, source=f"{type(env.unwrapped).__qualname__} {env}")
    if policy is None:
        env.action_space.seed(draw_seed(rng))
    act = policy or (lambda _: env.action_space.sample())
    for number in range(episodes):
        task = None if tasks is None else np.atleast_2d(tasks)[number % len(np.atleast_2d(tasks))]
        env.reset(seed=draw_seed(rng), options=None if task is None else {"task": task})
        played = _play(env, act, saver, before=library.steps, every=every)
        library.steps += len(played.trajectory.rewards)
        library.trajectories.append(played.trajectory)
        library.add(list(_valued(played, number, values)))
    env.close()
    return library.best(best or episodes).classified(clusters)


class _Played(NamedTuple):
    """An episode, and its states by step."""

    trajectory: Trajectory
    states: list[tuple[int, State]]


def _play(env: Recorder, act: Policy, adapter: Adapter, *, before: int, every: int) -> _Played:
    """Play the episode that has just begun."""
    observation = env.observation
    states = [(0, adapter.save(env))] if before == 0 else []
    rewards, over = list[float](), False
    while not over:
        observation, reward, terminated, truncated, info = env.step(act(observation))
        rewards.append(float(reward))
        over = bool(terminated or truncated)
        if not over and (before + len(rewards)) % every == 0:
            states.append((len(rewards), adapter.save(env)))
        if len(rewards) == MAX_STEPS:
            raise ValueError(f"an episode of {env} is not over after {MAX_STEPS} steps: limit it")
    if not np.isfinite(rewards).all():
        raise ValueError(f"a reward must be finite: {env} returned one that is not")
    success = info.get("is_success")
    verdict = None if success is None else bool(success)
    actions = np.array(env.actions, env.action_space.dtype)
    trajectory = Trajectory(
        actions, np.array(rewards), int(env.seed or 0), bool(terminated), verdict
    )
    return _Played(trajectory, states)


def _valued(played: _Played, number: int, values: Values | None) -> Iterator[Snapshot]:
    if not played.states:
        return
    if values is None:
        numbers = np.array([played.trajectory.reward_from(step) for step, _ in played.states])
    else:
        numbers = np.asarray(values([s["observation"] for _, s in played.states]), np.float64)
    if numbers.shape != (len(played.states),) or not np.isfinite(numbers).all():
        raise ValueError(f"expected finite values ({len(played.states)},), got {numbers}")
    for (step, state), value in zip(played.states, numbers.tolist(), strict=True):
        yield Snapshot(state, number, step, value)
