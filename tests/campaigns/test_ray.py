"""Campaigns on Ray: two nodes on one machine, of which one is killed."""

import os
import signal
import threading
import time
from functools import cache, partial
from importlib.util import find_spec

import pytest

from teachrl.campaigns import Campaign
from teachrl.campaigns.engines import Progressed
from teachrl.campaigns.jobs import Job, carry_out
from teachrl.campaigns.progress import read_progress
from teachrl.campaigns.supervision import Supervision
from teachrl.evaluation import TestSet
from teachrl.teachers import Random
from tests.campaigns.worlds import PRESET, Gated, Slow
from tests.students.worlds import Reach

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="needs ray, the extra `campaign`"),
]

GATED = (b"tests.campaigns.worlds:Gated", b"tests.students.worlds:Reach")
FILES = ("monitor.csv", "evaluations.csv", "test_set.csv")


@pytest.fixture
def cluster():
    """A head with one CPU; nodes are added by the test."""
    import ray
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80_000_000}
    made = Cluster(initialize_head=True, head_node_args=head)
    yield made
    ray.shutdown()
    made.shutdown()


def campaign(env, seeds, steps=2048):
    return Campaign.product(
        students=PRESET,
        envs=env,
        teachers=[Random()],
        seeds=seeds,
        steps=steps,
        n_envs=2,
        test_set=TestSet.grid(Reach.task_space, 1),
        checkpoint_every=128,
    )


def records(folder):
    return {
        f"{path.name}/{name}": (path / name).read_bytes().replace(*GATED)
        for path in sorted(folder.glob("random/seed_*"))
        for name in FILES
    }


@pytest.fixture
def under_way(monkeypatch):
    """Return a function that waits until two runs were seen to have steps behind them."""
    heard = set()
    hear = Supervision._hear

    def listen(self, event):
        if isinstance(event, Progressed) and event.progress.steps:
            heard.add(event.path)
        hear(self, event)

    monkeypatch.setattr(Supervision, "_hear", listen)

    def wait(root, seconds=120):
        end = time.monotonic() + seconds
        while len(heard) < 2 and time.monotonic() < end:
            heard.update(str(p) for p in root.glob("random/seed_*") if read_progress(p).steps)
            time.sleep(0.1)

    return wait


@pytest.mark.parametrize("ship", [False, True])
def test_a_campaign_survives_the_death_of_a_node(ship, cluster, under_way, tmp_path):
    """Every run is complete, exactly once: its files are those of a run that nothing happened to.

    The second node dies while both have a run that waits at a gate, so one of them is lost.
    """
    node = cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
    cluster.wait_for_nodes()

    gate = tmp_path / "gate"

    def kill():
        under_way(tmp_path / "ray")
        cluster.remove_node(node, allow_graceful=False)
        gate.touch()

    killer = threading.Thread(target=kill)
    killer.start()
    gated = campaign(partial(Gated, gate=str(gate)), seeds=3)
    states = gated.run(tmp_path / "ray", engine="ray", address=cluster.address, ship=ship)
    killer.join()
    assert states == {f"random/seed_{n}": "done" for n in range(3)}
    said = (tmp_path / "ray" / "failures.txt").read_text()
    assert said.count("Ray lost its worker") == 1
    campaign(Reach, seeds=3).run(tmp_path / "local", workers=2)
    assert records(tmp_path / "ray") == records(tmp_path / "local")


@pytest.mark.parametrize("ship", [False, True])
def test_cancelled_tasks_leave_checkpoints(ship, under_way, tmp_path):
    """An interrupt of the campaign stops tasks softly, whose checkpoints come back."""

    def interrupt():
        under_way(tmp_path)
        os.kill(os.getpid(), signal.SIGINT)

    asking = threading.Thread(target=interrupt)
    asking.start()
    with pytest.raises(KeyboardInterrupt, match="goes on"):
        campaign(Slow, seeds=2, steps=200_000).run(tmp_path, engine="ray", workers=2, ship=ship)
    asking.join()
    for seed in (0, 1):
        folder = tmp_path / "random" / f"seed_{seed}"
        assert (folder / "status").read_text() == "running\n"
        assert list((folder / "checkpoint").iterdir())


def test_a_folder_that_a_worker_does_not_see_is_found_out(tmp_path):
    job = Job(spec=campaign(Reach, seeds=1).runs[0], root=tmp_path, token="of another folder")
    ending = carry_out(job, lambda _: None)
    assert ending.kind == "unshared"
    assert "--ship" in ending.error


def test_an_address_without_a_cluster_is_an_error(tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    services = "ray._private.services"  # finds the clusters of tests that run at the same time
    monkeypatch.setattr(f"{services}.find_gcs_addresses", cache(set))
    monkeypatch.setattr(f"{services}.find_bootstrap_address", lambda _: None)
    with pytest.raises(ConnectionError, match="no Ray cluster answers"):
        campaign(Reach, seeds=1).run(tmp_path, engine="ray", address="auto")
