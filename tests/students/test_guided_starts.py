"""A guide plays the first steps; teachers, logs and evaluations hear of whole episodes only."""

from functools import partial

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

from teachrl import teach
from teachrl.evaluation import evaluate
from teachrl.evaluation.test_sets import TestSet
from teachrl.runs import Run
from teachrl.snapshots import SnapshotResets, explore
from teachrl.students import GuidedStarts, TaughtVecEnv, TeacherCallback, make_task_vec_env
from teachrl.students.experts import Expert, Experts
from teachrl.students.guide_schedules import GuideCurriculum, RandomGuide
from teachrl.students.presets import PPOPreset, SACPreset
from teachrl.students.whole_episodes import WholeEpisodeMonitor
from teachrl.teachers import SFL, Random
from teachrl.training import resume
from tests.snapshots.worlds import Line
from tests.students.stopping import StopAt
from tests.students.worlds import Reach, ReachDiscrete

RIGHT, STAY = np.ones(1, np.float32), np.zeros(1, np.float32)


def right(_):
    return RIGHT


class ShortLine(Line):
    """A line with episodes of thirty steps."""

    def __init__(self, limit: int = 30) -> None:
        super().__init__(limit=limit)


class Scripted(Random):
    """Chooses at random, and writes down everything it is asked and told."""

    def reset(self):
        self.log = []

    def update(self, episode):
        self.log.append(episode)


class Ending(gym.Env):
    """Ends after as many steps as the seed says, or is told; observes how many were taken."""

    observation_space = gym.spaces.Box(0, 1000, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, ends=(20,)):
        self.ends, self.episodes = ends, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.end, self.count = self.ends[self.episodes % len(self.ends)], 0
        self.episodes += 1
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.count += 1
        return np.float32([self.count]), 1.0, self.count >= self.end, False, {}


def played(env, act=right, seed=None):
    """Play an episode; return its first and last infos, its length and what it earned."""
    observation, first = env.reset(seed=seed)
    length, earned = 0, 0.0
    while True:
        observation, reward, terminated, truncated, info = env.step(act(observation))
        length, earned = length + 1, earned + reward
        if terminated or truncated:
            return first, info, length, earned


# --- the wrapper ----------------------------------------------------------------------------------


def test_the_student_takes_over_where_the_guide_would_be():
    plain, guided = ShortLine(), GuidedStarts(ShortLine(), right)
    seen, _ = plain.reset(seed=3)
    earned = 0.0
    for _ in range(12):
        seen, reward, *_ = plain.step(RIGHT)
        earned += reward
    guided.guide_for(12)
    observation, info = guided.reset(seed=3)
    assert observation.tolist() == seen.tolist()
    assert (info["guided"], info["partial"], guided.guide_steps()) == (12, True, 12)
    last = played_on(guided)
    assert last == (18, pytest.approx(earned + rest(plain)))  # a time limit counts on


def played_on(env):
    length, over = 0, False
    while not over:
        *_, terminated, truncated, info = env.step(STAY)
        length, over = length + 1, terminated or truncated
    return length, info["mixed_return"]


def rest(env):
    earned, over = 0.0, False
    while not over:
        _, reward, terminated, truncated, _ = env.step(STAY)
        earned, over = earned + reward, terminated or truncated
    return earned


def test_without_steps_nothing_is_different():
    plain, wrapped = ShortLine(), GuidedStarts(ShortLine(), right)
    for _ in range(3):
        one, two = plain.reset(), wrapped.reset()
    plain, wrapped = ShortLine(), GuidedStarts(ShortLine(), right)
    for seed in (1, None, None):
        one, two = played(plain, seed=seed), played(wrapped, seed=seed)
        assert one == two
        assert "partial" not in two[1]
        assert "mixed_return" not in two[1]
    assert wrapped.guide_steps() == 0


def test_a_guide_that_ends_the_episode_stops_before_that():
    env = GuidedStarts(Ending(), lambda _: 0, least=7)
    env.guide_for(50)
    observation, info = env.reset(seed=0)
    assert (observation[0], info["guided"], info["guide_asked"]) == (13, 13, 50)
    assert env.guide_steps() == 20 + 13
    _, last, length, _ = played(env, lambda _: 0, seed=1)
    assert (length, last["mixed_return"], last["partial"]) == (7, 20, True)


