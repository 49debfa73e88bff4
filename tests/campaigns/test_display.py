"""What is shown of a campaign: a table on a terminal, lines elsewhere."""

import io
import logging

import pytest
from rich.console import Console

from teachrl.campaigns import Campaign, display
from teachrl.campaigns.display import Seen, Watch, render, summary, telling
from teachrl.campaigns.progress import Progress
from teachrl.campaigns.supervision import Supervision
from teachrl.teachers import Random
from tests.campaigns.engines import ScriptedEngine
from tests.campaigns.worlds import PRESET, TINY
from tests.students.worlds import Reach

HEADER = '#{"t_start": 0.0}\nr,l,t,id\n'


def supervision(root, seeds=4):
    campaign = Campaign.product(
        students=PRESET, envs=Reach, teachers={"x[red]": Random()}, seeds=seeds, **TINY
    )
    return Supervision(root, campaign.runs, ScriptedEngine(), token="t")


def begin(watched, *seeds):
    for seed in seeds:
        watched._move(watched.entries[seed], "running")


def write(root, seed, steps):
    folder = root / "x[red]" / f"seed_{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "monitor.csv").write_text(f"{HEADER}1.0,5,{steps},0\n")


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

    monkeypatch.setattr(display.time, "monotonic", lambda: Clock.now)
    return Clock


def test_speed_is_that_of_the_present_attempt(tmp_path, clock):
    watched = supervision(tmp_path)
    watch = Watch(tmp_path, watched.entries)
    begin(watched, 1)
    write(tmp_path, 1, 100)
    [(entry, seen)] = watch.look()
    assert entry.spec.seed == 1
    assert seen.rate() == 0
    clock.now += 10
    write(tmp_path, 1, 400)
    assert watch.look()[0][1].rate() == 30
    watched.entries[1].began = clock.now  # another attempt, from a checkpoint
    write(tmp_path, 1, 300)
    assert watch.look()[0][1].rate() == 0


def test_the_progress_of_shipped_runs_is_what_they_send(tmp_path):
    watched = supervision(tmp_path)
    begin(watched, 0)
    watched.entries[0].progress = Progress(77, 0.5)
    [(_, seen)] = Watch(tmp_path, watched.entries).look()
    assert seen.last == Progress(77, 0.5)


def test_a_look_reads_a_bounded_number_of_folders_and_all_in_turn(tmp_path, monkeypatch):
    watched = supervision(tmp_path, seeds=120)
    begin(watched, *range(120))
    read = []
    monkeypatch.setattr(display, "read_progress", lambda f: read.append(f.name) or Progress())
    watch = Watch(tmp_path, watched.entries)
    watch.look()
    assert len(read) == 50
    watch.look()
    watch.look()
    assert len(set(read)) == 120


def test_the_table_shows_each_run_and_the_time_that_is_left(tmp_path):
    watched = supervision(tmp_path)
    begin(watched, 0, 1)
    watched.entries[1].failures = 1
    watched._move(watched.entries[2], "failed")
    watched.entries[2].error = "ValueError: [bold]"
    seen = [
        (watched.entries[0], Seen(0.0, 0.0, Progress(0), Progress(256, 0.25), 16.0)),
        (watched.entries[1], Seen(0.0, 0.0, Progress(128), Progress(256), 16.0)),
    ]
    text = io.StringIO()
    console = Console(file=text, width=120)
    table, line = render(watched, seen, now=60.0, rows=20)
    console.print(table)
    shown = [row.split() for row in text.getvalue().splitlines()]
    assert shown[1] == ["x[red]/seed_0", "256", "50%", "16", "25%", "1.0", "running"]
    assert shown[2] == ["x[red]/seed_1", "256", "50%", "8", "-", "1.0", "running,", "try", "2"]
    assert shown[3] == ["x[red]/seed_2", "failed", "ValueError:", "[bold]"]
    # 2 x 256 steps of the two that run, and 512 of the one that waits, at 24 per second
    assert line == "0 done, 2 running, 1 waiting, 1 failed of 4; 24 steps/s, 43 s to go"


def test_the_table_fits_the_terminal(tmp_path):
    watched = supervision(tmp_path, seeds=30)
    begin(watched, *range(30))
    seen = Watch(tmp_path, watched.entries).look()
    table, _ = render(watched, seen, now=0.0, rows=7)
    assert table.row_count == 7


@pytest.mark.parametrize(
    ("seconds", "words"), [(5, "5 s"), (89, "89 s"), (600, "10 min"), (9000, "2.5 h")]
)
def test_durations_are_short(seconds, words, tmp_path):
    watched = supervision(tmp_path, seeds=1)
    begin(watched, 0)
    rate = 512 / seconds
    seen = [(watched.entries[0], Seen(0.0, 0.0, Progress(0), Progress(0), 1.0))]
    assert summary(watched, seen) == "0 done, 1 running of 1"
    moved = [(watched.entries[0], Seen(0.0, 0.0, Progress(-1000), Progress(0), 1000 / rate))]
    assert summary(watched, moved).endswith(f" {words} to go")


def test_without_a_terminal_there_are_lines(tmp_path, clock, caplog):
    watched = supervision(tmp_path)
    begin(watched, 0)
    with caplog.at_level(logging.INFO, "teachrl"), telling(watched, live=True) as tell:
        for _ in range(30):
            clock.now += 5
            write(tmp_path, 0, int(clock.now))
            tell()
    lines = [r.getMessage() for r in caplog.records]
    assert lines == [
        "0 done, 1 running, 3 waiting of 4; 1 steps/s, 31 min to go",
        "0 done, 1 running, 3 waiting of 4; 1 steps/s, 30 min to go",
    ]


def test_on_a_terminal_there_is_a_table_with_warnings_above_it(tmp_path, monkeypatch):
    text = io.StringIO()
    terminal = Console(file=text, force_terminal=True, width=100, height=30)
    monkeypatch.setattr(display, "Console", lambda stderr: terminal)
    watched = supervision(tmp_path)
    begin(watched, 0)
    write(tmp_path, 0, 128)
    with telling(watched, live=True):
        logging.getLogger("teachrl").warning("a run failed")
        logging.getLogger("teachrl").info("a run begins")
    shown = text.getvalue()
    assert "a run failed" in shown
    assert "a run begins" not in shown
    assert "x[red]/seed_0" in shown
    assert "25%" in shown
    assert logging.getLogger("teachrl").propagate


def test_nobody_needs_to_look(tmp_path, monkeypatch):
    monkeypatch.setattr(display, "Console", lambda stderr: Console(force_terminal=True))
    with telling(supervision(tmp_path), live=False) as tell:
        tell()
