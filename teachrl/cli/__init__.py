"""The ``teachrl`` command: what Python code can do with runs, from a shell."""

import logging
import sys
from collections.abc import Sequence
from inspect import getdoc

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from teachrl import __version__
from teachrl.registry import Registry, UnknownNameError

COMMANDS = Registry(
    "command",
    {
        "teach": "teachrl.cli.teach:Teach",
        "benchmark": "teachrl.cli.benchmark:Benchmark",
        "evaluate": "teachrl.cli.inspect:Evaluate",
        "plot": "teachrl.cli.inspect:Plot",
        "video": "teachrl.cli.inspect:Video",
        "replay": "teachrl.cli.inspect:Replay",
    },
)
_MISTAKES = (UnknownNameError, ValueError, TypeError, OSError, RuntimeError, ImportError)


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
        _run(name, rest)


def _run(name: str, args: Sequence[str]) -> None:
    from teachrl.cli.flags import read

    try:
        command, things = read(COMMANDS[name], args, f"teachrl {name}")
        command.run(things)
    except KeyboardInterrupt:
        _fail("interrupted; the same command with --restart begins again", 130)
    except _MISTAKES as error:
        _fail(str(error), 2)


def _fail(sentence: str, status: int) -> None:
    console = Console(stderr=True)
    console.print(f"[red]teachrl:[/red] {escape(sentence)}", highlight=False, soft_wrap=True)
    raise SystemExit(status)


def _help() -> Table:
    table = Table.grid(padding=(0, 2))
    table.title = "teachrl COMMAND [--help]"
    for name in COMMANDS:
        table.add_row(f"[bold]{name}[/bold]", (getdoc(COMMANDS[name]) or "").partition("\n")[0])
    return table
