"""A run in one picture: each stretch shows its own tasks, belief and test results."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from teachrl.evaluation import TestSet
from teachrl.monitoring.curriculum import History, curriculum_figure
from teachrl.runs.evaluations import Evaluations
from teachrl.spaces import TaskSpace
from tests.monitoring.pictures import SPACES, gaussians, is_blank, pixels, played

FLAT = TaskSpace(height=(0, 3), gap=(0, 6))
AT = (0, 500, 1000)


def history(space=FLAT):
    params, rewards = played(space, 100)
    tests = TestSet.uniform(space, 9)
    outcome = np.stack([np.full(9, reward) for reward in (-50.0, 0.0, 50.0)])
    mastered = np.arange(9) < np.array([[0], [3], [9]])
    evaluations = Evaluations(
        np.array(AT), np.array(AT), outcome, np.ones((3, 9), int), np.full((3, 9), np.nan), mastered
    )
    return History(
        space=space,
        steps=np.arange(10, 1001, 10),
        params=params,
        rewards=rewards,
        reward_range=(-100, 300),
        beliefs={step: gaussians(space, k) for k, step in enumerate((0, 400, 900), start=1)},
        test_set=tests,
        evaluations=evaluations,
    )


def panels(figure, slices):
    return np.reshape(figure.axes[:-1], (-1, slices))  # the last one is the scale of colours


def outlines(ax):
    shapes = [c for c in ax.collections if isinstance(c, PolyCollection)]
    return sum(len(c.get_paths()) for c in shapes)


@pytest.mark.parametrize("space", SPACES)
def test_a_curriculum_of_every_dimension_shows_something(space):
    assert not is_blank(pixels(curriculum_figure(history(space), slices=3)))


def test_every_task_is_in_the_stretch_in_which_its_episode_ended():
    given = history()
    figure = curriculum_figure(given, slices=4)
    taught = panels(figure, 4)[0]
    offsets = [ax.collections[0].get_offsets() for ax in taught]
    assert [len(o) for o in offsets] == [25, 25, 25, 25]
    np.testing.assert_allclose(np.concatenate(offsets), given.params)
    titles = [ax.get_title(loc="left") for ax in taught]
    assert titles[0] == "0 to 250 steps"
    assert titles[-1] == "750 to 1k steps"


def test_the_belief_is_the_last_one_of_the_stretch():
    taught = panels(curriculum_figure(history(), slices=4), 4)[0]
    assert [outlines(ax) for ax in taught] == [1, 2, 2, 3]


def test_the_map_is_that_of_the_last_evaluation_by_then():
    tested = panels(curriculum_figure(history(), slices=3), 3)[1]
    assert [ax.get_title(loc="left") for ax in tested] == [
        "0% mastered at 0",
        "33% mastered at 500",
        "100% mastered at 1k",
    ]


def test_before_the_first_evaluation_the_map_says_so():
    given = history()
    late = replace(given, evaluations=replace(given.evaluations, steps=np.array([600, 700, 800])))
    first, last = panels(curriculum_figure(late, slices=2), 2)[1]
    assert first.get_title(loc="left") == "not evaluated yet"
    assert last.get_title(loc="left") == "100% mastered at 800"


def test_each_row_shows_the_coordinates_in_which_it_says_most():
    unit = np.full((9, 13), 0.5)
    unit[:, 3], unit[:, 6] = np.arange(9) % 2, np.linspace(0.4, 0.6, 9)
    given = history(SPACES[2])
    taught = given.params * np.where(np.arange(13) == 1, 0.1, 1).astype(np.float32)
    elsewhere = TestSet(given.space, given.space.denormalize(unit), np.arange(9))
    never = replace(given.evaluations, mastered=np.zeros((3, 9), bool))
    figure = curriculum_figure(
        replace(given, params=taught, test_set=elsewhere, evaluations=never), slices=2
    )
    above, below = panels(figure, 2)
    assert "shape[0]" in (above[0].get_xlabel(), above[0].get_ylabel())
    assert (below[0].get_xlabel(), below[0].get_ylabel()) == ("shape[2]", "shape[5]")


def test_panels_of_a_column_can_be_compared():
    for column in panels(curriculum_figure(history(), slices=3), 3).T:
        assert column[0].get_xlim() == column[1].get_xlim()
        assert column[0].get_ylim() == column[1].get_ylim()


@pytest.mark.parametrize("without", [{"evaluations": None}, {"test_set": None}])
def test_without_evaluations_there_is_one_row(without):
    figure = curriculum_figure(replace(history(), **without), slices=3)
    assert panels(figure, 3).shape == (1, 3)


def test_without_drawable_beliefs_there_are_no_outlines_and_no_word_of_them():
    bare = replace(history(), beliefs={0: {}, 10: {"weights": np.ones(3)}})
    figure = curriculum_figure(bare, slices=2)
    assert [outlines(ax) for ax in panels(figure, 2)[0]] == [0, 0]
    assert "Outlines" not in figure.get_supxlabel()
    assert "Outlines" in curriculum_figure(history(), slices=2).get_supxlabel()


def test_a_stretch_without_episodes_is_an_empty_panel():
    given = history()
    late = replace(given, steps=given.steps + 9000)
    taught = panels(curriculum_figure(late, slices=2), 2)[0]
    assert [len(ax.collections[0].get_offsets()) for ax in taught] == [0, 100]


def test_no_episode_or_no_slice_is_refused():
    empty = replace(history(), steps=np.zeros(0, int))
    with pytest.raises(ValueError, match="needs an episode"):
        curriculum_figure(empty)
    with pytest.raises(ValueError, match="got 0 slices"):
        curriculum_figure(history(), slices=0)
