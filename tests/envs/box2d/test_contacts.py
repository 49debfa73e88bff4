"""Contacts are what touches now, not what a flag remembers."""

from typing import Any

import numpy as np
from Box2D import b2, b2ContactListener

from teachrl.envs import StumpTracks
from teachrl.envs.box2d.contacts import is_touching


class Listener(b2ContactListener):  # type: ignore[misc]
    """Counts the contacts of every part, and keeps the flag that other implementations keep."""

    def __init__(self, parts: list[Any]) -> None:
        super().__init__()
        self.parts = parts
        self.counts = [sum(e.contact.touching for e in part.contacts) for part in parts]
        self.flags = [count > 0 for count in self.counts]

    def BeginContact(self, contact: Any) -> None:
        self._change(contact, +1)

    def EndContact(self, contact: Any) -> None:
        self._change(contact, -1)

    def _change(self, contact: Any, by: int) -> None:
        for body in (contact.fixtureA.body, contact.fixtureB.body):
            if body in self.parts:
                i = self.parts.index(body)
                self.counts[i] += by
                self.flags[i] = by > 0


def test_a_box_that_slides_from_one_edge_to_the_next_touches_all_the_way() -> None:
    world = b2.world()
    ground = world.CreateStaticBody()
    for x in range(3):
        ground.CreateEdgeFixture(vertices=[(x, 0), (x + 1, 0)], friction=0)
    fixture = b2.fixtureDef(shape=b2.polygonShape(box=(0.2, 0.2)), density=1, friction=0)
    box = world.CreateDynamicBody(position=(0.5, 0.21), linearVelocity=(1, 0), fixtures=fixture)
    for _ in range(10):
        world.Step(0.02, 180, 60)
    listener = world.contactListener = Listener([box])
    touching, flags = [], []
    while box.position.x < 2.5:
        world.Step(0.02, 180, 60)
        touching.append(is_touching(box))
        flags.append(listener.flags[0])
    assert all(touching)
    assert not all(flags)  # the flag went out while the box was on the next edge


def test_contacts_agree_with_a_counting_listener_during_play() -> None:
    env: Any = StumpTracks()
    rng = np.random.default_rng(0)
    touched = []
    for seed in range(3):
        env.reset(seed=seed, options={"task": [1.5, 0.5]})
        listener = env._world.contactListener = Listener(env.body.parts)
        terminated, steps = False, 0
        while not terminated and steps < 400:
            observation, _, terminated, _, _ = env.step(rng.uniform(-1, 1, 4))
            steps += 1
            expected = [count > 0 for count in listener.counts]
            assert [is_touching(part) for part in env.body.parts] == expected
            assert observation[[8, 13]].tolist() == [expected[2], expected[4]]
            touched += expected[2::2]
    assert 0 < np.mean(touched) < 1


def test_a_body_in_the_air_touches_nothing() -> None:
    world = b2.world()
    fixture = b2.fixtureDef(shape=b2.polygonShape(box=(0.2, 0.2)), density=1)
    body = world.CreateDynamicBody(position=(0, 0.15), fixtures=fixture)
    assert not is_touching(body)
    world.CreateStaticBody().CreateEdgeFixture(vertices=[(-1, 0), (1, 0)])
    world.Step(0.02, 8, 3)
    assert is_touching(body)
    body.position = (0, 5)
    world.Step(0.02, 8, 3)
    assert not is_touching(body)
