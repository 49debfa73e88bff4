"""Curves and pictures of a run that was stopped have no step twice, and none is missing."""

import csv
from collections import Counter

import pytest
from stable_baselines3.common.callbacks import BaseCallback
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from teachrl import teach
from teachrl.evaluation import TestSet
from teachrl.monitoring.tensorboard import PictureCallback
from teachrl.runs.logs import drop_events
from teachrl.students.presets import PPOPreset
from teachrl.teachers import ALPGMM
from tests.runs.worlds import ShortReach, Stop

PPO = PPOPreset(rollout=128, batch_size=64, n_epochs=1, net_arch=(8,))
CLOCKS = ("time/fps", "time/time_elapsed", "time/teacher_share", "time/iterations")


class Counting(BaseCallback):
    """A user's callback that remembers something."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def _on_step(self):
        self.calls += 1
        return True

    def state(self):
        return {"calls": self.calls}

    def restore(self, state):
        self.calls = state["calls"]


def lesson(folder, *callbacks):
    return teach(
        PPO,
        ShortReach,
        ALPGMM(fit_every=50, max_gaussians=3),
        steps=5200,
        n_envs=2,
        folder=folder,
        checkpoint_every=600,
        evaluate_every=900,
        callbacks=callbacks,
        test_set=TestSet.grid(ShortReach.task_space, 2),
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    counting = Counting()
    return lesson(tmp_path_factory.mktemp("whole") / "run", counting), counting.calls


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    folder, counting = tmp_path_factory.mktemp("resumed") / "run", Counting()
    for stop in (3000, 4500):
        with pytest.raises(InterruptedError):
            lesson(folder, Counting(), Stop(stop))
    return lesson(folder, counting), counting.calls


def rows(run):
    """Return the rows of progress.csv without clocks and empty cells."""
    with (run.folder / "progress.csv").open(newline="") as file:
        table = [dict(row) for row in csv.DictReader(file)]
    return [{k: v for k, v in row.items() if v and k not in CLOCKS} for row in table]


def events(run):
    """Count (tag, step) in all TensorBoard files of a run."""
    found = Counter()
    for path in run.folder.glob("events.out.tfevents.*"):
        for event in EventFileLoader(str(path)).Load():
            found.update((value.tag, event.step) for value in event.summary.value)
    return found


def test_progress_is_the_same(whole, resumed):
    expected = rows(whole[0])
    assert rows(resumed[0]) == expected
    assert sum("teacher/gaussians" in row for row in expected) >= 2


def test_tensorboard_is_the_same(whole, resumed):
    expected = events(whole[0])
    assert events(resumed[0]) == expected
    assert max(expected.values()) <= 2, [key for key, n in expected.items() if n > 1]
    pictures = {"curriculum/tasks", "teacher/belief", "eval/mastered_tasks", "eval/learning_curve"}
    assert pictures <= {tag for tag, _ in expected}


def test_a_callback_of_the_user_remembers(whole, resumed):
    assert resumed[1] == whole[1] >= 2600


def test_pictures_remember_their_curves():
    pictures = PictureCallback(total_steps=1000)
    state = {"next": 400, "drawn_episodes": 7, "look_at": 300, "scores": {"200": [0.1, 0.9]}}
    state |= {"results": [(0, 0.0, 1.0), (200, 0.5, 2)], "duels": {"200": [1.0, 2.0, 0.1]}}
    pictures.restore(state)
    assert pictures.state() == state
    assert pictures._curves()["mastered test tasks (%)"]["test set"] is not None


def test_the_time_before_a_stop_counts(resumed):
    run, _ = resumed
    assert run.summary["steps_per_second"] * run.summary["seconds"] == pytest.approx(
        run.summary["train"]
    )


def test_a_last_event_that_was_cut_is_dropped(whole, tmp_path):
    [path] = whole[0].folder.glob("events.out.tfevents.*")
    content = path.read_bytes()
    cut = tmp_path / path.name
    cut.write_bytes(content[:-5])
    drop_events(cut, step=10**9)
    assert 0 < len(cut.read_bytes()) < len(content) - 5
    assert content.startswith(cut.read_bytes())
    drop_events(cut, step=1000)
    steps = [event.step for event in EventFileLoader(str(cut)).Load()]
    assert max(steps) <= 1000 < max(step for _, step in events(whole[0]))
