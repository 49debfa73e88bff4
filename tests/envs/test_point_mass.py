"""The point mass's published constants and rules."""

import math

import numpy as np
import pytest

from teachrl.envs import PointMass
from teachrl.evaluation import TestSet, default_test_set
from teachrl.seeding import stream
from teachrl.targets import Target


def published(task, friction, actions, noise):
    """Play as the published text says, number by number."""
    position, width = task[:2]
    x, dx, y, dy = 0.0, 0.0, 3.0, 0.0
    for step, action in enumerate(actions):
        crashed = False
        for jolt in noise[step]:
            ax, ay = (
                1.5 * min(max(float(a), -10), 10) - friction * v + 0.05 * e
                for a, v, e in zip(action, (dx, dy), jolt, strict=True)
            )
            new_x, new_y = (min(max(p + 0.01 * v, -4), 4) for p, v in ((x, dx), (y, dy)))
            if y >= 0 > new_y or y <= 0 < new_y:
                share = (0 - y) / (new_y - y)
                crossing = share * new_x + (1 - share) * x
                if abs(crossing - position) > width / 2:
                    x, dx, y, dy, crashed = crossing, 0.0, 0.0, 0.0, True
                    break
            x, y, dx, dy = new_x, new_y, dx + 0.01 * ax, dy + 0.01 * ay
        yield (x, dx, y, dy), math.exp(-0.6 * math.hypot(x, y + 3)), crashed
        if crashed:
            return


@pytest.mark.parametrize("friction", [None, 0.0, 1.5])
def test_it_moves_as_published(friction):
    crashes = 0
    for seed in range(30):
        env, rng = PointMass(friction), np.random.default_rng(seed)
        task = env.task_space.uniform(rng)
        actions = rng.normal([0, -1], 4, (100, 2)).astype(np.float32)
        observation, _ = env.reset(seed=seed, options={"task": task})
        assert observation.tolist() == [0, 0, 3, 0, *task.tolist()]
        noise = env.rows.noise[0].copy()
        used = float(task[2]) if friction is None else friction
        expected = published(task.astype(float), used, actions, noise)
        for action, (state, reward, crashed) in zip(actions, expected, strict=False):
            observation, paid, terminated, truncated, _ = env.step(action)
            np.testing.assert_allclose(observation[:4], state, rtol=1e-5, atol=1e-5)
            assert paid == pytest.approx(reward, rel=1e-9)
            assert terminated == crashed
        assert terminated or truncated
        crashes += terminated
    assert 5 < crashes < 30


def test_noise_is_normal_and_drawn_for_every_substep():
    env = PointMass()
    env.reset(seed=0)
    noise = env.rows.noise[0]
    assert noise.shape == (100, 10, 2)
    assert abs(noise.mean()) < 0.1
    assert noise.std() == pytest.approx(1, abs=0.05)


def steer(env, task, seed=0):
    """Fly through the gate and to the destination; return the return and the last info."""
    observation, _ = env.reset(seed=seed, options={"task": task})
    total, over, info = 0.0, False, {}
    while not over:
        x, dx, y, dy = observation[:4].tolist()
        if y > 0.3 and abs(x - task[0]) > 0.1:
            aim = (task[0], 0.5)
        elif y > -0.2:
            aim = (task[0], -0.5)
        else:
            aim = (0.0, -3.0)
        action = [8 * (aim[0] - x) - 4 * dx, 8 * (aim[1] - y) - 4 * dy]
        observation, reward, terminated, truncated, info = env.step(np.clip(action, -10, 10))
        total, over = total + reward, terminated or truncated
    return total, info


@pytest.mark.parametrize("position", [-3.0, 0.0, 3.0])
@pytest.mark.parametrize("friction", [0.0, 2.0])
def test_who_flies_through_a_narrow_gate_masters_it(position, friction):
    total, info = steer(PointMass(), np.float32([position, 0.5, friction]))
    assert info == {"is_success": True}
    assert total > PointMass.mastery_threshold + 10


def test_who_waits_before_the_gate_does_not():
    env = PointMass()
    observation, _ = env.reset(seed=0, options={"task": [3, 0.5, 0]})
    total, over = 0.0, False
    while not over:
        x, dx, y, dy = observation[:4].tolist()
        action = np.clip([-8 * x - 4 * dx, 8 * (0.1 - y) - 4 * dy], -10, 10)
        observation, reward, terminated, truncated, info = env.step(action)
        total, over = total + reward, terminated or truncated
    assert not terminated
    assert info == {"is_success": False}
    assert 10 < total < 16


def test_actions_beyond_ten_count_as_ten():
    env, seen = PointMass(), []
    for action in (10, 1000):
        env.reset(seed=0)
        seen.append(env.step(np.float32([action, -action]))[0].tolist())
    assert seen[0] == seen[1]


def test_the_gate_alone_is_the_task_where_friction_is_fixed():
    env = PointMass(friction=0.0)
    assert env.task_space.names == ("gate_position", "gate_width")
    assert env.observation_space.shape == (6,)
    assert env.target.means == ((-3, 0.5), (3, 0.5))
    assert PointMass.task_space.names == ("gate_position", "gate_width", "friction")


def test_the_target_lies_at_narrow_gates_far_out():
    env = PointMass()
    assert isinstance(env.target, Target)
    tasks = env.target.require(env.task_space).sample(env.task_space, np.random.default_rng(0), 500)
    assert np.abs(np.abs(tasks[:, 0]) - 3).max() < 0.05
    assert np.std(np.abs(tasks[:, 0])) == pytest.approx(0.01, rel=0.1)
    assert tasks[:, 1].max() < 0.55
    assert tasks[:, 2].max() < 0.05


@pytest.mark.parametrize(("friction", "grid"), [(None, (5, 5, 4)), (0.0, (10, 10))])
def test_test_sets_are_the_target_and_by_name_a_grid(friction, grid):
    env = PointMass(friction)
    space = env.task_space
    tests = default_test_set(env)
    drawn = env.target.sample(space, stream(0, "test tasks"), 100)
    seeds = TestSet.uniform(space, 100).seeds
    assert tests.fingerprint == TestSet(space, drawn, seeds).fingerprint
    loaded = TestSet.load(env.test_sets["grid"], space)
    assert loaded.fingerprint == TestSet.grid(space, grid).fingerprint


@pytest.mark.parametrize("friction", [-1, np.nan, np.inf])
def test_friction_is_a_number_of_at_least_zero(friction):
    with pytest.raises(ValueError, match="friction must be None or a number of at least 0"):
        PointMass(friction)
