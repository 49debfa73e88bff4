"""A film shows one picture per stretch, each with its own tasks, belief and test results."""

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageChops

from teachrl.evaluation import TestSet
from teachrl.monitoring.curriculum import History
from teachrl.monitoring.films import save_curriculum_film
from teachrl.runs.evaluations import Evaluations
from tests.monitoring.pictures import SPACES, gaussians, is_blank, played


def history(space, tested=True):
    params, rewards = played(space)
    tests = TestSet.uniform(space, 20)
    results = np.stack([np.full(20, -100.0), np.full(20, 300.0)])
    evaluations = Evaluations(
        steps=np.array([200, 900]),
        env_steps=np.array([300, 1100]),
        rewards=results,
        lengths=np.ones((2, 20), np.int64),
        successes=np.full((2, 20), np.nan),
        mastered=results > 0,
    )
    return History(
        space=space,
        steps=np.linspace(5, 1000, len(params)).astype(int),
        params=params,
        rewards=rewards,
        beliefs={500: gaussians(space)},
        test_set=tests if tested else None,
        evaluations=evaluations if tested else None,
    )


def frames(path):
    with Image.open(path) as film:
        for i in range(film.n_frames):
            film.seek(i)
            yield film.convert("RGB"), film.info["duration"]


@pytest.mark.parametrize("space", SPACES)
def test_every_stretch_has_a_picture_of_its_own(space, tmp_path):
    path = save_curriculum_film(history(space), tmp_path / "film.gif", frames=4, title="a run")
    pictures = list(frames(path))
    assert len(pictures) == 4
    assert not any(is_blank(picture) for picture, _ in pictures)
    assert pictures[-1][1] > pictures[0][1]  # the last one stays
    for (before, _), (after, _) in pairwise(pictures):
        assert ImageChops.difference(before, after).getbbox()


def test_the_test_set_is_as_it_was_known_then(tmp_path):
    path = save_curriculum_film(history(SPACES[1]), tmp_path / "film.gif", frames=10)
    pictures = [np.asarray(picture)[60:-60, 380:-90].astype(int) for picture, _ in frames(path)]
    differs = [int((np.abs(a - b).max(axis=2) > 40).sum()) for a, b in pairwise(pictures)]
    # Evaluated after 200 and 900 steps: the second and the ninth picture bring something new.
    assert {i for i, n in enumerate(differs) if n > 100} == {0, 7}


def test_a_run_that_was_not_evaluated_has_one_panel(tmp_path):
    wide, narrow = (
        save_curriculum_film(history(SPACES[1], tested), tmp_path / f"{tested}.gif", frames=2)
        for tested in (True, False)
    )
    with Image.open(wide) as a, Image.open(narrow) as b:
        assert b.width < a.width


def test_what_cannot_be_filmed_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a film is a \.gif"):
        save_curriculum_film(history(SPACES[1]), tmp_path / "film.mp4")
    with pytest.raises(ValueError, match="needs an episode and a frame"):
        save_curriculum_film(history(SPACES[1]), tmp_path / "film.gif", frames=0)
