"""Adapters that do not bring an environment back are refused."""

import copy

import gymnasium as gym
import numpy as np
import pytest

from teachrl.snapshots import (
    Attributes,
    Box2D,
    ConformanceError,
    MuJoCo,
    adapter_for,
    check_adapter,
    register,
    registration,
)
from teachrl.snapshots.conformance import distance
from teachrl.snapshots.recording import begin_again
from tests.snapshots.worlds import Forgetful, ForgetfulApproximation, Line, PlainLine


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Leave no adapter of a test behind."""
    monkeypatch.setattr(registration, "_KNOWN", dict(registration._KNOWN))
    monkeypatch.setattr(registration, "_CHOSEN", {})


def test_an_adapter_that_loads_the_beginning_is_refused():
    with pytest.raises(ConformanceError, match="claims to be exact, but after loading a state"):
        check_adapter(Forgetful(), Line)
    with pytest.raises(ConformanceError, match="what it writes does not arrive"):
        check_adapter(ForgetfulApproximation(), lambda: Line(noise=0.0))


def test_a_deep_copy_is_refused_as_a_state_of_mujoco():
    """Gymnasium's EzPickle runs the constructor again: the trap this check is for."""
    pytest.importorskip("mujoco")

    class DeepCopy(MuJoCo):
        name = "deep copy"

        def _save(self, env):
            return {"copy": copy.deepcopy(env.unwrapped)}

        def _load(self, env, state):
            begin_again(env, state["seed"], None)
            vars(env.unwrapped).update(vars(copy.deepcopy(state["copy"])))

    with pytest.raises(ConformanceError, match="'deep copy' claims to be exact"):
        check_adapter(DeepCopy(), lambda: gym.make("Hopper-v5"))


def test_a_difference_that_shows_in_rewards_only_is_found():
    class Shy(Line):
        """Rewards depend on a count that no observation shows, and that is not saved."""

        def step(self, action):
            observation, reward, *rest = super().step(action)
            return observation, reward + 1e-9 * self.count, *rest

        def load_snapshot(self, state, seed):
            super().load_snapshot({**state, "count": 0}, seed)

    check_adapter(adapter_for(Line), Line)
    with pytest.raises(ConformanceError, match="differs by 0"):
        check_adapter(adapter_for(Line), Shy)


def test_registering_checks_first_and_is_found_later():
    class Walk(Forgetful):
        name = "walk"

        def _save(self, env):
            return {"walk": Line.save_snapshot(env.unwrapped)}

        def _load(self, env, state):
            super()._load(env, state)
            Line.load_snapshot(env.unwrapped, state["walk"], None)

    assert adapter_for(PlainLine).name == "replay"
    with pytest.raises(ConformanceError):
        register(Forgetful(), PlainLine)
    assert adapter_for(PlainLine).name == "replay"
    register(Walk(), PlainLine)
    assert adapter_for(PlainLine).name == "walk"
    assert registration.adapter_named("walk").name == "walk"


def test_the_name_of_another_adapter_is_refused():
    class Impostor(Forgetful):
        name = "mujoco"

    with pytest.raises(ValueError, match="the name 'mujoco' is MuJoCo's"):
        register(Impostor(), PlainLine)


@pytest.mark.parametrize(
    ("name", "exact", "expected"),
    [
        ("CartPole-v1", True, "attributes"),
        ("BipedalWalker-v3", True, "replay"),
        ("BipedalWalker-v3", False, "box2d"),
        ("Pendulum-v1", False, "attributes"),
    ],
)
def test_the_cheapest_adapter_that_works_is_chosen(name, exact, expected):
    assert adapter_for(lambda: gym.make(name), exact=exact).name == expected


def test_mujoco_environments_are_not_replayed():
    pytest.importorskip("mujoco")
    assert adapter_for(lambda: gym.make("Hopper-v5")).name == "mujoco"


def test_an_environment_that_nothing_determines_is_refused():
    class Chaos(PlainLine):
        def reset(self, *, seed=None, options=None):
            super().reset(seed=None, options=options)
            self.place = float(np.random.default_rng().normal())
            return self._seen(), {}

    with pytest.raises(ConformanceError, match=r"no adapter brings .* back: .*led elsewhere"):
        adapter_for(Chaos)


def test_an_adapter_must_accept_the_environment():
    with pytest.raises(ConformanceError, match="does not accept"):
        check_adapter(Attributes(), Line)
    with pytest.raises(ConformanceError, match="does not accept"):
        check_adapter(Box2D(), Line)


def test_unknown_adapters_of_a_library_are_named():
    with pytest.raises(RuntimeError, match=r"unknown adapter 'walk', known are native, mujoco"):
        registration.adapter_named("walk")


def test_distances_of_observations():
    assert distance({"a": [1, 2], "b": 3}, {"a": [1, 2.5], "b": 1}) == 2
    assert distance(np.zeros(0), np.zeros(0)) == 0
    assert distance(("x", 1), ("y", 1)) == 1
