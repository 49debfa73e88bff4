"""The four-legged walker of the original Hexagon Tracks (Portelas et al., 2019)."""

from ..box2d.constants import SCALE
from .big_quadru import BigQuadru
from .legged import LegPair


class OldBigQuadru(BigQuadru):
    """The quadruped whose legs are created far from their hips and, as published, snap to them."""

    leg_pairs = (LegPair(x=-57.6, hip=(-36, -8), top=8), LegPair(x=40.8, hip=(25.5, -8), top=8))
    tilt = 0.05
    spawn_height = 2 * BigQuadru.leg_length / SCALE
