"""Students begin from snapshots; teachers, logs and evaluations hear of whole episodes only."""

import csv
from functools import partial
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor, VecNormalize

from teachrl import teach
from teachrl.evaluation import evaluate
from teachrl.evaluation.test_sets import TestSet
from teachrl.snapshots import Replay, SnapshotResets, SnapshotTasks, VisitCount, explore
from teachrl.students import TaughtEnv, TaughtVecEnv, TeacherCallback, make_task_vec_env
from teachrl.students.experts import Expert
from teachrl.students.normalizers import load_statistics, save_statistics
from teachrl.students.snapshot_library import expert_snapshots
from teachrl.students.snapshot_schedule import SnapshotSchedule
from teachrl.students.whole_episodes import WholeEpisodeMonitor
from teachrl.teachers import ALPGMM, PLR, Random
from tests.snapshots.worlds import Line, PlainLine
from tests.students.stopping import StopAt

STAY = np.zeros(1, np.float32)


class Scripted(Random):
    """Chooses at random, and writes down everything it is asked and told."""

    def reset(self):
        self.log = []

    def sample(self):
        self.log.append(("sample", None))
        return super().sample()

    def update(self, episode):
        self.log.append(("update", episode))


class ShortLine(Line):
    """A line with episodes of thirty steps."""

    def __init__(self, **options):
        super().__init__(limit=30, **options)


def short_library(make=ShortLine, **settings):
    given = {"episodes": 3, "every": 4, "clusters": 3} | settings
    return explore(make, lambda _: np.ones(1, np.float32), **given)


def walk(env, steps):
    """Step without moving; return every last info."""
    env.reset()
    ends = []
    for _ in range(steps):
        _, _, dones, infos = env.step(np.zeros((env.num_envs, 1), np.float32))
        ends += [infos[i] for i in np.flatnonzero(dones)]
    return ends


