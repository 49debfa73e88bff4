"""An environment that cannot play an episode again is found out before anything is taught."""

import time
import warnings

import pytest

from teachrl import teach
from teachrl.checks import ContractError, check_env
from teachrl.checks.repeating import repeats_itself, warn_unless_repeating
from teachrl.envs import ENVS
from teachrl.students.presets import PPOPreset
from teachrl.teachers import Random
from tests.runs.worlds import HiddenPast, PoleLength
from tests.students.worlds import Reach

PPO = PPOPreset(rollout=16, batch_size=16, n_epochs=1, net_arch=(8,))


@pytest.mark.parametrize("seed", range(5))
def test_gymnasiums_walker_is_found_out_with_every_seed(seed):
    with pytest.warns(UserWarning, match="HiddenPast.*does not repeat itself.*check_env"):
        teach(PPO, HiddenPast, Random(), steps=16, seed=seed, evaluate_every=0)


@pytest.mark.parametrize("make", [*map(ENVS.get, ENVS), PoleLength, Reach])
def test_worlds_that_repeat_themselves_are_not_accused(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_unless_repeating(make())


class Strict(HiddenPast):
    """Refuses what is no task, as check_env asks first."""

    def reset(self, *, seed=None, options=None):
        if options and "task" in options:
            self.task_space.require(options["task"])
        return super().reset(seed=seed)


def test_check_env_finds_it_too():
    with pytest.raises(ContractError, match=r"a used object played .* unlike a new one"):
        check_env(Strict)


class Worn(Reach):
    """Reach that gets slower with each episode, from the third on."""

    episodes = 0

    def reset(self, *, seed=None, options=None):
        self.episodes += 1
        return super().reset(seed=seed, options=options)

    def step(self, action):
        return super().step(action * (0.9 if self.episodes > 2 else 1.0))


class Declared(Worn):
    def state(self):
        return {"episodes": self.episodes}

    def restore(self, state):
        self.episodes = state["episodes"]


def test_a_past_may_be_declared():
    assert not repeats_itself(Worn())
    assert repeats_itself(Declared())


def test_it_is_over_in_time():
    steps = []

    class Slow(Reach):
        def step(self, action):
            steps.append(action)
            time.sleep(0.02)
            return super().step(action)

    assert repeats_itself(Slow(), seconds=0.1)
    assert 0 < len(steps) < 12  # of 64, where time does not matter


def test_an_error_is_left_to_the_training():
    class Failing(Reach):
        def step(self, action):
            raise RuntimeError("the world ended")

    warn_unless_repeating(Failing())
