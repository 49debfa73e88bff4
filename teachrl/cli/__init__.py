"""The ``teachrl`` command: what Python code can do with runs, from a shell."""

import logging
import os
import sys
import warnings
from collections.abc import Sequence
from inspect import getdoc
from typing import Any, cast

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from teachrl import __version__
from teachrl.registry import Registry, UnknownNameError

COMMANDS = Registry(
    "command",
    {
        "teach": "teachrl.cli.teach:Teach",
        "resume": "teachrl.cli.runs:Resume",
        "benchmark": "teachrl.cli.benchmark:Benchmark",
        "evaluate": "teachrl.cli.runs:Evaluate",
        "plot": "teachrl.cli.runs:Plot",
        "report": "teachrl.cli.report:Report",
        "video": "teachrl.cli.runs:Video",
        "replay": "teachrl.cli.runs:Replay",
        "manifold": "teachrl.cli.manifold:Manifold",
    },
)
_VAGUE = (RuntimeError, TypeError)  # which say what is wrong, but not always where
_MISTAKES = (UnknownNameError, ValueError, OSError, ModuleNotFoundError, *_VAGUE)
_INTERRUPTED = "interrupted; the same command goes on from the last checkpoint, if there is one"
_EXTRAS = {"sb3_contrib": "contrib", "sbx": "sbx", "ray": "campaign", "imageio": "video"}


def main(args: Sequence[str] | None = None) -> None:
    """Carry out one command; a mistake of the user's is one sentence and the exit status 2."""
    name, *rest = list(sys.argv[1:] if args is None else args) or ["--help"]
    if name in ("-h", "--help"):
        Console().print(_help())
    elif name == "--version":
        Console().print(f"teachrl {__version__}", highlight=False)
    else:
        logging.basicConfig(format="%(message)s", level=logging.WARNING)
        logging.getLogger("teachrl").setLevel(logging.INFO)
        with warnings.catch_warnings():
            warnings.showwarning = cast(Any, _warn)
            _run(name, rest)


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    """Say it in one line, above a table that moves; where in the code it arose is left out."""
    logging.getLogger("teachrl").warning("%s", " ".join(str(message).split()))


def _run(name: str, args: Sequence[str]) -> None:
    from teachrl.cli.flags import read

    try:
        read(COMMANDS[name], args, f"teachrl {name}").run()
    except KeyboardInterrupt as stopped:
        _fail(str(stopped) or _INTERRUPTED, 130)
    except _MISTAKES as error:
        if "TEACHRL_TRACEBACK" in os.environ:
            raise
        _fail(_sentence(error), 2)


def _sentence(error: Exception) -> str:
    """Return what went wrong, and what to do where the error itself does not know."""
    if extra := _EXTRAS.get(getattr(error, "name", None) or ""):
        return f"{error}: pip install 'teachrl[{extra}]'"
    return f"{error} (TEACHRL_TRACEBACK=1 shows where)" if type(error) in _VAGUE else str(error)


def _fail(sentence: str, status: int) -> None:
    console = Console(stderr=True, emoji=False)  # a path may hold ":x:"
    console.print(f"[red]teachrl:[/red] {escape(sentence)}", highlight=False, soft_wrap=True)
    raise SystemExit(status)


def _help() -> Table:
    table = Table.grid(padding=(0, 2))
    table.title = "teachrl COMMAND [--help]"
    for name in COMMANDS:
        table.add_row(f"[bold]{name}[/bold]", (getdoc(COMMANDS[name]) or "").partition("\n")[0])
    return table
