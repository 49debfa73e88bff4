"""Progress is read from the ends of files, cut lines left out."""

import pytest

from teachrl.campaigns.progress import Progress, read_progress

HEADER = '#{"t_start": 0.0}\nr,l,t,id\n'
EVALUATION = "step,env_steps,task,r,l,success,mastered\n"


def rows(step, mastered):
    return "".join(f"{step},9,{task},0.5,9,,{int(m)}\n" for task, m in enumerate(mastered))


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", 0),
        (HEADER, 0),
        (HEADER + "1.0,5,40,0\n", 40),
        (HEADER + "1.0,5,40,0\n1.0,5,90", 40),
        (HEADER + "".join(f"1.0,5,{i},0\n" for i in range(1, 5001)), 5000),
    ],
)
def test_the_last_complete_episode_counts(text, steps, tmp_path):
    (tmp_path / "monitor.csv").write_text(text)
    assert read_progress(tmp_path).steps == steps


@pytest.mark.parametrize("tasks", [1, 4, 3000])
def test_the_last_evaluation_counts_whatever_its_size(tasks, tmp_path):
    first, last = [True] * tasks, [i % 4 == 0 for i in range(tasks)]
    (tmp_path / "evaluations.csv").write_text(EVALUATION + rows(0, first) + rows(100, last))
    assert read_progress(tmp_path) == Progress(100, sum(last) / tasks)


def test_an_only_evaluation_counts(tmp_path):
    (tmp_path / "evaluations.csv").write_text(EVALUATION + rows(0, [True, False]))
    assert read_progress(tmp_path) == Progress(0, 0.5)
