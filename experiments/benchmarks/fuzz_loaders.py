"""What do damaged and foreign files do to whoever reads a run folder?

Every file of a run that this package wrote is mutated at random: bits flipped, cut, spliced,
numbers replaced by absurd ones, or the whole exchanged for another file. Reading it must succeed,
or raise an error of our own that names the file. Nothing may hang, ask for much memory, or change
the file. Digests are removed first wherever they would only find the damage before the parser does.

Run: python -m experiments.benchmarks.fuzz_loaders
"""

import contextlib
import csv
import io
import re
import resource
import shutil
import signal
import tempfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecMonitor

from teachrl import teach
from teachrl.digests import UntrustedFileError
from teachrl.envs import ToyEnv
from teachrl.evaluation import TestSet
from teachrl.files import DamagedFileError
from teachrl.runs import Run
from teachrl.runs.checkpoints import load_checkpoint
from teachrl.runs.folder import RunFolder
from teachrl.runs.logs import drop_events
from teachrl.runs.trees import load_tree
from teachrl.seeding import stream
from teachrl.students.making import make_task_vec_env
from teachrl.students.presets import PPOPreset, StudentSpec
from teachrl.students.vec_env import TaughtVecEnv
from teachrl.teachers import ALPGMM

RESULTS = Path(__file__).parent / "results" / "fuzz_loaders.csv"
STUDENT = PPOPreset(rollout=64, batch_size=32, n_epochs=1, net_arch=(8,), normalize_rewards=True)
EXTRA_MEMORY = 1 << 30  # bytes that a file of some kilobytes may at most make a reader ask for
SECONDS = 20  # before reading counts as hanging


@dataclass
class Settings:
    """How much to try."""

    inputs: int = 12_000
    seed: int = 0


class HangError(BaseException):
    """Reading took too long; no parser may swallow it."""


def main(settings: Settings) -> None:
    """Fuzz, print and write down the outcomes by file and mutation."""
    with tempfile.TemporaryDirectory() as name:
        counts = fuzz(Path(name), settings.inputs, settings.seed)
    with RESULTS.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "mutation", "outcome", "inputs"))
        writer.writerows((*key, n) for key, n in sorted(counts.items()))
    for outcome, n in sorted(outcomes(counts).items()):
        print(f"{outcome}: {n}")


def outcomes(counts: Counter[tuple[str, str, str]]) -> Counter[str]:
    """Sum over files and mutations."""
    total: Counter[str] = Counter()
    for (_, _, outcome), n in counts.items():
        total[outcome] += n
    return total


def fuzz(root: Path, inputs: int, seed: int) -> Counter[tuple[str, str, str]]:
    """Return how often each (file, mutation, outcome) came out."""
    run = make_run(root)
    rng, counts = stream(seed, "fuzz"), Counter[tuple[str, str, str]]()
    files = [path for path in sorted(run.rglob("*")) if path.is_file()]
    foreign = [path.read_bytes() for path in files] + [*hostile(rng)]
    names = list(READERS)
    shares = np.array([0.1 if name.startswith("checkpoint/") else 1.0 for name in names])
    with limits():
        for i in rng.choice(len(names), size=inputs, p=shares / shares.sum()).tolist():
            name, (pattern, sealed, read) = names[i], READERS[names[i]]
            path = sorted(run.glob(pattern))[0]
            mutation, content = mutate(path.read_bytes(), foreign, rng)
            outcome = attempt(run, path, content, sealed, read)
            counts[name, mutation, outcome] += 1
    return counts


