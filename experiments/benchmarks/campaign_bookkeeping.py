"""Does the bookkeeping of a campaign stay linear, up to ten thousand runs?

The runs are fake: an engine with 1,600 slots (100 nodes of 16 cores) writes what the bookkeeping
reads (configuration, status, one evaluation, one episode) and says that the run is done; those of
every fiftieth seed are lost once and retried. All else is what a real campaign does: the record,
the folders, the queue, the progress of what runs, and the second call that finds all done.

Run: python -m experiments.benchmarks.campaign_bookkeeping
"""

import csv
import json
import logging
import resource
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
import tyro

from teachrl.campaigns import Campaign, Engine
from teachrl.campaigns.display import Watch
from teachrl.campaigns.engines import Ended, EngineEvent, Lost
from teachrl.campaigns.jobs import Ending, Job, pack_job
from teachrl.campaigns.record import Record
from teachrl.campaigns.supervision import Supervision
from teachrl.envs import StumpTracks
from teachrl.students.presets import PPOPreset
from teachrl.teachers import ALPGMM, Random

RESULTS = Path(__file__).parent / "results" / "campaign_bookkeeping.csv"
SLOTS = 1_600  # 100 nodes of 16 cores
LOOKS = 50  # that are timed
LOST = 50  # runs of every fiftieth seed are lost once


@dataclass
class Settings:
    """What to measure."""

    sizes: tuple[int, ...] = (1_000, 2_500, 5_000, 10_000)  # runs
    repetitions: int = 1  # the fastest one counts


class FakeEngine(Engine):
    """Ends jobs in the order in which they came, a few hundred at a time."""

    def __init__(self, record: Record) -> None:
        self._record, self._jobs = record, deque[Job]()
        self._lost = set[str]()
        self.payload = 0  # bytes that would go to the workers
        self.seconds = 0.0  # CPU time of what the workers would do, elsewhere

    def slots(self) -> int:
        """Return those of 100 nodes."""
        return SLOTS

    def submit(self, job: Job) -> None:
        """Take the job as a real engine does: as bytes."""
        self.payload += len(pack_job(job))
        self._jobs.append(job)

    def events(self, seconds: float) -> Sequence[EngineEvent]:  # noqa: ARG002 - never waits
        """End some of what there is."""
        ready = [self._jobs.popleft() for _ in range(min(len(self._jobs), 200))]
        start = process_time()
        events = [self._end(job) for job in ready]
        self.seconds += process_time() - start
        return events

    def cancel(self) -> None:
        """Do nothing: all jobs end at once."""

    def close(self) -> None:
        """Do nothing."""

    def _end(self, job: Job) -> EngineEvent:
        path = job.spec.path
        if job.spec.seed % LOST == 0 and path not in self._lost:
            self._lost.add(path)
            return Lost(path, "the node is gone")
        folder = job.root / path
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(self._record.config(path)))
        (folder / "monitor.csv").write_text("#{}\nr,l,t\n1.0,9,300000\n")
        (folder / "evaluations.csv").write_text(
            "step,env_steps,task,r,l,success,mastered\n300000,1,0,0.5,9,1,1\n"
        )
        (folder / "status").write_text("done\n")
        return Ended(path, Ending(kind="done"))


def main(settings: Settings) -> None:
    """Measure each size, print the exponents of growth and write everything down."""
    logging.getLogger("teachrl").setLevel(logging.ERROR)
    rows = []
    for size in settings.sizes:
        tried = [measure(size) for _ in range(settings.repetitions)]
        rows.append({name: min(one[name] for one in tried) for name in tried[0]})
        print(rows[-1], flush=True)
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    sizes = np.log([row["runs"] for row in rows])
    for name in rows[0]:
        if name.endswith(("_s", "_bytes")) and all(row[name] > 0 for row in rows):
            slope = np.polyfit(sizes, np.log([row[name] for row in rows]), 1)[0]
            print(f"{name} grows with the number of runs to the power of {slope:.2f}")


def measure(size: int) -> dict[str, float]:
    """Return CPU seconds of each part of the bookkeeping, and what it leaves on disk.

    ``workers_s`` is what the fake runs wrote: on a cluster, the nodes share that.
    """
    with tempfile.TemporaryDirectory(prefix="teachrl-") as folder:
        root = Path(folder, "campaign")
        start = process_time()
        campaign = made(size)
        times = {"make_s": process_time() - start}
        start = process_time()
        engine = carry_out(campaign, root)
        times |= {"run_s": process_time() - start - engine.seconds, "workers_s": engine.seconds}
        start = process_time()
        engine = carry_out(campaign, root)
        times["again_s"] = process_time() - start
        if engine.payload:
            raise RuntimeError("a finished run was submitted again")
        watch = watch_of(campaign, root)
        start = process_time()
        for _ in range(LOOKS):
            watch.look()
        times["look_s"] = (process_time() - start) / LOOKS
        files = [path for path in root.rglob("*") if path.is_file()]
        times["record_bytes"] = (root / "campaign.json").stat().st_size
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"runs": size, **times, "files": len(files), "memory_mib": memory}


def made(size: int) -> Campaign:
    """Return ``size`` runs: two teachers, two variants, and seeds."""
    return Campaign.product(
        students=PPOPreset(),
        envs=StumpTracks,
        teachers=[Random(), ALPGMM.tuned_for_walker()],
        variants={"few": {"n_envs": 4}, "many": {"n_envs": 16}},
        seeds=size // 4,
        steps=300_000,
    )


def carry_out(campaign: Campaign, root: Path) -> FakeEngine:
    """Run the campaign with the fake engine."""
    engine = FakeEngine(record_of(campaign))
    states = campaign.run(root, engine=engine)
    if set(states.values()) != {"done"}:
        raise RuntimeError("a run is missing")
    return engine


def record_of(campaign: Campaign) -> Record:
    """Return the configurations that fake runs write, without the campaign's own work for them."""
    record, known = Record(), dict[int, dict[str, object]]()
    for spec in campaign.runs:
        key = hash((id(spec.teacher), id(spec.arguments)))
        if key not in known:
            known[key] = spec.config()
        record.add(spec.path, known[key] | {"seed": spec.seed})
    return record


def watch_of(campaign: Campaign, root: Path) -> Watch:
    """Return the watch of a campaign whose runs are all under way, as far as their slots go."""
    supervision = Supervision(root, campaign.runs[:SLOTS], FakeEngine(Record()), token="")
    for entry in supervision.entries:
        entry.state = "running"
    return Watch(root, supervision.entries)


if __name__ == "__main__":
    main(tyro.cli(Settings))
