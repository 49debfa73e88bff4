"""Pictures reach TensorBoard, and nothing else changes."""

import csv
import io
import json

import pytest
from PIL import Image
from stable_baselines3 import PPO
from stable_baselines3.common.logger import configure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from teachrl.evaluation import TestSet
from teachrl.evaluation.callback import EvaluationCallback
from teachrl.monitoring import PictureCallback, tensorboard
from teachrl.students import TaughtVecEnv, TeacherCallback, make_task_vec_env
from teachrl.teachers import PLR, REPAIRED
from tests.monitoring.pictures import Drawing, is_blank
from tests.students.worlds import Reach, Scripted

STEPS = 512
TESTS = TestSet.grid(Reach.task_space, 2)


def train(folder, formats, teacher=Drawing, pictures=2):
    taught = TaughtVecEnv(make_task_vec_env(Reach, 2), teacher(), seed=0)
    student = PPO("MlpPolicy", taught, n_steps=64, batch_size=64, n_epochs=1, seed=0)
    student.set_logger(configure(str(folder), formats))
    callbacks = [evaluation := EvaluationCallback(Reach, TESTS, every=STEPS // 2)]
    if pictures:
        callbacks.append(drawing := PictureCallback(STEPS, pictures))
        evaluation.listeners.append(drawing.record_evaluation)
    student.learn(STEPS, callback=callbacks)
    return [p.detach().numpy().tobytes() for p in student.policy.parameters()]


def images(folder):
    """Return the pictures in the event file by tag: pairs (step, picture)."""
    events = EventAccumulator(str(folder), size_guidance={"images": 0}).Reload()
    return {
        tag: [
            (event.step, Image.open(io.BytesIO(event.encoded_image_string)).convert("RGB"))
            for event in events.Images(tag)
        ]
        for tag in events.Tags()["images"]
    }


def test_a_run_has_a_handful_of_pictures(tmp_path):
    train(tmp_path, ["tensorboard"])
    found = images(tmp_path)
    assert {tag: [step for step, _ in shown] for tag, shown in found.items()} == {
        "curriculum/tasks": [256, 512],
        "teacher/belief": [256, 512],
        "eval/mastered_tasks": [0, 256, 512],
        "eval/learning_curve": [0, 256, 512],
    }
    assert not any(is_blank(picture) for shown in found.values() for _, picture in shown)


def test_a_teacher_without_a_drawable_belief_has_no_picture_of_it(tmp_path):
    train(tmp_path, ["tensorboard"], teacher=Scripted, pictures=1)
    assert "teacher/belief" not in images(tmp_path)


def test_a_teacher_with_a_buffer_shows_it_and_its_scores_so_far(tmp_path):
    taught = TaughtVecEnv(make_task_vec_env(Reach, 2), PLR(capacity=20), seed=0)
    student = PPO("MlpPolicy", taught, n_steps=64, batch_size=64, n_epochs=1, seed=0)
    student.set_logger(configure(str(tmp_path), ["tensorboard"]))
    drawing = PictureCallback(STEPS, pictures=1)
    student.learn(STEPS, callback=[TeacherCallback(), drawing])
    assert {"teacher/buffer", "teacher/scores"} <= images(tmp_path).keys()
    resumed = PictureCallback(STEPS, pictures=1)
    resumed.restore(json.loads(json.dumps(drawing.state())))
    assert resumed.state() == drawing.state()
    assert [int(step) for step in drawing.state()["scores"]] == [128, 256, 384, 512]


def test_a_teacher_of_two_students_shows_their_returns_and_the_regret(tmp_path):
    teacher = REPAIRED(designer="cross-entropy", designs_per_update=2, replay_ratio=0.0)
    taught = TaughtVecEnv(make_task_vec_env(Reach, 2), teacher, seed=0)
    student = PPO("MlpPolicy", taught, n_steps=64, batch_size=64, n_epochs=1, seed=0)
    student.set_logger(configure(str(tmp_path), ["tensorboard"]))
    drawing = PictureCallback(STEPS, pictures=1)
    student.learn(STEPS, callback=[TeacherCallback(), drawing])
    found = images(tmp_path)
    assert {"teacher/duel", "teacher/buffer"} <= found.keys()
    assert not is_blank(found["teacher/duel"][0][1])
    resumed = PictureCallback(STEPS, pictures=1)
    resumed.restore(json.loads(json.dumps(drawing.state())))
    assert resumed.state() == drawing.state()
    assert len(drawing.state()["duels"]) > 1


def test_pictures_change_neither_the_run_nor_its_table(tmp_path):
    assert train(tmp_path / "a", ["csv", "tensorboard"]) == train(
        tmp_path / "b", ["csv", "tensorboard"], pictures=0
    )
    tables = [list(csv.reader((tmp_path / name / "progress.csv").open())) for name in "ab"]
    assert sorted(tables[0][0]) == sorted(tables[1][0])
    assert len(tables[0]) == len(tables[1])


def test_without_tensorboard_nothing_is_drawn(tmp_path, monkeypatch):
    def draw(*_):
        raise AssertionError("a picture for nobody")

    for name in ("tasks_figure", "belief_figure", "mastered_figure", "learning_curve_figure"):
        monkeypatch.setattr(tensorboard, name, draw)
    train(tmp_path, ["csv"])


def test_a_second_run_of_learn_goes_on_where_the_pictures_were(tmp_path):
    taught = TaughtVecEnv(make_task_vec_env(Reach, 2), Drawing(), seed=0)
    student = PPO("MlpPolicy", taught, n_steps=64, batch_size=64, n_epochs=1, seed=0)
    student.set_logger(configure(str(tmp_path), ["tensorboard"]))
    drawing = PictureCallback(STEPS, pictures=1)
    for _ in range(2):
        student.learn(256, callback=drawing, reset_num_timesteps=False)
    steps = [step for step, _ in images(tmp_path)["curriculum/tasks"]]
    assert steps == [256, 512]


@pytest.mark.parametrize(("steps", "pictures"), [(0, 5), (100, 0)])
def test_no_steps_or_no_pictures_are_refused(steps, pictures):
    with pytest.raises(ValueError, match="a step and a picture at least"):
        PictureCallback(steps, pictures)
