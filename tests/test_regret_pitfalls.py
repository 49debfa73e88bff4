"""The twenty-seven known mistakes in teachers by regret, one test or one reference per number.

They were found in the published implementations; what each is about stands in the test's name.
"""

import ast
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecNormalize

from teachrl.core import Episode, Task
from teachrl.envs import ENVS, ObstacleTracks
from teachrl.evaluation import TestSet
from teachrl.models.mutations import mutate
from teachrl.models.task_buffer import TaskBuffer
from teachrl.scores import learnability
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.students import TaughtVecEnv, TeacherCallback, make_task_vec_env
from teachrl.teachers import ACCEL, PLR
from tests.students.worlds import Reach
from tests.teachers.test_plr import Play, Told, segment, started

ELSEWHERE = {
    1: ["tests/teachers/test_plr.py::test_parents_are_chosen_by_the_stated_criterion"],
    9: [
        "tests/students/test_budgets.py::test_a_buffer_that_cannot_fill_is_told_at_the_start_and_after_a_tenth",
        "tests/students/test_budgets.py::test_where_tasks_are_repeated_rollouts_count_and_not_episodes",
    ],
    12: ["tests/runs/test_survival.py::test_every_teacher_goes_on_as_if_nothing_had_happened"],
    13: ["tests/students/test_workers.py::test_a_run_whose_process_died_goes_on"],
    14: [
        "tests/students/test_segments.py::test_off_policy_an_episode_is_looked_back_on_when_it_ends"
    ],
    15: [
        "tests/students/test_gating.py::test_with_nothing_to_learn_from_the_student_stays_as_it_is"
    ],
    16: [
        "tests/students/test_vec_env.py::test_every_task_is_sampled_after_the_update_of_the_episode_before_it"
    ],
    17: ["tests/students/test_pairs.py::test_both_play_the_same_tasks_with_the_same_seeds"],
    18: [
        "tests/students/test_pairs.py::test_a_task_is_repeated_until_the_rollout_ends_and_then_replaced",
        "tests/teachers/test_plr.py::test_same_keeps_an_environment_on_its_task_until_the_rollout_ends",
    ],
    19: [
        "tests/teachers/test_constrained_self_paced.py::test_where_the_search_fails_a_step_along_the_gradient_does",
        "tests/teachers/test_constrained_self_paced.py::test_a_loss_of_performance_is_not_accepted",
        "tests/teachers/test_currot.py::test_a_particle_on_its_target_stays_there",
        "tests/teachers/test_gradient.py::test_one_particle_is_enough",
    ],
    20: [
        "tests/models/manifolds/test_variational.py::test_decoding_reaches_every_orthant_of_the_tasks_and_one_orthant_of_codes_does_not",
        "tests/models/designers/test_designers.py::test_no_corner_is_out_of_reach",
    ],
    21: ["tests/models/test_gan.py::test_the_generator_covers_exactly_the_cube"],
    22: [
        "tests/teachers/test_goal_gan.py::test_attempts_are_joined_by_trial_and_never_by_the_tasks_bytes"
    ],
    24: [
        "tests/evaluation/test_evaluating.py::test_every_task_is_played_once_with_its_own_seed_whatever_the_number_of_envs"
    ],
    25: [
        "tests/teachers/test_designing.py::test_who_has_not_finished_counts_for_nothing_and_not_for_zero"
    ],
    26: [
        "tests/teachers/test_adr.py::test_probes_are_recognised_by_their_note_and_not_by_their_coordinates"
    ],
}
"""Pitfalls with a test of their own where they belong."""


