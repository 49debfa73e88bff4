"""The page in a real browser: it loads in silence, asks nobody, and answers pointer and keys."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from teachrl.reporting import write_report
from teachrl.results import Results
from teachrl.spaces import TaskSpace
from tests.reporting.browser import CHROMIUM, DRIVER, Browser
from tests.reporting.folders import write_benchmark, write_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None,
        reason="needs Chromium and its driver: apt-get install chromium chromium-driver",
    ),
]

EVIL = "</script><img src=x onerror=alert(1)><b>bold</b>"
SHARES = {"random": (0.1, 0.2, 0.3), "good": (0.6, 0.8, 0.7), EVIL: (0.5, 0.4, 0.2)}
BELIEF = {
    "means": np.array([[0.25, 0.5], [0.8, 0.8]]),
    "covariances": np.array([np.diag([0.01, 0.04]), np.diag([0.02, 0.01])]),
    "progress": np.array([0.3, 0.1]),
}
RIGHT, LEFT, END = "\ue014", "\ue012", "\ue010"  # WebDriver's arrow keys and End
TIP = "const t = document.getElementById('tip'); return t.hidden ? null : t.innerText"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    session = Browser(tmp_path_factory.mktemp("browser"))
    yield session
    session.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    for teacher, runs in SHARES.items():
        plain = re.sub(r"\W", "", teacher)
        belief = BELIEF if teacher == "good" else None
        write_benchmark(folder / "b", {plain: runs}, belief=belief)
    results = Results.load(folder / "b")
    results.runs[EVIL] = results.runs.pop(re.sub(r"\W", "", EVIL))
    return write_report({"reach": results}, folder / "report.html", title=EVIL)


@pytest.fixture
def page(browser, report):
    browser.requests()
    browser.open(report)
    return browser


def canvases(page, selector="main canvas"):
    """Return what each canvas shows."""
    return page.run(
        "return [...document.querySelectorAll(arguments[0])].map((c) => c.toDataURL())", selector
    )


def test_it_loads_in_silence_and_asks_nobody(page, report):
    assert page.messages() == []
    asked = [url for url in page.requests() if not url.startswith("data:")]
    assert asked == [report.resolve().as_uri()]
    assert page.run("return document.querySelectorAll('section.card').length") == 7


def test_names_stay_text(page):
    assert page.run("return document.querySelectorAll('main img, main b').length") == 0
    assert page.run("return document.querySelector('h1').textContent") == EVIL
    assert EVIL in page.run("return document.querySelector('#leaderboard').textContent")
    assert page.messages() == []


def test_a_script_that_got_in_would_not_run(page):
    page.run(
        "const s = document.createElement('script'); s.textContent = 'window.gotIn = 1';"
        "document.body.append(s)"
    )
    assert page.run("return window.gotIn === undefined")
    assert any("Content Security Policy" in message for message in page.messages())


def test_the_pointer_reads_the_curves(page):
    assert page.run(TIP) is None
    page.hover("#curves svg", 0.97, 0.4)
    tip = page.run(TIP)
    assert tip.startswith("1k steps")
    assert "good\n70.0 % [" in tip.replace("\t", "") or "70 %" in tip
    page.hover("#curves svg", 0.06, 0.4)
    assert page.run(TIP).startswith("0 steps")
    page.hover("h1", 0.5, 0.5)
    assert page.run(TIP) is None


def test_the_keys_read_the_curves(page):
    page.press("#curves svg", END)
    assert page.run(TIP).startswith("1k steps")
    page.press("#curves svg", LEFT)
    assert page.run(TIP).startswith("500 steps")
    page.press("#curves svg", RIGHT)
    assert page.run(TIP).startswith("1k steps")


def test_the_slider_moves_time(page):
    late = canvases(page)
    clock = "return document.getElementById('clock').textContent"
    assert page.run(clock) == "1k of 1k steps"
    page.press("#time", LEFT * 30)
    assert page.run(clock) == "500 of 1k steps"
    early = canvases(page)
    # The first six are tasks and test sets by teacher; the last three show difficulty, not time.
    assert all(before != after for before, after in zip(late[:6], early[:6], strict=True))
    assert late[6:] == early[6:]


def test_play_runs_to_the_end_and_pause_holds(page):
    import time

    page.press("#time", LEFT * 30)
    page.click("#play")
    time.sleep(1)
    page.click("#play")
    held = page.run("return Number(document.getElementById('time').value)")
    assert 30 < held < 60
    time.sleep(0.5)
    assert page.run("return Number(document.getElementById('time').value)") == held
    assert page.run("return document.getElementById('play').textContent") == "play"


def test_test_tasks_tell_who_masters_them(page):
    page.run("document.querySelectorAll('main canvas')[7].id = 'difficulty'")
    page.hover("#difficulty", 0.2, 0.85)
    assert re.match(r"mastered by \d+(\.\d)? % of the runs\nheight", page.run(TIP))


def test_a_head_sorts_the_leaderboard(page):
    first = "return document.querySelector('#leaderboard tbody td').textContent"
    assert page.run(first) == "good"
    page.click("#leaderboard th:nth-child(3) button")
    assert page.run(first) == "random"
    sort = "return document.querySelector('#leaderboard th:nth-child(3)').ariaSort"
    assert page.run(sort) == "ascending"


def test_metric_axis_and_teachers_change_the_curves(page):
    def lines():
        return page.run(
            "return [...document.querySelectorAll('#curves .line')].map((p) => p.getAttribute('d'))"
        )

    before = lines()
    assert len(before) == 3
    page.click(".legend button")
    assert lines() == before[1:]
    page.run(
        "const s = document.querySelectorAll('.controls select')[1];"
        "s.value = 'all'; s.dispatchEvent(new Event('change'))"
    )
    assert lines() != before[1:]
    assert "all: training, evaluation" in page.run(
        "return document.querySelector('#curves').textContent"
    )


def test_light_and_dark_are_both_readable(page, tmp_path):
    def luminance(theme):
        page.screenshot(path := tmp_path / f"{theme}.png", 1240, 1000)
        return np.asarray(Image.open(path).convert("L"))

    light = luminance("light")
    page.click("#theme")
    dark = luminance("dark")
    assert np.median(light) > 230
    assert np.median(dark) < 50
    assert np.ptp(light) > 180
    assert np.ptp(dark) > 150
    page.click("#theme")


def test_a_narrow_window_needs_no_scrolling_sideways(page, tmp_path):
    page.screenshot(tmp_path / "narrow.png", 390, 800)
    wide = page.run("return document.documentElement.scrollWidth")
    page.screenshot(tmp_path / "wide.png", 1240, 1000)
    assert wide <= 390


def test_three_benchmarks_have_tabs_and_a_radar(browser, tmp_path):
    folders = {
        name: write_benchmark(tmp_path / name, {"random": (0.1, low), "good": (0.5, low + 0.3)})
        for name, low in (("stumps", 0.2), ("hexagons", 0.3), ("parkour", 0.6))
    }
    path = write_report({n: Results.load(f) for n, f in folders.items()}, tmp_path / "r.html")
    browser.open(path)
    assert browser.run("return document.querySelectorAll('#tabs button').length") == 3
    assert browser.run("return document.querySelectorAll('svg.radar .line').length") == 2
    table = "return document.querySelector('#leaderboard').textContent"
    before = browser.run(table)
    browser.click("#tabs button:nth-child(3)")
    assert browser.run(table) != before
    assert browser.messages() == []


@pytest.mark.parametrize(
    ("space", "selects"),
    [
        (TaskSpace(rate=(1e-4, 1, "log")), 0),
        (TaskSpace(height=(0, 3), count=(1, 5, "int"), shape=(0, 4, "float", 2)), 2),
    ],
)
def test_spaces_of_every_dimension_are_drawn(browser, tmp_path, space, selects):
    from teachrl.evaluation.test_sets import TestSet

    boxes = {
        "low": np.full((1, space.dimensions), 0.2),
        "high": np.full((1, space.dimensions), 0.6),
    }
    options = {"space": space, "belief": boxes, "tests": TestSet.uniform(space, 12)}
    write_run(tmp_path / "random" / "seed_0", (0, 0.25, 0.5), **options)
    browser.open(write_report({"b": Results.load(tmp_path)}, tmp_path / "r.html"))
    assert browser.messages() == []
    before = canvases(browser)
    assert len(before) == 3
    assert len(set(before)) > 1
    found = browser.run(
        "return document.querySelectorAll('select[aria-label=\"vertical coordinate\"]').length"
    )
    assert found == selects
    if selects:
        browser.run(
            "const s = document.querySelector('select[aria-label=\"vertical coordinate\"]');"
            "s.value = 3; s.dispatchEvent(new Event('change'))"
        )
        assert canvases(browser)[:2] != before[:2]


def test_the_helper_sees_what_a_page_complains_about(browser, tmp_path):
    path = Path(tmp_path / "bad.html")
    path.write_text("<script>nothing.there</script><img src='http://127.0.0.1:9/x.png'>")
    browser.requests()
    browser.open(path)
    assert any("nothing is not defined" in message for message in browser.messages())
    assert "http://127.0.0.1:9/x.png" in browser.requests()
