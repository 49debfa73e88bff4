"""Two students in step: the same tasks and seeds, as many steps, and nothing else in common."""

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import A2C, PPO, SAC
from stable_baselines3.common.vec_env import VecFrameStack, VecMonitor, VecNormalize

from teachrl import teach
from teachrl.core import Task
from teachrl.envs import ToyEnv
from teachrl.students import TaughtEnv, TaughtVecEnv, TeacherCallback, make_task_vec_env
from teachrl.students.pairs import Antagonist
from teachrl.teachers import PAIRED, REPAIRED, Minimax
from tests.students.worlds import Reach, ReachDict, Scripted


class Repeating(Scripted):
    """Wants every task to be repeated, and writes down what is in play."""

    needs = frozenset({"repeats"})

    def reset(self):
        super().reset()
        self.in_play: list[list[dict]] = []

    def sample(self):
        task = super().sample()
        number = sum(name == "sample" for name, _ in self.log)
        return Task(task.params, learn=task.learn, meta={"number": number})

    def study(self, rollout):
        self.in_play.append([dict(notes) for notes in rollout.running()])


class Comparing(Repeating):
    """Wants two students."""

    needs = frozenset({"repeats", "antagonist"})


class Long(Reach):
    """Episodes that cross rollouts."""

    def __init__(self):
        super().__init__(limit=37)


def student(teacher, world=Reach, *, n=3, processes=False, algorithm=PPO, wrap=None, **more):
    taught = TaughtVecEnv(make_task_vec_env(world, n=n, processes=processes), teacher, seed=0)
    options = {"n_steps": 24, "batch_size": 24, "n_epochs": 2} if algorithm is PPO else {}
    policy = "MultiInputPolicy" if world is ReachDict else "MlpPolicy"
    options |= {"policy_kwargs": {"net_arch": [8]}, "device": "cpu", "seed": 0} | more
    return algorithm(policy, wrap(taught) if wrap else taught, **options), taught


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.policy.parameters()])


def of(episodes, name):
    return [episode for episode in episodes if episode.student == name]


@pytest.mark.parametrize("world", [Reach, Long, ReachDict])
def test_both_play_the_same_tasks_with_the_same_seeds(world):
    model, taught = student(Comparing(), world)
    model.learn(400, callback=TeacherCallback())
    played = defaultdict(set)
    for e in taught.teacher.episodes:
        start = e.first_observation
        start = start["vector"] if isinstance(start, dict) else start
        what = (e.seed, e.task.params.tobytes(), start.tobytes(), e.env_index)
        played[e.task.id].add((e.student, what))
    by_both = [found for found in played.values() if len({name for name, _ in found}) == 2]
    assert len(by_both) >= 6
    assert all(len({what for _, what in found}) == 1 for found in played.values())


