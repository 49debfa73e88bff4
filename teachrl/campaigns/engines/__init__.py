"""Where the runs of a campaign are carried out. A new engine is one file and one line here."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from teachrl.campaigns.jobs import Ending, Job
from teachrl.campaigns.progress import Progress
from teachrl.registry import Registry

ENGINES = Registry(
    "engine",
    {
        "local": "teachrl.campaigns.engines.local:LocalEngine",
        "ray": "teachrl.campaigns.engines.ray:RayEngine",
        "this-process": "teachrl.campaigns.engines.this_process:ThisProcessEngine",
    },
)


@dataclass(frozen=True)
class Ended:
    """An attempt is over, and its worker says how."""

    path: str
    ending: Ending


@dataclass(frozen=True)
class Lost:
    """An attempt is over without a word: its worker died, or its machine did."""

    path: str
    reason: str


@dataclass(frozen=True)
class Progressed:
    """How far a run is that is shipped; others are read from their folders."""

    path: str
    progress: Progress


EngineEvent = Ended | Lost | Progressed


class Engine(ABC):
    """Carries out jobs, each in a process with one thread.

    A registered engine is constructed with ``workers`` (runs at the same time, or None for what
    there is room for) and ``address`` (of a cluster, or None).
    """

    @abstractmethod
    def slots(self) -> int:
        """Return how many runs there is room for at the moment, busy or not."""

    @abstractmethod
    def submit(self, job: Job) -> None:
        """Begin a job; its run is known by ``job.spec.path`` from then on."""

    @abstractmethod
    def events(self, seconds: float) -> Sequence[EngineEvent]:
        """Return what has happened, waiting so long at most; each job ends exactly once."""

    @abstractmethod
    def cancel(self) -> None:
        """Ask all jobs to stop softly, as SIGTERM does; they still end in :meth:`events`."""

    @abstractmethod
    def close(self) -> None:
        """Stop whatever is left at once."""
