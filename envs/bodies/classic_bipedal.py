"""The two-legged walker, put together straight (Romac et al., 2021)."""

from ..box2d.constants import SCALE
from .legged import Legged, LegPair


class ClassicBipedal(Legged):
    """A biped with the proportions of Gymnasium's, whose legs are created where they belong."""

    torque = 80.0
    cost = 0.028
    width = 64 / SCALE
    hull_shape = ((-30, 9), (6, 9), (34, 1), (34, -8), (-30, -8))
    leg_width = 8
    leg_length = 34
    leg_pairs = (LegPair(),)
    spawn_height = (2 * leg_length + 3) / SCALE
