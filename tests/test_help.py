"""What ``--help`` shows is whole, and in plain words."""

import re
from inspect import getsource

import pytest

from teachrl.cli import main
from teachrl.envs.bodies import BODIES
from teachrl.envs.box2d.parameters import PARAMETERS
from teachrl.teachers import TEACHERS


@pytest.mark.parametrize("name", TEACHERS)
def test_the_first_line_of_a_fields_comment_is_whole(name: str) -> None:
    """It is all that the help shows."""
    for base in TEACHERS[name].__mro__[:-1]:
        broken = re.findall(r"^    (\w+): .*  # .*(?:[,;:]|\.\.\.)$", getsource(base), re.MULTILINE)
        assert not broken


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("teach --env stump-tracks", [*BODIES, *PARAMETERS]),
        ("report", ['a folder, "baselines", or the name of a set of these']),
    ],
)
def test_the_help_is_in_plain_words(
    line: str,
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(SystemExit):
        main([*line.split(), "--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", "").split())
    assert not re.search(r":\w+:`", shown)
    assert [word for word in words if word not in shown] == []
