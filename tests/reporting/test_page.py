"""The page holds the numbers of the runs and nothing that was not asked for."""

import html
import json
import re

import numpy as np
import pytest

from teachrl.baselines import load_baselines, save_baselines
from teachrl.evaluation.test_sets import TestSet
from teachrl.reporting import find_benchmarks, write_report
from teachrl.reporting.curricula import PER_STRETCH, STRETCHES, curricula_of
from teachrl.results import Results
from teachrl.spaces import TaskSpace
from tests.reporting.folders import PLANE, RANGE, write_benchmark, write_run

SHARES = {"random": (0.1, 0.2, 0.3), "good": (0.6, 0.8, 0.7)}
EVIL = "</script><script>alert(1)</script><!--{{data}}"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return Results.load(write_benchmark(tmp_path_factory.mktemp("benchmark"), SHARES))


def data_of(page):
    """Return the JSON of a page as a browser reads it: up to the first end of its element."""
    [text] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(text)


def written(results, path, **options):
    return write_report({"here": results}, path / "report.html", **options).read_text()


def test_the_page_holds_the_numbers_of_the_table(results, tmp_path):
    [benchmark] = data_of(written(results, tmp_path, threshold=0.4))["benchmarks"]
    rows = results.table(threshold=0.4)
    for teacher, row in zip(benchmark["teachers"], rows, strict=True):
        assert (teacher["name"], teacher["runs"]) == (row.teacher, row.runs)
        assert teacher["value"] == pytest.approx(list(row.value), rel=1e-3)
        assert teacher["area"] == pytest.approx(list(row.area), rel=1e-3)
        assert teacher["scores"] == pytest.approx(results.final()[row.teacher], rel=1e-3)
    assert benchmark["teachers"][0]["time"] == ["never"] * 3
    assert benchmark["teachers"][1]["time"][0] == pytest.approx(rows[1].time.value, rel=1e-3)
    [pair], [expected] = benchmark["pairs"], results.pairs()
    assert (pair["a"], pair["b"]) == (1, 0)
    assert pair["adjusted"] == expected.adjusted


def test_curves_are_those_of_the_results_on_either_axis(results, tmp_path):
    [benchmark] = data_of(written(results, tmp_path))["benchmarks"]
    found = {(curve["metric"], curve["axis"]): curve["teachers"] for curve in benchmark["curves"]}
    assert set(found) == {(m, a) for m in ("mastered", "reward") for a in ("train", "all")}
    for (metric, axis), teachers in found.items():
        for teacher, curve in zip(teachers, results.curves(metric, axis).values(), strict=True):
            assert teacher["steps"] == curve.steps.tolist()
            assert teacher["runs"] == [pytest.approx(list(run), rel=1e-3) for run in curve.values]


def test_nothing_in_the_page_asks_the_network(results, tmp_path):
    page = written(results, tmp_path)
    addresses = set(re.findall(r"(?:https?:)?//[\w.]+\.\w+[\w/.]*", page))
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of a namespace
    assert not re.search(r"\b(src|href)=\"(?!data:)", page)
    assert "default-src &#x27;none&#x27;" in page


def test_names_are_data_whatever_they_hold(tmp_path):
    folder = write_benchmark(
        tmp_path / "b", {"random": (0.1, 0.2)}, command=f"teachrl {EVIL} & 'quoted' \u2028"
    )
    results = Results(Results.load(folder).runs)
    results.runs[EVIL] = results.runs.pop("random")
    page = write_report({EVIL: results}, tmp_path / "r.html", title=EVIL).read_text()
    assert "alert(1)</script>" not in page
    assert page.count("<script") == 2
    assert f"<title>{html.escape(EVIL)}</title>" in page
    [benchmark] = data_of(page)["benchmarks"]
    assert benchmark["name"] == benchmark["teachers"][0]["name"] == EVIL
    assert EVIL in benchmark["repeat"]["commands"][0]


def test_the_policy_knows_the_script_and_the_style_and_nothing_else(results, tmp_path):
    import base64
    import hashlib

    page = written(results, tmp_path)
    for tag in ("style", "script"):
        [text] = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.S)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src &#x27;sha256-{digest}&#x27;" in page


def test_a_curriculum_is_thinned_by_its_rule(tmp_path):
    folder = tmp_path / "random" / "seed_0"
    write_run(folder, (0, 0.5, 1), episodes=6000)
    maps = curricula_of(Results.load(tmp_path), 3)
    [run] = maps["runs"]
    assert len(run["stretches"]) == STRETCHES
    assert sum(played for played, _, _ in run["stretches"]) == 6000
    assert {len(shades) for _, _, shades in run["stretches"]} == {PER_STRETCH}
    episodes = Results.load(tmp_path).runs["random"][0].episodes
    played, tasks, shades = run["stretches"][0]
    drawn = np.linspace(0, played - 1, PER_STRETCH).round().astype(int)
    units = PLANE.normalize(episodes.params[drawn])
    np.testing.assert_allclose(np.reshape(tasks, (-1, 2)) / 1000, units, atol=6e-4)
    low, high = RANGE
    expected = (episodes["r"][drawn] - low) / (high - low)
    np.testing.assert_allclose(np.array(shades) / 99, expected, atol=6e-3)
    assert str(PER_STRETCH) in maps["rule"]