@pytest.mark.parametrize("path", [path for paths in ELSEWHERE.values() for path in paths])
def test_the_tests_that_the_table_names_are_there(path):
    file, _, name = path.partition("::")
    tree = ast.parse((Path(__file__).parents[1] / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_number_has_a_test_or_a_reference():
    here = {int(n) for n in re.findall(r"^def test_(\d\d)_", Path(__file__).read_text(), re.M)}
    assert here | ELSEWHERE.keys() == set(range(1, 28))


def test_02_the_best_return_is_that_of_the_same_parameters_and_the_same_seed():
    teacher = started(score="max-monte-carlo", replay_ratio=0.0)
    params = teacher.space.low
    for number, (seed, reward) in enumerate([(1, 10.0), (2, 3.0), (1, 4.0)]):
        task = Task(params, seed=seed, id=number)
        teacher.update(Episode(task, seed, reward, 3))
        teacher.study(Told([segment(task, [0.0], values=1.0)]))
    entries = [teacher.buffer.entry(slot) for slot in range(len(teacher.buffer))]
    assert [(e.seed, e.best_return, e.score) for e in entries] == [(1, 10.0, 9.0), (2, 3.0, 2.0)]


class Rich(Reach):
    """Reach whose every episode pays a thousand in its last step."""

    reward_range = (0.0, 1000.0)

    def step(self, action):
        observation, _, done, late, info = super().step(action)
        return observation, 1000.0 * (done or late), done, late, info


def test_03_scores_are_in_raw_rewards_under_normalisation():
    taught = TaughtVecEnv(make_task_vec_env(Rich, 2), PLR(capacity=50), seed=0)
    student = PPO("MlpPolicy", VecNormalize(taught), n_steps=64, batch_size=64, n_epochs=1, seed=0)
    student.learn(512, callback=TeacherCallback())
    buffer = taught.teacher.buffer
    assert len(buffer) > 5
    assert 50 < np.median(buffer.scores) < 1100  # normalised ones would be some units


def test_03_returns_are_compared_with_raw_values_under_normalisation():
    teacher = PLR(capacity=50, score="max-monte-carlo")
    normalized = VecNormalize(taught := TaughtVecEnv(make_task_vec_env(Rich, 2), teacher, seed=0))
    student = PPO("MlpPolicy", normalized, n_steps=64, batch_size=64, n_epochs=1, seed=0)
    with torch.no_grad():  # a critic that says 3, whatever it sees
        student.policy.value_net.weight.zero_()
        student.policy.value_net.bias.fill_(3.0)
    student.learn(128, callback=TeacherCallback())  # a rollout, scored before the critic learns
    scale = np.sqrt(normalized.ret_rms.var + normalized.epsilon)
    assert scale > 50
    assert len(taught.teacher.buffer) > 5
    assert taught.teacher.buffer.scores == pytest.approx(1000 - 3 * scale, rel=1e-6)


def test_04_unfinished_episodes_and_numbers_that_are_none_never_enter():
    teacher = started(score="signed-advantage")
    play = Play(teacher)
    task = play.task()
    teacher.study(Told([segment(task, [1.0], complete=False)]))
    assert len(teacher.buffer) == 0
    for bad in (np.nan, -np.inf):
        task = play.task()
        with pytest.raises(ValueError, match="finite"):
            play.end(task, bad)
        play.end(task)
        with pytest.raises(ValueError, match="finite"):
            teacher.study(Told([segment(task, [bad])]))
    assert len(teacher.buffer) == 0


def test_05_a_task_without_a_finished_episode_is_not_learnable():
    assert learnability(np.array([np.nan, 0.5])).tolist() == [0.0, 0.25]


def test_06_negative_scores_can_be_ranked_and_not_taken_in_proportion():
    teacher = started(score="max-monte-carlo", replay_ratio=1.0, min_fill=0.25)
    play = Play(teacher)
    task = play.task()
    play.end(task, reward=-5.0)
    teacher.study(Told([segment(task, [0.0], values=2.0)]))
    assert teacher.buffer.scores.tolist() == [-7.0]
    assert teacher.sample().origin == "replay"
    with pytest.raises(ValueError, match="may be negative"):
        started(score="max-monte-carlo", priority="proportional")


def test_07_where_nothing_is_stale_all_are_as_likely():
    buffer = TaskBuffer(3, 1, staleness=1.0)
    for i in range(3):
        place = np.float32([i])
        buffer.insert(place, place.astype(float), i, score=float(i), best_return=0.0)
    assert buffer.probabilities() == pytest.approx(np.full(3, 1 / 3))


@pytest.mark.parametrize("schedule", ["fixed", "proportionate"])
def test_08_nothing_is_replayed_from_an_empty_buffer_and_one_task_is_enough(schedule):
    teacher = started(capacity=1, min_fill=0.0, replay_ratio=1.0, schedule=schedule)
    play = Play(teacher)
    assert teacher.sample().origin == "random"
    first = play.whole()
    assert [play.whole().seed for _ in range(3)] == [first.seed] * 3


def test_10_children_may_keep_their_seed_and_stay_inside_and_whole():
    for ratio, kept in ((0.0, True), (1.0, False)):
        options = {"new_seed_ratio": ratio, "replay_ratio": 1.0, "min_fill": 0.25, "parents": "all"}
        teacher = started(ACCEL, **options)
        play = Play(teacher)
        first = play.whole()
        play.whole()
        child = teacher.sample()
        assert child.origin == "mutation"
        assert (child.seed == first.seed) is kept
    space, rng = TaskSpace(x=(0, 1), n=(1, 3, "int")), np.random.default_rng(0)
    corner = space.normalize([1, 3])
    children = np.array([mutate(corner, space, rng, edits=4, size=0.3) for _ in range(300)])
    tasks = space.denormalize(children)
    assert (tasks[:, 0] == 1).mean() < 0.4  # those that did not move: a clipped half would be there
    assert set(tasks[:, 1].tolist()) <= {1.0, 2.0, 3.0}


def test_11_intervals_have_one_form_before_a_buffer_sees_them():
    space = TaskSpace(gap=(0, 10, "interval"))
    assert space.denormalize([0.2, 0.7]).tolist() == space.denormalize([0.7, 0.2]).tolist()
    teacher = PLR(capacity=8, least_distance=0.01).start(space, stream(0, "teacher"))
    for number, point in enumerate([(0.2, 0.7), (0.7, 0.2)]):
        task = Task(space.denormalize(point), seed=number, id=number)
        teacher.update(Episode(task, number, 1.0, 3))
        teacher.study(Told([segment(task, [1.0 + number])]))
    assert teacher.buffer.points.tolist() == pytest.approx(np.array([[0.2, 0.7]]))


def test_12_a_task_in_flight_comes_home_after_loading():
    teacher = started(replay_ratio=1.0, min_fill=0.25)
    play = Play(teacher)
    play.whole(regret=1.0)
    flying = play.task()
    twin = started(seed=1, replay_ratio=1.0, min_fill=0.25)
    twin.restore(teacher.state())
    meta = json.loads(json.dumps(flying.meta))
    landed = replace(flying, meta=meta)
    twin.update(Episode(landed, landed.seed, 9.0, 3))
    twin.study(Told([segment(landed, [4.0] * 3)]))
    entry = twin.buffer.entry(0)
    assert (len(twin.buffer), entry.score, entry.best_return, entry.plays) == (1, 4.0, 9.0, 2)


def test_14_a_return_is_without_the_value_that_is_added_where_time_ran_out():
    taught = TaughtVecEnv(make_task_vec_env(Reach, 2), PLR(capacity=50), seed=0)
    student = PPO("MlpPolicy", taught, n_steps=64, batch_size=64, n_epochs=1, seed=0)
    student.learn(1024, callback=TeacherCallback())
    assert set(taught.episodes["r"].tolist()) == {0.0, 1.0}  # with it, none would be a whole number
    entries = [taught.teacher.buffer.entry(slot) for slot in range(len(taught.teacher.buffer))]
    assert {entry.best_return for entry in entries} <= {0.0, 1.0}


def test_22_a_task_cast_to_other_floats_is_still_the_same_task():
    teacher = started(replay_ratio=1.0, min_fill=0.25)
    play = Play(teacher)
    play.whole()
    task = play.task()
    cast = replace(task, params=task.params.astype(np.float64))
    play.end(cast)
    teacher.study(Told([segment(cast, [3.0])]))
    assert (len(teacher.buffer), teacher.buffer.entry(0).plays) == (1, 2)
    assert teacher.buffer.find_same(task.params.astype(np.float64), task.seed) is not None


@pytest.mark.parametrize("kind", [PLR, ACCEL])
def test_23_the_order_in_which_episodes_are_told_changes_nothing(kind):
    states = []
    for order in (1, -1):
        teacher = started(kind, capacity=20, min_fill=0.1)
        play = Play(teacher)
        for _ in range(12):
            tasks = [play.task() for _ in range(4)]
            for task in tasks[::order]:
                play.end(task, reward=float(task.id))
            told = [segment(task, [float(task.id % 5)] * 3) for task in tasks]
            teacher.study(Told(told[::order]))
        states.append(teacher.state())
    assert repr(states[0]) == repr(states[1])


def test_24_the_seeds_of_test_tasks_stand_in_their_files():
    for path in (ObstacleTracks.test_set, *ObstacleTracks.test_sets.values()):
        tests = TestSet.load(path, ObstacleTracks.task_space)
        assert path.read_text().splitlines()[2].startswith(f"{tests.seeds[0]},")
        assert len(set(tests.seeds.tolist())) == len(tests)


def test_27_there_are_no_mazes_whose_generators_would_differ_in_their_walls():
    assert not [name for name in ENVS if "maze" in name]  # once there are: as many walls in each
