"""Teachers, one algorithm per file."""

from typing import TYPE_CHECKING, Any

from teachrl.registry import Registry

if TYPE_CHECKING:
    from teachrl.teachers.alp_gmm import ALPGMM
    from teachrl.teachers.oracle import Oracle
    from teachrl.teachers.random import Random

__all__ = ["ALPGMM", "Oracle", "Random"]

TEACHERS = Registry(
    "teacher",
    {
        "alp-gmm": "teachrl.teachers.alp_gmm:ALPGMM",
        "oracle": "teachrl.teachers.oracle:Oracle",
        "random": "teachrl.teachers.random:Random",
    },
)


def __getattr__(name: str) -> Any:
    """Import a teacher when it is first asked for, and the libraries it stands on with it."""
    for registered, path in TEACHERS.paths.items():
        if path.endswith(f":{name}"):
            return TEACHERS[registered]
    raise AttributeError(f"module 'teachrl.teachers' has no attribute {name!r}")