def test_few_episodes_are_all_shown(results):
    for run in curricula_of(results, 3)["runs"]:
        assert sum(len(shades) for _, _, shades in run["stretches"]) == 200


def test_beliefs_and_test_results_come_with_their_steps(tmp_path):
    belief = {
        "means": np.array([[0.25, 0.5]]),
        "covariances": np.array([np.diag([0.01, 0.04])]),
        "progress": np.array([0.3]),
    }
    write_run(tmp_path / "gmm" / "seed_0", (0, 0.5, 1), belief=belief)
    [run] = curricula_of(Results.load(tmp_path), 1)["runs"]
    assert [step for step, _ in run["beliefs"]] == [0, 500, 1000]
    assert run["beliefs"][0][1] == {
        "means": [[0.25, 0.5]],
        "covariances": [[[0.01, 0], [0, 0.04]]],
        "values": [0.3],
    }
    assert run["evaluated"] == [0, 500, 1000]
    assert [row.count("1") for row in run["mastered"]] == [0, 10, 20]


def test_many_coordinates_are_cut_to_the_most_used(tmp_path):
    space = TaskSpace(shape=(0, 4, "float", 12))
    tests = TestSet.uniform(space, 20)
    write_run(tmp_path / "random" / "seed_0", (0, 0, 0.5), space=space, tests=tests)
    maps = curricula_of(Results.load(tmp_path), 1)
    assert len(maps["axes"]) == 6
    assert maps["hidden"] == 6
    assert len(maps["tests"]) == 20 * 6


def test_the_difficulty_is_the_share_of_runs_that_master_a_task(results):
    shares = curricula_of(results, 1)["difficulty"]
    assert shares[0][:7] == pytest.approx([1, 1, 2 / 3, 2 / 3, 1 / 3, 1 / 3, 0], abs=1e-3)
    assert sum(shares[1]) == pytest.approx(20 * 0.7, abs=0.01)


def test_ten_runs_fit_into_two_megabytes(tmp_path):
    belief = {"means": np.full((9, 2), 1 / 3), "covariances": np.full((9, 2, 2), 1 / 3)}
    folder = write_benchmark(
        tmp_path / "b",
        dict.fromkeys("abcde", (0.1, 0.2)),
        episodes=9000,
        belief=belief,
    )
    page = write_report({"b": Results.load(folder)}, tmp_path / "r.html", curricula=10)
    assert page.stat().st_size < 2e6


def test_the_command_and_the_versions_are_told(tmp_path):
    write_run(
        tmp_path / "a" / "seed_0", (0, 0, 1), command="/x/teachrl/__main__.py benchmark --seeds 2"
    )
    write_run(tmp_path / "a" / "seed_1", (0, 0, 1), seed=1, command="compare.py --steps 9")
    [benchmark] = data_of(written(Results.load(tmp_path), tmp_path))["benchmarks"]
    repeat = benchmark["repeat"]
    assert repeat["commands"] == ["teachrl benchmark --seeds 2", "python compare.py --steps 9"]
    assert repeat["versions"] == [{"python": "3.11", "teachrl": "0.1.0"}]
    assert repeat["git"] == ["abc123"]
    assert repeat["teachers"]["a"]["seeds"] == [0, 1]
    assert repeat["config"]["n_envs"] == 2
    assert ["all steps paid for", "2,600"] in benchmark["facts"]


def test_baselines_stand_beside_the_runs(results, tmp_path):
    stored = load_baselines(save_baselines(results, tmp_path / "set", "made for a test"))
    [benchmark] = data_of(written(results.against(stored), tmp_path))["benchmarks"]
    assert [t["stored"] for t in benchmark["teachers"]] == [False, False, True, True]
    assert benchmark["maps"]["difficulty"][2] == benchmark["maps"]["difficulty"][0]
    assert {run["teacher"] for run in benchmark["maps"]["runs"]} == {0, 1}


def test_baselines_alone_make_a_page_without_maps(tmp_path):
    [benchmark] = data_of(written(load_baselines("stump-tracks"), tmp_path))["benchmarks"]
    assert benchmark["maps"] is None
    assert {curve["metric"] for curve in benchmark["curves"]} == {"mastered"}


def test_benchmarks_are_found_wherever_they_lie(tmp_path):
    write_benchmark(tmp_path / "ppo" / "stumps", {"random": (0.1,)})
    write_benchmark(tmp_path / "ppo" / "hexagons", {"random": (0.1,)})
    assert list(find_benchmarks(tmp_path)) == ["ppo/hexagons", "ppo/stumps"]
    assert find_benchmarks(tmp_path / "ppo" / "stumps") == {"stumps": tmp_path / "ppo" / "stumps"}
    with pytest.raises(FileNotFoundError, match="holds no run of a benchmark"):
        find_benchmarks(tmp_path / "nothing")


def test_a_report_of_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="a report needs a benchmark"):
        write_report({}, tmp_path / "r.html")
