import json
from dataclasses import FrozenInstanceError, dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from teachrl.core import Episode, Task, Teacher
from teachrl.progress import NearestProgress
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace

SPACE = TaskSpace(height=(0, 4), spacing=(0, 8))
LOWEST = SPACE.require([0, 0])


@dataclass(kw_only=True)
class Averaging(Teacher):
    """A teacher with all kinds of learnt state."""

    rate: float = 0.5
    bounds: tuple[float, float] = (0.0, 1.0)

    def reset(self) -> None:
        self.mean: NDArray[np.float64] = np.zeros(2)
        self.rewards: list[float] = []
        self.nothing: None = None
        self.notes: dict[str, list[int]] = {}
        self.progress = NearestProgress(2)

    def sample(self) -> Task:
        point = self.rng.random(2) * (0.5 + 0.5 * self.mean)
        return Task(self.space.denormalize(point))

    def update(self, episode: Episode) -> None:
        point = self.space.normalize(episode.task.params)
        self.mean += self.rate * (point - self.mean)
        self.rewards.append(self.progress.measure(point, self.scale(episode.reward)))
        self.notes.setdefault("ids", []).append(episode.task.id)


def taught(seed: int = 0, episodes: int = 20) -> Averaging:
    teacher = Averaging().start(SPACE, stream(seed, "teacher"), (-100.0, 300.0))
    for i in range(episodes):
        task = replace(teacher.sample(), id=i)
        teacher.update(Episode(task, seed=i, reward=float(i), length=10))
    return teacher


def test_tasks_and_episodes_are_frozen_with_slots() -> None:
    task = Task(LOWEST)
    for thing in (task, Episode(task, 0, 1.0, 1)):
        with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
            thing.id = 3  # type: ignore[misc,union-attr]
        assert not hasattr(thing, "__dict__")
    assert replace(task, id=7).id == 7


def test_tasks_are_told_apart_by_identity_and_joined_by_id() -> None:
    assert Task(LOWEST) != Task(LOWEST)
    assert Task(LOWEST).id == -1
    assert Task(LOWEST).meta == {}


def test_a_teacher_is_its_configuration_before_and_after_teaching() -> None:
    teacher = taught()
    assert teacher == Averaging() == replace(teacher)
    assert teacher != Averaging(rate=0.1)
    assert repr(teacher) == "Averaging(rate=0.5, bounds=(0.0, 1.0))"
    assert json.loads(json.dumps(teacher.config())) == {"rate": 0.5, "bounds": [0.0, 1.0]}


def test_starting_again_forgets_everything() -> None:
    teacher = taught()
    teacher.start(SPACE, stream(0, "teacher"), (-100.0, 300.0))
    assert teacher.rewards == []
    assert len(teacher.progress) == 0
    assert teacher.sample().params.tolist() == taught(episodes=0).sample().params.tolist()


def test_a_state_holds_all_that_was_learnt_and_the_generator() -> None:
    teacher, other = taught(seed=0), taught(seed=1, episodes=3)
    state = teacher.state()
    assert state.keys() == {"rng", "mean", "rewards", "nothing", "notes", "progress"}
    other.restore(state)
    assert other.rewards == teacher.rewards
    assert other.notes == {"ids": list(range(20))}
    for _ in range(3):
        task, same = teacher.sample(), other.sample()
        assert task.params.tobytes() == same.params.tobytes()
        for each in (teacher, other):
            each.update(Episode(task, seed=0, reward=5.0, length=1))
    assert other.mean.tobytes() == teacher.mean.tobytes()
    assert len(other.progress) == 23


def test_a_state_does_not_change_with_its_teacher() -> None:
    teacher = taught()
    state = teacher.state()
    before = state["mean"].copy(), list(state["rewards"]), state["rng"]["state"]["state"]
    teacher.update(Episode(teacher.sample(), seed=0, reward=9.0, length=1))
    assert state["mean"].tolist() == before[0].tolist()
    assert (state["rewards"], state["rng"]["state"]["state"]) == before[1:]
    fresh = taught(episodes=0)
    fresh.restore(state)
    fresh.update(Episode(fresh.sample(), seed=0, reward=9.0, length=1))
    assert state["rewards"] == before[1]


@pytest.mark.parametrize("names", [{"mean": "average"}, {"rewards": None}, {None: "surplus"}])
def test_the_state_of_another_teacher_is_refused(names: dict[str | None, str | None]) -> None:
    teacher, state = taught(), taught().state()
    for old, new in names.items():
        moved = state.pop(old) if old else 1
        state |= {new: moved} if new else {}
    with pytest.raises(ValueError, match="not a state of Averaging: check") as error:
        teacher.restore(state)
    assert all(name in str(error.value) for name in [*names, *names.values()] if name)


def test_a_preview_leaves_the_teacher_alone() -> None:
    teacher, twin = taught(), taught()
    shown = teacher.preview(4, stream(0, "preview"))
    assert shown.shape == (4, 2)
    assert shown.dtype == np.float32
    assert shown.tolist() == twin.preview(4, stream(0, "preview")).tolist()
    assert teacher.preview(0, stream(0, "preview")).shape == (0, 2)
    assert teacher.sample().params.tolist() == taught().sample().params.tolist()


def test_rewards_are_scaled_by_the_declared_range() -> None:
    teacher = taught()
    assert [teacher.scale(r) for r in (-100.0, 100.0, 300.0, 500.0)] == [0, 0.5, 1, 1.5]
    for reward in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match="reward must be finite"):
            teacher.scale(reward)


@pytest.mark.parametrize("reward_range", [(1.0, 1.0), (2.0, 1.0), (0.0, np.inf), (np.nan, 1.0)])
def test_a_range_that_scales_nothing_is_refused(reward_range: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="finite with low < high"):
        Averaging().start(SPACE, stream(0, "teacher"), reward_range)


def test_a_teacher_must_say_how_it_samples() -> None:
    with pytest.raises(TypeError, match="sample"):
        Teacher()  # type: ignore[abstract]
