"""The run folders of a campaign, as the process sees them that manages it."""

import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from teachrl.runs.folder import RunFolder, is_own, read_status


def is_done(folder: Path) -> bool:
    """Tell whether a folder holds a finished run."""
    return (folder / "status").exists() and read_status(folder) == "done"


def begin_again(folder: Path, config: Mapping[str, Any]) -> None:
    """Remove the run in a folder, if there is one, in favour of one that was stopped at once.

    Other files stay. It is an error while another process writes there.
    """
    if (folder / "config.json").exists():
        with suppress(KeyboardInterrupt), RunFolder(folder, config, restart=True):
            raise KeyboardInterrupt


def clear_run(folder: Path, keep: Collection[str] = ()) -> None:
    """Remove what a run wrote, in a folder whose lock the caller holds.

    Checkpoints go first: after a crash, what is left has nothing to go on from.
    """
    others = sorted(path for path in folder.iterdir() if is_own(path.name))
    for path in [folder / "checkpoint", *others]:
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in (".lock", *keep):
            path.unlink(missing_ok=True)
