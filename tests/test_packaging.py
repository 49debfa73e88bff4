"""What a user installs is what is in the tree, and it works far from it."""

import configparser
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.test_layers import imports, source_files

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("teachrl", "envs")  # envs/ installs as teachrl.envs


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def installed_path(path: Path) -> Path:
    """Return where a file of the tree lies once it is installed."""
    relative = path.relative_to(ROOT)
    return relative if relative.parts[0] == "teachrl" else Path("teachrl", relative)


def files_on_disk() -> set[Path]:
    found = (path for source in SOURCES for path in (ROOT / source).rglob("*") if path.is_file())
    return {installed_path(path) for path in found if "__pycache__" not in path.parts}


def requirements(setup: configparser.ConfigParser) -> set[str]:
    """Return the names of all libraries that setup.cfg asks for, those of extras too."""
    lists = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    lines = [line for text in lists for line in text.splitlines() if line]
    return {re.split(r"[\[ <>=]", line)[0].lower() for line in lines}


def test_setup_cfg_lists_every_package(setup: configparser.ConfigParser) -> None:
    with_code = {path.parent for path in files_on_disk() if path.suffix == ".py"}
    listed = setup["options"]["packages"].split()
    assert sorted(listed) == sorted(".".join(folder.parts) for folder in with_code)


def test_every_package_has_an_init() -> None:
    with_code = {path.parent for path in files_on_disk() if path.suffix == ".py"}
    assert {folder / "__init__.py" for folder in with_code} <= files_on_disk()


def test_setup_cfg_lists_every_data_file(setup: configparser.ConfigParser) -> None:
    data = {path for path in files_on_disk() if path.suffix != ".py"}
    listed = {
        path
        for package, patterns in setup["options.package_data"].items()
        for pattern in patterns.split()
        for path in data
        if path.match("/".join([*package.split("."), pattern]))
    }
    assert listed == data


def test_every_dependency_has_a_tested_version(setup: configparser.ConfigParser) -> None:
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert requirements(setup) <= {pin.partition("==")[0] for pin in pins if "==" in pin}


def test_what_is_imported_is_required(setup: configparser.ConfigParser) -> None:
    """A library that only comes along with another one may be gone after its next release."""
    required = requirements(setup) | {"box2d", "pygame-ce"}  # gymnasium[box2d] is these two
    sources = packages_distributions()  # of the libraries installed here, by module
    files = [*source_files(), *(ROOT / "tests").rglob("*.py")]
    for asked in (asked for file in files for asked in imports(file)):
        library = asked.module.split(".")[0]
        if library not in {"teachrl", "tests", "experiments", *sys.stdlib_module_names}:
            names = {name.lower().replace("_", "-") for name in sources.get(library, [library])}
            assert names & required, asked


def test_importing_without_installing_finds_the_same_environments() -> None:
    assert (ROOT / "teachrl" / "envs").resolve() == ROOT / "envs"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, so that no old build folder can slip into it."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    no_caches = shutil.ignore_patterns("__pycache__")
    for name in SOURCES:
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=no_caches)
    for name in ("setup.cfg", "pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, source)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out), str(source))
    [path] = out.glob("teachrl-*.whl")
    return path


@pytest.fixture(scope="module")
def venv(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a fresh environment that borrows all other libraries from ours."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    python = str(folder / "bin" / "python")
    pip("--python", python, "install", "--no-deps", "--no-index", str(wheel))
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    # Read after the environment's own packages; and since no .pth in it is obeyed, an editable
    # teachrl there stays invisible.
    Path(site, "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


@pytest.mark.slow
def test_the_wheel_holds_the_tree(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {Path(name) for name in archive.namelist() if ".dist-info/" not in name}
    assert held == files_on_disk()


@pytest.mark.slow
def test_the_installed_wheel_teaches(venv: Path, tmp_path: Path) -> None:
    """Two hundred steps, from a folder that has nothing to do with the tree."""
    where = "import teachrl, teachrl.envs as e; print(teachrl.__file__, e.__file__, sep='\\n')"
    for file in run(str(venv / "bin" / "python"), "-c", where, cwd=tmp_path).splitlines():
        assert Path(file).is_relative_to(venv)
    flags = "--env toy-student --teacher random --student ppo --steps 200 --folder taught"
    run(str(venv / "bin" / "teachrl"), "teach", *flags.split(), cwd=tmp_path)
    assert (tmp_path / "taught" / "monitor.csv").read_text().count("\n") > 2


def pip(*arguments: str) -> None:
    run(sys.executable, "-m", "pip", "--quiet", *arguments)


def run(*command: str, cwd: Path | None = None) -> str:
    """Return what a command prints; one that fails shows its errors in the test's report."""
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout
