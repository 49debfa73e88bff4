"""Tables on the terminal say what is known, and no more."""

import json
from pathlib import Path

import pytest

from teachrl.cli.show import show_results, show_run
from teachrl.results import Results
from teachrl.runs import Run
from teachrl.students.ledger import StepLedger
from tests.reporting.folders import write_benchmark, write_run

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


@pytest.mark.parametrize("explored", [0, 2500])
def test_a_run_shows_all_that_it_cost(
    explored: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "run", (0.0, 0.5, 1.0))
    ledger = StepLedger(train=1000, explore=explored, antagonist=explored, gradient_samples=8000)
    cost = {**ledger.as_dict(), "steps_per_second": 9.0, "teacher_share": 0.1}
    (tmp_path / "run" / "summary.json").write_text(json.dumps(cost))
    show_run(Run.load(tmp_path / "run"))
    said = " ".join(capsys.readouterr().out.replace("│", "").split())
    assert "gradient samples 8,000" in said
    assert ("explored steps 2,500 antagonist's steps 2,500" in said) == (explored > 0)
    assert ("explored" in said) == (explored > 0)
