"""A world calculated in arrays is the same world alone and among others."""

from typing import Any

import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from teachrl.checks import check_env
from teachrl.envs import PointMass, SparseGoal
from teachrl.envs.batched import BatchedEnv, Moves, Rows
from teachrl.spaces import TaskSpace

WORLDS = [PointMass, SparseGoal]


class Drift(BatchedEnv):
    """As little as a world can be: noise pushes a number that actions push back."""

    task_space = TaskSpace(strength=(0, 1))
    reward_range = (-1e3, 0.0)
    mastery_threshold = -10.0
    default_task = np.zeros(1, np.float32)
    state_size = 1
    noise_shape = (1,)
    max_episode_steps = 30

    def __init__(self, push: float = 1.0, **options: Any) -> None:
        self._space_of([-np.inf], [np.inf], 1.0)
        super().__init__(push=push, **options)

    def start(self, task, rng):
        return rng.uniform(-1, 1, 1)

    def move(self, states, tasks, actions, noise):
        moved = states + self.settings["push"] * actions[:, :1] + tasks * noise
        return Moves(moved, -np.abs(moved[:, 0]), moved[:, 0] > 9, moved[:, 0] < 0)

    def observe(self, states, tasks):
        return np.concatenate([states, tasks], axis=1)

    def draw(self, state, task):
        return np.zeros((4, 4, 3), np.uint8)


def alone(make, task, seed, actions):
    env = make()
    seen: list[Any] = [env.reset(seed=seed, options={"task": task})[0]]
    for action in actions:
        observation, reward, terminated, truncated, info = env.step(action)
        seen += [observation, np.float64(reward), terminated, truncated]
        if terminated or truncated:
            return seen, info
    return seen, None


@pytest.mark.parametrize("make", [*WORLDS, lambda: PointMass(friction=0.5), Drift])
@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_an_episode_is_the_same_alone_and_among_others_to_the_last_bit(make, n):
    world, rng = make(), np.random.default_rng(n)
    tasks, rows = world.task_space.uniform(rng, n), Rows(world, n)
    envs = [make() for _ in range(n)]
    for i, env in enumerate(envs):
        env.join(rows, i)
    scale = world.action_space.high
    actions = (scale * rng.uniform(-1, 1, (world.max_episode_steps, n, 2))).astype(np.float32)
    seen: list[list[Any]] = [
        [env.reset(seed=i, options={"task": tasks[i]})[0]] for i, env in enumerate(envs)
    ]
    for step in range(world.max_episode_steps):
        running = np.flatnonzero(rows.running)
        played = rows.step(actions[step][running], running) if len(running) else None
        for k, i in enumerate(running.tolist()):
            assert played is not None
            seen[i] += [column[k] for column in played[:4]]
    assert not rows.running.any()
    for i in range(n):
        expected, info = alone(make, tasks[i], i, actions[:, i])
        assert [np.asarray(x).tobytes() for x in seen[i]] == [
            np.asarray(x).tobytes() for x in expected
        ]
        assert info is not None


@pytest.mark.parametrize("make", [*WORLDS, lambda: PointMass(friction=0), Drift])
def test_worlds_keep_the_promises_of_environments(make):
    check_env(make)


@pytest.mark.parametrize("make", WORLDS)
def test_noise_belongs_to_the_seed_of_the_episode(make):
    env = make()
    actions = np.zeros((40, 2), np.float32)
    task = env.default_task if make is PointMass else np.float32([6, 6, 0.05])
    first, _ = alone(make, task, 3, actions)
    assert np.asarray(alone(make, task, 3, actions)[0][-4]).tobytes() == first[-4].tobytes()
    assert np.asarray(alone(make, task, 4, actions)[0][-4]).tobytes() != first[-4].tobytes()


def test_only_the_last_step_says_whether_it_was_a_success():
    env = SparseGoal()
    env.reset(seed=0, options={"task": [6, 6, 0.05]})
    infos = [env.step(np.zeros(2, np.float32))[-1] for _ in range(200)]
    assert infos == [{}] * 199 + [{"is_success": False}]


def test_a_step_after_the_end_is_refused():
    env = SparseGoal()
    with pytest.raises(ResetNeeded, match=r"call reset\(\)"):
        env.step(np.zeros(2))
    env.reset(seed=0)
    assert env.step(np.zeros(2))[2]
    with pytest.raises(ResetNeeded, match=r"call reset\(\)"):
        env.step(np.zeros(2))


@pytest.mark.parametrize("action", [[np.nan, 0], [0, np.inf], [0], [[0, 0]]])
def test_an_action_that_is_none_is_refused(action):
    env = PointMass()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"expected actions of shape|an action must be finite"):
        env.step(np.array(action))


@pytest.mark.parametrize("make", WORLDS)
def test_pictures_show_the_state_and_the_task(make):
    env = make(render_mode="rgb_array")
    with pytest.raises(ResetNeeded, match="nothing to see"):
        env.render()
    low, high = env.task_space.low, env.task_space.high
    env.reset(seed=0, options={"task": low})
    pictures = [env.render()]
    env.step(env.action_space.high)
    pictures.append(env.render())
    env.reset(seed=0, options={"task": high})
    pictures.append(env.render())
    assert {p.shape for p in pictures} == {(400, 400, 3)}
    assert {p.dtype for p in pictures} == {np.dtype(np.uint8)}
    assert len({p.tobytes() for p in pictures}) == 3


def test_other_render_modes_are_refused():
    with pytest.raises(ValueError, match="render_mode must be None or one of"):
        PointMass(render_mode="human")


def test_a_world_of_a_users_own_declares_and_writes_four_methods():
    env = Drift()
    observation, _ = env.reset(seed=0, options={"task": [0]})
    assert env.step(np.ones(2, np.float32))[0][0] == np.float32(observation[0] + 1)


def test_who_arrives_with_the_last_step_was_not_cut_short():
    env = SparseGoal()
    env.reset(seed=0, options={"task": [6, 6, 0.05]})
    for _ in range(199):
        env.step(np.zeros(2, np.float32))
    env.rows.states[0] = 6.0
    _, reward, terminated, truncated, info = env.step(np.zeros(2, np.float32))
    assert (reward, terminated, truncated) == (0.0, True, False)
    assert info == {"is_success": True}
