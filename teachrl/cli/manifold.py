"""``teachrl manifold``: learn the coordinates that CLUTR teaches in."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Literal

from teachrl.cli.flags import Command, Count, OptionalCount, Steps


@dataclass(kw_only=True)
class Manifold(Command):
    """Learn a manifold of an environment's tasks, and tell what it is worth.

    Teach with it by --teacher clutr --teacher.manifold OUT/ID.npz
    """

    tables: ClassVar[Mapping[str, str]] = {"env": "teachrl.envs:ENVS"}

    env: str = "hexagon-tracks"  # whose tasks
    kind: Literal["flat", "sequence"] = "flat"  # of vectors, or of sets of points x, y, x, y, ...
    latents: OptionalCount = None  # by default 8 of a flat one, 16 of a sequence
    steps: Steps = 4_000  # of gradient descent
    beta: float = 1e-2  # weight of the divergence
    seed: int = 0  # the same seed gives the same manifold
    out: Path = Path("manifolds")  # folder of manifolds, each named by its id
    threads: Count = 1  # of torch

    def run(self) -> None:
        """Write ID.npz, ID.json with its numbers and ID.png with its traversals; show both."""
        import json
        from contextlib import closing

        from teachrl.cli.show import show_paths, show_rows
        from teachrl.files import write_atomically
        from teachrl.models.manifolds import inspect_manifold, learn_manifold
        from teachrl.monitoring.manifolds import task_drawing, traversal_figure
        from teachrl.seeding import stream
        from teachrl.students.threads import torch_threads

        make_env = self.things["env"]
        _make_folder(self.out)  # first, since what is learnt would be lost without it
        with closing(make_env()) as example:
            space = example.get_wrapper_attr("task_space")
        with torch_threads(self.threads):
            manifold = learn_manifold(
                space,
                stream(self.seed, "manifold"),
                kind=self.kind,
                latent_dimensions=self.latents,
                steps=self.steps,
                beta=self.beta,
            )
            found = inspect_manifold(manifold, stream(self.seed, "inspection"))
        path = manifold.save(self.out)
        numbers, picture = path.with_suffix(".json"), path.with_suffix(".png")
        write_atomically(numbers, json.dumps(asdict(found), indent=1) + "\n")
        with task_drawing(make_env) as draw:
            traversal_figure(manifold, found.divergences, draw).savefig(picture)
        show_rows([found.row()], f"manifold {manifold.id} of {self.env}")
        show_paths([path, numbers, picture])


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"--out must be a folder, or a path where one can be made: {error}") from None
