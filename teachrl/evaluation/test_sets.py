"""Fixed tasks to test a student on, as text files that prove they are unchanged."""

import csv
import hashlib
import io
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from teachrl.files import reading, write_atomically
from teachrl.seeding import draw_seed, stream
from teachrl.spaces import Floats, TaskSpace

_MARK = "# fingerprint: "
_LARGEST_GRID_DIMENSION = 2  # 100 tasks in three dimensions would be 4 per dimension


@dataclass(frozen=True, eq=False)
class TestSet:
    """Tasks to be played once each, every one with a seed of its own.

    As a CSV it is a first line with the fingerprint, a header and one row per task, with the
    shortest decimals that give the same float32 again.

    >>> tests = TestSet.grid(TaskSpace(height=(0, 3), gap=(0, 6)), points=3)
    >>> len(tests), tests.params[:2].tolist(), tests.fingerprint[:8]
    (9, [[0.0, 0.0], [0.0, 3.0]], 'daaba5e0')
    >>> tests.subset(4).params.tolist()
    [[0.0, 0.0], [0.0, 6.0], [3.0, 0.0], [3.0, 6.0]]
    """

    __test__ = False  # not a test case, whatever pytest makes of the name

    space: TaskSpace
    params: Floats  # (n, d), in the units of the space
    seeds: NDArray[np.int64]  # (n,)
    name: str = "test set"

    def __post_init__(self) -> None:
        params, seeds = np.array(self.params, np.float32, ndmin=2), np.array(self.seeds, np.int64)
        if not len(params) or seeds.shape != (len(params),):
            raise ValueError(
                f"{self.name} needs one seed per task and at least one task, got {len(params)} "
                f"tasks and seeds of shape {seeds.shape}"
            )
        if seeds.min() < 0:
            raise ValueError(f"{self.name}: seeds must be 0 or more, got {seeds.min()}")
        for i, task in enumerate(params):
            try:
                self.space.require(task)
            except ValueError as error:
                raise ValueError(f"{self.name}, task {i}: {error}") from None
        object.__setattr__(self, "params", _read_only(params + np.float32(0)))  # -0.0 becomes 0.0
        object.__setattr__(self, "seeds", _read_only(seeds))

    @classmethod
    def grid(cls, space: TaskSpace, points: int | tuple[int, ...], seed: int = 0) -> "TestSet":
        """Make a regular grid over the space, bounds included."""
        params = space.grid(points)
        return cls(space, params, _seeds(len(params), seed), f"grid of {len(params)}")

    @classmethod
    def uniform(cls, space: TaskSpace, n: int, seed: int = 0) -> "TestSet":
        """Draw ``n`` tasks uniformly."""
        params = space.uniform(stream(seed, "test tasks"), n)
        return cls(space, params, _seeds(n, seed), f"{n} uniform tasks")

    @classmethod
    def load(cls, path: Path | str, space: TaskSpace) -> "TestSet":
        """Read a file that :meth:`save` wrote, and make sure that it still says the same."""
        path = Path(path)
        with reading(path):
            fingerprint, header, params, seeds = _read(path)
        if header != _header(space):
            raise ValueError(
                f"{path} is not a test set of {space}: expected the columns "
                f"{','.join(_header(space))}; got {','.join(header)}"
            )
        with reading(path):
            tests = cls(space, params, seeds, path.stem)
        if tests.fingerprint != fingerprint:
            raise ValueError(
                f"{path} has changed since it was written: its content has the fingerprint "
                f"{tests.fingerprint}. Results on it would not compare; restore the file, or save "
                "the new tasks as a test set of their own"
            )
        return tests

    def save(self, path: Path | str) -> None:
        """Write the CSV; an interrupted write leaves no file, or the old one."""
        write_atomically(Path(path), f"{_MARK}{self.fingerprint}\n{self._body()}")

    @property
    def fingerprint(self) -> str:
        """SHA-256 of names, tasks and seeds; neither the bounds nor the name of the set count."""
        return hashlib.sha256(self._body().encode()).hexdigest()

    def subset(self, n: int) -> "TestSet":
        """Return ``n`` tasks that cover the whole range of this set, its extremes included.

        In one or two dimensions, a square number of tasks is a coarser grid where that is possible.
        """
        if not 1 <= n <= len(self):
            raise ValueError(f"a subset of {self.name} has 1 to {len(self)} tasks, got {n}")
        points = self.space.normalize(self.params)
        chosen = _coarser_grid(points, n) or _spread(points, n)
        return TestSet(self.space, self.params[chosen], self.seeds[chosen], f"{n} of {self.name}")

    def __len__(self) -> int:
        return len(self.params)

    def _body(self) -> str:
        lines = [_header(self.space)]
        lines += [[str(s), *map(str, t)] for s, t in zip(self.seeds, self.params, strict=True)]
        return "".join(f"{','.join(line)}\n" for line in lines)


