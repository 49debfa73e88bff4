"""Looking at pictures with the eyes of a test."""

from dataclasses import dataclass

import numpy as np

from teachrl.core import Task, Teacher
from teachrl.spaces import TaskSpace
from tests.students.worlds import Reach

LINE = TaskSpace(rate=(1e-4, 1, "log"))
PLANE = TaskSpace(height=(0, 3), count=(1, 5, "int"))
CUBE = TaskSpace(height=(0, 3), shape=(0, 4, "float", 12))
SPACES = (LINE, PLANE, CUBE)


def pixels(figure):
    """Render a figure."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def is_blank(image):
    """Tell whether a picture shows next to nothing."""
    flat = np.asarray(image)[..., :3].reshape(-1, 3) @ [1, 256, 256**2]
    counts = np.unique_counts(flat).counts
    return len(counts) < 10 or counts.max() > 0.97 * len(flat)


def colour_at(figure, ax, x, y):
    """Return the colour of the pixel at a point of a panel."""
    image = pixels(figure)
    column, row = ax.transData.transform((x, y))
    return image[len(image) - 1 - round(row), round(column)].tolist()


def played(space, n=200, seed=0):
    """Return tasks and returns between -100 and 300, easier at the lower end."""
    rng = np.random.default_rng(seed)
    params = space.denormalize(rng.beta(2, 5, (n, space.dimensions)))
    return params, 300 - 400 * space.normalize(params)[:, 0]


def gaussians(space, k=3, seed=0):
    """Return a belief of some mixture of Gaussians."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(k, space.dimensions, space.dimensions)) * 0.1
    return {
        "means": rng.random((k, space.dimensions)),
        "covariances": factors @ factors.transpose(0, 2, 1),
        "progress": np.linspace(0, 0.5, k),
    }


@dataclass
class Drawing(Teacher):
    """A teacher that believes in boxes."""

    def reset(self):
        self.sampled = 0

    def sample(self):
        self.sampled += 1
        return Task(self.space.uniform(self.rng))

    def belief(self):
        return {"low": np.float64([[0, 0]]), "high": np.float64([[0.5, self.sampled % 2]])}


class Visible(Reach):
    """Reach that can be looked at."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}  # noqa: RUF012 - as Gymnasium has it

    def __init__(self, limit=20, render_mode=None):
        super().__init__(limit)
        self.render_mode = render_mode

    def render(self):
        if self.render_mode is None:
            return None
        picture = np.full((60, 121, 3), 200, np.uint8)
        at = int(np.clip(10 * self.position, 0, 110))
        picture[20:40, at : at + 10] = (200, 30, 40)
        return picture
