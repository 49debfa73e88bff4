"""The four-legged walker, put together straight (Romac et al., 2021)."""

from ..box2d.constants import SCALE
from .legged import Legged, LegPair


class BigQuadru(Legged):
    """A quadruped, half as long again as the bipeds and two and a half times as heavy."""

    torque = 300.0
    cost = 0.014
    width = 96 / SCALE
    hull_shape = ((-46, 13), (6, 13), (50, 5), (50, -12), (-46, -12))
    leg_width = 10
    leg_length = 51
    leg_pairs = (LegPair(x=-33.6, hip=(-33.6, -3)), LegPair(x=24, hip=(24, -3)))
    spawn_height = (2 * leg_length + 3) / SCALE
