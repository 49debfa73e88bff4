"""A student in a world with subgoals: what it sees, what it is paid, and what others hear."""

from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

from teachrl import teach
from teachrl.evaluation import TestSet, evaluate
from teachrl.students import TaughtVecEnv, make_task_vec_env
from teachrl.students.whole_episodes import WholeEpisodeMonitor
from teachrl.subgoals import OraclePlanner, Subgoal, Subgoals, SubgoalSource, actions_to
from teachrl.teachers import Random
from tests.subgoals.worlds import TwoDoors, make, solve

pytest.importorskip("minigrid")


class Plan(SubgoalSource):
    """Always the same subgoals."""

    def __init__(self, *subgoals):
        self.steps = subgoals

    def subgoals(self, env, seed):
        return self.steps


class Solver:
    """Does what the plans of its environments ask for."""

    def __init__(self, worlds):
        self.worlds = worlds

    def predict(self, observation, **_):
        return np.array(
            [actions_to(w, w.current)[0] if w.current else 6 for w in self.worlds]
        ), None


def inner(env):
    """Return the subgoals inside other wrappers."""
    while not isinstance(env, Subgoals):
        env = env.env
    return env


def test_each_subgoal_pays_once_and_less_the_longer_it_took():
    env = Subgoals(make(seed=None), OraclePlanner(), weight=0.5)
    env.reset(seed=0)
    lengths, texts = [], [subgoal.text for subgoal in env.plan]
    seen, rewards = [], []
    while env.current is not None:
        seen.append(env.current.text)
        actions = [6, *actions_to(env, env.current)]  # one step is wasted
        lengths.append(len(actions))
        steps = [env.step(action) for action in actions]
        rewards.append([step[1] for step in steps])
    assert seen == texts
    bonuses = [0.5 * (1 - n / env.unwrapped.max_steps) for n in lengths]
    raw = 1 - 0.9 * sum(lengths) / env.unwrapped.max_steps  # MiniGrid's own, at the end
    expected = [bonuses[0], bonuses[1], bonuses[2] + raw]
    assert [each[-1] for each in rewards] == pytest.approx(expected)
    assert all(reward == 0 for each in rewards for reward in each[:-1])
    assert steps[-1][4]["raw_return"] == pytest.approx(raw)
    assert (steps[-1][4]["subgoals_completed"], steps[-1][4]["subgoals_planned"]) == (3, 3)


def test_what_is_complete_already_is_passed_over_without_a_bonus():
    world = make("Empty-5x5", None)
    env = Subgoals(world, Plan(Subgoal("reach", (1, 1)), Subgoal("reach", (2, 1))))
    env.reset(seed=0)
    assert env.current == Subgoal("reach", (2, 1))
    first, later = Subgoal("reach", (2, 1)), Subgoal("reach", (2, 1))
    env = Subgoals(world, Plan(first, later, Subgoal("reach", (3, 1))))
    env.reset(seed=0)
    assert env.step(2)[1] == pytest.approx(0.2 * (1 - 1 / 100))
    assert env.current == Subgoal("reach", (3, 1))
    assert env.step(2)[1] == pytest.approx(0.2 * (1 - 1 / 100)), "the count begins anew"
    assert env.current is None
    assert env.step(2)[1] == 0


def test_closing_and_opening_a_door_again_pays_nothing():
    env = Subgoals(make(seed=None), OraclePlanner())
    env.reset(seed=0)
    for _ in range(2):
        for action in actions_to(env, env.current):
            reward = env.step(action)[1]
    assert reward > 0
    assert [env.step(5)[1] for _ in range(4)] == [0, 0, 0, 0]


def test_a_new_episode_begins_with_a_new_plan_and_nothing_earned():
    env = Subgoals(make(seed=None), OraclePlanner())
    env.reset(seed=0)
    first, plan = solve(env)[0], env.plan
    env.reset(seed=0)
    again, last = solve(env)
    assert (again, env.plan) == (first, plan)
    assert last[4]["raw_return"] == pytest.approx(sum(first) - _bonuses(env, first))


