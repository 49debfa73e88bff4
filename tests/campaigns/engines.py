"""An engine without workers, in which a test decides what happens."""

from collections.abc import Callable, Sequence
from json import dumps

from teachrl.campaigns.engines import Ended, Engine, EngineEvent
from teachrl.campaigns.jobs import Ending, Job
from teachrl.campaigns.record import Record

Answer = Callable[[Job, int], EngineEvent | None]


def finish(job: Job, attempt: int) -> EngineEvent:
    """Write what a finished run has at least."""
    folder = job.root / job.spec.path
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(dumps(Record.load(job.root).config(job.spec.path)))
    (folder / "status").write_text("done\n")
    return Ended(job.spec.path, Ending(kind="done"))


class ScriptedEngine(Engine):
    """Answers each job with ``answer(job, attempt)``; None: it is never heard of again."""

    def __init__(self, answer: Answer = finish, slots: int = 2) -> None:
        self.answer, self.room = answer, slots
        self.submitted: list[Job] = []
        self.most = 0  # jobs at a time
        self.is_closed = False
        self._jobs: list[Job] = []

    def slots(self) -> int:
        return self.room

    def submit(self, job: Job) -> None:
        self.submitted.append(job)
        self._jobs.append(job)
        self.most = max(self.most, len(self._jobs))

    def events(self, seconds: float) -> Sequence[EngineEvent]:
        job = self._jobs.pop(0)
        attempt = [other.spec.path for other in self.submitted].count(job.spec.path)
        event = self.answer(job, attempt)
        return [event] if event else []

    def cancel(self) -> None:
        self.answer = lambda job, _: Ended(job.spec.path, Ending(kind="stopped"))

    def close(self) -> None:
        self.is_closed = True
