"""A film shows every task to its end, and the student acts as in an evaluation."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from teachrl.evaluation import TestSet, evaluate
from teachrl.monitoring import videos
from teachrl.monitoring.videos import record, record_run
from teachrl.runs.evaluations import Evaluations
from tests.monitoring.pictures import Visible, is_blank
from tests.students.worlds import Reach

TESTS = TestSet.grid(Reach.task_space, (3, 1))


class Walker:
    """Walks right."""

    def predict(self, observation, deterministic=False, **rest):
        return np.ones((len(observation), 1)), None


def frames(path):
    film = Image.open(path)
    for i in range(film.n_frames):
        film.seek(i)
        yield np.asarray(film.convert("RGB")).copy()


def test_a_gif_shows_the_student_move(tmp_path):
    path = record(Walker(), Visible, TESTS, tmp_path / "film.gif", every=1, width=120)
    pictures = list(frames(path))
    assert len(pictures) > 10
    assert not any(is_blank(picture) for picture in pictures)
    reds = [np.argwhere((p[..., 0] > 150) & (p[..., 1] < 80))[:, 1].mean() for p in pictures]
    assert reds[-1] > reds[0] + 10


def test_the_captions_name_the_task_and_its_return(tmp_path, monkeypatch):
    texts = []
    monkeypatch.setattr(
        videos.ImageDraw.ImageDraw, "text", lambda self, at, text, *_: texts.append(text)
    )
    record(Walker(), Visible, TESTS, tmp_path / "film.gif", titles=("easy", "so so"))
    first = ["easy  return 0 so far", "distance 0, friction 0", "so so  return 0 so far"]
    assert texts[:3] == first
    found = evaluate(Walker(), Reach, TESTS)
    for i, title in enumerate(("easy  ", "so so  ", "")):
        expected = f"{title}return {found.rewards[i]:.0f} after {found.lengths[i]} steps"
        assert texts[-6:][2 * i] == expected


def test_a_long_film_ends_early_but_shows_the_end(tmp_path):
    path = record(
        Walker(), partial(Visible, limit=50), TESTS, tmp_path / "film.gif", every=2, most_frames=3
    )
    assert len(list(frames(path))) == 4


@pytest.mark.parametrize(("every", "milliseconds"), [(1, 20), (4, 80)])
def test_a_gif_runs_in_real_time(every, milliseconds, tmp_path):
    path = record(Walker(), Visible, TESTS, tmp_path / "film.gif", every=every)
    assert Image.open(path).info["duration"] == milliseconds


def test_an_mp4_is_written_with_the_extra(tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    imageio = pytest.importorskip("imageio.v3")
    path = record(Walker(), Visible, TESTS, tmp_path / "film.mp4", every=2, width=101)
    pictures = imageio.imread(path)
    assert len(pictures) > 3
    assert not is_blank(pictures[0])


def test_without_the_extra_an_mp4_is_refused_before_anything_is_played(tmp_path, monkeypatch):
    monkeypatch.setattr(videos, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'teachrl\[video\]', or choose a"):
        record(None, None, TESTS, tmp_path / "film.mp4")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a \.gif or a \.mp4, got 'film.avi'"):
        record(None, None, TESTS, tmp_path / "film.avi")


def test_an_environment_that_shows_nothing_is_refused(tmp_path):
    class Invisible(Visible):
        def render(self):
            return None

    with pytest.raises(TypeError, match="must return an RGB array"):
        record(Walker(), Invisible, TESTS, tmp_path / "film.gif")


def test_a_run_is_filmed_on_its_easiest_median_and_hardest_task(tmp_path, monkeypatch):
    tests = TestSet.grid(Reach.task_space, (5, 1))
    rewards = np.array([[9, 9, 9, 9, 9], [0, 4, 1, 3, 2.0]])
    run = SimpleNamespace(
        folder=tmp_path,
        space=Reach.task_space,
        test_set=tests,
        evaluations=Evaluations(*[np.zeros(2)] * 2, rewards, *[np.zeros((2, 5))] * 3),
        student=Walker(),
        env=Visible,
        normalizer=None,
    )
    filmed = {}
    monkeypatch.setattr(
        videos, "record", lambda *args, **options: filmed.update(args=args, **options)
    )
    record_run(run)
    assert filmed["args"][2].params.tolist() == tests.params[[1, 4, 0]].tolist()
    assert filmed["args"][2].seeds.tolist() == tests.seeds[[1, 4, 0]].tolist()
    assert filmed["args"][3] == tmp_path / "video.gif"
    assert filmed["titles"] == ("easiest", "median", "hardest")


def test_a_run_without_evaluation_has_no_easiest_task(tmp_path):
    with pytest.raises(ValueError, match="no evaluation that says which tasks are easy"):
        record_run(SimpleNamespace(folder=tmp_path, evaluations=[]))
