"""Task manifolds: fewer coordinates for tasks, learnt before any teaching."""

from teachrl.models.manifolds.identity import IdentityManifold
from teachrl.models.manifolds.inspection import Inspection, inspect_manifold
from teachrl.models.manifolds.learning import Kind, count_latents, learn_manifold
from teachrl.models.manifolds.manifold import Manifold
from teachrl.models.manifolds.storing import load_manifold, manifold_from

__all__ = [
    "IdentityManifold",
    "Inspection",
    "Kind",
    "Manifold",
    "count_latents",
    "inspect_manifold",
    "learn_manifold",
    "load_manifold",
    "manifold_from",
]