def _bonuses(env, rewards):
    own = Subgoals(make(seed=None), OraclePlanner(), weight=0.0)
    own.reset(seed=0)
    return sum(rewards) - sum(solve(own)[0])


def test_without_weight_the_rewards_are_the_worlds_own():
    env, plain = Subgoals(make(seed=None), OraclePlanner(), weight=0.0), make()
    env.reset(seed=0)
    rewards, _ = solve(env)
    actions = []
    again = Subgoals(make(seed=None), OraclePlanner())
    again.reset(seed=0)
    while again.current is not None:
        for action in actions_to(again, again.current):
            actions.append(action)
            again.step(action)
    assert rewards == [plain.step(action)[1] for action in actions]


@pytest.mark.parametrize("shown", ["position", "object", None])
@pytest.mark.parametrize("wrapper", ["dict", "image", "flat"])
def test_the_current_subgoal_is_seen(wrapper, shown):
    from minigrid.wrappers import FlatObsWrapper, ImgObsWrapper

    env = {"dict": lambda e: e, "image": ImgObsWrapper, "flat": FlatObsWrapper}[wrapper](
        make(seed=None)
    )
    taught = Subgoals(env, OraclePlanner(), shown=shown)
    observation, _ = taught.reset(seed=0)
    assert taught.observation_space.contains(observation)
    if shown is None:
        assert taught.observation_space == env.observation_space
        return
    if wrapper != "dict":  # whose missions are text, which SB3 does not know
        check_env(taught)
        taught.reset(seed=0)
    seen, size = [], {"position": 2, "object": 3}[shown]

    def look(observation):
        seen.append(
            observation["subgoal"] if isinstance(observation, dict) else observation[-size:]
        )

    look(taught.reset(seed=0)[0])
    while taught.current is not None:
        for action in actions_to(taught, taught.current):
            look(taught.step(action)[0])
    assert all(vector.dtype == np.float32 for vector in seen)
    assert len({vector.tobytes() for vector in seen}) > 3
    assert seen[-1].tolist() == {"position": [0, 0], "object": [-1, -1, -1]}[shown]


def test_positions_are_relative_to_the_agent_and_in_parts_of_the_world():
    env = Subgoals(make("Empty-5x5", None), Plan(Subgoal("reach", (3, 2))))
    observation, _ = env.reset(seed=0)  # at (1, 1), to the right
    assert observation["subgoal"] == pytest.approx([2 / 5, 1 / 5])
    assert env.step(2)[0]["subgoal"] == pytest.approx([1 / 5, 1 / 5])


def test_objects_are_what_minigrid_encodes():
    env = Subgoals(make(seed=None), OraclePlanner(), shown="object")
    observation, _ = env.reset(seed=0)
    assert observation["subgoal"] == pytest.approx([5 / 10, 4 / 5, 0])  # a yellow key
    for action in actions_to(env, env.current):
        observation = env.step(action)[0]
    assert observation["subgoal"] == pytest.approx([4 / 10, 4 / 5, 2 / 2])  # a locked door


