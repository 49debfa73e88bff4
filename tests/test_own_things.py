"""What somebody wrote is taught from the command line like what is registered."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from teachrl.cli import main
from teachrl.cli.flags import read
from teachrl.cli.options import options_of
from teachrl.cli.teach import Teach
from teachrl.envs import ENVS
from teachrl.runs import Run
from teachrl.teachers import TEACHERS

ROOT = Path(__file__).parents[1]
MINE = '''
from dataclasses import dataclass, field

import gymnasium as gym
from stable_baselines3 import A2C

from teachrl import Task, Teacher, TaskSpace
from teachrl.envs import ToyEnv
from teachrl.students.presets import PPOPreset


@dataclass(kw_only=True)
class NearTheOrigin(Teacher):
    """Samples near the origin."""

    width: float = 0.5  # of the square that is sampled
    tries: int = 3

    def sample(self):
        return Task(self.space.low + self.width * self.rng.random(self.space.shape, "float32"))


class Undecorated(Teacher):
    def sample(self):
        return Task(self.space.low)


class Pole(gym.Wrapper):
    task_space = TaskSpace(length=(0.2, 2))
    reward_range, mastery_threshold = (0.0, 60.0), 50.0

    def __init__(self, limit: int = 60, gravity=9.8, log=None, sizes: tuple[int, ...] = (1, 2)):
        super().__init__(gym.make("CartPole-v1", max_episode_steps=limit))
        self.unwrapped.gravity = gravity

    def reset(self, *, seed=None, options=None):
        self.unwrapped.length = float((options or {}).get("task", [0.5])[0])
        return self.env.reset(seed=seed)


@dataclass(eq=False)
class Declared(ToyEnv):
    dimensions: int = 2
    names: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__init__(self.dimensions)


class Needy(ToyEnv):
    def __init__(self, world: gym.Env):
        super().__init__()


class Spaceless(gym.Wrapper):
    def __init__(self):
        super().__init__(gym.make("CartPole-v1"))


class Handing(ToyEnv):
    def __init__(self, *, extra: int = 1, **others):
        super().__init__(**others)


def make_toy(irrelevant: int = 0):
    return ToyEnv(irrelevant=irrelevant)


class Mine(A2C):
    pass


number = 7
'''
STUDENT = "--student.rollout 32 --student.batch-size 16 --student.n-epochs 1 --n-envs 1"


@pytest.fixture(autouse=True)
def mine(tmp_path, monkeypatch):
    """Work in a folder that holds ``mine.py``, as somebody would."""
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "lacking.py").write_text("import no_such_library")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", str(tmp_path))])
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    yield
    sys.modules.pop("mine", None)


def things(line):
    return read(Teach, line.split(), "teachrl teach").things


def teachrl(line):
    main(line.split())


def said(line, capsys):
    with pytest.raises(SystemExit) as stopped:
        teachrl(line)
    assert stopped.value.code == 2
    return " ".join(capsys.readouterr().err.replace("│", "").split())


def test_a_teacher_by_its_path_has_its_fields_as_flags():
    assert "mine" not in sys.modules
    found = things("--teacher mine:NearTheOrigin --teacher.width 0.25 --env toy-student")
    teacher = found["teacher"]
    assert type(teacher).__name__ == "NearTheOrigin"
    assert (teacher.width, teacher.tries) == (0.25, 3)


def test_only_what_is_named_is_imported():
    things("--teacher random --env toy-student")
    assert "mine" not in sys.modules
    assert str(Path.cwd()) not in sys.path


def test_an_environment_by_its_path_has_its_arguments_as_flags(capsys):
    env = things("--env mine:Pole --env.limit 30 --env.gravity 1.5")["env"]
    assert env.keywords == {"limit": 30, "gravity": 1.5}
    assert things("--env mine:Pole")["env"].__name__ == "Pole"
    with pytest.raises(SystemExit):
        teachrl("teach --env mine:Pole --help")
    shown = capsys.readouterr().out
    assert "--env.sizes" in shown
    assert "--env.log" not in shown  # None may become anything


def test_a_function_and_a_dataclass_make_environments_too():
    assert things("--env mine:make_toy --env.irrelevant 3")["env"]().student.irrelevant == 3
    assert things("--env mine:Declared")["env"]().student.dimensions == 2
    assert things("--env mine:Declared --env.dimensions 3")["env"]().student.dimensions == 3
    handing = things("--env mine:Handing --env.dimensions 3 --env.extra 2")["env"]
    assert handing.keywords == {"dimensions": 3, "extra": 2}


def test_a_student_by_its_path():
    preset = things("--student stable_baselines3:PPO --student.rollout 64")["student"]
    assert (type(preset).__name__, preset.rollout) == ("PPOPreset", 64)
    own = things("--student mine:Mine --student.no-normalize-observations")["student"]
    assert (own.algorithm, own.normalize_observations) == ("mine:Mine", False)


@pytest.mark.parametrize("name", ENVS)
def test_no_option_of_ours_is_left_out(name):
    options = options_of(ENVS[name])()
    ENVS[name](**vars(options)).close()
    signature = ENVS[name].__init__.__annotations__.keys() - {"return", "options"}
    assert signature <= vars(options).keys()


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("--teacher mien:NearTheOrigin", "mien:NearTheOrigin: there is no module mien, neither in"),
        ("--teacher mine.sub:X", "mine.sub:X: there is no module mine.sub"),
        ("--teacher mine:NearOrigin", "mine has no 'NearOrigin'. Did you mean 'NearTheOrigin'?"),
        ("--teacher mine:Pole", "mine:Pole is no teacher: expected a @dataclass(kw_only=True)"),
        ("--teacher mine:Undecorated", "mine:Undecorated is no teacher: expected a @dataclass"),
        ("--teacher ./mine.py:NearTheOrigin", "expected MODULE:NAME, such as mine:MyTeacher"),
        ("--teacher mine:", "expected MODULE:NAME"),
        ("--env mine:number", "mine:number is no environment: expected a class or function"),
        ("--env mine:NearTheOrigin", "mine:NearTheOrigin is no environment: expected a class"),
        ("--env mine:Needy", "Needy needs world, which no flag can give"),
        ("--student mine:Pole", "mine:Pole is no student: expected a Stable-Baselines3 class"),
        ("--teacher lacking:X", "No module named 'no_such_library'"),
        ("--teacher mine:NearTheOrigin --teacher.widht 1", "--teacher.width"),
        ("--teacher alpgmm", "unknown teacher 'alpgmm'. Did you mean 'alp-gmm'?"),
    ],
)
def test_a_wrong_path_is_explained(line, hint, capsys):
    message = said(f"teach {line}", capsys)
    assert hint in message
    assert "Traceback" not in message


def test_an_environment_without_a_task_space_is_explained(capsys):
    message = said("teach --env mine:Spaceless --teacher random --folder run", capsys)
    assert "declares no task_space: give its class" in message
    assert "TEACHRL_TRACEBACK=1 shows where" in message


def test_two_of_the_same_name_are_refused(capsys):
    (Path.cwd() / "other.py").write_text(MINE)
    line = "benchmark --teachers mine:NearTheOrigin other:NearTheOrigin"
    assert "--near-the-origin" in said(line, capsys)


def test_a_run_of_ones_own_is_recorded_and_can_be_opened(tmp_path):
    own = "--env mine:make_toy --teacher mine:NearTheOrigin --teacher.width 0.5"
    teachrl(f"teach {own} {STUDENT} --steps 32 --evaluate-every 0")
    run = Run.load(tmp_path / "runs" / "make-toy" / "near-the-origin-ppo-0")
    assert run.status == "done"
    assert run.episodes.params.max() <= 0.5
    config = json.loads((run.folder / "config.json").read_text())
    assert config["teacher"]["make"] == "mine:NearTheOrigin"
    assert config["teacher"]["importable"]


@pytest.mark.slow
def test_processes_and_another_python_find_it_too(tmp_path):
    """The installed command does not look into the working directory by itself."""
    code = "import sys; sys.path = [p for p in sys.path if p]; from teachrl.cli import main; main()"
    command = [sys.executable, "-P", "-c", f"import sys; sys.path.append({str(ROOT)!r}); {code}"]

    def run(line, **environment):
        return subprocess.run(
            [*command, *line.split()],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | environment,
        )

    line = f"teach --env mine:Pole --teacher random {STUDENT} --steps 32 --processes --folder run"
    assert run(f"{line} --test-tasks 2").returncode == 0
    refused = run("evaluate run")
    assert refused.returncode == 2
    assert (
        "No module named 'mine'. If it lies in the working directory, PYTHONPATH=."
        in refused.stderr
    )
    assert "% mastered" in run("evaluate run", PYTHONPATH=".").stdout


def test_a_benchmark_takes_several(tmp_path):
    own = "--teachers random mine:NearTheOrigin --near-the-origin.width 0.25"
    rest = "--seeds 1 --steps 32 --test-tasks 2 --workers 1 --folder out"
    teachrl(f"benchmark --env toy-student {STUDENT} {own} {rest}")
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if (p / "seed_0").exists()) == [
        "NearTheOrigin,width-0.25",
        "random",
    ]


def test_a_registered_name_is_not_looked_for_elsewhere(tmp_path):
    (tmp_path / "random.py").write_text("raise RuntimeError")
    assert type(things("--teacher random")["teacher"]) is TEACHERS["random"]
