"""The versions of everything that shapes a run."""

import sys
from importlib.metadata import PackageNotFoundError, version
from subprocess import DEVNULL, CalledProcessError, check_output

_PACKAGES = ("teachrl", "stable-baselines3", "sb3-contrib", "sbx-rl", "gymnasium", "torch", "numpy")


def versions() -> dict[str, str]:
    """Return the versions of everything that shapes a run."""
    found = {"python": sys.version.split()[0]}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def git_revision() -> str | None:
    """Return the commit of the working directory, with a plus sign if files were changed."""
    try:
        commit = check_output(["git", "rev-parse", "HEAD"], stderr=DEVNULL, text=True).strip()
        changed = check_output(["git", "status", "--porcelain", "-uno"], stderr=DEVNULL, text=True)
    except (CalledProcessError, OSError):
        return None
    return commit + ("+" if changed else "")
