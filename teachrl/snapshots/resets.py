"""Episodes that begin where another policy has been (S3RL, 2024, arXiv 2403.00673)."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import seeding

from teachrl.pasts import has_past
from teachrl.seeding import draw_seed, stream
from teachrl.snapshots.library import Snapshot, SnapshotLibrary
from teachrl.snapshots.recording import Env
from teachrl.snapshots.selectors import ByCluster, Segment, Selector


class SnapshotStart(gym.Wrapper[Any, Any, Any, Any]):
    """Begins episodes from snapshots, cuts them short, and says that they are no whole ones.

    What is common to :class:`SnapshotResets` and :class:`SnapshotTasks`. The infos of an episode
    from a snapshot have ``partial=True`` and ``snapshot``, its index, at the first and the last
    step; the first has ``replayed``, the steps that loading took, and ``task``, what is played,
    where there are tasks. It lies outside of time limits and of SB3's ``Monitor``, whose return it
    removes.
    """

    def __init__(
        self, env: Env, library: SnapshotLibrary | Path | str, horizon: int | None, reseed: bool
    ) -> None:
        super().__init__(env)
        if horizon is not None and horizon < 1:
            raise ValueError(f"horizon must be None or a number of steps, got {horizon}")
        self.library = (
            library if isinstance(library, SnapshotLibrary) else SnapshotLibrary.load(library)
        )
        if not len(self.library):
            raise ValueError("expected snapshots to begin from: the library has none")
        _refuse_log_files(env)
        self.horizon, self.reseed = horizon, reseed
        self.library_steps = self.library.steps  # for the ledger of a taught run
        self.replayed = 0  # environment steps that loading has taken
        self.index: int | None = None  # of the snapshot that the episode began from
        self._rng, _ = seeding.np_random()  # until a seed is given
        self._reward, self._length = 0.0, 0
        self._task = env.get_wrapper_attr("task") if env.has_wrapper_attr("task") else None

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step; an episode from a snapshot ends after ``horizon`` steps, by truncation."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if self.index is None:
            return observation, reward, terminated, truncated, info
        self._reward += float(reward)
        self._length += 1
        truncated = bool(truncated) or (self._length == self.horizon and not terminated)
        if terminated or truncated:
            info.pop("episode", None)  # of a monitor inside, to which it looked whole
            info |= self._marks()
            self._end(Segment(self.index, self._reward, self._length, bool(terminated), truncated))
        return observation, reward, terminated, truncated, info

    def begin_at(self, index: int) -> tuple[Any, dict[str, Any]]:
        """Begin an episode from a snapshot."""
        snapshot = self.library.snapshots[index]
        self._require_fit(snapshot)
        self.index, self._reward, self._length = index, 0.0, 0
        adapter = self.library.adapter
        seed = draw_seed(self._rng) if self.reseed else None
        observation = adapter.load(self.env, snapshot.state, seed)
        replayed = adapter.steps_to_load(snapshot.state)
        self.replayed += replayed
        if self.horizon is not None:
            _leave_time(self.env, self.horizon)
        return observation, self._marks() | {"replayed": replayed} | self._played(index)

    def begin_ordinarily(
        self, seed: int | None, options: dict[str, Any] | None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin a whole episode, on the task of the last one where the options name none."""
        came_from_a_snapshot = self.index is not None
        self.index = None
        if came_from_a_snapshot and self._task is not None and "task" not in (options or {}):
            options = (options or {}) | {"task": self._task}  # the snapshot has brought its own
        if came_from_a_snapshot and seed is None and not self.reseed:
            seed = draw_seed(self._rng)  # the snapshot has brought its own generator, too
        return self.env.reset(seed=seed, options=options)

    def snapshot_steps(self) -> int:
        """Return the environment steps that loading snapshots has taken so far."""
        return self.replayed

    def state(self) -> dict[str, Any]:
        """Return what outlives episodes; see :meth:`restore`."""
        past = {"rng": self._rng.bit_generator.state, "replayed": self.replayed}
        past |= {"task": None if self._task is None else np.array(self._task)}
        if has_past(self.env):
            past["inner"] = self.env.get_wrapper_attr("state")()
        return copy.deepcopy(past)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`: the next reset is the one that followed it."""
        self._rng.bit_generator.state = copy.deepcopy(state["rng"])
        self.replayed = state["replayed"]
        self._task = None if state["task"] is None else np.array(state["task"])
        if "inner" in state:
            self.env.get_wrapper_attr("restore")(state["inner"])

    def _marks(self) -> dict[str, Any]:
        return {"partial": True, "snapshot": self.index}

    def _played(self, index: int) -> dict[str, Any]:
        """Return the info about the task that a snapshot brings."""
        task = self.library.snapshots[index].task
        return {} if task is None else {"task": np.array(task)}

    def _end(self, segment: Segment) -> None:
        """Take note of an episode that began from a snapshot."""

    def _require_fit(self, snapshot: Snapshot) -> None:
        if not self.env.observation_space.contains(snapshot.observation):
            raise ValueError(
                f"a snapshot's observation {snapshot.observation} is not in "
                f"{self.env.observation_space}: the library was made with other wrappers, or of "
                f"another environment ({self.library.source or 'unknown'})"
            )


class SnapshotResets(SnapshotStart):
    """Begins some episodes from snapshots, with a probability that someone moves.

    Until :meth:`begin_with_snapshots` is called, as by
    :class:`teachrl.students.snapshot_schedule.SnapshotSchedule` in training, all episodes are
    ordinary: a copy that a student is evaluated on needs no thought. A snapshot brings its own
    task; a teacher never hears of these episodes.

    Args:
        env: of the kind that the library is of, with the same wrappers.
        library: or its folder.
        selector: of snapshots; S3RL's, if None. Each environment has a copy, which learns from what
            is played there while the probability is above 0: so a run is the same in processes.
        probability: of beginning from the selector's choice.
        horizon: after which such an episode is truncated: S3RL's student trajectory truncation.
            A time limit that would strike before is put off; None: the time limit counts on from
            where the snapshot was.
        reseed: let chance go on differently each time; False: as in the snapshot's own episode,
            until that ends.

    >>> from teachrl.snapshots.exploring import explore
    >>> library = explore(lambda: gym.make("MountainCar-v0"), episodes=1, every=50)
    >>> env = SnapshotResets(gym.make("MountainCar-v0"), library, probability=1.0)
    >>> env.reset(seed=0)[1]["partial"]
    True
    """

    def __init__(
        self,
        env: Env,
        library: SnapshotLibrary | Path | str,
        selector: Selector | None = None,
        *,
        probability: float = 0.0,
        horizon: int | None = 100,
        reseed: bool = True,
    ) -> None:
        super().__init__(env, library, horizon, reseed)
        self.selector = copy.deepcopy(selector or ByCluster()).start(self.library)
        self.begin_with_snapshots(probability)

    def begin_with_snapshots(self, probability: float) -> None:
        """Set the probability of beginning from a snapshot, from the next reset on."""
        if not 0 <= probability <= 1:
            raise ValueError(f"expected a probability in [0, 1], got {probability}")
        self.probability = float(probability)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; which one follows from ``seed``, where one is given."""
        if seed is not None:
            self._rng = stream(seed, "snapshots")
        if options and "task" in options:
            self._task = np.array(options["task"])
        is_asked = self._rng.random() < self.probability
        index: int | None = self.selector.choose(self._rng) if is_asked else None
        if index is not None:
            observation, info = self.begin_at(index)
        else:
            observation, info = self.begin_ordinarily(seed, options)
        self._watch(observation)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step, and let a selector watch that wants to."""
        result = super().step(action)
        self._watch(result[0])
        return result

    def state(self) -> dict[str, Any]:
        """Return what outlives episodes, what the selector has learnt included."""
        own = {"probability": self.probability, "selector": copy.deepcopy(self.selector.state())}
        return super().state() | own

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        super().restore(state)
        self.probability = state["probability"]
        self.selector.restore(copy.deepcopy(state["selector"]))

    def _end(self, segment: Segment) -> None:
        self.selector.update(segment)

    def _watch(self, observation: Any) -> None:
        if self.selector.watches and self.probability > 0:  # else nobody asks it where to begin
            self.selector.visit(observation)


def _leave_time(env: Env, horizon: int) -> None:
    """Put a time limit off that would strike within ``horizon`` steps, as S3RL's authors do."""
    inner: Any = env
    while isinstance(inner, gym.Wrapper):
        if isinstance(inner, gym.wrappers.TimeLimit):
            clock: Any = inner  # whose type says that it never runs
            latest = max(0, clock._max_episode_steps - horizon)
            clock._elapsed_steps = min(clock._elapsed_steps, latest)
        inner = inner.env


def _refuse_log_files(env: Env) -> None:
    """Refuse a monitor that would write returns of partial episodes before anyone can mark them."""
    inner: Any = env
    while isinstance(inner, gym.Wrapper):
        if getattr(inner, "results_writer", None) is not None:
            raise ValueError(
                f"the {type(inner).__name__} inside writes a file, in which episodes from "
                "snapshots would look like whole ones: leave its file name out, and log with "
                "teachrl.students.whole_episodes.WholeEpisodeMonitor around the VecEnv"
            )
        inner = inner.env
