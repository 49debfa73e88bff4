"""Compare teachers over seeds."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym

from teachrl.campaigns import Campaign
from teachrl.core import Teacher
from teachrl.results import Results
from teachrl.training import require_integer


def benchmark(
    student: Any,
    env: Callable[..., gym.Env[Any, Any]] | str,
    teachers: Sequence[Teacher] | Mapping[str, Teacher],
    *,
    seeds: int | Sequence[int],
    steps: int,
    folder: Path | str | None = None,
    workers: int | None = None,
    engine: str = "local",
    address: str | None = None,
    retries: int = 2,
    ship: bool = False,
    restart: bool = False,
    live: bool = False,
    **arguments: Any,
) -> Results:
    """Teach one student per teacher and seed, each in a process with one thread.

    Calling it again with the same folder repeats no finished run, and goes on with the others. When
    runs fail, the others go on, and the error at the end names those that failed.

    Args:
        student: as for :func:`teachrl.teach`.
        env: as for :func:`teachrl.teach`.
        teachers: their configurations; a mapping names them, else their class and what differs from
            its defaults does.
        seeds: how many (0, 1, …), or which.
        steps: of each run.
        folder: gets one run folder per teacher and seed: ``<folder>/<teacher>/seed_<n>``.
        workers: runs at the same time; None: one per core; 1: in this process, unless the engine is
            a cluster.
        engine: ``local``, or ``ray``.
        address: of a Ray cluster, such as ``auto``; None: Ray on this machine.
        retries: how often a run may fail beyond the first time. It goes on from its checkpoint.
        ship: return runs over the network, from machines that do not see the folder.
        restart: remove these runs first.
        live: show a table of the runs on the terminal.
        **arguments: further ones of :func:`teachrl.teach`.
    """
    campaign = Campaign.product(
        students=_one(student),
        envs=_one(env),
        teachers=teachers,
        seeds=seeds,
        steps=steps,
        **arguments,
    )
    keep = tempfile.TemporaryDirectory(prefix="teachrl-") if folder is None else None
    root = Path(keep.name if keep else folder)  # type: ignore[arg-type]
    if workers is not None:
        workers = require_integer("workers", workers, 1)
    alone = engine == "local" and 1 in (workers, len(campaign.runs))
    campaign.run(
        root,
        engine="this-process" if alone else engine,
        workers=None if alone else workers,
        address=address,
        retries=retries,
        ship=ship,
        restart=restart,
        live=live,
    )
    names = list(dict.fromkeys(Path(spec.path).parent.name for spec in campaign.runs))
    return Results.load(root, names, keep)


def _one(thing: Any) -> Any:
    """Refuse several: their runs would lie in folders that results do not look into."""
    if isinstance(thing, list | tuple | Mapping):
        raise TypeError(
            f"a benchmark compares teachers, with one student in one environment; got {thing!r}. "
            "For several, see teachrl.campaigns.Campaign.product"
        )
    return thing
