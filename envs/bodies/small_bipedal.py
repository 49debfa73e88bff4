"""The two-legged walker on legs of half the length (Romac et al., 2021)."""

from ..box2d.constants import SCALE
from .classic_bipedal import ClassicBipedal


class SmallBipedal(ClassicBipedal):
    """The classic biped on short legs: what is an easy stump for others is a wall to it."""

    width = 20 / SCALE
    leg_length = 17
    spawn_height = (2 * leg_length + 3) / SCALE
