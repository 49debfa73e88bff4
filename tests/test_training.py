"""teach(): the same seed gives the same run, and a run is a folder."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import CSVOutputFormat
from stable_baselines3.common.vec_env import DummyVecEnv

from teachrl import Task, Teacher, teach
from teachrl.evaluation import TestSet
from teachrl.runs import Run
from teachrl.runs.folder import RunFolderError
from teachrl.spaces import TaskSpace
from teachrl.students.presets import PPOPreset
from teachrl.teachers import ALPGMM, PLR, Random
from tests.students.worlds import Broken, Reach, ReachDiscrete

PRESET = PPOPreset(rollout=128, batch_size=64, n_epochs=2, net_arch=(16,))
TESTS = TestSet.grid(Reach.task_space, 2)
OTHER = TestSet.grid(TaskSpace(distance=(0, 10), wind=(0, 1)), 2)
WIDER = TestSet.grid(TaskSpace(distance=(0, 11), friction=(0, 1)), 2)
TINY = {"steps": 512, "n_envs": 2, "test_set": TESTS}


class Undecorated(Teacher):
    def sample(self):
        return Task(self.space.low)


def weights(run):
    return {
        name: p.detach().numpy().tobytes() for name, p in run.student.policy.state_dict().items()
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    return teach(PRESET, Reach, ALPGMM(fit_every=20), folder=folder, seed=3, **TINY)


def test_the_folder_holds_the_run(run):
    names = {path.name for path in run.folder.iterdir()}
    assert names >= {
        *("config.json", "command.txt", "status", "monitor.csv", "evaluations.csv"),
        *("evaluations.npz", "test_set.csv", "progress.csv", "model.zip", "best_model.zip"),
        *("normalizer.npz", "best_normalizer.npz", "teacher.npz", "summary.json", "beliefs"),
    }
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert run.status == "done"
    assert not [name for name in names if "partial" in name]


def test_it_loads_as_it_was(run):
    again = Run.load(run.folder)
    assert weights(again) == weights(run)
    assert again.episodes["r"].tolist() == run.episodes["r"].tolist()
    assert len(again.episodes) > 20
    assert again.evaluations.rewards.shape == (5, 4)
    assert again.evaluations.steps.tolist() == [0, 128, 256, 384, 512]
    with np.load(run.folder / "evaluations.npz") as saved:
        np.testing.assert_array_equal(saved["results"], again.evaluations.rewards)
        assert set(saved.files) == {"timesteps", "results", "ep_lengths", "successes"}


def test_the_teacher_loads_as_it_was(run):
    teacher = Run.load(run.folder).teacher()
    assert isinstance(teacher, ALPGMM)
    assert teacher.fit_every == 20
    assert teacher.belief()["means"].shape[1] == 2


def test_the_loaded_student_acts_as_it_was_evaluated(run):
    from teachrl.evaluation import evaluate

    again = Run.load(run.folder)
    result = evaluate(again.student, again.env, again.test_set, normalizer=again.normalizer)
    np.testing.assert_array_equal(result.rewards, again.evaluations.rewards[-1])


def test_config_repeats_the_run(run):
    config = json.loads((run.folder / "config.json").read_text())
    assert config["seed"] == 3
    assert config["student"]["options"]["n_steps"] == 64
    assert config["teacher"]["options"]["fit_every"] == 20
    assert config["versions"]["torch"] == torch.__version__
    assert config["test_set"]["fingerprint"] == TESTS.fingerprint


@pytest.mark.parametrize("student", [PRESET, "sac"])
def test_the_same_seed_gives_the_same_run_in_any_processes(student):
    options = {"learning_starts": 50, "buffer_size": 600} if student == "sac" else {}
    runs = [
        teach(student, Reach, ALPGMM(fit_every=20), seed=seed, processes=processes,
              **(TINY | {"steps": 256, "options": options}))
        for seed, processes in ((0, False), (0, True), (1, False))
    ]  # fmt: skip
    same, twin, other = runs
    assert weights(same) == weights(twin) != weights(other)
    assert (same.folder / "monitor.csv").read_bytes() == (twin.folder / "monitor.csv").read_bytes()
    evaluations = [(r.folder / "evaluations.csv").read_bytes() for r in runs]
    assert evaluations[0] == evaluations[1]


def test_evaluations_change_nothing():
    with_, without = (
        teach(PRESET, Reach, ALPGMM(fit_every=20), **(TINY | {"evaluate_every": every}))
        for every in (100, 0)
    )
    assert weights(with_) == weights(without)
    assert with_.episodes["r"].tobytes() == without.episodes["r"].tobytes()
    assert len(without.evaluations) == 0
    assert len(with_.evaluations) > 3


def test_global_generators_of_the_caller_may_be_anything():
    runs = []
    for noise in (1, 2):
        np.random.seed(noise)  # noqa: NPY002
        torch.manual_seed(noise)
        runs.append(teach(PRESET, Reach, Random(), **TINY))
    assert weights(runs[0]) == weights(runs[1])


def test_a_missing_reward_range_is_announced_once():
    class Undeclared(Reach):
        reward_range = None

    with pytest.warns(UserWarning, match="reward_range") as caught:
        teach(PRESET, Undeclared, Random(), **TINY | {"steps": 1})
    assert len([w for w in caught if "reward_range" in str(w.message)]) == 1


@pytest.mark.parametrize(
    ("threshold", "verdict"),
    [
        (Reach.reward_range[1] + 1, "no task can be mastered"),
        (Reach.reward_range[1], "no task can be mastered"),
        (Reach.reward_range[0] - 1, "every task is mastered"),
    ],
)
def test_a_threshold_out_of_reach_is_announced_once(threshold, verdict):
    world = type("Unreached", (Reach,), {"mastery_threshold": threshold})
    with pytest.warns(UserWarning, match=verdict) as caught:
        teach(PRESET, world, Random(), **TINY | {"steps": 1})
    assert len([w for w in caught if "mastery_threshold is" in str(w.message)]) == 1


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"reward_range": (0, 1, 2)}, r"reward_range must be .* got \(0, 1, 2\)"),
        ({"reward_range": "01"}, "reward_range must be .* got '01'"),
        ({"mastery_threshold": "high"}, "mastery_threshold must be .*; got 'high'"),
        ({"mastery_threshold": np.nan}, "mastery_threshold must be a finite number, .*; got nan"),
        ({"target": "uniform"}, r"target must be a Target, such as .*; got 'uniform'"),
    ],
)
def test_declarations_of_another_kind_are_refused(declared, message):
    world = type("Misdeclared", (Reach,), declared)
    with pytest.raises(TypeError, match=message):
        teach(PRESET, world, Random(), **TINY)


class Outputs(BaseCallback):
    """Keeps what the logger writes to."""

    def _on_training_start(self):
        self.found = list(self.logger.output_formats)

    def _on_step(self):
        return True


def test_the_logger_is_closed_and_the_student_learns_on(tmp_path):
    outputs = Outputs()
    run = teach(PRESET, Reach, Random(), folder=tmp_path, callbacks=[outputs], **TINY)
    [csv] = [output for output in outputs.found if isinstance(output, CSVOutputFormat)]
    assert csv.file.closed
    written = (tmp_path / "progress.csv").read_text()
    assert written.count("\n") > 1
    run.student.set_env(DummyVecEnv([Reach, Reach]))
    run.student.learn(256, reset_num_timesteps=False)
    assert (tmp_path / "progress.csv").read_text() == written


def test_a_run_without_folder_leaves_nothing_behind():
    run = teach(PRESET, Reach, Random(), **TINY)
    folder = run.folder
    assert folder.exists()
    del run
    assert not folder.exists()


def test_the_teacher_stays_a_configuration():
    teacher = ALPGMM(fit_every=20)
    teach(PRESET, Reach, teacher, **TINY)
    assert teacher == ALPGMM(fit_every=20)
    assert not hasattr(teacher, "space")


def test_a_done_run_is_not_repeated(tmp_path):
    first = teach(PRESET, Reach, Random(), folder=tmp_path / "run", **TINY)
    stamp = (first.folder / "model.zip").stat().st_mtime_ns
    teach(PRESET, Reach, Random(), folder=tmp_path / "run", **TINY)
    assert (first.folder / "model.zip").stat().st_mtime_ns == stamp


def test_another_configuration_is_refused_and_a_restart_replaces_it(tmp_path):
    teach(PRESET, Reach, Random(), folder=tmp_path / "run", **TINY)
    with pytest.raises(RunFolderError, match="seed: 0 there, 1 now"):
        teach(PRESET, Reach, Random(), folder=tmp_path / "run", seed=1, **TINY)
    run = teach(PRESET, Reach, Random(), folder=tmp_path / "run", seed=1, restart=True, **TINY)
    assert run.config["seed"] == 1


def test_a_failed_run_says_so_and_is_done_again(tmp_path):
    broken = partial(Broken, when=7)
    for _ in range(2):
        with pytest.raises(ValueError, match="reward is not finite"):
            teach(PRESET, broken, Random(), folder=tmp_path / "run", **TINY)
        assert Run.load(tmp_path / "run").status == "failed"


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(RunFolderError, match=r"thesis\.tex"):
        teach(PRESET, Reach, Random(), folder=tmp_path, **TINY)
    with pytest.raises(RunFolderError, match=r"thesis\.tex"):
        teach(PRESET, Reach, Random(), folder=tmp_path, restart=True, **TINY)
    assert {p.name for p in tmp_path.iterdir()} <= {"thesis.tex", ".lock"}


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot write the run folder"):
        teach(PRESET, Reach, Random(), folder=tmp_path / "file" / "run", **TINY)


def test_two_writers_are_refused(tmp_path):
    class Twice(BaseCallback):
        def _on_training_start(self):
            with pytest.raises(RunFolderError, match="another process"):
                teach(PRESET, Reach, Random(), folder=tmp_path / "run", **TINY)

        def _on_step(self):
            return True

    teach(PRESET, Reach, Random(), folder=tmp_path / "run", callbacks=[Twice()], **TINY)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps must be an integer of at least 1, got 0"),
        ({"steps": 2.5}, "steps must be an integer"),
        ({"n_envs": 0}, "n_envs must be an integer of at least 1"),
        ({"seed": True}, "seed must be an integer of at least 0, got True"),
        ({"seed": -1}, "seed must be an integer of at least 0"),
        ({"evaluate_every": -5}, "evaluate_every must be an integer of at least 0, got -5"),
        ({"evaluate_every": 10.5}, "evaluate_every must be an integer of at least 0, got 10.5"),
        ({"evaluate_every": np.nan}, "evaluate_every must be an integer of at least 0, got nan"),
        ({"checkpoint_every": "x"}, "checkpoint_every must be an integer of at least 0, got 'x'"),
        ({"checkpoint_every": -1}, "checkpoint_every must be an integer of at least 0, got -1"),
        ({"threads": 0}, "threads must be an integer of at least 1, got 0"),
        ({"processes": "no"}, "processes must be True or False, got 'no'"),
        ({"callbacks": [print]}, "callbacks must be one of .* BaseCallback, .* function print"),
        ({"callbacks": None}, "callbacks must be one of .*; got None"),
        ({"options": [1]}, r"options must be a dictionary .*; got \[1\]"),
        ({"student": "pppo"}, "Did you mean 'ppo'"),
        ({"env": "stump-trax"}, "Did you mean 'stump-tracks'"),
        ({"student": int}, "a student is a Stable-Baselines3 class"),
        ({"teacher": Random}, "a teacher is an object such as ALPGMM"),
        ({"teacher": Undecorated()}, r"write @dataclass\(kw_only=True\) above its class"),
        ({"env": Reach()}, "its class or as a function that makes it.*: pass Reach, or"),
        ({"test_set": 3}, r"must be a TestSet, such as default_test_set\(env\).*; got 3"),
        ({"test_set": OTHER}, r"test_set must hold tasks of the environment, .*; got grid of 4 of"),
        ({"test_set": WIDER}, "test_set must hold tasks of the environment"),
        ({"options": {"learning_rat": 1}}, "learning_rat"),
        ({"student": "dqn"}, "DQN chooses among actions of the kind Discrete only, .*Box"),
        ({"student": SAC, "env": ReachDiscrete}, "SAC .* of the kind Box only, .*Discrete"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(tmp_path, wrong, message):
    arguments = {"student": PRESET, "env": Reach, "teacher": Random(), **TINY} | wrong
    with pytest.raises((ValueError, TypeError, KeyError), match=message):
        teach(**arguments, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_whole_numbers_may_be_numpys():
    numbers = {"seed": np.int64(3), "steps": np.int32(128), "n_envs": np.int64(2)}
    config = teach(PRESET, Reach, Random(), **TINY | numbers).config
    assert (config["seed"], config["steps"], config["n_envs"]) == (3, 128, 2)


def test_a_test_set_of_narrower_bounds_is_one_of_the_environment():
    narrow = TestSet.grid(TaskSpace(distance=(1, 2), friction=(0, 1)), 2)
    run = teach(PRESET, Reach, Random(), **TINY | {"steps": 1, "test_set": narrow})
    assert Run.load(run.folder).test_set.fingerprint == narrow.fingerprint


def test_one_callback_needs_no_list():
    outputs = Outputs()
    teach(PRESET, Reach, Random(), callbacks=outputs, **TINY | {"steps": 1})
    assert outputs.found


@pytest.mark.parametrize("ask", ["student", "summary", "teacher"])
def test_a_run_that_is_not_over_says_so_instead_of_naming_a_missing_file(tmp_path, ask):
    broken = partial(Broken, when=7)
    with pytest.raises(ValueError, match="reward is not finite"):
        teach(PRESET, broken, Random(), folder=tmp_path / "run", **TINY)
    run = Run.load(tmp_path / "run")
    with pytest.raises(FileNotFoundError, match=r"run is failed and has no .* yet: teachrl resume"):
        run.teacher() if ask == "teacher" else getattr(run, ask)


def test_a_recurrent_student_is_taught():
    contrib = pytest.importorskip("sb3_contrib")
    options = {"n_steps": 64, "batch_size": 64, "n_epochs": 1}
    with pytest.warns(UserWarning, match="recurrent states are not saved"):
        run = teach(contrib.RecurrentPPO, Reach, PLR(capacity=4), options=options, **TINY)
    assert run.status == "done"


def test_a_class_takes_its_preset_and_options_override():
    run = teach(
        PPO, Reach, Random(), options={"n_steps": 64, "batch_size": 64, "n_epochs": 1}, **TINY
    )
    options = run.config["student"]["options"]
    assert (options["n_steps"], options["gae_lambda"]) == (64, 0.95)
    assert run.config["student"]["normalize_observations"]


def test_sac_keeps_its_books():
    options = {"learning_starts": 100, "buffer_size": 1000, "batch_size": 32}
    run = teach(SAC, Reach, Random(), options=options, **(TINY | {"steps": 400}))
    summary = json.loads((run.folder / "summary.json").read_text())
    assert summary["train"] == 400
    assert summary["evaluation"] == run.evaluations.lengths.sum()
    assert summary["env_steps"] == summary["train"] + summary["evaluation"]
    assert summary["gradient_samples"] > 32 * 30


def test_torch_threads_are_given_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    teach(PRESET, Reach, Random(), **TINY)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
