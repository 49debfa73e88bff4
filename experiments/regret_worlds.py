"""Where teachers by regret are compared, and what their students are tested on."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from experiments.point_mass import N_ENVS, STUDENT
from teachrl.core import Teacher
from teachrl.envs import HexagonTracks, ObstacleTracks, PointMass
from teachrl.evaluation import TestSet, default_test_set
from teachrl.students.presets import PPOPreset
from teachrl.teachers import ACCEL, ALPGMM, CLUTR, PAIRED, PLR, SFL, Random


class World(NamedTuple):
    """Where to teach, and what to test on."""

    env: Callable[..., Any]
    student: Any
    n_envs: int
    hold_outs: dict[str, TestSet]
    steps: int
    teachers: dict[str, Teacher]


def point_mass(tests: int) -> World:
    """Return the gates of the self-paced literature, tested on the target and on all of them."""
    env = partial(PointMass, friction=0)
    example = env()
    return World(
        env,
        STUDENT,
        N_ENVS,
        {
            name: TestSet.load(path, example.task_space).subset(tests)
            for name, path in example.test_sets.items()
        },
        819_200,
        _teachers(
            {"capacity": 100, "temperature": 0.45},
            (-1.0, 6.0),
            (1.0, 8.0),
            0.05,
            SFL(candidates=128, keep=32, refresh_every=100_000),
        )  # no CLUTR: a manifold of two parameters is the identity, and CLUTR is PAIRED
        | {"paired-cross-entropy": PAIRED(designer="cross-entropy")},
    )


def obstacle_tracks(tests: int) -> World:
    """Return the walker of eight parameters, tested on its six published settings."""
    space = ObstacleTracks.task_space
    return World(
        ObstacleTracks,
        PPOPreset(),
        16,
        {
            name: TestSet.load(path, space).subset(tests)
            for name, path in list(ObstacleTracks.test_sets.items())[:6]
        },
        2_000_000,
        # A buffer of a twentieth of the episodes: the published one has 1,000 and 655M steps.
        _teachers(
            {"capacity": 256, "staleness": 0.5},
            ObstacleTracks.easy_low,
            ObstacleTracks.easy_high,
            ObstacleTracks.edit_size,
            SFL(candidates=64, keep=32, refresh_every=500_000),  # 256 episodes of 550 steps or more
        )
        | {"clutr": CLUTR()},
    )


def hexagon_tracks(tests: int) -> World:
    """Return the quadruped of twelve parameters, where CLUTR's manifold has something to learn."""
    return World(
        HexagonTracks,
        PPOPreset(),
        16,
        {"hexagons": default_test_set(HexagonTracks()).subset(5 * tests)},
        1_000_000,
        {
            "random": Random(),
            "paired": PAIRED(),
            "clutr": CLUTR(),
            "paired-cross-entropy": PAIRED(designer="cross-entropy"),
            "clutr-cross-entropy": CLUTR(designer="cross-entropy"),
        },
    )


WORLDS = {
    "point-mass": point_mass,
    "obstacle-tracks": obstacle_tracks,
    "hexagon-tracks": hexagon_tracks,
}


def _teachers(
    replay: dict[str, Any],
    easy_low: tuple[float, ...],
    easy_high: tuple[float, ...],
    edit_size: float | tuple[float, ...],
    sfl: SFL,
) -> dict[str, Teacher]:
    replay = {"min_fill": 0.25, **replay}
    return {
        "random": Random(),
        "plr": PLR(robust=False, **replay),
        "robust-plr": PLR(**replay),
        "accel": ACCEL(**replay, easy_low=easy_low, easy_high=easy_high, edit_size=edit_size),
        "sfl": sfl,
        "alp-gmm": ALPGMM(),
        "paired": PAIRED(),
    }
