"""The benchmark's protocol, as published."""

import numpy as np
import pytest

from experiments import challenges as experiment
from teachrl import teach
from teachrl.challenges import CHALLENGES, EVALUATE_EVERY, PPO, SAC, STEPS, RuggedStumpTracks
from teachrl.checks import check_env
from teachrl.envs import StumpTracks
from teachrl.envs.bodies import BODIES
from teachrl.evaluation import TestSet
from teachrl.registry import UnknownNameError, from_config, to_config
from teachrl.results import Results
from teachrl.runs import Run
from teachrl.students.forgetting import Forgetting
from teachrl.students.presets import PPOPreset
from teachrl.teachers import ALPGMM, Random
from tests.reporting.folders import write_benchmark


def bounds(challenge):
    space = CHALLENGES[challenge].task_space
    return space.low.tolist(), space.high.tolist()


def test_ranges_are_the_published_ones():
    assert bounds("stumps") == bounds("forgetting-student") == ([0, 0], [3, 6])
    assert bounds("mostly-unfeasible") == ([0, 0], [9, 6])
    assert bounds("mostly-trivial") == ([-3, 0], [3, 6])
    assert (STEPS, EVALUATE_EVERY) == (20_000_000, 500_000)


@pytest.mark.parametrize("name", CHALLENGES)
def test_all_are_judged_by_the_same_hundred_tasks(name):
    challenge = CHALLENGES[name]
    published = TestSet.load(StumpTracks.test_set, StumpTracks.task_space)
    for seed in (0, 3):
        tests, env = challenge.test_set(seed), challenge.env(seed)()
        assert tests.space == env.task_space == challenge.task_space
        assert tests.seeds.tolist() == published.seeds.tolist()
        played = env.unshuffled(tests.params) if challenge.is_seeded else tests.params
        np.testing.assert_allclose(played, published.params, atol=1e-5)


def test_a_rugged_space_differs_from_seed_to_seed():
    challenge = CHALLENGES["rugged-difficulty"]
    orders = {challenge.env(seed)().order.tobytes() for seed in range(10)}
    assert len(orders) > 5
    assert challenge.env(4)().order.shape == (2, 4)
    assert challenge.test_set(0).fingerprint != challenge.test_set(1).fingerprint
    plain = CHALLENGES["stumps"]
    assert plain.test_set(0).fingerprint == plain.test_set(1).fingerprint


@pytest.mark.parametrize(
    ("name", "easiest"),
    [("stumps", [0, 6]), ("mostly-unfeasible", [0, 6]), ("mostly-trivial", [-3, 6])],
)
def test_an_expert_knows_the_easy_end_of_this_space(name, easiest):
    known = CHALLENGES[name].knowledge("high")
    assert list(known.initial_mean) == easiest
    assert known.initial_std == (0.1, 0.1)
    assert CHALLENGES[name].knowledge("low").initial_mean is None
    assert not CHALLENGES[name].knowledge("nothing").success
    with pytest.raises(ValueError, match="knowledge is nothing, low or high, got 'some'"):
        CHALLENGES[name].knowledge("some")


def test_an_experts_hint_finds_its_way_through_the_shuffling():
    challenge = CHALLENGES["rugged-difficulty"]
    for seed in range(5):
        hint = challenge.knowledge("high", seed).told(ALPGMM()).initial_mean
        np.testing.assert_allclose(challenge.env(seed)().unshuffled(hint), [0, 6], atol=1e-4)
    hints = {challenge.knowledge("high", seed).initial_mean for seed in range(10)}
    assert len(hints) > 3


def test_only_the_forgetting_student_forgets():
    for name, challenge in CHALLENGES.items():
        every = [c.every for c in challenge.arguments()["callbacks"] if isinstance(c, Forgetting)]
        assert every == ([7_000_000] if name == "forgetting-student" else [])