class Watch(BaseCallback):
    """Notes the probability in the environments at every step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def _on_step(self):
        self.seen.append(self.training_env.get_attr("probability")[0])
        return True


# --- libraries of experts -------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", [PPO, A2C, SAC, TD3, DQN])
def test_values_of_snapshots_are_those_of_the_critic(algorithm):
    name = "CartPole-v1" if algorithm is DQN else "Pendulum-v1"
    model = algorithm("MlpPolicy", name, seed=0, device="cpu")
    library = expert_snapshots(model, lambda: gym.make(name), episodes=1, every=20)
    seen = np.stack([s.observation for s in library.snapshots])
    inputs, _ = model.policy.obs_to_tensor(seen)
    with torch.no_grad():
        if algorithm in (PPO, A2C):
            expected = model.policy.predict_values(inputs)
        elif algorithm is DQN:
            expected = model.q_net(inputs).max(dim=1).values
        elif algorithm is TD3:
            pair = torch.cat(model.critic(inputs, model.actor(inputs)), dim=1)
            expected = pair.min(dim=1).values
        else:
            actions = model.actor(inputs, deterministic=True)
            expected = torch.cat(model.critic(inputs, actions), dim=1).min(dim=1).values
        assert np.abs(library.values - expected.numpy().reshape(-1)).max() < 1e-4


@pytest.mark.parametrize(("algorithm", "repeats"), [(PPO, False), (SAC, True)])
def test_on_policy_experts_draw_their_actions_and_others_do_not(algorithm, repeats):
    model = algorithm("MlpPolicy", "Pendulum-v1", seed=0, device="cpu")
    make = lambda: gym.make("Pendulum-v1")  # noqa: E731
    library = expert_snapshots(model, make, episodes=1, every=50)
    env = make()
    observation, _ = env.reset(seed=library.trajectories[0].seed)
    first = library.trajectories[0].actions[0]
    likeliest = model.predict(observation, deterministic=True)[0]
    assert np.allclose(first, likeliest) == repeats


def test_a_library_leaves_torch_and_the_expert_alone():
    model = PPO("MlpPolicy", "Pendulum-v1", seed=0, device="cpu")
    before = torch.get_rng_state()
    one, two = (
        expert_snapshots(model, lambda: gym.make("Pendulum-v1"), episodes=1, every=50, seed=3)
        for _ in range(2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(one.trajectories[0].actions, two.trajectories[0].actions)
    assert one.values.tolist() == two.values.tolist()


def test_an_expert_sees_observations_as_in_its_training(tmp_path):
    venv = VecNormalize(make_vec_env("Pendulum-v1", 1, seed=0))
    model = PPO("MlpPolicy", venv, n_steps=64, batch_size=64, seed=0, device="cpu").learn(512)
    save_statistics(venv, tmp_path / "seen.npz")
    normalizer = load_statistics(tmp_path / "seen.npz")
    make = lambda: gym.make("Pendulum-v1")  # noqa: E731
    library = expert_snapshots(Expert(model, normalizer), make, episodes=1, every=50)
    seen = normalizer.normalize_obs(np.stack([s.observation for s in library.snapshots]))
    with torch.no_grad():
        expected = model.policy.predict_values(model.policy.obs_to_tensor(seen)[0])
    assert library.values == pytest.approx(expected.numpy().reshape(-1), abs=1e-5)


def test_experts_of_other_environments_are_refused():
    model = PPO("MlpPolicy", "Pendulum-v1", device="cpu")
    with pytest.raises(ValueError, match="the expert's observations are"):
        expert_snapshots(model, lambda: gym.make("CartPole-v1"))


# --- schedules ------------------------------------------------------------------------------------


def venv_of(n=1):
    library = short_library()
    return DummyVecEnv([partial(SnapshotResets, ShortLine(), library, horizon=5) for _ in range(n)])


def test_off_policy_students_switch_after_a_tenth():
    watch = Watch()
    model = SAC("MlpPolicy", venv_of(), learning_starts=10**6, device="cpu")
    model.learn(1000, callback=[SnapshotSchedule(), watch])
    assert set(watch.seen[:98]) == {1.0}
    assert set(watch.seen[101:]) == {0.0}


def test_on_policy_students_fade_from_four_fifths_over_the_first_half():
    watch = Watch()
    model = PPO("MlpPolicy", venv_of(2), n_steps=50, batch_size=50, n_epochs=1, device="cpu")
    model.learn(2000, callback=[SnapshotSchedule(), watch])
    expected = np.maximum(0, 0.8 * (1 - 2 * np.arange(1, 1001) / 1000))
    assert np.abs(np.array(watch.seen) - expected).max() < 0.02
    assert watch.seen[0] > 0.79
    assert set(watch.seen[501:]) == {0.0}


def test_schedules_can_be_asked_for():
    watch = Watch()
    model = PPO("MlpPolicy", venv_of(), n_steps=50, batch_size=50, n_epochs=1, device="cpu")
    schedule = SnapshotSchedule(probability=0.5, steps=300, fades=False)
    model.learn(500, callback=[schedule, watch])
    assert (set(watch.seen[1:298]), set(watch.seen[301:])) == ({0.5}, {0.0})
    with pytest.raises(ValueError, match="probability"):
        SnapshotSchedule(probability=2)
    with pytest.raises(ValueError, match="steps"):
        SnapshotSchedule(steps=0)


def test_snapshots_end_when_whole_episodes_are_as_good_as_the_experts():
    watch = Watch()
    model = PPO(
        "MlpPolicy",
        WholeEpisodeMonitor(venv_of(4)),
        n_steps=50,
        batch_size=50,
        n_epochs=1,
        device="cpu",
    )
    schedule = SnapshotSchedule(probability=0.5, steps=20_000, fades=False, expert_return=-1e9)
    model.learn(8000, callback=[schedule, watch])
    assert watch.seen[0] == 0.5
    assert watch.seen[-1] == 0.0
    assert schedule.is_over


def test_after_training_all_episodes_are_whole():
    venv = venv_of()
    model = SAC("MlpPolicy", venv, learning_starts=10**6, device="cpu")
    model.learn(100, callback=SnapshotSchedule(steps=10**6))
    assert venv.get_attr("probability") == [0.0]


def test_environments_without_snapshots_are_refused():
    model = A2C("MlpPolicy", DummyVecEnv([ShortLine]), device="cpu")
    with pytest.raises(TypeError, match="SnapshotResets"):
        model.learn(10, callback=SnapshotSchedule())


@pytest.mark.parametrize("algorithm", [PPO, A2C, SAC, TD3])
def test_segments_end_by_truncation_for_every_student(algorithm):
    """The critic bootstraps there, as at a time limit."""
    seen = []

    class Note(BaseCallback):
        def _on_step(self):
            for done, info in zip(self.locals["dones"], self.locals["infos"], strict=True):
                if done and info.get("partial"):
                    seen.append(info["TimeLimit.truncated"])
            return True

    model = algorithm("MlpPolicy", venv_of(), device="cpu", seed=0)
    model.learn(60, callback=[SnapshotSchedule(steps=10**6), Note()])
    assert len(seen) >= 5
    assert all(seen)


# --- nobody takes a segment for an episode --------------------------------------------------------


def test_a_monitor_logs_whole_episodes_only(tmp_path):
    library = short_library()
    make = partial(SnapshotResets, ShortLine(), library, horizon=5, probability=0.5)
    plain = VecMonitor(DummyVecEnv([make]), str(tmp_path / "plain"))
    whole = WholeEpisodeMonitor(DummyVecEnv([make]), str(tmp_path / "whole"))
    ends = [walk(env, 600) for env in (plain, whole)]
    assert {5, 30} <= {info["episode"]["l"] for info in ends[0]}  # what the plain one gets wrong
    assert any("partial" in info for info in ends[1])
    for info in ends[1]:
        assert ("episode" in info) != ("partial" in info)
    lengths = {info["episode"]["l"] for info in ends[1] if "episode" in info}
    assert lengths == {30}
    rows = list(csv.reader((tmp_path / "whole.monitor.csv").open()))[2:]
    assert len(rows) == whole.episode_count > 3
    assert {row[1] for row in rows} == {"30"}


def test_a_monitor_measures_whole_episodes_as_stable_baselines_does():
    ends = []
    for monitor in (VecMonitor, WholeEpisodeMonitor):
        venv = DummyVecEnv([ShortLine])
        venv.seed(0)
        ends.append(walk(monitor(venv), 100))
    for one, two in zip(*ends, strict=True):
        assert {k: one["episode"][k] for k in "rl"} == {k: two["episode"][k] for k in "rl"}


def test_the_buffer_that_stable_baselines_logs_holds_whole_episodes():
    model = PPO("MlpPolicy", WholeEpisodeMonitor(venv_of(2)), n_steps=100, device="cpu")
    model.learn(2000, callback=SnapshotSchedule(probability=0.5, steps=10**6, fades=False))
    assert {episode["l"] for episode in model.ep_info_buffer} == {30}


def test_make_vec_env_of_stable_baselines_needs_no_other_monitor():
    """It puts its Monitor inside of wrappers."""
    make = lambda: gym.make("Pendulum-v1")  # noqa: E731
    library = explore(make, episodes=1, every=50)
    kwargs = {"library": library, "probability": 0.5, "horizon": 20}
    venv = make_vec_env("Pendulum-v1", 2, 0, wrapper_class=SnapshotResets, wrapper_kwargs=kwargs)
    ends = walk(venv, 1000)
    assert {"partial" in info for info in ends} == {True, False}
    assert {info["episode"]["l"] for info in ends if "episode" in info} == {200}
    assert not any("episode" in info for info in ends if "partial" in info)


def test_environments_are_made_as_the_documentation_says():
    page = (Path(__file__).parents[2] / "docs" / "policy_teaching.md").read_text()
    [block] = [b for b in page.split("```") if "wrapper_class=SnapshotResets" in b]
    names = {"expert": PPO("MlpPolicy", ShortLine(), device="cpu"), "make_env": ShortLine}
    exec(block.removeprefix("python\n").partition("SAC(")[0], names)
    model = PPO("MlpPolicy", names["env"], n_steps=60, batch_size=60, n_epochs=1, device="cpu")
    seen = learnt_from_segments(model, 600, names["SnapshotSchedule"])
    assert seen > 5
    assert {episode["l"] for episode in model.ep_info_buffer} == {30}


@pytest.mark.parametrize("algorithm", [PPO, SAC])
@pytest.mark.parametrize("outside", [Monitor, VecMonitor])
def test_what_monitors_outside_say_of_segments_is_not_logged(algorithm, outside):
    """Stable-Baselines3 puts its own around a bare environment."""
    library = short_library()
    env = SnapshotResets(ShortLine(), library, horizon=5)
    venv = env if outside is Monitor else VecMonitor(DummyVecEnv([lambda: env]))
    own = {"n_steps": 50, "batch_size": 50} if algorithm is PPO else {"learning_starts": 10**6}
    model = algorithm("MlpPolicy", venv, device="cpu", seed=0, **own)
    assert learnt_from_segments(model, 400) > 5
    assert {episode["l"] for episode in model.ep_info_buffer} == {30}


def learnt_from_segments(model, steps, schedule=SnapshotSchedule):
    """Train, half of the episodes from snapshots; return how many of those have ended."""
    ends = []

    class Note(BaseCallback):
        def _on_step(self):
            ends.extend(info for info in self.locals["infos"] if "partial" in info)
            return True

    model.learn(steps, callback=[schedule(0.5, steps=10**6, fades=False), Note()])
    return len(ends)


def taught(teacher=None, n=2, seed=0, **settings):
    given = {"horizon": 5, "probability": 0.5} | settings
    library = short_library()
    make = partial(_resets, library, given)
    return TaughtVecEnv(make_task_vec_env(make, n), teacher or Scripted(), seed)


def _resets(library, settings):
    return SnapshotResets(ShortLine(), library, **settings)


def test_a_teacher_never_hears_of_episodes_from_snapshots():
    env = taught()
    heard = []
    env.listeners.append(heard.append)
    ends = walk(env, 600)
    partial_ones = sum("partial" in info for info in ends)
    assert partial_ones > 10
    updates = [episode for kind, episode in env.teacher.log if kind == "update"]
    assert len(updates) == len(heard) == len(env.episodes) == len(ends) - partial_ones > 10
    assert set(env.episodes["l"].tolist()) == {30}
    ids = env.episodes["id"].tolist()
    assert len(set(ids)) == len(ids)
    assert min(ids) >= 0
    assert env.ledger.train == 1200


def test_one_selector_for_all_gives_the_same_run_in_processes():
    library, selector = short_library(), VisitCount()
    make = partial(_resets, library, {"selector": selector, "probability": 0.9, "horizon": 5})
    seen = []
    for processes in (False, True):
        env = TaughtVecEnv(make_task_vec_env(make, 2, processes), Random(), seed=0)
        seen.append([env.reset()])
        seen[-1] += [env.step(np.zeros((2, 1), np.float32))[0] for _ in range(60)]
        env.close()
    assert np.array_equal(*seen)


def test_whole_episodes_play_the_task_that_the_teacher_chose():
    env = taught()
    for episode in walk_episodes(env, 600):
        assert episode.first_observation[1] == episode.task.params[0]


def walk_episodes(env, steps):
    heard = []
    env.listeners.append(heard.append)
    walk(env, steps)
    return heard


def test_a_single_environment_keeps_to_it_too():
    env = TaughtEnv(_resets(short_library(), {"probability": 0.5, "horizon": 5}), Scripted())
    for _ in range(40):
        env.reset()
        over = False
        while not over:
            *_, terminated, truncated, _ = env.step(STAY)
            over = terminated or truncated
    updates = [episode for kind, episode in env.teacher.log if kind == "update"]
    assert 5 < len(updates) < 35
    assert {episode.length for episode in updates} == {30}


@pytest.mark.parametrize("algorithm", [PPO, SAC])
def test_teachers_that_look_at_segments_see_those_of_whole_episodes(algorithm):
    class Looking(Scripted):
        needs = frozenset({"segments"})

        def study(self, rollout):
            self.log.append(("study", rollout.segments()))

    env = taught(Looking())
    options = {"n_steps": 90, "batch_size": 90} if algorithm is PPO else {"learning_starts": 10**6}
    model = algorithm("MlpPolicy", env, seed=0, device="cpu", **options)
    model.learn(720, callback=TeacherCallback())
    segments = [s for kind, seen in env.teacher.log if kind == "study" for s in seen]
    assert segments
    for segment in segments:
        assert segment.task_id >= 0
        if segment.is_start and segment.is_complete:
            assert len(segment.rewards) == 30


def test_evaluation_refuses_a_segment_and_begins_ordinarily_by_itself():
    tests = TestSet.uniform(Line.task_space, 4)
    student = PPO("MlpPolicy", DummyVecEnv([ShortLine]), device="cpu")
    library = short_library()
    clean = evaluate(student, partial(_resets, library, {}), tests, n_envs=2)
    plain = evaluate(student, ShortLine, tests, n_envs=2)
    assert clean.rewards.tolist() == plain.rewards.tolist()
    with pytest.raises(ValueError, match="began from a snapshot"):
        evaluate(student, partial(_resets, library, {"probability": 1.0}), tests, n_envs=2)


def test_what_snapshots_cost_is_on_the_ledger():
    library = short_library(PlainShortLine)
    assert isinstance(library.adapter, Replay)
    env = TaughtVecEnv(make_task_vec_env(partial(_plain_resets, library), 2), Random(), 0)
    model = SAC("MlpPolicy", env, learning_starts=10**6, device="cpu")
    schedule = SnapshotSchedule(steps=10**6)
    model.learn(400, callback=schedule)
    replayed = sum(env.env_method("snapshot_steps"))
    assert replayed > 100
    assert env.ledger.expert == schedule.expert_steps == library.steps + replayed
    assert env.ledger.env_steps == env.ledger.train + env.ledger.expert


class PlainShortLine(PlainLine):
    """A short line that is replayed."""

    def __init__(self):
        super().__init__(limit=30)


def _plain_resets(library):
    return SnapshotResets(PlainShortLine(), library, horizon=5)


# --- tasks that say where to begin ----------------------------------------------------------------


def _tasks(library):
    return SnapshotTasks(ShortLine(), library, horizon=10)


def test_a_teacher_hears_of_the_starts_that_it_chose():
    library = short_library()
    env = TaughtVecEnv(make_task_vec_env(partial(_tasks, library), 2), Random(), 0)
    ends = walk(WholeEpisodeMonitor(env), 600)
    starts, lengths = env.episodes.params[:, 1], env.episodes["l"]
    assert set(starts.tolist()) == {0, 1, 2, 3}
    assert set(lengths[starts == 0].tolist()) == {30}
    assert lengths[starts > 0].max() == 10
    assert sum("episode" in info for info in ends) == (starts == 0).sum()


def test_alp_gmm_chooses_clusters():
    library = short_library()
    env = TaughtVecEnv(make_task_vec_env(partial(_tasks, library), 2), ALPGMM(fit_every=20), 0)
    walk(env, 3000)
    assert len(env.episodes) > 200
    origins = np.array(env.episodes.origins)
    assert len(set(env.episodes.params[origins != "random"][:, 1].tolist())) > 1


def test_plr_replays_clusters_with_their_seeds():
    library = short_library()
    teacher = PLR(robust=False, capacity=20)
    env = TaughtVecEnv(make_task_vec_env(partial(_tasks, library), 2), teacher, 0)
    model = PPO("MlpPolicy", env, n_steps=64, batch_size=64, n_epochs=1, seed=0, device="cpu")
    model.learn(1500, callback=TeacherCallback())
    origins = np.array(env.episodes.origins)
    replayed = env.episodes.params[origins != "random"]
    assert set(replayed[:, 1].tolist()) > {0.0}
    starts: dict[tuple, set] = {}
    for i in np.flatnonzero(env.episodes.params[:, 1] > 0):
        key = (*env.episodes.params[i].tolist(), int(env.episodes["seed"][i]))
        starts.setdefault(key, set()).add(int(env.episodes["l"][i]))
    assert len(starts) < (env.episodes.params[:, 1] > 0).sum()
    assert all(len(lengths) == 1 for lengths in starts.values())


def test_a_run_that_stops_goes_on_as_if_it_had_not(tmp_path):
    """With episodes from snapshots under way, and a probability that fades."""
    make = _FadingLine
    options = {"n_steps": 32, "batch_size": 32, "n_epochs": 1}

    def run(folder, stop_at=None):
        callbacks = [SnapshotSchedule(steps=800)]
        if stop_at:
            callbacks.append(StopAt(stop_at))
        return teach(
            PPO,
            make,
            Random(),
            steps=1024,
            seed=1,
            n_envs=2,
            folder=folder,
            options=options,
            callbacks=callbacks,
            evaluate_every=0,
            checkpoint_every=128,
        )

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", stop_at=500)
    resumed = run(tmp_path / "cut")
    assert whole.episodes["r"].tolist() == resumed.episodes["r"].tolist()
    assert len(whole.episodes) > 5
    assert whole.summary["expert"] == resumed.summary["expert"] > 0
    one, two = (run.student.policy.state_dict() for run in (whole, resumed))
    assert all(torch.equal(one[key], two[key]) for key in one)


class _FadingLine(SnapshotResets):
    """A line with a library of its own, so that its class alone makes it."""

    def __init__(self):
        super().__init__(ShortLine(), short_library(), horizon=7)


def test_a_student_is_tried_out_from_ordinary_starts_while_it_trains_from_snapshots():
    library = short_library()
    make = partial(_resets, settings={"probability": 0.0}, library=library)
    env = TaughtVecEnv(make_task_vec_env(make, n=2), Random(), seed=0)
    env.env_method("begin_with_snapshots", 1.0)
    for slot in env.spares.take(3):
        _, info = slot.begin(slot.declaration.task_space.low, seed=0)
        assert "partial" not in info
    env.close()
