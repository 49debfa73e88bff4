"""Subgoals that were worked out before, by whomever, in a JSON file."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from teachrl.files import read_json, reading, write_atomically
from teachrl.subgoals.source import SubgoalSource
from teachrl.subgoals.steps import Subgoal, bare_world

_FORMAT = 1
_FIELDS = {"kind", "position", "thing"}


class SubgoalFile(SubgoalSource):
    """Subgoals by the seed of the world they are for, such as a language model's.

    Only these worlds are played: an episode with another seed, or without one, plays the world that
    its seed, or chance, picks from them. Each is checked before anything is trained: its subgoals
    must be possible things to do there.

    The file is ``{"format": 1, "environment": id, "worlds": [{"seed": 0, "subgoals": [{"kind":
    "pickup", "position": [1, 2], "thing": "yellow key"}, …]}, …]}``.

    Args:
        environment: the id it was registered with.
        worlds: subgoals by seed.

    >>> worlds = {7: [Subgoal("open", (2, 2), "red door"), Subgoal("reach", (4, 2))]}
    >>> file = SubgoalFile("MiniGrid-MultiRoom-N2-S4-v0", worlds)
    >>> file.chosen_seed(1234, np.random.default_rng(0))
    7
    """

    def __init__(self, environment: str, worlds: Mapping[int, Sequence[Subgoal]]) -> None:
        if not worlds:
            raise ValueError("expected the subgoals of one world or more, got none")
        if empty := [seed for seed, subgoals in worlds.items() if not subgoals]:
            raise ValueError(f"expected subgoals for every world, got none for seed {empty[0]}")
        self.environment = environment
        self.worlds = {seed: tuple(subgoals) for seed, subgoals in worlds.items()}
        self._seeds = sorted(self.worlds)
        self._is_checked = False

    @classmethod
    def made(cls, environment: str, source: SubgoalSource, seeds: Iterable[int]) -> "SubgoalFile":
        """Ask another source about the worlds of some seeds."""
        env = gym.make(environment)
        worlds: dict[int, Sequence[Subgoal]] = {}
        for seed in seeds:
            env.reset(seed=seed)
            worlds[seed] = source.subgoals(env, seed)
        env.close()
        return cls(environment, worlds)

    @classmethod
    def load(cls, path: Path | str) -> "SubgoalFile":
        """Read a file.

        Raises:
            DamagedFileError: it is not as described above; the message says where.
        """
        path = Path(path)
        content = read_json(path)
        with reading(path):
            if content.get("format") != _FORMAT:
                raise ValueError(f"format must be {_FORMAT}, got {content.get('format')!r}")
            if not isinstance(environment := content.get("environment"), str):
                raise ValueError(f"environment must be an id, got {environment!r}")
            if not isinstance(rows := content.get("worlds"), list):
                raise ValueError(f"worlds must be a list, got {type(rows).__name__}")
            worlds = dict[int, list[Subgoal]]()
            for number, row in enumerate(rows):
                seed, subgoals = _world(row, number)
                if seed in worlds:
                    raise ValueError(f"world {number}: seed {seed} is there twice")
                worlds[seed] = subgoals
            return cls(environment, worlds)

    def save(self, path: Path | str) -> Path:
        """Write what :meth:`load` reads."""
        worlds = [
            {"seed": seed, "subgoals": [_written(subgoal) for subgoal in subgoals]}
            for seed, subgoals in self.worlds.items()
        ]
        content = {"format": _FORMAT, "environment": self.environment, "worlds": worlds}
        write_atomically(Path(path), json.dumps(content, indent=1))
        return Path(path)

    def require_fit(self, env: gym.Env[Any, Any]) -> None:
        """Refuse an environment that these subgoals are not of."""
        spec = bare_world(env).spec
        if spec is None or spec.id != self.environment:
            raise ValueError(
                f"these subgoals are of {self.environment}, got {spec.id if spec else env}: make "
                "it with gym.make and this id"
            )
        if self._is_checked:
            return
        fresh = gym.make(spec)
        for seed, subgoals in self.worlds.items():
            fresh.reset(seed=seed)
            for subgoal in subgoals:
                try:
                    subgoal.require_sense(fresh.unwrapped)
                except ValueError as error:
                    raise ValueError(f"{self.environment} with seed {seed}: {error}") from None
        fresh.close()
        self._is_checked = True

    def chosen_seed(self, seed: int | None, rng: np.random.Generator) -> int:
        """Return ``seed`` if its world is known, or else that of one that is drawn."""
        return seed if seed in self.worlds else self._seeds[int(rng.integers(len(self._seeds)))]

    def subgoals(self, env: gym.Env[Any, Any], seed: int | None) -> Sequence[Subgoal]:  # noqa: ARG002
        """Return what the file says about a world."""
        if seed not in self.worlds:
            raise ValueError(f"the subgoals of seed {seed} are not known")
        return self.worlds[seed]


def _world(row: Any, number: int) -> tuple[int, list[Subgoal]]:
    if not isinstance(row, dict) or row.keys() != {"seed", "subgoals"}:
        raise ValueError(f"world {number}: expected seed and subgoals, got {row!r:.80}")
    seed, given = row["seed"], row["subgoals"]
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"world {number}: seed must be a whole number from 0 on, got {seed!r}")
    if not isinstance(given, list):
        raise ValueError(f"world {number}: subgoals must be a list, got {given!r:.80}")
    subgoals = []
    for place, values in enumerate(given):
        if not isinstance(values, dict) or not {"kind", "position"} <= values.keys() <= _FIELDS:
            raise ValueError(
                f"world {number}, subgoal {place}: expected kind, position and thing, got "
                f"{values!r:.80}"
            )
        try:
            subgoals.append(Subgoal(**values))
        except (TypeError, ValueError) as error:
            raise ValueError(f"world {number}, subgoal {place}: {error}") from None
    return seed, subgoals


def _written(subgoal: Subgoal) -> dict[str, Any]:
    values: dict[str, Any] = {"kind": subgoal.kind, "position": list(subgoal.position)}
    return values | ({"thing": subgoal.thing} if subgoal.thing else {})
