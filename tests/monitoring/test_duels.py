"""Pictures of two students on the same tasks."""

import numpy as np

from teachrl.monitoring.duels import duel_figure, duel_of, is_duel
from tests.monitoring.pictures import is_blank, pixels

METRICS = {"student_return": 0.1, "antagonist_return": 0.4, "regret_mean": 0.3, "regret_max": 0.9}


def test_returns_and_regrets_over_time_are_those_of_the_moments():
    history = {
        step: duel_of({name: value + step / 1000 for name, value in METRICS.items()} | {"x": 5.0})
        for step in (200, 0, 100)
    }
    figure = duel_figure(history)
    assert not is_blank(pixels(figure))
    protagonist, antagonist = figure.axes[0].lines
    highest, mean, _ = figure.axes[1].lines
    assert protagonist.get_xdata().tolist() == [0, 100, 200]
    for line, start in ((protagonist, 0.1), (antagonist, 0.4), (mean, 0.3), (highest, 0.9)):
        np.testing.assert_allclose(line.get_ydata(), [start, start + 0.1, start + 0.2])
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert names == ["protagonist (the student)", "antagonist"]


def test_what_tells_of_one_student_is_no_duel():
    assert is_duel(METRICS | {"designs": 3.0})
    assert not is_duel({"student_return": 0.1, "reward_mean": 0.3})
