"""The two-legged walker of Gymnasium, and the default of the published benchmark."""

from ..box2d.constants import SCALE
from .classic_bipedal import ClassicBipedal
from .legged import LegPair


class OldClassicBipedal(ClassicBipedal):
    """The biped of Gymnasium's BipedalWalker.

    Its legs are created apart from their hips, and the solver snaps them into place in the first
    step. That jump is part of the published dynamics.
    """

    leg_pairs = (LegPair(hip=(0, -8), top=8),)
    tilt = 0.05
    spawn_height = 2 * ClassicBipedal.leg_length / SCALE
