"""Learning a manifold of a task space from tasks drawn in it."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from teachrl.models.manifolds.flat import FlatManifold
from teachrl.models.manifolds.identity import IdentityManifold
from teachrl.models.manifolds.manifold import Array, Manifold
from teachrl.models.manifolds.sequence import SequenceManifold
from teachrl.models.manifolds.variational import Training, VariationalManifold
from teachrl.spaces import Floats, TaskSpace

Kind = Literal["flat", "sequence"]
Valid = Callable[[Floats], NDArray[np.bool_]]
Canonical = Callable[[Floats], Floats]

KINDS: dict[str, type[VariationalManifold]] = {
    made.kind: made for made in (FlatManifold, SequenceManifold)
}

_PLAIN = 2  # coordinates of which there is nothing to leave out
_SAMPLES = 100_000
_MOST_DRAWS = 1_000  # per valid task, before a rule is taken for one that nothing fits


def learn_manifold(
    space: TaskSpace,
    rng: np.random.Generator,
    *,
    kind: Kind = "flat",
    latent_dimensions: int | None = None,
    samples: int = _SAMPLES,
    valid: Valid | None = None,
    canonical: Canonical | None = None,
    **training: Any,
) -> Manifold:
    """Train an autoencoder on uniform tasks; of up to two coordinates, return the identity.

    Args:
        space: whose tasks they are.
        rng: draws tasks, weights, batches and noise: the same one, the same manifold.
        kind: ``flat`` for vectors, ``sequence`` for sets of points in the plane.
        latent_dimensions: None: 8 of a flat one, 16 of a sequence, at most as many as coordinates.
        samples: tasks to learn from.
        valid: which of tasks (n, d), in the units of the space, are tasks at all, (n,).
        canonical: returns that one of equivalent tasks (n, d) which stands for them.
        **training: fields of :class:`.variational.Training`.
    """
    plan = Training(**training)
    count_latents(space, kind, latent_dimensions)  # which refuses what cannot work
    if space.dimensions <= _PLAIN:
        return IdentityManifold(space)
    points = draw_points(space, samples, rng, valid, canonical)
    return KINDS[kind].learn(space, points, rng, plan, latent_dimensions)


def count_latents(space: TaskSpace, kind: Kind, latent_dimensions: int | None = None) -> int:
    """Return how many latents :func:`learn_manifold` would use, given the same arguments."""
    if kind not in KINDS:
        raise ValueError(f"a manifold is {' or '.join(KINDS)}, got {kind!r}")
    if space.dimensions <= _PLAIN:
        return space.dimensions
    return KINDS[kind].network_for(space, latent_dimensions).latents


def draw_points(
    space: TaskSpace,
    n: int,
    rng: np.random.Generator,
    valid: Valid | None = None,
    canonical: Canonical | None = None,
) -> Array:
    """Return ``n`` uniform valid tasks in unit coordinates, (n, d), each in its canonical form."""
    tasks, found, drawn = [np.zeros((0, space.dimensions), np.float32)], 0, 0
    while found < n:
        fresh = space.uniform(rng, n)
        drawn += n
        fresh = fresh if valid is None else fresh[np.asarray(valid(fresh), bool)]
        tasks.append(fresh)
        found += len(fresh)
        if drawn > _MOST_DRAWS * (found + 1):
            raise ValueError(f"of {drawn:,} uniform tasks of {space}, {found} are valid: too few")
    params = np.concatenate(tasks)[:n]
    return space.normalize(params if canonical is None else canonical(params))