def test_a_task_is_repeated_until_the_rollout_ends_and_then_replaced():
    model, taught = student(Repeating(), Reach, n=2)  # 24 steps, and episodes of 20 at most
    model.learn(24 * 2 * 6, callback=TeacherCallback())
    for i in range(2):
        own = [e for e in taught.teacher.episodes if e.env_index == i]
        for before, after in pairwise(own):
            began = [(e.start_step // 2 - 1) // 24 for e in (before, after)]
            same = before.task.id == after.task.id
            assert same == (before.seed == after.seed)
            assert same or began[1] > began[0], "within a rollout nothing new begins"
        assert len({e.task.id for e in own}) >= 4


@pytest.mark.parametrize("slow", ["student", "antagonist"])
def test_whoever_finishes_first_repeats_until_the_other_has_finished(slow):
    """A rollout of 8 steps; the slow one stands still for 30, the other is there at once."""
    model, taught = student(Comparing(), lambda: Reach(limit=30), n=2, n_steps=8, batch_size=8)
    callback = TeacherCallback()
    model.learn(8 * 2, callback=callback)
    steps = {"student": -1.0, "antagonist": -1.0} | {slow: 0.0}
    for name, each in (("student", model), ("antagonist", callback.antagonist.model)):
        still, quick = steps[name] == 0.0, 50.0
        with torch.no_grad():
            each.policy.action_net.weight.zero_()
            each.policy.action_net.bias.fill_(-quick if still else quick)
        each.train = lambda: None
    model.learn(8 * 2 * 30, callback=callback, reset_num_timesteps=False)
    counts = defaultdict(lambda: defaultdict(int))
    for e in taught.teacher.episodes:
        counts[e.task.id][e.student] += 1
    quick = "antagonist" if slow == "student" else "student"
    settled = [found for found in counts.values() if len(found) == 2]
    assert len(settled) > 5
    assert sum(found[quick] for found in settled) > 1.5 * sum(found[slow] for found in settled)


def test_what_is_in_play_are_tasks_that_are_running_or_unfinished():
    model, taught = student(Comparing(), Long, n=2)
    callback = TeacherCallback()
    model.learn(24 * 2 * 5, callback=callback)
    numbers = [{notes["number"] for notes in each} for each in taught.teacher.in_play]
    assert all(1 <= len(each) <= 4 for each in numbers)
    second = callback.antagonist.taught
    running = [e.task.meta["number"] for env in (taught, second) for e in env._running]
    kept = [task.meta["number"] for task in taught.assignments.kept()]
    assert numbers[-1] == {*running, *kept}


def test_as_many_steps_are_played_and_the_ledger_knows():
    model, taught = student(Comparing())
    callback = TeacherCallback()
    model.learn(24 * 3 * 4, callback=callback)
    ledger = taught.ledger
    assert ledger.train == ledger.antagonist == model.num_timesteps == 24 * 3 * 4
    assert callback.antagonist.model.num_timesteps == model.num_timesteps
    assert ledger.env_steps == 2 * model.num_timesteps
    assert ledger.gradient_samples == 2 * 2 * model.num_timesteps
    assert callback.antagonist.model._n_updates == model._n_updates


def test_epochs_that_target_kl_cuts_short_count_as_far_as_they_went_for_both():
    model, taught = student(Comparing(), target_kl=1e-9)
    steps = []
    for each in (model, Antagonist.beside(model).model):
        each.policy.optimizer.register_step_post_hook(lambda *_: steps.append(1))
    model.learn(24 * 3 * 4, callback=TeacherCallback())
    assert taught.ledger.gradient_samples == model.batch_size * len(steps) > 0
    assert taught.ledger.gradient_samples < 2 * 2 * model.num_timesteps


def test_the_antagonist_learns_from_other_weights():
    model, _ = student(Comparing())
    callback = TeacherCallback()
    model.learn(24 * 3, callback=callback)
    before = weights(callback.antagonist.model)
    assert before.shape == weights(model).shape
    assert (before != weights(model)).any()
    model.learn(24 * 3, callback=callback, reset_num_timesteps=False)
    assert (before != weights(callback.antagonist.model)).any()


def test_the_student_does_not_notice_the_antagonist():
    """Same tasks, seeds and weights as alone: generators and statistics are not touched."""

    class Beside(Comparing):
        """Lets the antagonist finish what the student has, and draws tasks by their number."""

        def update(self, episode):
            if episode.student == "student":
                super().update(episode)

    def run(teacher):
        model, taught = student(teacher, ToyLike, n=2, wrap=lambda e: VecNormalize(VecMonitor(e)))
        model.learn(24 * 2 * 4, callback=TeacherCallback())
        params = [e.task.params.tobytes() for e in taught.teacher.episodes]
        return params, weights(model), model.get_env().obs_rms.mean

    class ToyLike(Reach):
        """Episodes that end with every rollout, so that both students keep step."""

        def __init__(self):
            super().__init__(limit=6)

        def step(self, action):
            observation, _, _, truncated, info = super().step(action)
            return observation, float(action[0]), False, truncated, info

    alone, beside = run(Repeating()), run(Beside())
    assert alone[0] == beside[0]
    assert torch.equal(alone[1], beside[1])
    np.testing.assert_array_equal(alone[2], beside[2])


def test_both_see_by_the_statistics_of_the_first():
    model, _ = student(Comparing(), wrap=lambda env: VecNormalize(VecMonitor(env)))
    callback = TeacherCallback()
    model.learn(24 * 3 * 2, callback=callback)
    own, shared = model.get_env(), callback.antagonist.model.get_env()
    assert shared.obs_rms is own.obs_rms
    assert shared.ret_rms is own.ret_rms
    raw = np.float32([[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(own.normalize_obs(raw), shared.normalize_obs(raw))
    count = own.obs_rms.count
    callback.antagonist.play()
    assert own.obs_rms.count == count == pytest.approx(24 * 3 * 2 + 3, abs=1)


@pytest.mark.parametrize("algorithm", [PPO, A2C])
def test_tasks_not_learnt_from_teach_the_antagonist_nothing_either(algorithm):
    model, taught = student(Comparing(explore=True), algorithm=algorithm)
    callback = TeacherCallback()
    model.learn(1, callback=callback)
    before = weights(model), weights(callback.antagonist.model)
    model.learn(200, callback=callback, reset_num_timesteps=False)
    assert torch.equal(before[0], weights(model))
    assert torch.equal(before[1], weights(callback.antagonist.model))
    assert taught.ledger.train == taught.ledger.gradient_samples == 0
    assert taught.ledger.explore == taught.ledger.antagonist > 0


def test_an_antagonist_that_was_interrupted_begins_a_rollout_anew():
    model, taught = student(Comparing(explore=True))
    model.learn(72, callback=TeacherCallback())
    watching = taught.companion._watching
    take_in = watching._on_step

    def interrupt():
        if watching.n_calls == 34:
            raise KeyboardInterrupt
        return take_in()

    watching._on_step = interrupt
    with pytest.raises(KeyboardInterrupt):
        model.learn(72, callback=TeacherCallback(), reset_num_timesteps=False)
    assert watching._gate._columns
    model.learn(72, callback=TeacherCallback(), reset_num_timesteps=False)
    assert not watching._gate._columns


def test_learning_rates_follow_the_same_schedule():
    model, _ = student(Comparing(), learning_rate=lambda remaining: remaining)
    callback = TeacherCallback()
    model.learn(24 * 3 * 4, callback=callback)
    rates = [
        each.policy.optimizer.param_groups[0]["lr"] for each in (model, callback.antagonist.model)
    ]
    assert rates == [0.0, 0.0]


def test_replays_are_drawn_anew_after_each_episode_and_designs_are_not():
    teacher = REPAIRED(designer="cross-entropy", capacity=12, min_fill=0.5, replay_ratio=1.0)
    model, taught = student(teacher, n=2)
    played = []
    taught.listeners.append(lambda episode: played.append(episode.task))
    model.learn(24 * 2 * 14, callback=TeacherCallback())
    designs = [task.id for task in played if task.origin == "design"]
    replays = [task.id for task in played if task.origin == "replay"]
    assert len(set(replays)) == len(replays) > 10
    assert len(set(designs)) < len(designs)


@pytest.mark.parametrize("world", [Reach, pytest.param(Long, marks=pytest.mark.slow)])
def test_processes_change_nothing(world):
    def run(processes):
        model, taught = student(Comparing(), world, n=2, processes=processes)
        callback = TeacherCallback()
        model.learn(24 * 2 * 4, callback=callback)
        found = weights(model), weights(callback.antagonist.model)
        log = [(e.student, e.seed, e.reward, e.length) for e in taught.teacher.episodes]
        taught.close()
        return found, log

    (here, log), (there, other) = run(False), run(True)
    assert torch.equal(here[0], there[0])
    assert torch.equal(here[1], there[1])
    assert log == other


def test_the_antagonist_outlives_a_second_call_of_learn():
    model, taught = student(Comparing())
    model.learn(24 * 3, callback=TeacherCallback())
    first = taught.companion
    model.learn(24 * 3, callback=TeacherCallback(), reset_num_timesteps=False)
    assert taught.companion is first
    assert taught.ledger.antagonist == model.num_timesteps


def test_closing_closes_both():
    model, taught = student(Comparing(), n=2, processes=True)
    model.learn(24 * 2, callback=TeacherCallback())
    venvs = taught.venv, taught.companion.taught.venv
    taught.close()
    assert all(venv.closed for venv in venvs)


def test_its_training_is_logged_beside_that_of_the_student():
    from tests.students.test_callback import Memory

    model, _ = student(Comparing())
    model.set_logger(memory := Memory())
    model.learn(24 * 3 * 2, callback=TeacherCallback(every=1))
    values = memory.dumps[-1][1]
    assert values["antagonist/train/n_updates"] == 4
    assert values["ledger/antagonist"] == 24 * 3 * 2


@pytest.mark.parametrize("teacher", [PAIRED, REPAIRED])
def test_one_environment_is_refused(teacher, tmp_path):
    match = f"{teacher.__name__} designs tasks by the regret.*n_envs of 2 or more"
    with pytest.raises(ValueError, match=match):
        teach(PPO, Reach, teacher(), steps=64, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match=match):
        TaughtVecEnv(make_task_vec_env(Reach, n=1), teacher())
    assert TaughtVecEnv(make_task_vec_env(Reach, n=1), Minimax())


@pytest.mark.parametrize("algorithm", [SAC, RecurrentPPO])
def test_students_who_cannot_take_turns_are_refused(algorithm, tmp_path):
    match = f"rollout by rollout.*{algorithm.__name__} does not do: choose.*PPO or A2C"
    with pytest.raises(ValueError, match=match):
        teach(algorithm, Reach, PAIRED(), steps=64, n_envs=2, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_they_are_refused_without_a_folder_too():
    model, _ = student(PAIRED(), algorithm=SAC)
    with pytest.raises(ValueError, match="SAC does not do: choose"):
        model.learn(64, callback=TeacherCallback())


def test_wrappers_that_cannot_be_made_twice_are_refused():
    model, _ = student(Comparing(), wrap=lambda env: VecFrameStack(env, 2))
    with pytest.raises(ValueError, match="cannot be given a VecFrameStack"):
        model.learn(64, callback=TeacherCallback())


def test_a_plain_environment_repeats_nothing():
    with pytest.raises(ValueError, match="Minimax needs repeats, of which one plain"):
        TaughtEnv(Reach(), Minimax())


def test_environments_of_unknown_make_have_no_second_set():
    from stable_baselines3.common.vec_env import DummyVecEnv

    from teachrl.students.task_slot import TaskSlot

    venv = DummyVecEnv([lambda: TaskSlot(Reach())] * 2)
    model = PPO("MlpPolicy", TaughtVecEnv(venv, Comparing()), n_steps=8, batch_size=8)
    with pytest.raises(ValueError, match="make those of the first with make_task_vec_env"):
        model.learn(16, callback=TeacherCallback())


def test_minimax_takes_an_off_policy_student():
    model, taught = student(Minimax(designs_per_update=2), algorithm=SAC, learning_starts=10)
    model.learn(300, callback=TeacherCallback())
    assert taught.teacher.n_updates > 2


def test_a_toy_student_is_taught_by_minimax_and_not_by_paired():
    from teachrl.envs.toy import play

    assert len(play(Minimax(designer="cross-entropy"), episodes=200, seed=0, every=100).curve) == 2
    with pytest.raises(ValueError, match="PAIRED needs antagonist"):
        play(PAIRED(), episodes=10, seed=0)


def test_a_world_with_a_past_has_one_for_each():
    model, taught = student(PAIRED(designs_per_update=2), ToyEnv, n=2)
    model.learn(96, callback=TeacherCallback())
    assert taught.teacher.n_updates > 0
