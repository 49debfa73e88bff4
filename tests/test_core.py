"""What every teacher inherits."""

from dataclasses import dataclass

import numpy as np
import pytest

from teachrl.core import Task, Teacher
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace

SPACE = TaskSpace(height=(0, 3))


@dataclass
class Walking(Teacher):
    stride: float = 0.1

    def reset(self):
        self.position = np.zeros(1)
        self.steps = 0

    def sample(self):
        self.position += self.stride * self.rng.random()
        self.steps += 1
        return Task(self.space.denormalize(self.position))


def test_rewards_are_scaled_by_the_declared_range():
    teacher = Walking().start(SPACE, stream(0, "teacher"), (-150, 350))
    assert [teacher.scale(r) for r in (-150, 100, 350)] == [0, 0.5, 1]


@pytest.mark.parametrize("wrong", [(1, 1), (2, 1), (0, np.inf), (np.nan, 1)])
def test_a_reward_range_is_checked(wrong):
    with pytest.raises(ValueError, match="reward_range must be finite with low < high"):
        Walking().start(SPACE, stream(0, "teacher"), wrong)


def test_a_preview_changes_nothing():
    teacher = Walking().start(SPACE, stream(0, "teacher"))
    before = teacher.state()
    shown = teacher.preview(5, stream(0, "preview"))
    assert shown.shape == (5, 1)
    after = teacher.state()
    assert before["rng"] == after["rng"]
    assert before["steps"] == after["steps"] == 0
    assert not after["position"].any()


def test_a_restored_teacher_goes_on_as_it_would_have():
    teacher = Walking().start(SPACE, stream(0, "teacher"))
    for _ in range(3):
        teacher.sample()
    state = teacher.state()
    twin = Walking().start(SPACE, stream(9, "other"))
    twin.restore(state)
    ours, theirs = ([t.sample().params[0] for _ in range(4)] for t in (teacher, twin))
    assert ours == theirs
    assert state["steps"] == 3  # the saved state is a copy


def test_a_started_teacher_is_still_its_configuration():
    teacher = Walking(stride=0.2).start(SPACE, stream(0, "teacher"))
    teacher.sample()
    assert teacher == Walking(stride=0.2)
    assert teacher.config() == {"stride": 0.2}