def default_test_set(env: Any, n: int = 100) -> TestSet:
    """Return the test set that belongs to an environment.

    That is the file its attribute ``test_set`` names, where the file's tasks are of this task space
    and within its bounds. Else a grid with at most ``n`` tasks in one or two dimensions, and ``n``
    uniform tasks in more.

    Args:
        env: an environment, its class, a function that makes it, or a ``VecEnv`` of such; it
            declares ``task_space``.
        n: number of tasks, where there is no file.
    """
    space, path = _attribute(env, "task_space"), _attribute(env, "test_set")
    if space is None and callable(env):  # a partial, say, which can only make what declares it
        with closing(env()) as example:
            return default_test_set(example, n)
    if not isinstance(space, TaskSpace):
        raise TypeError(f"{env} declares no task_space to make test tasks from: got {space!r}")
    if path is not None and _fits(Path(path), space):
        return TestSet.load(path, space)
    if space.dimensions <= _LARGEST_GRID_DIMENSION:
        # The epsilon: 1000 ** (1 / 3) is 9.999…
        return TestSet.grid(space, int(n ** (1 / space.dimensions) + 1e-9))
    return TestSet.uniform(space, n)


def chosen_test_set(test_set: Any, env: Any) -> TestSet:
    """Return ``test_set``, or the one that belongs to ``env`` if there is none."""
    if test_set is None:
        return default_test_set(env)
    if not isinstance(test_set, TestSet):
        raise TypeError(
            "test_set must be a TestSet, such as default_test_set(env).subset(n) for n tasks of "
            f"the environment's own, or None for all of these; got {test_set!r}"
        )
    space = _attribute(env, "task_space")
    if test_set.space.names != space.names or not all(map(space.contains, test_set.params)):
        raise ValueError(
            f"test_set must hold tasks of the environment, which are of {space}; got "
            f"{test_set.name} of {test_set.space}"
        )
    return test_set


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array


def _seeds(n: int, seed: int) -> NDArray[np.int64]:
    rng = stream(seed, "test seeds")
    return np.array([draw_seed(rng) for _ in range(n)], dtype=np.int64)


def _read(path: Path) -> tuple[str, list[str], Floats, NDArray[np.int64]]:
    """Return the fingerprint a file claims, its header, its tasks and their seeds."""
    first, _, body = path.read_bytes().decode().partition("\n")
    header, *rows = csv.reader(io.StringIO(body or "\n"))
    if not first.startswith(_MARK):
        raise ValueError(f"{path} is not a test set: line 1 must be {_MARK}<sha256>, got {first!r}")
    params, seeds = [], []
    for number, row in enumerate(rows, start=3):  # after the fingerprint and the header
        try:
            if len(row) != len(header):
                raise ValueError(f"expected {len(header)} cells, got {len(row)}")
            seeds.append(int(row[0]))
            params.append([float(cell) for cell in row[1:]])
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
    shape = (len(rows), max(len(header) - 1, 0))
    fingerprint = first.removeprefix(_MARK).strip()
    return fingerprint, header, np.array(params, np.float32).reshape(shape), np.array(seeds)


def _header(space: TaskSpace) -> list[str]:
    return ["seed", *space.columns(beside={"seed"})]


def _coarser_grid(points: NDArray[np.float64], n: int) -> list[int]:
    """Choose the points nearest to a regular grid of ``n``; none, if it has no such points."""
    d = points.shape[1]
    side = round(n ** (1 / d))
    if d > _LARGEST_GRID_DIMENSION or side**d != n or side < 2:
        return []
    axes = [
        np.linspace(low, high, side) for low, high in zip(points.min(0), points.max(0), strict=True)
    ]
    targets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, d)
    distances = np.linalg.norm(targets[:, None] - points[None], axis=-1)
    # Rounded, so that of equally near points the first is taken, in every row and column.
    chosen = np.unique(distances.round(6).argmin(axis=1))
    return chosen.tolist() if len(chosen) == n else []


def _spread(points: NDArray[np.float64], n: int) -> list[int]:
    """Choose ``n`` points, each as far as possible from those before it (Gonzalez, 1985)."""
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    chosen = [int(distances.mean(axis=1).argmax())]
    while len(chosen) < n:
        nearest = distances[:, chosen].min(axis=1)
        nearest[chosen] = -1.0  # equal points are at distance 0 too, and may still be chosen
        chosen.append(int(nearest.argmax()))
    return sorted(chosen)


def _attribute(env: Any, name: str) -> Any:
    """Return what an environment, its class or a VecEnv of it declares, or None."""
    if isinstance(env, gym.Env):
        return env.get_wrapper_attr(name) if env.has_wrapper_attr(name) else None
    if hasattr(env, "has_attr"):
        return env.get_attr(name)[0] if env.has_attr(name) else None
    return getattr(env, name, None)


def _fits(path: Path, space: TaskSpace) -> bool:
    _, header, params, _ = _read(path)
    return header == _header(space) and all(space.contains(task) for task in params)
