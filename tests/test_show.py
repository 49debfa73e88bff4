"""Tables on the terminal say what is known, and no more."""

from pathlib import Path

import pytest

from teachrl.cli.show import show_results
from teachrl.results import Results
from tests.reporting.folders import write_benchmark

NAME = "alp-gmm,fit_every-150,random_share-0.35"


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results.load(write_benchmark(tmp_path, {"random": (0.1,), NAME: (0.6,)}, episodes=0))


def test_a_single_run_has_no_interval(
    results: Results, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    show_results(results)
    said = capsys.readouterr().out
    assert "nan" not in said
    [row] = [line for line in said.splitlines() if NAME in line]
    assert [cell.strip() for cell in row.strip("│").split("│")][1:3] == ["1", "60"]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_names_of_teachers_stay_whole_on_any_terminal(
    width: int,
    results: Results,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    show_results(results)
    said = capsys.readouterr().out
    assert NAME in said
    assert "mastered" in said