@pytest.mark.parametrize(
    ("options", "message"),
    [({"weight": np.nan}, "finite"), ({"weight": -1.0}, "negative"), ({"shown": "text"}, "shown")],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Subgoals(make(seed=None), OraclePlanner(), **options)


def test_other_environments_are_refused():
    with pytest.raises(TypeError, match="MiniGrid world"):
        Subgoals(gym.make("CartPole-v1"), OraclePlanner())


def test_monitors_inside_hear_the_worlds_own_returns():
    env = Subgoals(Monitor(make(seed=None)), OraclePlanner())
    env.reset(seed=0)
    rewards, last = solve(env)
    assert last[4]["episode"]["r"] == pytest.approx(last[4]["raw_return"], abs=1e-6)
    assert sum(rewards) > last[4]["raw_return"] + 0.5


def test_the_monitor_of_this_package_hears_them_outside():
    from minigrid.wrappers import FlatObsWrapper

    env = Subgoals(FlatObsWrapper(make(seed=None)), OraclePlanner())
    venv = WholeEpisodeMonitor(DummyVecEnv([lambda: env]))
    venv.seed(0)
    venv.reset()
    total, over = 0.0, False
    while not over:
        _, rewards, dones, infos = venv.step(Solver([env]).predict(None)[0])
        total, over = total + rewards[0], dones[0]
    assert infos[0]["episode"]["r"] == infos[0]["raw_return"]
    assert total > infos[0]["raw_return"] + 0.5


def test_teachers_and_evaluations_hear_them():
    taught = TaughtVecEnv(make_task_vec_env(TwoDoors), Random(), seed=0)
    taught.reset()
    world = inner(taught.envs[0] if hasattr(taught, "envs") else taught.venv.envs[0])
    paid = 0.0
    while not len(taught.episodes):
        before = world.current
        _, rewards, _, infos = taught.step(Solver([world]).predict(None)[0])
        assert before is not None
        paid += rewards[0]
    assert taught.episodes["r"][0] == infos[0]["raw_return"]
    assert 0 < taught.episodes["r"][0] < 1
    assert paid > 1.2
    assert taught.episodes["success"][0] == 0, "with bonuses it would have been mastered"
    taught.close()

    tests = TestSet.grid(TwoDoors.task_space, 2)
    with_bonus, without = (_evaluated(weight, tests) for weight in (0.2, 0.0))
    assert with_bonus.rewards.tolist() == without.rewards.tolist()
    assert not with_bonus.mastered.any()


def _evaluated(weight, tests):
    venv = make_task_vec_env(partial(TwoDoors, weight=weight), 2)
    evaluation = evaluate(Solver([inner(env) for env in venv.envs]), venv, tests)
    venv.close()
    return evaluation


def test_ppo_learns_from_the_bonus_and_logs_without_it():
    from minigrid.wrappers import FlatObsWrapper

    def begin():
        return Subgoals(Monitor(FlatObsWrapper(make(seed=None))), OraclePlanner())

    venv, small = DummyVecEnv([begin]), {"net_arch": [16]}
    model = PPO("MlpPolicy", venv, n_steps=512, n_epochs=1, policy_kwargs=small, device="cpu")
    model.learn(512)
    assert model.rollout_buffer.rewards.max() > 0, "a subgoal was reached"
    returns = [episode["r"] for episode in model.ep_info_buffer]
    assert sum(returns) < model.rollout_buffer.rewards.sum()
    assert returns


def test_make_vec_env_puts_its_monitor_inside():
    from minigrid.wrappers import FlatObsWrapper

    def wrap(env):
        return Subgoals(FlatObsWrapper(env), OraclePlanner())

    venv = make_vec_env("MiniGrid-DoorKey-5x5-v0", n_envs=1, seed=0, wrapper_class=wrap)
    venv.reset()
    env, over = venv.envs[0], False
    while not over:
        _, _, dones, infos = venv.step(Solver([env]).predict(None)[0])
        over = dones[0]
    assert infos[0]["episode"]["r"] == pytest.approx(infos[0]["raw_return"], abs=1e-6)


@pytest.mark.slow
def test_a_run_with_subgoals_is_the_same_again(tmp_path):
    def run(folder):
        options = {"n_steps": 128}
        return teach(
            PPO,
            TwoDoors,
            Random(),
            steps=512,
            seed=3,
            folder=folder,
            options=options,
            evaluate_every=0,
        )

    first, again = run(tmp_path / "a"), run(tmp_path / "b")
    assert (first.folder / "monitor.csv").read_bytes() == (
        again.folder / "monitor.csv"
    ).read_bytes()
