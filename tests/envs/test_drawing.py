"""Shapes end up where they belong."""

import numpy as np
import pytest

from teachrl.envs.drawing import INK, PAPER, Canvas


def inked(canvas):
    return (canvas.picture() == INK).all(axis=2)


def test_x_points_right_and_y_points_up():
    canvas = Canvas((0, 0), (4, 2))
    canvas.rectangle((3, 1.5), (4, 2), INK)
    picture = canvas.picture()
    assert picture.shape == (200, 400, 3)
    assert inked(canvas)[:49, 301:].all()
    assert not inked(canvas)[51:].any()
    assert picture[100, 100].tolist() == list(PAPER)


@pytest.mark.parametrize(
    ("draw", "area"),
    [
        (lambda c: c.disc((0, 0), 0.5, INK), np.pi / 4),
        (lambda c: c.ring((0, 0), 0.5, INK, 0.1), np.pi / 10),
        (lambda c: c.line((-0.5, -0.5), (0.5, 0.5), INK, 0.1), 0.1 * 2**0.5 + np.pi / 400),
        (lambda c: c.line((0.2, 0.2), (0.2, 0.2), INK, 0.2), np.pi / 100),
        (lambda c: c.rectangle((-0.5, -0.2), (0.5, 0.3), INK), 0.5),
    ],
)
def test_shapes_cover_their_area_edges_included(draw, area):
    canvas = Canvas((-1, -1), (1, 1))
    draw(canvas)
    share = (PAPER[0] - canvas.picture()[..., 0].astype(float)) / (PAPER[0] - INK[0])
    assert share.sum() * (2 / 400) ** 2 == pytest.approx(area, rel=0.02)
