"""Episodes in memory and in monitor.csv are the same."""

import numpy as np
import pandas as pd
import pytest
from stable_baselines3.common.results_plotter import load_results

from teachrl.core import Episode, Task
from teachrl.episodes import COLUMNS, Episodes, EpisodeWriter
from teachrl.spaces import TaskSpace

SPACE = TaskSpace(height=(0, 3), rate=(1e-4, 1, "log"), steps=(1, 5, "int"))


def lesson(n):
    rng = np.random.default_rng(0)
    for i in range(n):
        success = [None, True, False][i % 3]
        task = Task(
            SPACE.uniform(rng), origin=["uniform", "gaussian 1"][i % 2], id=i, learn=i % 5 > 0
        )
        yield Episode(
            task,
            seed=int(rng.integers(2**31)),
            reward=float(rng.normal()),
            length=i + 1,
            success=success,
            truncated=i % 4 == 0,
            start_step=10 * i,
            env_index=i % 2,
        )


@pytest.fixture
def written(tmp_path):
    episodes, writer = Episodes(SPACE), EpisodeWriter(tmp_path / "monitor.csv", SPACE, "reach")
    for i, episode in enumerate(lesson(200)):
        episodes.append(episode, 10 * i + 7)
        writer.write(episode, 10 * i + 7)
    writer.close()
    return episodes, tmp_path / "monitor.csv"


def assert_same(a, b, n):
    for column in [*COLUMNS, "params"]:
        np.testing.assert_array_equal(a[column][:n], b[column][:n])
    assert a.origins[:n] == b.origins[:n]


def test_the_file_holds_every_bit(written):
    episodes, path = written
    again = Episodes.load(path, SPACE)
    assert len(again) == 200
    assert_same(episodes, again, 200)


@pytest.mark.parametrize("cut", [1, 5, 40, 90])
def test_a_line_cut_by_a_crash_is_left_out(written, cut):
    episodes, path = written
    path.write_bytes(path.read_bytes()[:-cut])
    again = Episodes.load(path, SPACE)
    assert 195 < len(again) < 200
    assert_same(episodes, again, len(again))


def test_a_loaded_table_grows_on(written):
    _, path = written
    again = Episodes.load(path, SPACE)
    for episode in lesson(100):
        again.append(episode, 0)
    assert len(again) == 300


def test_sb3_and_pandas_read_it(written):
    episodes, path = written
    frame = load_results(str(path.parent))
    assert frame["r"].tolist() == pytest.approx(episodes["r"].tolist())  # pandas rounds
    table = pd.read_csv(path, comment="#")
    assert {"r", "l", "t", "height", "rate", "steps", "origin"} <= set(table.columns)
    assert table["success"].isna().sum() == 67


def test_a_parameter_may_have_the_name_of_another_column(tmp_path):
    space = TaskSpace(start=(0, 3), seed=(5, 9))
    path = tmp_path / "monitor.csv"
    writer = EpisodeWriter(path, space, "env")
    writer.write(Episode(Task(np.float32([1, 6])), seed=7, reward=2.5, length=10), step=80)
    writer.close()
    header = path.read_text().splitlines()[1].split(",")
    assert len(set(header)) == len(header)
    assert header[-3:] == ["task.start", "task.seed", "origin"]
    assert Episodes.load(path, space).params.tolist() == [[1, 6]]