def attempt(
    run: Path, path: Path, content: bytes, sealed: bool, read: Callable[[Path, Path], Any]
) -> str:
    """Put ``content`` in the place of a file, read it, put everything back, and say what came."""
    before, digests = path.read_bytes(), run / "digests.json"
    known = digests.read_bytes()
    monitor = (run / "monitor.csv").read_bytes()
    path.write_bytes(content)
    if not sealed:
        digests.unlink()
    try:
        outcome = judge(path, lambda: read(run, path))
        repaired = path.name.startswith("events.")  # its own purpose
        if not repaired and (not path.exists() or path.read_bytes() != content):
            outcome = "BAD: the file was changed"
        if path.name != "monitor.csv" and (run / "monitor.csv").read_bytes() != monitor:
            outcome = "BAD: good data was changed"
    finally:
        path.write_bytes(before)
        digests.write_bytes(known)
    return outcome


def judge(path: Path, read: Callable[[], Any]) -> str:
    """Read, and name the outcome."""
    signal.alarm(SECONDS)
    try:
        read()
    except (ValueError, OSError, ModuleNotFoundError) as error:
        if isinstance(error.__cause__, MemoryError):
            return "BAD: asked for much memory"
        if path.name not in str(error):
            return f"BAD: {type(error).__name__} does not name the file"
        own = isinstance(error, DamagedFileError | UntrustedFileError)
        return type(error).__name__ if own else "another error for users, with the path"
    except HangError:
        return "BAD: hung"
    except Exception as error:  # noqa: BLE001 - that is the question
        return f"BAD: {type(error).__name__}"
    finally:
        signal.alarm(0)
    return "read"


def mutate(content: bytes, foreign: list[bytes], rng: np.random.Generator) -> tuple[str, bytes]:
    """Return the name of a mutation, and a mutated content."""
    kind, data = int(rng.integers(5)), bytearray(content)
    if kind == 0 and data:
        for place in rng.integers(len(data), size=int(rng.integers(1, 9))):
            data[place] ^= 1 << int(rng.integers(8))
        return "bits flipped", bytes(data)
    if kind == 1:
        return "cut", content[: int(rng.integers(len(content) + 1))]
    if kind == 2:
        other = foreign[int(rng.integers(len(foreign)))]
        start, end = sorted(rng.integers(len(other) + 1, size=2).tolist())
        place, until = sorted(rng.integers(len(content) + 1, size=2).tolist())
        return "spliced", content[:place] + other[start:end] + content[until:]
    if kind == 3:
        absurd = [b"9" * 30, b"-1", b"nan", b"inf", b"1e999", b"", b"null", b"[" * 5000, b"\x00"]
        numbers = list(re.finditer(rb"\d+", content)) or list(re.finditer(rb"^", content))
        number = numbers[int(rng.integers(len(numbers)))]
        value = absurd[int(rng.integers(len(absurd)))]
        return "absurd number", content[: number.start()] + value + content[number.end() :]
    return "foreign", foreign[int(rng.integers(len(foreign)))]


def hostile(rng: np.random.Generator) -> Iterator[bytes]:
    """Yield what an attacker might put there: bombs, lies about sizes, pickles, nothing."""
    yield b""
    yield rng.bytes(4096)
    yield b"\xff\xfe" * 100
    yield b"[" * 100_000
    for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        memory = io.BytesIO()
        with zipfile.ZipFile(memory, "w", compression) as archive:
            zeros = np.zeros(1 << (26 if compression == zipfile.ZIP_DEFLATED else 10), np.uint8)
            archive.writestr("skeleton.npy", npy(zeros))
        yield memory.getvalue()
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        lie = npy(np.zeros(8)).replace(b"(8,)", b"(9999999999999,)")
        archive.writestr("clip.npy", lie)
    yield memory.getvalue()
    memory = io.BytesIO()
    np.savez(memory, skeleton=np.array([{"a": 1}], object))
    yield memory.getvalue()
    yield npy(np.zeros(3))


def npy(array: np.ndarray[Any, Any]) -> bytes:
    """Return an array as ``np.save`` writes it."""
    memory = io.BytesIO()
    np.save(memory, array)
    return memory.getvalue()


def read_config(run: Path, _: Path) -> None:
    """Use all that the configuration says."""
    opened = Run.load(run)
    opened.space, opened.reward_range, opened.env  # noqa: B018 - read when asked for
    opened.teacher()


