"""The bodies that walk the tracks, under the names of the published benchmark."""

from teachrl.registry import Registry

BODIES = Registry(
    "body",
    {
        "big_quadru": "teachrl.envs.bodies.big_quadru:BigQuadru",
        "classic_bipedal": "teachrl.envs.bodies.classic_bipedal:ClassicBipedal",
        "old_big_quadru": "teachrl.envs.bodies.old_big_quadru:OldBigQuadru",
        "old_classic_bipedal": "teachrl.envs.bodies.old_classic_bipedal:OldClassicBipedal",
        "small_bipedal": "teachrl.envs.bodies.small_bipedal:SmallBipedal",
        "spider": "teachrl.envs.bodies.spider:Spider",
    },
)