def test_students_are_the_benchmarks():
    sac, ppo = SAC.options(1), PPO.options(1)
    assert (sac["learning_rate"], sac["gamma"], sac["tau"], sac["ent_coef"]) == (
        1e-3,
        0.99,
        0.005,
        0.005,
    )
    assert (sac["batch_size"], sac["buffer_size"], sac["train_freq"]) == (1000, 2_000_000, 10)
    assert sac["learning_starts"] == 10_000
    assert not SAC.normalize_observations
    assert (ppo["learning_rate"], ppo["n_steps"], ppo["n_epochs"]) == (3e-4, 20_000, 5)
    assert (ppo["gae_lambda"], ppo["clip_range"], ppo["batch_size"]) == (0.95, 0.2, 1000)
    assert PPO.normalize_observations
    assert PPO.normalize_rewards
    for options in (sac, ppo):
        assert options["policy_kwargs"] == {"net_arch": [400, 300]}
    diverse = [c for n, c in CHALLENGES.items() if n.startswith("diverse")]
    assert {c.body for c in diverse} == {"spider", "small_bipedal"}
    assert [c.student for c in diverse] == [SAC, PPO] * 2


def test_stumps_of_negative_height_are_as_flat_as_they_get():
    env = CHALLENGES["mostly-trivial"].env()()
    for height in (-3.0, -1.0):
        env.reset(seed=0, options={"task": [height, 2]})
        tops = [max(y for _, y in stump) for stump in env.terrain.obstacles]
        feet = [min(y for _, y in stump) for stump in env.terrain.obstacles]
        heights = np.subtract(tops, feet) / (14 / 30)
        assert len(heights) > 20
        np.testing.assert_allclose(heights, 0.05, atol=1e-6)


def test_the_rugged_track_is_an_environment_that_files_can_name():
    check_env(lambda: RuggedStumpTracks(shuffle_seed=2, max_episode_steps=50))
    env = from_config(to_config(CHALLENGES["rugged-difficulty"].env(3)), RuggedStumpTracks)()
    assert env.order.tolist() == CHALLENGES["rugged-difficulty"].env(3)().order.tolist()
    assert env.task_space == CHALLENGES["rugged-difficulty"].task_space


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("diverse-students-spider-ppo", 12),
        ("diverse-students-small-bipedal-sac", 4),
    ],
)
def test_diverse_students_have_the_bodies_of_their_names(name, actions):
    challenge = CHALLENGES[name]
    env = challenge.env()()
    env.reset(seed=0)
    assert type(env.body) is BODIES[challenge.body]
    assert env.action_space.shape == (actions,)


def test_an_unknown_challenge_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"challenge 'stump'\. Did you mean 'stumps'\?"):
        experiment.main(experiment.Arguments(challenges=("stump",)))


def test_runs_of_diverse_students_make_one_table(tmp_path, monkeypatch, capsys):
    def carry_out(challenge, arguments, amount, path):
        share = 0.2 if challenge.student is SAC else 0.6
        shares = {"random": (0.1,), "adr": (share,)} if challenge.label else {"random": (0.3,)}
        return Results.load(write_benchmark(tmp_path / "runs" / path, shares))

    monkeypatch.setattr(experiment, "carry_out", carry_out)
    experiment.main(experiment.Arguments(knowledge=("low",), out=tmp_path / "out"))
    printed = capsys.readouterr().out
    assert len({c.label or name for name, c in CHALLENGES.items()}) == 6
    assert printed.count("diverse-students, low, adr: 40.0 % mastered") == 1
    assert "stumps, low, random: 30.0 %" in printed
    [_, _, adr] = (tmp_path / "out/diverse-students/low/mastered_table.csv").read_text().split()
    assert adr.startswith("adr,4,")


@pytest.mark.parametrize(
    "name", ["rugged-difficulty", "forgetting-student", "diverse-students-spider-ppo"]
)
def test_a_challenge_is_taught_and_its_run_opened_again(name, tmp_path):
    challenge = CHALLENGES[name]
    arguments = challenge.arguments(seed=1) | {
        "student": PPOPreset(rollout=256, batch_size=64, n_epochs=1, net_arch=(8,)),
        "steps": 512,
        "evaluate_every": 0,
        "folder": tmp_path / "run",
    }
    run = teach(teacher=Random(), **arguments)
    assert run.status == "done"
    again = Run.load(tmp_path / "run").env()
    assert again.task_space == challenge.task_space
    if name == "rugged-difficulty":
        assert again.order.tolist() == challenge.env(1)().order.tolist()