def enter(run: Path, _: Path) -> None:
    """Open the folder as its writer does."""
    config = Run.load(run).config
    with RunFolder(run, config) as folder:
        if not folder.is_done:
            raise RuntimeError("a finished run was begun again")


def go_on(run: Path, _: Path) -> None:
    """Load the checkpoints, of which the older one is whole."""
    taught = TaughtVecEnv(make_task_vec_env(ToyEnv, 2), ALPGMM(fit_every=20, max_gaussians=3))
    restored = load_checkpoint(run, StudentSpec.of(STUDENT, {}).wrap(VecMonitor(taught)), PPO)
    if restored is None:
        raise RuntimeError("the checkpoints were overlooked")


READERS: dict[str, tuple[str, bool, Callable[[Path, Path], Any]]] = {
    # name: (file, whether digests.json stays, what reads it)
    "config.json": ("config.json", False, read_config),
    "config.json, sealed": ("config.json", True, enter),
    "status": ("status", True, enter),
    "summary.json": ("summary.json", False, lambda run, _: Run.load(run).summary),
    "monitor.csv": ("monitor.csv", False, lambda run, _: Run.load(run).episodes),
    "monitor.csv, sealed": ("monitor.csv", True, lambda run, _: Run.load(run).episodes),
    "evaluations.csv": ("evaluations.csv", False, lambda run, _: Run.load(run).evaluations),
    "evaluations.csv, sealed": ("evaluations.csv", True, lambda run, _: Run.load(run).evaluations),
    "test_set.csv": ("test_set.csv", False, lambda run, _: Run.load(run).test_set),
    "teacher.npz": ("teacher.npz", False, lambda run, _: Run.load(run).teacher()),
    "normalizer.npz": ("normalizer.npz", False, lambda run, _: Run.load(run).normalizer),
    "beliefs": ("beliefs/*.npz", False, lambda run, _: Run.load(run).beliefs),
    "model.zip": ("model.zip", True, lambda run, _: Run.load(run).student),
    "digests.json": ("digests.json", True, lambda run, _: Run.load(run).student),
    "state.npz": ("checkpoint/*/state.npz", True, lambda _, path: load_tree(path)),
    "events": ("events.out.*", True, lambda _, path: drop_events(path, 10**9)),
    "checkpoint/model.zip": ("checkpoint/*/model.zip", True, go_on),
    "checkpoint/state.npz": ("checkpoint/*/state.npz", True, go_on),
    "checkpoint/digests.json": ("checkpoint/*/digests.json", True, go_on),
}


class _Stop(BaseCallback):
    """Stops a run with two checkpoints."""

    def _on_step(self) -> bool:
        if self.num_timesteps >= 250:
            raise InterruptedError
        return True


def make_run(root: Path) -> Path:
    """Teach a finished run, and give it the checkpoints of one that was stopped."""

    def lesson(folder: Path, *callbacks: BaseCallback) -> None:
        teach(
            STUDENT,
            ToyEnv,
            ALPGMM(fit_every=20, max_gaussians=3),
            steps=300,
            n_envs=2,
            folder=folder,
            checkpoint_every=64,
            callbacks=callbacks,
            test_set=TestSet.grid(ToyEnv().task_space, 2),
        )

    lesson(root / "run")
    with contextlib.suppress(InterruptedError):
        lesson(root / "stopped", _Stop())
    shutil.copytree(root / "stopped" / "checkpoint", root / "run" / "checkpoint")
    return root / "run"


@contextlib.contextmanager
def limits() -> Iterator[None]:
    """Let big allocations fail and long reading be interrupted, and keep warnings quiet."""

    def hang(*_: Any) -> None:
        raise HangError

    usual = signal.signal(signal.SIGALRM, hang)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + EXTRA_MEMORY, hard))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, usual)


if __name__ == "__main__":
    main(tyro.cli(Settings))
