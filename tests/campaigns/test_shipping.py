"""Run folders travel whole, and nothing else does."""

import io
import tarfile

import pytest

from teachrl import teach
from teachrl.campaigns.shipping import ArchiveError, pack, put_in_place, unpack
from teachrl.runs import Run
from teachrl.runs.folder import is_own
from teachrl.teachers import Random
from tests.campaigns.worlds import PRESET, TINY
from tests.students.worlds import Reach


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shipping") / "run"
    teach(PRESET, Reach, Random(), folder=folder, **TINY)
    return folder


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def archive(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, kind in members:
            member = tarfile.TarInfo(name)
            member.type, member.size = kind, 3 if kind == tarfile.REGTYPE else 0
            member.linkname = "/etc/passwd"
            made.addfile(member, io.BytesIO(b"abc"))
    return buffer.getvalue()


def test_a_run_arrives_as_it_left(folder, tmp_path):
    unpack(pack(folder), tmp_path / "there")
    assert contents(tmp_path / "there") == contents(folder)
    assert Run.load(tmp_path / "there").student is not None  # digests and all


def test_a_stopped_run_brings_its_checkpoint(tmp_path):
    from tests.campaigns.worlds import fragile

    with pytest.raises(RuntimeError, match="gave way"):
        teach(
            PRESET,
            fragile(tmp_path),
            Random(),
            folder=tmp_path / "run",
            checkpoint_every=64,
            **TINY,
        )
    unpack(pack(tmp_path / "run"), tmp_path / "there")
    assert contents(tmp_path / "there") == contents(tmp_path / "run")
    assert any(name.startswith("checkpoint/") for name in contents(tmp_path / "there"))


def test_the_run_that_arrives_replaces_the_one_that_is_there(folder, tmp_path):
    old = tmp_path / "run"
    (old / "checkpoint" / "000000000064").mkdir(parents=True)
    (old / "checkpoint" / "000000000064" / "model.zip").write_text("old")
    (old / "best_model.zip").write_text("old")
    (old / "thesis.tex").write_text("not ours")
    (old / ".lock").touch()
    put_in_place(pack(folder), old)
    assert contents(old) == contents(folder) | {"thesis.tex": b"not ours"}
    assert not (tmp_path / ".run.arriving").exists()


@pytest.mark.parametrize("failing", ["config.json", "status", "monitor.csv"])
def test_a_run_that_half_arrived_is_not_done(failing, folder, tmp_path, monkeypatch):
    """Break the arrival at some file: the status must not say that the run is finished."""
    from pathlib import Path

    replace = Path.replace

    def breaking(self, target):
        if self.name.strip(".").startswith(failing) and Path(target).parent == tmp_path / "run":
            content = self.read_text()
            if failing != "status" or content == "done\n":
                raise OSError("no room")
        return replace(self, target)

    (tmp_path / "run").mkdir()
    monkeypatch.setattr(Path, "replace", breaking)
    with pytest.raises(OSError, match="no room"):
        put_in_place(pack(folder), tmp_path / "run")
    assert (tmp_path / "run" / "status").read_text() == "running\n"


@pytest.mark.parametrize(
    "member",
    [
        ("../status", tarfile.REGTYPE),
        ("/etc/passwd", tarfile.REGTYPE),
        ("beliefs/../../status", tarfile.REGTYPE),
        ("checkpoint/1/../../../x.npz", tarfile.REGTYPE),
        ("sitecustomize.py", tarfile.REGTYPE),
        ("beliefs/evil.py", tarfile.REGTYPE),
        (".lock", tarfile.REGTYPE),
        (".status.partial", tarfile.REGTYPE),
        ("", tarfile.REGTYPE),
        ("beliefs", tarfile.REGTYPE),
        ("beliefs", tarfile.DIRTYPE),
        ("status", tarfile.SYMTYPE),
        ("status", tarfile.LNKTYPE),
        ("status", tarfile.FIFOTYPE),
        ("status", tarfile.CHRTYPE),
        ("status", tarfile.GNUTYPE_SPARSE),
    ],
)
def test_what_no_run_writes_is_refused_as_a_whole(member, tmp_path):
    packed = archive(("config.json", tarfile.REGTYPE), member)
    with pytest.raises(ArchiveError, match=r"refused|did not arrive whole"):
        unpack(packed, tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_names_come_once(tmp_path):
    with pytest.raises(ArchiveError, match="twice"):
        unpack(archive(*[("status", tarfile.REGTYPE)] * 2), tmp_path / "there")


def test_a_good_archive_is_not_refused(tmp_path):
    unpack(archive(("status", tarfile.REGTYPE)), tmp_path / "there")
    assert (tmp_path / "there" / "status").read_bytes() == b"abc"


@pytest.mark.parametrize("packed", [b"", b"PK\x03\x04", b"\x1f\x8b" + bytes(600)])
def test_what_is_no_archive_is_refused(packed, tmp_path):
    with pytest.raises(ArchiveError, match="did not arrive whole"):
        unpack(packed, tmp_path / "there")


def test_a_cut_archive_is_refused(folder, tmp_path):
    packed = pack(folder)
    with pytest.raises(ArchiveError):
        unpack(packed[: len(packed) // 2], tmp_path / "there")


def test_size_is_limited_in_both_directions(folder, tmp_path):
    with pytest.raises(ArchiveError, match="shared folder"):
        pack(folder, limit=1000)
    with pytest.raises(ArchiveError, match="shared folder"):
        unpack(pack(folder), tmp_path / "there", limit=1000)


def test_links_in_a_run_folder_stay_there(folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    run = tmp_path / "run"
    run.mkdir()
    (run / "monitor.csv").symlink_to(secret)
    assert is_own("monitor.csv")
    assert b"secret" not in pack(run)
