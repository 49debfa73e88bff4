"""Put the numbers, the style and the scripts of a report into one file."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from teachrl.files import write_atomically
from teachrl.reporting.digest import digest
from teachrl.results import Results

_SCRIPTS = ("basics.js", "tables.js", "curves.js", "maps.js", "player.js", "main.js")
_DANGEROUS = str.maketrans(
    {c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}  # JSON in HTML: no tag can open or close
)


def write_report(
    benchmarks: Mapping[str, Results],
    path: Path | str,
    *,
    threshold: float = 0.5,
    curricula: int = 3,
    title: str = "",
) -> Path:
    """Write one self-contained HTML page, and return its path.

    It shows the leaderboard, learning curves, curricula over time, how difficult the test tasks
    are, every comparison, and how to repeat it all. It makes no request, and names that runs were
    given are shown as text, whatever they hold.

    Args:
        benchmarks: results by the name of what they are on; three or more make a radar, too.
        path: of the page.
        threshold: share of the test set, which the time to master is told of.
        curricula: runs per teacher whose curriculum is shown, the lowest seeds.
        title: of the page; empty: who learns what.
    """
    if not benchmarks:
        raise ValueError("a report needs a benchmark")
    data: dict[str, Any] = {
        "benchmarks": [
            digest(name, results, threshold=threshold, curricula=curricula)
            for name, results in benchmarks.items()
        ],
    }
    path = Path(path)
    heads = dict.fromkeys(benchmark["title"] for benchmark in data["benchmarks"])
    write_atomically(path, page(data, title or ", ".join(heads)))
    return path


def page(data: Mapping[str, Any], title: str) -> str:
    """Return the HTML around the data of a report."""
    style, script = _text("page.css"), "\n".join(map(_text, _SCRIPTS))
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "title": html.escape(title),
        "policy": html.escape(policy),
        "style": style,
        "script": script,
        "data": json.dumps(data, separators=(",", ":"), allow_nan=False).translate(_DANGEROUS),
    }
    # In one pass, so that data which look like a gap are not filled.
    return re.sub(r"\{\{(\w+)\}\}", lambda gap: parts[gap[1]], _text("page.html"))


def find_benchmarks(folder: Path | str) -> dict[str, Path]:
    """Return the benchmark folders in a folder by name: itself, or those below it.

    A benchmark folder holds ``<teacher>/seed_<n>/config.json``.
    """
    folder = Path(folder)
    found = {config.parents[2] for config in folder.rglob("seed_*/config.json")}
    if not found:
        raise FileNotFoundError(f"{folder} holds no run of a benchmark")
    if found == {folder}:
        return {folder.resolve().name: folder}
    return {str(path.relative_to(folder)): path for path in sorted(found)}


def _text(name: str) -> str:
    return (files("teachrl.reporting") / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """Return what a content security policy calls this inline text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
