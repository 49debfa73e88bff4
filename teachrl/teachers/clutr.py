"""CLUTR: PAIRED on a task manifold that was learnt before (Azad et al., 2023, arXiv 2210.10243)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from teachrl.models.designers import Array
from teachrl.models.manifolds import (
    Kind,
    Manifold,
    count_latents,
    learn_manifold,
    load_manifold,
    manifold_from,
)
from teachrl.seeding import draw_seed
from teachrl.spaces import Floats, TaskSpace
from teachrl.teachers.hyperparameters import require_choice, require_count, require_number
from teachrl.teachers.paired import PAIRED

_OFFERED = 200  # tasks of the whole manifold in a picture


@dataclass(kw_only=True)
class CLUTR(PAIRED):
    """Lets PAIRED's designer choose latents of a task manifold, which a decoder turns into tasks.

    The manifold is learnt first, from random tasks and without any student, and stays as it is;
    so the designer has fewer coordinates to choose, in one step, and equivalent tasks are one. Of
    up to two coordinates it is the identity, and this is PAIRED. It is the file ``manifold``, which
    ``teachrl manifold`` wrote, or is learnt from the teacher's own generator before the first task;
    either way it is part of the teacher's state.

    The designer acts over the whole range of latents, 2.5 standard deviations to each side; the
    published one could only choose positive ones.

    >>> from teachrl import TaskSpace
    >>> from teachrl.seeding import stream
    >>> teacher = CLUTR(designer="cross-entropy", manifold_steps=20)
    >>> teacher = teacher.start(TaskSpace(shape=(0, 4, "float", 12)), stream(0, "teacher"))
    >>> teacher.design_dimensions, teacher.sample().params.shape
    (8, (12,))
    """

    manifold: str | None = None  # file of one that was learnt before; None: learn one
    manifold_kind: Kind = "flat"  # if it is learnt: of vectors, or of sets of x, y pairs
    latent_dimensions: int | None = None  # if it is learnt; None: 8 if flat, 16 of sets of points
    manifold_steps: int = 4_000  # of gradient descent
    manifold_beta: float = 1e-2  # weight of the divergence

    def reset(self) -> None:
        """Begin with a designer who knows nothing, and with the manifold if it is a file."""
        self.task_manifold = self._loaded()
        self.manifold_seed = draw_seed(self.rng)
        super().reset()

    @property
    def design_dimensions(self) -> int:
        """Number of latents."""
        if self.task_manifold is not None:
            return self.task_manifold.latent_dimensions
        return count_latents(self.space, self.manifold_kind, self.latent_dimensions)

    def decode(self, points: Array) -> Floats:
        """Return the tasks (n, d) that latents (n, k) stand for."""
        return self.space.denormalize(self._known().decode(points))

    def belief(self) -> dict[str, NDArray[Any]]:
        """Return ``points`` (n, d) of the whole manifold, and those the designer would propose.

        Their ``values`` (n,) are 0 and 1.
        """
        latents = np.random.default_rng(0).random((_OFFERED, self.design_dimensions))
        offered = self.space.normalize(self.decode(latents))
        designed = super().belief()["points"]
        values = np.repeat([0.0, 1.0], [len(offered), len(designed)])
        return {"points": np.concatenate([offered, designed]), "values": values}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`, which holds the manifold: its file need not exist."""
        saved = state.get("task_manifold")
        made = None if saved is None else manifold_from(saved).require(self.space)
        if made is not None:
            self.task_manifold = made
            self.model = self._make_designer()  # of as many latents as that manifold has
        super().restore(dict(state) | {"task_manifold": made})

    def _known(self) -> Manifold:
        """Return the manifold, and learn it if need be: only now, since a resumed teacher has it.

        Learning has a generator of its own, so it makes no difference who asks first.
        """
        if self.task_manifold is None and self.manifold is not None:
            raise FileNotFoundError(
                f"CLUTR.manifold: there is no file {self.manifold}; teachrl manifold writes one, "
                "and without the option it is learnt before the first task"
            )
        if self.task_manifold is None:
            self.task_manifold = _learnt(
                self.space,
                self.manifold_kind,
                self.latent_dimensions,
                self.manifold_steps,
                self.manifold_beta,
                self.manifold_seed,
            )
        return self.task_manifold

    def _loaded(self) -> Manifold | None:
        """Return the manifold in the file; of a missing file, the first task tells."""
        if self.manifold is None:
            return None
        if not isinstance(self.manifold, str | Path) or Path(self.manifold).is_dir():
            raise ValueError(
                "CLUTR.manifold must be a file that teachrl manifold wrote, OUT/ID.npz; got "
                f"{self.manifold!r}"
            )
        if not Path(self.manifold).exists():
            return None
        return load_manifold(self.manifold).require(self.space)

    def _require_sense(self) -> None:
        super()._require_sense()
        require_choice(self, "manifold_kind", get_args(Kind))
        require_count(self, "manifold_steps")
        require_number(self, "manifold_beta", 0.0, 1e6)
        if self.latent_dimensions is not None:
            require_count(self, "latent_dimensions")


@lru_cache(maxsize=4)  # a restart with the same seed would learn the same again
def _learnt(  # noqa: PLR0917
    space: TaskSpace, kind: Kind, latents: int | None, steps: int, beta: float, seed: int
) -> Manifold:
    rng = np.random.default_rng(seed)
    return learn_manifold(space, rng, kind=kind, latent_dimensions=latents, steps=steps, beta=beta)
