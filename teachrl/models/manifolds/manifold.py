"""What every task manifold offers: latent coordinates of a task space, an id, and a file."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teachrl.files import write_npz
from teachrl.spaces import TaskSpace

Array = NDArray[np.float64]

DESCRIPTION = "description"  # the one entry of a file that is JSON


class Manifold(ABC):
    """A map between the unit cube of a task space and a unit cube of latents, and back.

    Its id is a digest of all that decides what it does: kind, task space and weights. What
    :meth:`save` wrote, ``load_manifold`` reads; what :meth:`state` returned, ``manifold_from``
    makes a manifold of.
    """

    kind: ClassVar[str]  # its name in files

    def __init__(self, space: TaskSpace, latent_dimensions: int) -> None:
        self.space, self.latent_dimensions = space, latent_dimensions

    @abstractmethod
    def encode(self, points: ArrayLike) -> Array:
        """Return the latents (n, k), in their unit cube, of points (n, d) of the unit cube."""

    @abstractmethod
    def decode(self, latents: ArrayLike) -> Array:
        """Return the points (n, d) of the unit cube that latents (n, k) stand for."""

    @abstractmethod
    def divergences(self, points: ArrayLike) -> Array:
        """Return what each latent tells about points (n, d), in nats, (k,).

        That is the divergence of the latent's distribution given a point from the one it would have
        if it told nothing, averaged over the points. Empty if latents have no distribution.
        """

    def canonical(self, points: Array) -> Array:
        """Return that one of equivalent points (n, d) which stands for them all."""
        return points

    @classmethod
    @abstractmethod
    def of(cls, space: TaskSpace, options: Mapping[str, Any], arrays: Mapping[str, Any]) -> Self:
        """Make the manifold whose :meth:`options` and :meth:`arrays` these are."""

    def options(self) -> dict[str, Any]:
        """Return its shape as JSON values."""
        return {}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what was learnt."""
        return {}

    @property
    def id(self) -> str:
        """Twelve digits that tell it from any other."""
        digest = hashlib.sha256(json.dumps(self._description(), sort_keys=True).encode())
        for name, array in sorted(self.arrays().items()):
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:12]

    def require(self, space: TaskSpace) -> Self:
        """Return this manifold, or raise an error if it is none of ``space``."""
        if space != self.space:
            raise ValueError(
                f"the manifold {self.id} was learnt on {self.space}, and the tasks here are those "
                f"of {space}: learn one on these"
            )
        return self

    def state(self) -> dict[str, Any]:
        """Return all of it as arrays and JSON values."""
        return self._description() | {"arrays": self.arrays()}

    def save(self, folder: Path | str) -> Path:
        """Write ``ID.npz`` into a folder, which is made if it does not exist; return its path."""
        path = Path(folder) / f"{self.id}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        described = json.dumps(self._description() | {"id": self.id})
        write_npz(path, {DESCRIPTION: np.array(described), **self.arrays()})
        return path

    def _description(self) -> dict[str, Any]:
        return {"kind": self.kind, "space": self.space.to_json(), "options": self.options()}


def as_points(values: ArrayLike, dimensions: int, name: str = "points") -> Array:
    """Return ``values`` as (n, dimensions), or raise unless that is what they are, and finite."""
    points = np.array(values, np.float64)
    if points.ndim != 2 or points.shape[1] != dimensions or not np.isfinite(points).all():
        raise ValueError(
            f"expected {name} (n, {dimensions}) of the unit cube, finite; got shape "
            f"{points.shape}" + ("" if np.isfinite(points).all() else " with NaN or infinity")
        )
    return points
