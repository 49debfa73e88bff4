"""Many runs as one thing: made from lists, carried out by an engine, gone on with after a stop."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Self

from teachrl.campaigns.display import telling
from teachrl.campaigns.engines import ENGINES, Engine
from teachrl.campaigns.folders import begin_again
from teachrl.campaigns.record import enter
from teachrl.campaigns.specs import RunSpec, every_run
from teachrl.campaigns.supervision import CampaignError, Entry, Supervision
from teachrl.core import Teacher
from teachrl.training import require_integer

log = logging.getLogger("teachrl")


@dataclass(frozen=True)
class Campaign:
    """A list of runs with folders of their own.

    >>> from teachrl.teachers import ALPGMM, Random
    >>> campaign = Campaign.product(
    ...     students=["ppo", "sac"],
    ...     envs="stump-tracks",
    ...     teachers=[Random(), ALPGMM()],
    ...     seeds=5,
    ...     steps=2_000_000,
    ...     n_envs=16,
    ... )
    >>> len(campaign.runs), campaign.runs[1].path, campaign.runs[-1].path
    (20, 'ppo/alp-gmm/seed_0', 'sac/alp-gmm/seed_4')
    """

    runs: Sequence[RunSpec]

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError("a campaign needs at least one run")
        paths = Counter(spec.path for spec in self.runs)
        if twice := [path for path, count in paths.items() if count > 1]:
            raise ValueError(f"two runs have the same path: {', '.join(twice[:3])}")
        inside = [p for p in paths for above in PurePosixPath(p).parents if str(above) in paths]
        if inside:
            raise ValueError(f"{inside[0]} lies in the folder of another run: give it another path")

    @classmethod
    def product(
        cls,
        *,
        students: Any,
        envs: Any,
        teachers: Sequence[Teacher] | Mapping[str, Teacher],
        seeds: int | Sequence[int],
        steps: int,
        variants: Mapping[str, Mapping[str, Any]] | None = None,
        **arguments: Any,
    ) -> Self:
        """Return every student with every environment, variant, teacher and seed.

        The folders are ``<student>/<environment>/<variant>/<teacher>/seed_<n>``. Lists and
        dictionaries have a folder for each of their things, named by class and by what differs from
        its defaults, or by the dictionary; what is given by itself has none. So
        ``Results.load(folder / "ppo")`` compares the teachers of one student.

        Args:
            students: one, a list, or a dictionary of what :func:`teachrl.teach` takes.
            envs: the same of environments.
            teachers: a list or a dictionary.
            seeds: how many (0, 1, …), or which.
            steps: of each run.
            variants: further arguments of :func:`teachrl.teach` by name, to be compared.
            **arguments: further ones that all runs share.
        """
        found = every_run(
            students=students,
            envs=envs,
            teachers=teachers,
            seeds=seeds,
            steps=steps,
            variants=variants or {},
            arguments=arguments,
        )
        return cls(list(found))

    def run(
        self,
        folder: Path | str,
        *,
        engine: Engine | str = "local",
        workers: int | None = None,
        address: str | None = None,
        retries: int = 2,
        ship: bool = False,
        restart: bool = False,
        live: bool = False,
    ) -> dict[str, str]:
        """Carry out what is missing, and return the state of each run by path.

        ``done``; or ``elsewhere`` for a run that another process is writing, which is left to it.
        The same call goes on with what was interrupted, and repeats no finished run.

        Args:
            folder: of the campaign; other runs in it are left alone.
            engine: a name in ``ENGINES`` (``local``: processes of this machine; ``ray``: a
                cluster; ``this-process``: one run after the other), or an object.
            workers: runs at the same time; None: as many as there are cores.
            address: of a cluster, such as ``auto``.
            retries: how often a run may fail beyond the first time. It goes on from its checkpoint.
            ship: return runs over the network, to workers that do not see the folder.
            restart: remove these runs first.
            live: show a table on the terminal.

        Raises:
            OtherConfigurationError: before anything begins, if the folder holds one of these runs
                in another configuration.
            CampaignError: in the end, if runs failed; the others are done.
        """
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise ValueError(f"retries must be an integer of at least 0, got {retries!r}")
        root = Path(folder).resolve()
        if workers is not None:
            workers = require_integer("workers", workers, 1)
        # before anything is written or removed: a misspelt engine must not cost finished runs
        made = ENGINES[engine](workers, address) if isinstance(engine, str) else engine
        with closing(made):
            record = enter(root, self.runs, restart)
            if restart:
                for spec in self.runs:
                    begin_again(root / spec.path, record.config(spec.path))
            supervision = Supervision(
                root, self.runs, made, token=record.token, retries=retries, ship=ship
            )
            with telling(supervision, live) as supervision.tell:
                supervision.run()
        _require_none_failed(root, supervision.entries)
        return {entry.spec.path: entry.state for entry in supervision.entries}


def _require_none_failed(root: Path, entries: Sequence[Entry]) -> None:
    failed = [entry for entry in entries if entry.state == "failed"]
    if elsewhere := [entry.spec.path for entry in entries if entry.state == "elsewhere"]:
        log.warning(
            "%d runs are left to another process that writes them (%s): wait for it, then call "
            "again",
            len(elsewhere),
            ", ".join(elsewhere[:3]),
        )
    if failed:
        shown = [f"{root / entry.spec.path}: {entry.error}" for entry in failed[:20]]
        shown += [f"… and {len(failed) - 20} more"] if len(failed) > 20 else []
        raise CampaignError(
            f"{len(failed)} of {len(entries)} runs failed; call again to repeat those only, "
            f"{root / 'failures.txt'} has the details:\n" + "\n".join(shown)
        )
