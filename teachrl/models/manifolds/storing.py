"""Manifolds from files and from the state of a teacher, none of which can run code."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from teachrl.files import DamagedFileError, read_npz, reading
from teachrl.models.manifolds.identity import IdentityManifold
from teachrl.models.manifolds.learning import KINDS
from teachrl.models.manifolds.manifold import DESCRIPTION, Manifold
from teachrl.spaces import TaskSpace

_KINDS: dict[str, type[Manifold]] = {IdentityManifold.kind: IdentityManifold, **KINDS}


def load_manifold(path: Path | str) -> Manifold:
    """Read a manifold that :meth:`Manifold.save` wrote; one that has changed since is refused."""
    path = Path(path)
    arrays = read_npz(path)
    with reading(path):
        described = json.loads(str(arrays.pop(DESCRIPTION)))
        manifold = manifold_from(described | {"arrays": arrays})
        if manifold.id != described["id"]:
            raise DamagedFileError(
                f"{path} has changed since it was written: it was the manifold "
                f"{described['id']}, and is now {manifold.id}"
            )
        return manifold


def manifold_from(state: Mapping[str, Any]) -> Manifold:
    """Return the manifold whose :meth:`Manifold.state` this is."""
    if state["kind"] not in _KINDS:
        raise ValueError(f"a manifold is {', '.join(_KINDS)}, got {state['kind']!r}")
    space = TaskSpace.from_json(state["space"])
    return _KINDS[state["kind"]].of(space, state["options"], state["arrays"])
