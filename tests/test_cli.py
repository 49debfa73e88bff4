"""The command line says what there is, does it, and explains what it refuses."""

import json
import subprocess
import sys
import warnings
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from teachrl import Episode, Task
from teachrl.cli import COMMANDS, main
from teachrl.cli.flags import read
from teachrl.cli.teach import Teach
from teachrl.envs import ENVS
from teachrl.registry import to_config
from teachrl.students import NonFiniteError
from teachrl.students.presets import STUDENTS
from teachrl.teachers import TEACHERS

STUDENT = "--student.rollout 64 --student.batch-size 32 --student.n-epochs 1 --n-envs 1"
TOY = f"--env toy-student {STUDENT}"


def teachrl(line: str) -> None:
    main(line.split())


def fails(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must fail with the status of a user's mistake; return what it said."""
    with pytest.raises(SystemExit) as stopped:
        teachrl(line)
    said = " ".join(capsys.readouterr().err.replace("│", "").split())
    assert stopped.value.code == 2
    assert "Traceback" not in said
    return said


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "run"
    track = "--env stump-tracks --env.max-episode-steps 40"
    teachrl(f"teach {track} {STUDENT} --steps 64 --test-tasks 3 --folder {folder}")
    return folder


@pytest.mark.parametrize("args", ["", "--help", "-h"])
def test_help_lists_every_command(args: str, capsys: pytest.CaptureFixture[str]) -> None:
    teachrl(args)
    lines = capsys.readouterr().out.splitlines()
    assert all(any(line.startswith(name) for line in lines) for name in COMMANDS)


def test_help_imports_nothing_slow() -> None:
    code = "import sys; from teachrl.cli import main; main(['-h']); print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.endswith("False\n")


def test_it_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "teachrl", "--version"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("teachrl ")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("tech", "unknown command 'tech'. Did you mean 'teach'?"),
        (
            "teach --env stump-track",
            "unknown environment 'stump-track'. Did you mean 'stump-tracks'?",
        ),
        ("teach --teacher alpgmm", "unknown teacher 'alpgmm'. Did you mean 'alp-gmm'?"),
        ("teach --student=poo", "unknown student 'poo'. Did you mean 'ppo'?"),
        ("benchmark --teachers random alp-gm", "Did you mean 'alp-gmm'?"),
        ("teach --teacher.fit-evry 3", "--teacher.fit-every"),
        ("teach --teacher", "--teacher: expected one argument"),
        ("evaluate nowhere", "nowhere is not a run folder"),
        ("teach --env point-mass --student dqn", "DQN chooses among actions of the kind Discrete"),
        ("benchmark --teachers random random", "leave one of them out"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(
    line: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hint in fails(line, capsys)


@pytest.mark.parametrize("command", ["report", "plot"])
def test_a_command_for_folders_needs_one(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected at least one folder, got none" in fails(command, capsys)


@pytest.mark.parametrize("text", ["2e3", "2_000", "2000", "2.0e3"])
def test_step_counts_read_like_numbers(text: str) -> None:
    assert read(Teach, ["--steps", text], "teachrl teach").steps == 2000


@pytest.mark.parametrize("text", ["2.5", "0", "-1", "nan", "inf", "1e999", "many", "3k"])
def test_step_counts_that_are_none_are_refused(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = fails(f"teach --steps {text}", capsys)
    assert f"expected a whole number of at least 1 (2e6, 2_000_000 are fine); got '{text}'" in said


@pytest.mark.parametrize(
    "line", ["teach --test-tasks 0", "manifold --latents 0", "teach --evaluate-every=-1"]
)
def test_optional_counts_that_are_none_are_refused_in_the_same_words(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = fails(line, capsys)
    assert "expected a whole number of at least" in said
    assert "lambda" not in said


def test_optional_counts_may_be_none_or_read_like_numbers() -> None:
    line = "--test-tasks None --evaluate-every 2e3"
    command = read(Teach, line.split(), "teachrl teach")
    assert (command.test_tasks, command.evaluate_every) == (None, 2000)


@pytest.mark.parametrize(
    ("flag", "name"), [*(("teacher", n) for n in TEACHERS), *(("student", n) for n in STUDENTS)]
)
def test_every_field_is_a_flag(flag: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    thing = (TEACHERS if flag == "teacher" else STUDENTS)[name]
    assert read(Teach, [f"--{flag}", name], "teachrl teach").things[flag] == thing()
    with pytest.raises(SystemExit):
        teachrl(f"teach --{flag} {name} --help")
    shown = capsys.readouterr().out
    for field in fields(thing):
        assert f"--{flag}.{field.name.replace('_', '-')}" in shown.replace(".no-", ".")


@pytest.mark.parametrize("name", ENVS)
def test_an_environment_without_options_is_its_class(name: str) -> None:
    assert read(Teach, ["--env", name], "teachrl teach").things["env"] is ENVS[name]


def test_flags_reach_what_they_are_about() -> None:
    line = (
        "--env stump-tracks --env.body small_bipedal --teacher alp-gmm --teacher.fit-every 150 "
        "--student ppo --student.learning-rate 1e-3"
    )
    things = read(Teach, line.split(), "teachrl teach").things
    assert (things["env"].func, things["env"].keywords) == (
        ENVS["stump-tracks"],
        {"body": "small_bipedal"},
    )
    assert things["teacher"] == TEACHERS["alp-gmm"](fit_every=150)
    assert things["student"] == STUDENTS["ppo"](learning_rate=1e-3)


def test_teach_records_a_run_and_says_what_came_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    teachrl(f"teach {TOY} --steps 64 --folder {tmp_path / 'run'}")
    said = capsys.readouterr().out
    assert "torch threads: 1" in caplog.text
    assert (tmp_path / "run" / "status").read_text() == "done\n"
    for part in ("steps per second", "episodes", "test tasks mastered", "teacher's share of time"):
        assert part in said
    for picture in ("curriculum.png", "learning_curve.png"):
        [path] = [line for line in said.splitlines() if line.endswith(picture)]
        assert Path(path).is_file()


def test_teach_refuses_another_configuration_and_restarts_on_demand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = f"teach {TOY} --steps 64 --evaluate-every 0 --folder {tmp_path / 'run'}"
    teachrl(f"{line} --seed 0")
    assert "seed: 0 there, 1 now" in fails(f"{line} --seed 1", capsys)
    teachrl(f"{line} --seed 1 --restart")
    assert json.loads((tmp_path / "run" / "config.json").read_text())["seed"] == 1


@pytest.mark.slow
def test_benchmark_compares_and_completes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    line = f"benchmark {TOY} --seeds 1 --steps 64 --test-tasks 2 --workers 1 --folder {tmp_path}"
    teachrl(f"{line} --teachers random")
    [first] = tmp_path.glob("random/seed_0/monitor.csv")
    written = first.stat().st_mtime_ns
    teachrl(f"{line} --teachers random alp-gmm --alp-gmm.fit-every 20")
    assert first.stat().st_mtime_ns == written
    assert (tmp_path / "alp-gmm,fit_every-20" / "seed_0" / "summary.json").is_file()
    said = capsys.readouterr().out
    assert "P(better than random)" in " ".join(said.split())
    assert str(tmp_path / "mastered.png") in said


def test_evaluate_shows_every_test_task(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    teachrl(f"evaluate {run} --best")
    said = capsys.readouterr().out
    assert "stump_height" in said
    assert "0% mastered" in said
    assert sum("no" in line for line in said.splitlines()) == 3


def test_plot_draws_into_the_run_or_elsewhere(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teachrl(f"plot {run}")
    teachrl(f"plot {run} --out {tmp_path}")
    assert (tmp_path / run.name / "curriculum.png").is_file()
    assert str(run / "pictures" / "curriculum.png") in capsys.readouterr().out


def test_video_films_the_student(run: Path, tmp_path: Path) -> None:
    teachrl(f"video {run} --out {tmp_path / 'film.gif'} --every 20 --width 60")
    assert (tmp_path / "film.gif").read_bytes().startswith(b"GIF")


def test_replay_says_where_an_episode_goes_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = ENVS["stump-tracks"]
    error = NonFiniteError(
        "action",
        np.nan,
        episode=Episode(Task(np.zeros(2, np.float32)), seed=7, reward=0.0, length=0),
        actions=[np.zeros(4), np.full(4, np.nan)],
        space=world.task_space,
        source=to_config(world),
    )
    teachrl(str(error).partition("teachrl ")[2])
    assert "action 2 of the student is not finite" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("", "the same command goes on from the last checkpoint, if there is one"),
        ("stopped as asked; the same command begins again", "the same command begins again"),
    ],
)
def test_an_interrupted_command_says_how_to_go_on(
    told: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: Teach) -> None:
        raise KeyboardInterrupt(*filter(None, [told]))

    monkeypatch.setattr(Teach, "run", interrupted)
    with pytest.raises(SystemExit) as stopped:
        teachrl("teach")
    assert stopped.value.code == 130
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_warning_is_one_plain_line(
    run: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def warn(*_: object) -> list[Path]:
        warnings.warn("two lines\n    of text", stacklevel=1)
        return []

    monkeypatch.setattr("teachrl.monitoring.save_pictures", warn)
    teachrl(f"plot {run}")
    assert [record.getMessage() for record in caplog.records] == ["two lines of text"]


def test_resume_of_a_finished_run_shows_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teachrl(f"resume {run}")
    assert "steps per second" in capsys.readouterr().out


def test_a_bug_keeps_its_traceback_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fails("evaluate nowhere", capsys)
    monkeypatch.setenv("TEACHRL_TRACEBACK", "1")
    with pytest.raises(FileNotFoundError):
        teachrl("evaluate nowhere")


def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "sb3_contrib", None)
    said = fails(
        f"teach --env toy-student --student tqc --teacher random --folder {tmp_path / 'x'}", capsys
    )
    assert "pip install 'teachrl[contrib]'" in said