def test_an_episode_that_no_guide_leaves_over_is_the_students_own():
    env = GuidedStarts(Ending(), lambda _: 0, least=20)
    env.guide_for(50)
    observation, info = env.reset(seed=0)
    assert (observation[0], info["guided"], env.guide_steps()) == (0, 0, 20)
    assert "partial" not in info
    _, last, length, earned = played(env, lambda _: 0)
    assert (length, earned, last["mixed_return"], last["guide_asked"]) == (20, 20, 20, 50)


def test_a_world_that_does_not_repeat_itself_costs_two_attempts_at_most():
    env = GuidedStarts(Ending(ends=(20, 5, 9)), lambda _: 0, least=7)
    env.guide_for(50)
    _, info = env.reset(seed=0)
    assert (info["guided"], env.guide_steps(), env.unwrapped.episodes) == (0, 25, 3)
    assert env.unwrapped.count == 0  # the student begins at the beginning


def test_random_steps_are_uniform_below_the_horizon_and_follow_from_seeds():
    env = GuidedStarts(Ending(), lambda _: 0)
    env.guide_for(5, at_random=True)
    env.reset(seed=0)
    drawn = [env.reset()[1].get("guided", 0) for _ in range(500)]
    counts = np.bincount(drawn, minlength=5)
    assert len(counts) == 5
    assert counts.min() > 70
    again = [env.reset(seed=seed)[1].get("guided", 0) for seed in (1, 2, 3) * 2]
    assert again[:3] == again[3:]


def test_some_episodes_are_left_to_the_student():
    env = GuidedStarts(Ending(), lambda _: 0)
    env.guide_for(5, probability=0.3)
    env.reset(seed=0)
    share = np.mean(["partial" in env.reset()[1] for _ in range(500)])
    assert 0.24 < share < 0.36


def test_the_guide_plays_the_task_of_the_episode_and_only_tasks_that_it_knows():
    regions = [({"distance": (0, 5)}, Expert(PPO("MlpPolicy", Reach(), device="cpu")))]
    env = GuidedStarts(Reach(), Experts.by_region(Reach.task_space, regions))
    env.guide_for(4)
    for distance, guided in ((4, True), (9, False)):
        observation, info = env.reset(seed=0, options={"task": np.float32([distance, 0])})
        assert observation[1] == distance
        assert bool(info.get("partial")) == guided
        assert observation[2] == (4 if guided else 0)
        _, info = env.reset()  # of the same task
        assert bool(info.get("partial")) == guided
    assert "mixed_return" not in played(env, lambda _: STAY)[1]


def test_a_monitor_inside_does_not_take_the_guides_part_for_the_students():
    env = GuidedStarts(Monitor(ShortLine()), right)
    env.guide_for(5)
    assert "episode" not in played(env)[1]
    env.guide_for(0)
    assert played(env)[1]["episode"]["l"] == 30
    with pytest.raises(ValueError, match="writes a file"):
        GuidedStarts(Monitor(ShortLine(), "/tmp/guided_starts_test"), right)


def test_snapshots_and_guides_are_not_mixed():
    library = explore(ShortLine, right, episodes=1, every=10, clusters=2)
    with pytest.raises(ValueError, match="leave one of the wrappers out"):
        GuidedStarts(SnapshotResets(ShortLine(), library), right)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GuidedStarts(ShortLine(), right, least=0), "least"),
        (lambda: GuidedStarts(ShortLine(), right).guide_for(-1), "whole number"),
        (lambda: GuidedStarts(ShortLine(), right).guide_for(3, probability=0), "probability"),
        (lambda: GuideCurriculum(0), "horizon"),
        (lambda: GuideCurriculum(10, stages=1), "stages"),
        (lambda: GuideCurriculum(10, tolerance=-0.1), "tolerance"),
        (lambda: RandomGuide(10, until=0), "steps"),
    ],
)
def test_nonsense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_options_of_the_environment_go_with_its_name():
    env = GuidedStarts("LunarLander-v3", lambda _: [0, 0], continuous=True)
    assert isinstance(env.action_space, gym.spaces.Box)
    with pytest.raises(TypeError, match="go with its name"):
        GuidedStarts(ShortLine(), right, continuous=True)


