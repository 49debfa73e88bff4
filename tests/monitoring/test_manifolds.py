"""Each row of a traversal moves one latent, and each picture is the task that it stands for."""

import gymnasium as gym
import numpy as np
import pytest

from teachrl.models.manifolds import IdentityManifold, learn_manifold
from teachrl.monitoring.manifolds import task_drawing, traversal_figure
from teachrl.spaces import TaskSpace
from tests.monitoring.pictures import colour_at, is_blank, pixels

SPACE = TaskSpace(shape=(0, 4, "float", 3))


def cells(figure, manifold):
    rows = min(manifold.latent_dimensions, 16)
    return np.array(figure.axes, object).reshape(rows, 7)


def test_bars_are_the_decoded_parameters_along_each_latent():
    manifold = learn_manifold(SPACE, np.random.default_rng(0), steps=5, samples=50, batch=8)
    grid = cells(traversal_figure(manifold), manifold)
    for latent, row in enumerate(grid):
        for share, ax in zip(np.linspace(0, 1, 7), row, strict=True):
            place = np.full(3, 0.5)
            place[latent] = share
            heights = [bar.get_height() for bar in ax.patches]
            np.testing.assert_allclose(heights, manifold.decode([place])[0])
            assert ax.get_ylim() == (0, 1)
    assert [ax.get_title() for ax in grid[0]][::3] == ["0.00", "0.50", "1.00"]


def test_the_most_telling_latents_come_first_with_their_nats():
    manifold = IdentityManifold(SPACE)
    grid = cells(traversal_figure(manifold, (0.5, 2.0, 0.1)), manifold)
    assert [row[0].get_ylabel() for row in grid] == [
        "latent 1\n2.00 nats",
        "latent 0\n0.50 nats",
        "latent 2\n0.10 nats",
    ]


def test_tasks_are_drawn_as_their_environment_shows_them():
    def draw(params):
        return np.full((4, 6, 3), round(255 * params[0] / 4), np.uint8)

    manifold = IdentityManifold(SPACE)
    figure = traversal_figure(manifold, draw=draw)
    grid = cells(figure, manifold)
    assert colour_at(figure, grid[0, 0], 2, 2) == [0, 0, 0]
    assert colour_at(figure, grid[0, 6], 2, 2) == [255, 255, 255]
    assert colour_at(figure, grid[1, 6], 2, 2) == [128, 128, 128]
    assert not is_blank(pixels(figure))


def test_pictures_are_cut_to_where_tasks_differ():
    def draw(params):
        picture = np.zeros((100, 200, 3), np.uint8)
        picture[40:50, 60 + round(10 * params[0])] = 255
        return picture

    figure = traversal_figure(IdentityManifold(SPACE), draw=draw)
    [image] = figure.axes[0].images
    assert image.get_array().shape == (10 + 16, 41 + 16, 3)  # 60 to 100, and a margin of eight
    assert image.get_array()[8:18, 8].min() == 255  # the first row moves the first parameter
    assert image.get_array()[:8].max() == 0


def test_of_many_latents_the_first_sixteen_are_shown():
    manifold = IdentityManifold(TaskSpace(x=(0, 1, "float", 20)))
    assert len(traversal_figure(manifold, tuple(np.arange(20.0))).axes) == 16 * 7


class Grey(gym.Env):
    """A picture as bright as its task; it notes what is asked of it."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012 - as Gymnasium has it
    made: list[gym.Env] = []  # noqa: RUF012

    def __init__(self, render_mode=None):
        self.render_mode, self.seeds, self.is_closed = render_mode, [], False
        Grey.made.append(self)

    def reset(self, *, seed=None, options=None):
        self.seeds.append(seed)
        self.task = options["task"]
        return np.zeros(1), {}

    def render(self):
        return np.full((2, 2, 3), self.task[0] * 50) if self.render_mode else None

    def close(self):
        self.is_closed = True


def test_an_environment_draws_tasks_with_the_same_seed_and_is_closed():
    Grey.made.clear()
    with task_drawing(Grey) as draw:
        assert [draw(np.float32([x, 0, 0]))[0, 0, 0] for x in (0, 1, 4)] == [0, 50, 200]
    assert all(env.is_closed for env in Grey.made)
    assert Grey.made[-1].seeds == [0, 0, 0]


def test_an_environment_without_pictures_draws_none():
    class Blind(Grey):
        metadata = {}  # noqa: RUF012

        def __init__(self):
            super().__init__()

    with task_drawing(Blind) as draw:
        assert draw is None
    assert Grey.made[-1].is_closed


def test_hexagons_look_different_where_tasks_differ():
    pytest.importorskip("pygame")
    from teachrl.envs import HexagonTracks

    with task_drawing(HexagonTracks) as draw:
        low, high = (draw(task) for task in (np.zeros(12), np.full(12, 4.0)))
        np.testing.assert_array_equal(low, draw(np.zeros(12)))
    assert low.shape == (400, 600, 3)
    assert (low != high).any(axis=2).mean() > 0.003  # an obstacle is small beside the sky
