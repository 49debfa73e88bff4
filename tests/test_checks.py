"""Every broken promise is noticed, and named."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box
from numpy.typing import NDArray

from teachrl.checks import ContractError, check_env, check_teacher
from teachrl.core import Episode, Task, Teacher
from teachrl.envs import ENVS
from teachrl.spaces import Floats, TaskSpace

SPACE = TaskSpace(x=(0, 1), y=(0, 2))


@dataclass(kw_only=True)
class Drifting(Teacher):
    """A sound teacher with a bit of everything: it prefers tasks near the best one so far."""

    width: float = 0.5
    memory: int = 5000

    def reset(self) -> None:
        self.centre: NDArray[np.float64] = np.full(self.space.shape, 0.5)
        self.best = 0.0
        self.rewards: list[float] = []

    def sample(self) -> Task:
        point = self.centre + self.width * (self.rng.random(self.space.shape) - 0.5)
        return Task(self.space.denormalize(point))

    def update(self, episode: Episode) -> None:
        self.rewards = [*self.rewards, self.scale(episode.reward)][-self.memory :]
        if self.rewards[-1] > self.best:
            self.centre[:] = self.space.normalize(episode.task.params)
            self.best = self.rewards[-1]

    def metrics(self) -> dict[str, float]:
        return {"best": self.best}


class Outside(Drifting):
    def sample(self) -> Task:
        return Task(super().sample().params + np.float32(0.9))


class Unseeded(Drifting):
    def sample(self) -> Task:
        return Task(self.space.uniform(np.random.default_rng()))


class Constant(Drifting):
    def sample(self) -> Task:
        return Task(self.space.denormalize(self.centre))


class Remembering(Drifting):
    def reset(self) -> None:
        if not hasattr(self, "best"):
            super().reset()


class Rewriting(Drifting):
    def update(self, episode: Episode) -> None:
        super().update(episode)
        self.width *= 0.99


class Rereading(Drifting):
    """Rewrites a hyper-parameter that all copies of it share."""

    notes: ClassVar[list[float]] = []

    def config(self) -> dict[str, Any]:
        return super().config() | {"notes": list(self.notes)}

    def update(self, episode: Episode) -> None:
        self.notes.append(episode.reward)


class OneAtATime(Drifting):
    def sample(self) -> Task:
        self.expected = super().sample()
        return self.expected

    def update(self, episode: Episode) -> None:
        if episode.task.params is not self.expected.params:
            raise KeyError("the wrong task")


class Forgetful(Drifting):
    def state(self) -> dict[str, Any]:
        return super().state() | {"centre": np.ones(self.space.shape)}


class Sharing(Drifting):
    def state(self) -> dict[str, Any]:
        return super().state() | {"rewards": self.rewards, "centre": self.centre}

    def update(self, episode: Episode) -> None:
        self.centre[:] = self.space.normalize(episode.task.params)


class Opaque(Drifting):
    def state(self) -> dict[str, Any]:
        return super().state() | {"best": {self.best}}


class Numbered(Drifting):
    """Its state has keys that JSON turns into text."""

    def reset(self) -> None:
        super().reset()
        self.counts = {0: 0}

    def sample(self) -> Task:
        self.counts[0] += 1
        return replace(super().sample(), origin=str(self.counts))


class Peeking(Drifting):
    def preview(self, n: int, rng: np.random.Generator) -> Floats:
        return np.array([self.sample().params for _ in range(n)])


class Squinting(Drifting):
    def preview(self, n: int, rng: np.random.Generator) -> Floats:
        return rng.random((n, 7)).astype(np.float32)


class Hoarding(Drifting):
    def update(self, episode: Episode) -> None:
        self.rewards.append(self.scale(episode.reward))


class Speechless(Drifting):
    def metrics(self) -> dict[str, float]:
        return {"mean": float("nan") if not self.rewards else 0.0}


class Disbelieving(Drifting):
    def belief(self) -> dict[str, NDArray[Any]]:
        return {"centre": self.centre * np.inf}


class Credulous(Drifting):
    """Takes any reward at its word."""

    def update(self, episode: Episode) -> None:
        self.centre = np.clip(self.centre + 1e-9 * episode.reward, 0, 1)


class Global(Drifting):
    def sample(self) -> Task:
        np.random.random()  # noqa: NPY002
        return super().sample()


class PythonsGlobal(Drifting):
    def reset(self) -> None:
        super().reset()
        random.seed(0)


def test_a_teacher_that_keeps_all_promises_passes() -> None:
    check_teacher(Drifting(), episodes=160, plateau=500)
    check_teacher(Drifting(), SPACE, episodes=50, plateau=100)


@pytest.mark.parametrize(
    ("teacher", "complaint"),
    [
        (Outside, "does not lie in the space"),
        (Unseeded, "same seed sampled different tasks"),
        (Constant, "two seeds gave the same tasks"),
        (Remembering, r"start\(\) forgot less than all"),
        (Rewriting, "changed a hyper-parameter"),
        (Rereading, "changed a hyper-parameter"),
        (Forgetful, r"state\(\) lacks something"),
        (Sharing, "or is no copy of it"),
        (Opaque, "neither an array nor JSON"),
        (Peeking, r"preview\(\) changed"),
        (Squinting, r"preview\(5, rng\) returned"),
        (Hoarding, "grew from"),
        (Speechless, "not a finite float"),
        (Disbelieving, "not a finite array"),
        (Credulous, "does not lie in the space"),
        (Global, "global random numbers"),
        (PythonsGlobal, "global random numbers"),
    ],
)
def test_a_teachers_broken_promise_is_named(teacher: type[Drifting], complaint: str) -> None:
    with pytest.raises(ContractError, match=complaint) as error:
        check_teacher(teacher(), SPACE, episodes=100, plateau=500)
    assert any(note.startswith(f"checking {teacher.__name__}(") for note in error.value.__notes__)


@pytest.mark.parametrize(
    ("teacher", "error", "promise"),
    [(OneAtATime, KeyError, "come back in any order"), (Numbered, KeyError, "Saved and loaded")],
)
def test_an_error_on_the_way_says_what_was_checked(
    teacher: type[Drifting], error: type[Exception], promise: str
) -> None:
    with pytest.raises(error) as caught:
        check_teacher(teacher(), SPACE, episodes=50, plateau=100)
    assert promise in caught.value.__notes__[0]


def test_a_teacher_that_is_no_dataclass_is_refused() -> None:
    class Plain(Teacher):
        def sample(self) -> Task:
            return Task(self.space.uniform(self.rng))

    with pytest.raises(TypeError, match="dataclass"):
        check_teacher(Plain())


class Reach(gym.Env[Any, Any]):
    """A sound environment: walk to where the task says."""

    task_space: Any = TaskSpace(target=(-1, 1), wind=(0, 0.1))
    reward_range: Any = (-30.0, 0.0)
    mastery_threshold: Any = -10.0
    observation_space: Any = Box(-np.inf, np.inf, (2,), np.float32)
    action_space: Any = Box(-1, 1, (1,), np.float32)

    def __init__(self) -> None:
        self.task = self.task_space.denormalize([0.5, 0.5])

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        if options and "task" in options:
            self.take(options["task"])
        self.x, self.time = float(self.np_random.normal()), 0
        return self.observe(), {}

    def take(self, task: Any) -> None:
        self.task = self.task_space.require(task)

    def step(self, action: Any) -> Any:
        self.time += 1
        self.x += 0.1 * float(action[0]) + float(self.task[1]) * float(self.np_random.normal())
        distance = abs(self.x - float(self.task[0]))
        info = {"is_success": distance < 0.1} if self.time == 30 else {}
        return self.observe(), -distance, False, self.time == 30, info

    def observe(self) -> Any:
        return np.array([self.x, self.x - float(self.task[0])], np.float32)


class Undeclared(Reach):
    task_space: Any = property()

    def __init__(self) -> None:
        self.task = np.zeros(2, np.float32)


class NamelessTasks(Reach):
    task_space: Any = Box(-1, 1, (2,))

    def __init__(self) -> None:
        self.task = np.zeros(2, np.float32)


class Boundless(Reach):
    reward_range = (-np.inf, 0.0)


class Unmasterable(Reach):
    mastery_threshold = 10.0


class Heedless(Reach):
    def take(self, task: Any) -> None:
        self.task_space.require(task)


class Oblivious(Reach):
    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        if not options:
            self.task = self.task_space.denormalize([0.5, 0.5])
        return super().reset(seed=seed, options=options)


class Gullible(Reach):
    def take(self, task: Any) -> None:
        self.task = np.resize(np.nan_to_num(np.asarray(task, np.float32)), 2)


class Blunt(Reach):
    """Refuses all but NaN."""

    def take(self, task: Any) -> None:
        self.task = self.task_space.require(np.nan_to_num(task, nan=0.05))


class Worn(Reach):
    """Carries something over from one episode to the next."""

    past = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.past += 1
        return super().reset(seed=seed, options=options)

    def observe(self) -> Any:
        return super().observe() + np.float32(1e-3 * self.past)


class WornButDeclared(Worn):
    def state(self) -> dict[str, Any]:
        return {"past": self.past, "task": self.task}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.past, self.task = state["past"], state["task"]


class Unseeable(Reach):
    observation_space = Box(0, 1, (2,), np.float32)


class Blind(Reach):
    def observe(self) -> Any:
        return super().observe() * np.float32(np.nan)


class Priceless(Reach):
    def step(self, action: Any) -> Any:
        observation, _, *rest = super().step(action)
        return observation, float("inf"), *rest


class Overwriting(Reach):
    page = np.zeros(2, np.float32)

    def observe(self) -> Any:
        self.page[:] = super().observe()
        return self.page


class Endless(Reach):
    def step(self, action: Any) -> Any:
        observation, reward, terminated, _, info = super().step(action)
        return observation, reward, terminated, False, info


class Premature(Reach):
    def step(self, action: Any) -> Any:
        *outcome, _ = super().step(action)
        return *outcome, {"is_success": False} if self.time == 7 else {}


class Dicey(Reach):
    def step(self, action: Any) -> Any:
        random.random()
        return super().step(action)


@pytest.mark.parametrize("name", ENVS)
def test_every_environment_of_ours_keeps_its_promises(name: str) -> None:
    check_env(ENVS[name])


@pytest.mark.parametrize(
    "make",
    [
        Reach,
        WornButDeclared,
        lambda: gym.wrappers.TimeLimit(Endless(), 20),
        lambda: gym.wrappers.TransformReward(Reach(), lambda reward: float(reward) / 2),
    ],
    ids=["plain", "with a past", "limited", "wrapped"],
)
def test_an_environment_that_keeps_all_promises_passes(make: Callable[[], Any]) -> None:
    check_env(make)


@pytest.mark.parametrize(
    ("env", "complaint"),
    [
        (Undeclared, "declares no task_space"),
        (NamelessTasks, "must be a TaskSpace"),
        (Boundless, "reward_range must be finite"),
        (Unmasterable, "mastery_threshold must lie in"),
        (Heedless, "all tasks gave the same episode"),
        (Oblivious, "did not keep the last one"),
        (Gullible, "for a task: use task_space.require"),
        (Blunt, "reset took .*nan"),
        (Worn, "unlike a new one"),
        (Unseeable, "is not in Box"),
        (Blind, "not finite"),
        (Priceless, "not finite.*inf"),
        (Overwriting, "wrote to an observation"),
        (Endless, "no end within 500 steps"),
        (Premature, "is_success came before the last step"),
        (Dicey, "global random numbers"),
    ],
)
def test_an_environments_broken_promise_is_named(env: type[Reach], complaint: str) -> None:
    with pytest.raises(ContractError, match=complaint) as error:
        check_env(env, max_steps=500)
    assert f"{env.__name__}" in error.value.__notes__[0]


def test_a_used_object_that_differs_from_a_new_one_is_named() -> None:
    class Tired(Reach):
        """Differs from its second episode on only."""

        episodes = 0

        def step(self, action: Any) -> Any:
            if self.time == 0:
                self.episodes += 1
            observation, reward, *rest = super().step(action)
            return observation, reward - 1e-12 * (self.episodes > 2), *rest

    with pytest.raises(ContractError, match="unlike a new one"):
        check_env(Tired)
