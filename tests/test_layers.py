"""The architecture as tests: who imports whom, and which words the code uses."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Every line may import itself and the lines above it. A new module must be given its place here.
LINES = [
    {"compiling", "digests", "files", "pasts", "spaces", "seeding", "registry"},
    {"targets", "rollouts"},
    {"core"},
    {"checks", "episodes", "knowledge", "models", "progress", "scores", "snapshots", "subgoals"},
    {"teachers", "envs"},
    {"students"},
    {"evaluation", "monitoring", "runs"},
    {"challenges", "training"},
    {"campaigns"},
    {"results"},
    {"baselines", "reporting"},
    {"benchmarking"},
    {"teachrl", "cli", "__main__", "experiments", "notebooks"},
]
RANK = {unit: rank for rank, line in enumerate(LINES) for unit in line}

# Heavy or optional libraries, and the only units through which they come in.
DOORS = {
    "Box2D": {"envs", "snapshots"},
    "minigrid": {"snapshots", "subgoals"},
    "mujoco": {"snapshots"},
    "pygame": {"envs", "students"},
    "numba": {"compiling"},
    "sklearn": {"models", "progress", "teachers"},
    "ray": {"campaigns"},
    "sb3_contrib": {"students"},
    "sbx": {"students"},
    "stable_baselines3": {"models", "students", "evaluation", "monitoring", "runs", "training"},
    "torch": {"models", "students", "evaluation", "monitoring", "runs", "training"},
}

BANNED = re.compile(r"(?:^|_)(contexts?|levels?|goals?|env_params?|env_parameters?)(?:_|$)")
ALLOWED = {"goal_gan", "sparse_goal", "confidence_level"}  # names in the field, statistics' word


class Import(NamedTuple):
    """One import: the file and line that asks, and the module that is asked for."""

    file: Path
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} -> {self.module}"


def package_files() -> list[Path]:
    """Return the source files; ``envs/`` under its own name, not through the symlink."""
    return sorted([*(ROOT / "teachrl").rglob("*.py"), *(ROOT / "envs").rglob("*.py")])


def source_files() -> list[Path]:
    return [*package_files(), *sorted((ROOT / "experiments").rglob("*.py"))]


def module_name(file: Path) -> str:
    """Return the dotted name that ``file`` is imported under."""
    parts = list(file.relative_to(ROOT).with_suffix("").parts)
    if parts[0] == "envs":
        parts.insert(0, "teachrl")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def unit(module: str) -> str:
    """Return the place of a module in LINES: ``teachrl.teachers.random`` is in ``teachers``."""
    parts = module.split(".")
    return parts[1] if parts[0] == "teachrl" and len(parts) > 1 else parts[0]


@cache
def syntax(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def imports(file: Path) -> Iterator[Import]:
    """Yield every import of a file, in functions too, as strings too (``"teachrl.x:Name"``)."""
    package = module_name(file).split(".")
    if file.name != "__init__.py":
        package.pop()
    for node in ast.walk(syntax(file)):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(file, node.lineno, name.name)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for name in node.names:
                yield Import(file, node.lineno, resolve(module, name.name))
        elif isinstance(node, ast.Constant) and re.fullmatch(
            r"teachrl(\.\w+)+(:[\w.]+)?", str(node.value)
        ):
            yield Import(file, node.lineno, str(node.value).partition(":")[0])


def resolve(module: str, name: str) -> str:
    """Return ``module.name`` if that is a module of ours, else ``module``."""
    path = ROOT.joinpath(*module.split("."), name)
    is_ours = module.startswith("teachrl") and (path.is_dir() or path.with_suffix(".py").is_file())
    return f"{module}.{name}" if is_ours else module


def own_imports() -> list[Import]:
    return [i for f in source_files() for i in imports(f) if i.module.split(".")[0] == "teachrl"]


def test_every_module_has_its_place() -> None:
    units = {unit(module_name(file)) for file in source_files()}
    assert units <= RANK.keys(), f"give {sorted(units - RANK.keys())} a place in LINES"


@pytest.mark.parametrize("edge", own_imports(), ids=str)
def test_imports_point_one_way(edge: Import) -> None:
    importer, imported = unit(module_name(edge.file)), unit(edge.module)
    assert RANK[imported] <= RANK[importer], f"{importer} must not know {imported}"
    assert {importer, imported} != {"teachers", "envs"}, "teachers and environments never meet"


def test_no_two_parts_import_each_other() -> None:
    graph: dict[str, set[str]] = {}
    for edge in own_imports():
        importer, imported = unit(module_name(edge.file)), unit(edge.module)
        if importer != imported:
            graph.setdefault(importer, set()).add(imported)
    TopologicalSorter(graph).prepare()  # raises CycleError with the cycle


@pytest.mark.parametrize("library", DOORS)
def test_each_framework_has_its_doors(library: str) -> None:
    edges = [i for f in package_files() for i in imports(f) if i.module.split(".")[0] == library]
    strays = [str(e) for e in edges if unit(module_name(e.file)) not in DOORS[library]]
    assert not strays


def test_nothing_imports_the_folder_envs_by_its_own_name() -> None:
    files = [*source_files(), *(ROOT / "tests").rglob("*.py")]
    strays = [str(i) for f in files for i in imports(f) if i.module.split(".")[0] == "envs"]
    assert not strays, "import teachrl.envs: a second copy of every class would appear"


@pytest.mark.parametrize("module", ["teachrl", "teachrl.teachers", "teachrl.envs"])
def test_importing_is_light(module: str) -> None:
    heavy = {"torch", "sklearn", "Box2D", "stable_baselines3", "matplotlib", "pygame", "numba"}
    code = f"import sys, {module}; print(*sorted({heavy!r} & sys.modules.keys()))"
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    assert found.stdout.split() == []


@pytest.mark.parametrize("file", source_files(), ids=lambda f: str(f.relative_to(ROOT)))
def test_the_code_speaks_of_tasks(file: Path) -> None:
    found = {name for name in defined_names(syntax(file)) if is_banned(name)}
    assert not found, f"{sorted(found)}: one word per idea, and this one is 'task'"


def test_banned_words_are_recognised() -> None:
    banned = ["context", "new_levels", "sampleLevel", "GoalSpace", "env_params"]
    assert [is_banned(name) for name in banned] == [True] * 5
    assert not any(is_banned(name) for name in ["GoalGAN", "task", "leveled", "confidence_level"])


def is_banned(name: str) -> bool:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return snake not in ALLOWED and BANNED.search(snake) is not None


def defined_names(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a file itself gives: other libraries' words are theirs to choose."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Attribute(attr=name, ctx=ast.Store(), value=ast.Name(id="self")):
                yield name


@pytest.mark.parametrize(
    "file", [f for f in package_files() if f.name == "__init__.py"], ids=module_name
)
def test_no_public_name_is_also_a_module(file: Path) -> None:
    """Importing a module ``teachrl.benchmark`` would replace the function of that name."""
    public = {
        ast.literal_eval(element)
        for node in syntax(file).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        for element in getattr(node.value, "elts", [])
        if isinstance(element, ast.Constant)
    }
    modules = {path.stem for path in file.parent.iterdir() if path.suffix in ("", ".py")}
    assert not public & modules


@pytest.mark.parametrize("file", package_files(), ids=lambda f: str(f.relative_to(ROOT)))
def test_packages_do_not_print(file: Path) -> None:
    calls = [
        node.lineno
        for node in ast.walk(syntax(file))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    ]
    assert not calls, f"lines {calls}: return it, log it, or show it with rich in the command line"


def test_every_test_file_is_collected() -> None:
    """Pytest takes files of this name, and says nothing of others."""
    missed = [
        str(file.relative_to(ROOT))
        for file in (ROOT / "tests").rglob("*.py")
        if not file.name.startswith("test_")
        and any(name.startswith("test_") for name in defined_names(syntax(file)))
    ]
    assert not missed