def test_without_a_seed_no_two_environments_begin_alike():
    envs = [GuidedStarts(ShortLine(), right) for _ in range(4)]
    for env in envs:
        env.guide_for(5)
    assert len({env.reset()[0][0] for env in envs}) == 4


def test_what_outlives_episodes_is_kept():
    one, two = (GuidedStarts(ShortLine(), right) for _ in range(2))
    one.guide_for(9, 0.5, at_random=True)
    one.reset(seed=5)
    two.restore(one.state())
    assert [one.reset()[1] for _ in range(20)] == [two.reset()[1] for _ in range(20)]
    assert one.guide_steps() == two.guide_steps() > 0


# --- schedules ------------------------------------------------------------------------------------


class Watch(BaseCallback):
    """Notes what the guides were told at every step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def _on_step(self):
        self.seen.append(self.training_env.get_attr("steps")[0])
        return True


def heard(curriculum, *returns):
    for value in returns:
        curriculum.hear(value)
    return curriculum.planned()


def test_the_stages_of_a_curriculum_lead_from_the_horizon_to_nothing():
    curriculum = GuideCurriculum(100, stages=5, window=1)
    steps = [curriculum.planned(), *(heard(curriculum, 1.0) for _ in range(6))]
    assert steps == [100, 75, 50, 25, 0, 0, 0]


def test_a_student_moves_on_when_both_are_as_good_as_ever():
    curriculum = GuideCurriculum(100, stages=5, window=2, tolerance=0.1)
    assert heard(curriculum, 10.0) == 100  # not before the window is full
    assert heard(curriculum, 10.0) == 75
    assert heard(curriculum, 8.0, 8.0, 9.0) == 75  # 8.5 is more than a tenth below 10
    assert heard(curriculum, 9.0) == 50
    assert heard(curriculum, 20.0) == 50  # the window begins anew
    assert heard(curriculum, 20.0) == 25
    assert heard(curriculum, 10.0, 10.0) == 25  # the best is 20 now
    assert curriculum.best == 20


def test_the_tolerance_of_negative_returns_lies_below_them():
    curriculum = GuideCurriculum(100, stages=3, window=1, tolerance=0.2)
    assert heard(curriculum, -100.0) == 50
    assert heard(curriculum, -121.0) == 50
    assert heard(curriculum, -119.0) == 0


def test_without_tolerance_the_best_must_be_met():
    curriculum = GuideCurriculum(100, stages=3, window=1)
    assert [heard(curriculum, value) for value in (5.0, 4.999, 5.0)] == [50, 50, 0]


def guided_venv(n=2, monitor=True):
    venv = DummyVecEnv([partial(GuidedStarts, ShortLine(), right) for _ in range(n)])
    return WholeEpisodeMonitor(venv) if monitor else venv


def small(**more):
    """Return options of a student; its own, since SB3 writes into them."""
    return {"device": "cpu", "seed": 0, "policy_kwargs": {"net_arch": [8]}} | more


@pytest.mark.parametrize("algorithm", [PPO, A2C, SAC])
def test_every_student_begins_after_the_guide(algorithm):
    """For PPO and A2C as well, whose rollouts do not call ``predict``."""
    own = {"learning_starts": 10**6} if algorithm is SAC else {"n_steps": 40}
    watch, starts = Watch(), []

    class Note(BaseCallback):
        def _on_step(self):
            if self.locals["dones"][0]:
                starts.append(float(self.locals["new_obs"][0, 0]))
            return True

    model = algorithm("MlpPolicy", guided_venv(1), **small(**own))
    model.learn(400, callback=[RandomGuide(25, until=200), watch, Note()])
    assert set(watch.seen[1:198]) == {25}
    assert set(watch.seen[201:]) == {0}
    assert max(starts) > 10  # a guide has been walking
    assert {episode["l"] for episode in model.ep_info_buffer} == {30}


@pytest.mark.parametrize("algorithm", [PPO, SAC])
def test_what_a_monitor_outside_says_of_guided_episodes_is_not_logged(algorithm):
    """Stable-Baselines3 puts its own around a bare environment."""
    own = {"learning_starts": 10**6} if algorithm is SAC else {"n_steps": 50, "batch_size": 50}
    model = algorithm("MlpPolicy", GuidedStarts(ShortLine(), right), **small(**own))
    model.learn(400, callback=RandomGuide(25, probability=0.5))
    assert {episode["l"] for episode in model.ep_info_buffer} == {30}


def test_returns_of_an_earlier_stage_do_not_count():
    """An episode that began before the student moved on ends after it did."""
    curriculum = GuideCurriculum(20, stages=3, window=1)
    counted = []
    stock = curriculum.hear
    curriculum.hear = lambda value: (counted.append(curriculum.current), stock(value))
    asked = []

    class Note(BaseCallback):
        def _on_step(self):
            for done, info in zip(self.locals["dones"], self.locals["infos"], strict=True):
                if done and "mixed_return" in info:
                    asked.append((info["guide_asked"], curriculum.current))
            return True

    model = PPO("MlpPolicy", guided_venv(3), n_steps=40, batch_size=120, n_epochs=1, **small())
    model.learn(720, callback=[Note(), curriculum])
    assert any(one != two for one, two in asked)
    assert len(counted) == sum(one == two for one, two in asked)


def test_after_training_all_episodes_are_whole():
    venv = guided_venv()
    model = PPO("MlpPolicy", venv, n_steps=40, batch_size=80, n_epochs=1, **small())
    model.learn(160, callback=RandomGuide(20))
    assert venv.get_attr("steps") == [0, 0]


def test_environments_without_guides_and_teachers_who_peek_are_refused():
    model = A2C("MlpPolicy", DummyVecEnv([ShortLine]), device="cpu")
    with pytest.raises(TypeError, match="GuidedStarts"):
        model.learn(10, callback=RandomGuide(5))
    env = TaughtVecEnv(make_task_vec_env(GuidedLine), SFL(), 0)
    model = PPO("MlpPolicy", env, n_steps=40, batch_size=40, **small())
    with pytest.raises(ValueError, match="success_rates"):
        model.learn(40, callback=RandomGuide(5))


# --- nobody takes a guided episode for a whole one ------------------------------------------------


class GuidedLine(GuidedStarts):
    """A line with a guide, so that its class alone makes it."""

    mastery_threshold = 5.0

    def __init__(self) -> None:
        super().__init__(ShortLine(), right)


@pytest.mark.parametrize("processes", [False, True])
def test_a_teacher_hears_of_whole_episodes_and_the_ledger_of_all(processes):
    teacher = Scripted()
    venv = make_task_vec_env(GuidedLine, 2, processes)
    env = TaughtVecEnv(venv, teacher, 0)
    schedule = RandomGuide(20, probability=0.5)
    model = PPO("MlpPolicy", WholeEpisodeMonitor(env), n_steps=90, batch_size=90, **small())
    model.learn(1440, callback=[TeacherCallback(), schedule])
    rolled = sum(env.env_method("guide_steps"))
    env.close()
    assert rolled > 100
    assert env.ledger.expert == schedule.guide_steps == rolled
    assert env.ledger.train == env.steps == 1440
    assert len(env.teacher.log) == len(env.episodes) > 5
    assert {episode.length for episode in env.teacher.log} == {30}
    assert {episode["l"] for episode in model.ep_info_buffer} == {30}


def test_evaluation_refuses_a_guide_and_begins_ordinarily_by_itself():
    tests = TestSet.uniform(Line.task_space, 4)
    student = PPO("MlpPolicy", DummyVecEnv([ShortLine]), device="cpu")
    clean = evaluate(student, GuidedLine, tests, n_envs=2)
    plain = evaluate(student, ShortLine, tests, n_envs=2)
    assert clean.rewards.tolist() == plain.rewards.tolist()

    class Told(GuidedLine):
        def __init__(self):
            super().__init__()
            self.guide_for(5)

    with pytest.raises(ValueError, match="after a guide"):
        evaluate(student, Told, tests, n_envs=2)


def test_make_vec_env_of_stable_baselines_needs_no_other_monitor():
    kwargs = {"guide": lambda seen: int(seen[2] > 0)}
    venv = make_vec_env("CartPole-v1", 2, 0, wrapper_class=GuidedStarts, wrapper_kwargs=kwargs)
    model = DQN("MlpPolicy", venv, learning_starts=10**6, **small())
    model.learn(600, callback=RandomGuide(10, probability=0.5))
    assert len(model.ep_info_buffer) > 3


# --- runs -----------------------------------------------------------------------------------------


STUDENTS = {
    "ppo": PPOPreset(rollout=64, batch_size=32, n_epochs=1, net_arch=(8,)),
    "sac": SACPreset(learning_starts=60, buffer_size=500, batch_size=16, net_arch=(8,)),
}


def lesson(folder, guide, student="ppo", *, stop_at=None, processes=None, schedule=None):
    callbacks = [schedule or GuideCurriculum(12, stages=4, window=3, probability=0.7)]
    return teach(
        STUDENTS[student],
        partial(GuidedReach, guide),
        Random(),
        steps=640,
        seed=1,
        n_envs=2,
        folder=folder,
        processes=bool(processes),
        callbacks=[*callbacks, *([StopAt(stop_at)] if stop_at else [])],
        test_set=TestSet.grid(Reach.task_space, 2),
        evaluate_every=0 if processes is not None else 128,
        checkpoint_every=64,
    )


def GuidedReach(guide):
    return GuidedStarts(Reach(), guide)


def slowly(seen):
    return np.float32([0.4])


def everything(folder):
    run = Run.load(folder)
    paths = [folder / name for name in ("monitor.csv", "evaluations.csv")]
    files = [path.read_bytes() for path in paths if path.exists()]
    weights = [p.detach().numpy().tobytes() for p in run.student.policy.state_dict().values()]
    return files, weights, run.summary["expert"]


@pytest.mark.parametrize("student", STUDENTS)
def test_a_run_that_stops_goes_on_as_if_it_had_not(tmp_path, student):
    lesson(tmp_path / "whole", slowly, student)
    for step in (150, 430):
        with pytest.raises(KeyboardInterrupt):
            lesson(tmp_path / "cut", slowly, student, stop_at=step)
    lesson(tmp_path / "cut", slowly, student)
    assert everything(tmp_path / "cut") == everything(tmp_path / "whole")
    run = Run.load(tmp_path / "whole")
    assert len(run.episodes) > 5
    assert run.summary["expert"] > 50


def test_processes_give_the_same_run(tmp_path):
    guide = PPO("MlpPolicy", Reach(), seed=4, device="cpu")
    for name, processes in (("one", False), ("many", True)):
        lesson(tmp_path / name, guide, processes=processes, schedule=RandomGuide(12))
    assert everything(tmp_path / "one") == everything(tmp_path / "many")


def test_a_run_guided_by_a_run_is_resumed_from_its_folder_alone(tmp_path):
    teach(STUDENTS["ppo"], "point-mass", Random(), steps=128, folder=tmp_path / "guide")
    make = partial(GuidedStarts, env="point-mass", guide=tmp_path / "guide")
    preset = STUDENTS["ppo"]
    settings = {"steps": 256, "folder": tmp_path / "run", "checkpoint_every": 64}
    tests = TestSet.uniform(make().get_wrapper_attr("task_space"), 2)
    callbacks = [RandomGuide(20), StopAt(200)]
    with pytest.raises(KeyboardInterrupt):
        teach(preset, make, Random(), test_set=tests, callbacks=callbacks, **settings)
    run = resume(tmp_path / "run", callbacks=[RandomGuide(20)])
    assert run.status == "done"
    again = evaluate(run.student, Run.load(tmp_path / "run").env, tests, normalizer=run.normalizer)
    assert again.rewards.tolist() == run.evaluations.rewards[-1].tolist()
    assert run.summary["expert"] > 0


def test_a_guide_draws_from_no_generator_of_the_student():
    """The student's own choices are those of a run whose guide is a plain function."""
    model = SAC("MlpPolicy", Reach(), seed=4, device="cpu")
    ends = []
    for guide in (model, lambda seen: model.predict(seen, deterministic=True)[0]):
        venv = DummyVecEnv([partial(GuidedStarts, Reach(), guide)])
        student = PPO("MlpPolicy", venv, n_steps=40, batch_size=40, n_epochs=1, **small())
        student.learn(200, callback=RandomGuide(12))
        ends.append(torch.cat([p.reshape(-1) for p in student.policy.parameters()]))
    assert torch.equal(*ends)


def test_discrete_worlds_are_guided_too():
    env = GuidedStarts(ReachDiscrete(), PPO("MlpPolicy", ReachDiscrete(), device="cpu"))
    env.guide_for(3)
    assert env.reset(seed=0, options={"task": np.float32([9, 0])})[1]["guided"] == 3
