"""``teachrl report`` writes the page, the numbers and, when asked, the pictures."""

import pytest
from PIL import Image

from teachrl import benchmark
from teachrl.cli import main
from teachrl.evaluation import TestSet
from teachrl.reporting.digest import digest
from teachrl.results import Results
from teachrl.students.presets import PPOPreset
from teachrl.teachers import Random
from tests.monitoring.pictures import is_blank
from tests.reporting.folders import write_benchmark
from tests.students.worlds import Reach

SHARES = {"random": (0.1, 0.2), "good": (0.6, 0.8)}


@pytest.fixture
def folder(tmp_path):
    return write_benchmark(tmp_path / "reach", SHARES)


def test_the_page_and_the_numbers_are_written(folder, capsys):
    main(["report", str(folder), "--threshold", "0.3"])
    assert (folder / "report.html").is_file()
    lines = (folder / "report_reach.csv").read_text().splitlines()
    assert len(lines) == 1 + 4 * 3
    page = (folder / "report.html").read_text()
    note = page[page.index("<noscript>") : page.index("</noscript>")]
    assert "CSV" in note
    assert ".csv" not in note  # its name depends on --out and on the benchmarks
    shown = capsys.readouterr().out
    assert "steps to" in shown
    assert str(folder / "report.html") in shown


@pytest.mark.slow
def test_figures_are_written_on_demand(folder, tmp_path):
    main(["report", str(folder), "--out", str(tmp_path / "out" / "page.html"), "--figures"])
    found = {path.name for path in (tmp_path / "out" / "page_reach").iterdir()}
    assert found == {
        "curves.png",
        "bars.png",
        "profile.png",
        "difficulty.png",
        "random.gif",
        "good.gif",
    }
    with Image.open(tmp_path / "out" / "page_reach" / "good.gif") as film:
        assert film.n_frames > 10


@pytest.mark.slow
def test_three_benchmarks_make_a_radar(tmp_path):
    for name in ("stumps", "hexagons", "parkour"):
        write_benchmark(tmp_path / "all" / name, {"random": (0.1, 0.3)}, episodes=0)
    main(["report", str(tmp_path / "all"), "--figures", "--out", str(tmp_path / "page.html")])
    with Image.open(tmp_path / "page_radar.png") as picture:
        assert not is_blank(picture)


def test_another_benchmark_can_be_compared_with(folder, tmp_path):
    other = write_benchmark(tmp_path / "other", {"theirs": (0.4, 0.5)})
    main(["report", str(folder), "--against", str(other)])
    assert "theirs" in (folder / "report_reach.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threshold", "30"], "--threshold is a share above 0, at most 1; got 30.0"),
        (["--against", "baselines"], "no baselines were made on tests.students.worlds:Reach"),
        (["--against", "stump-track"], "Did you mean 'stump-tracks'"),
    ],
)
def test_mistakes_are_one_sentence(folder, arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["report", str(folder), *arguments])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert not (folder / "report.html").exists()


def test_two_benchmarks_of_one_name_are_refused(folder, tmp_path, capsys):
    other = write_benchmark(tmp_path / "elsewhere" / "reach", SHARES)
    with pytest.raises(SystemExit):
        main(["report", str(folder), str(other)])
    assert "two benchmarks have the same name (reach, reach)" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_is_the_users_also_where_workers_ran_it(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/bin/teachrl", "benchmark", "--folder", "my runs"])
    preset = PPOPreset(rollout=64, batch_size=64, n_epochs=1, net_arch=(8,))
    tests = TestSet.grid(Reach.task_space, 2)
    options = {"steps": 64, "n_envs": 2, "test_set": tests, "folder": tmp_path / "reach"}
    benchmark(preset, Reach, [Random()], seeds=2, workers=2, **options)
    data = digest("reach", Results.load(tmp_path / "reach"))
    assert data["repeat"]["commands"] == ["teachrl benchmark --folder 'my runs'"]
