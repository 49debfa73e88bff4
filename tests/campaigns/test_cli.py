"""``teachrl benchmark``: engines and baselines from a shell."""

import pytest

from teachrl.cli import main

TOY = (
    "benchmark --env toy-student --student.rollout 64 --student.batch-size 32 --student.n-epochs 1 "
    "--n-envs 1 --seeds 1 --steps 64 --test-tasks 2"
)


def fails(line, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(line.split())
    assert stopped.value.code == 2
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        ("--engine rai", "unknown engine 'rai'. Did you mean 'ray'?"),
        ("--address auto --workers 2", "address 'auto' is for clusters: engine='ray'"),
        ("--workers 0", "expected a whole number of at least 1"),
        ("--against nowhere", "unknown baseline or folder 'nowhere'"),
        ("--retries -1", "expected a whole number of at least 0"),
    ],
)
def test_engines_that_cannot_work_are_refused(flags, hint, tmp_path, capsys):
    assert hint in fails(f"{TOY} --folder {tmp_path / 'runs'} {flags}", capsys)
    assert not list(tmp_path.rglob("config.json"))


def test_ray_that_is_not_installed_is_named_with_its_extra(tmp_path, capsys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "teachrl.campaigns.engines.ray", raising=False)
    said = fails(f"{TOY} --folder {tmp_path / 'runs'} --engine ray", capsys)
    assert "pip install 'teachrl[campaign]'" in said


def test_a_folder_stands_beside_the_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    main(f"{TOY} --teachers random --folder {tmp_path / 'old'}".split())
    old = (tmp_path / "old" / "random" / "seed_0" / "monitor.csv").stat().st_mtime_ns
    main(
        f"{TOY} --teachers alp-gmm --folder {tmp_path / 'new'} --against {tmp_path / 'old'}".split()
    )
    said = " ".join(capsys.readouterr().out.split())
    assert "P(better than alp-gmm)" in said
    assert (tmp_path / "new" / "mastered_table.csv").read_text().count("random") == 1
    assert (tmp_path / "old" / "random" / "seed_0" / "monitor.csv").stat().st_mtime_ns == old
