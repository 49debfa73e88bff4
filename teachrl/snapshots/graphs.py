"""Attributes of objects as JSON and arrays, and back, who shares what with whom included.

It is to classic control and MiniGrid what pickle would be, but reading it runs no code: classes
come from modules that are loaded already and belong to known packages, objects are made empty, and
their attributes are set.
"""

import enum
import json
import sys
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

PACKAGES = ("gymnasium", "minigrid", "teachrl")  # whose objects may be saved and made again
_SEQUENCES: dict[str, Any] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "deque": deque,
}
_BITS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


class UnsaveableError(TypeError):
    """A value that is neither data nor an object of a known package."""


def pack(attributes: Mapping[str, Any], root: object = None) -> dict[str, Any]:
    """Return attributes as ``{"graph": JSON text, "arrays": {name: array}}``.

    An attribute that cannot be saved is left out, so that the environment keeps its own; whether
    that was right is what the conformance check tells.

    Args:
        attributes: by name.
        root: an object that is referred to, but not saved: the environment itself.
    """
    saved, packer = {}, _Packer(root)
    for name, value in attributes.items():
        mark = packer.mark()
        try:
            saved[name] = packer.pack(value)
        except UnsaveableError:
            packer.rewind(mark)
    text = json.dumps([saved, packer.nodes], separators=(",", ":"))
    return {"graph": text, "arrays": dict(enumerate_names(packer.arrays))}


def unpack(packed: Mapping[str, Any], root: object = None) -> dict[str, Any]:
    """Return the attributes that :func:`pack` was given."""
    saved, nodes = json.loads(packed["graph"])
    unpacker = _Unpacker(nodes, packed.get("arrays", {}), root)
    return {name: unpacker.unpack(value) for name, value in saved.items()}


def enumerate_names(arrays: list[Any]) -> list[tuple[str, Any]]:
    """Return arrays under their numbers, as text."""
    return [(str(i), array) for i, array in enumerate(arrays)]


class _Packer:
    """Values become JSON; containers and objects become numbered nodes, each saved once."""

    def __init__(self, root: object) -> None:
        self.root, self.nodes = root, list[Any]()
        self.arrays: list[Any] = []
        self._seen: dict[int, int] = {}
        self._alive: list[Any] = []  # so that no other object takes the id of one we have seen

    def mark(self) -> tuple[int, int]:
        """Return what :meth:`rewind` needs to forget all that comes later."""
        return len(self.nodes), len(self.arrays)

    def rewind(self, mark: tuple[int, int]) -> None:
        """Forget an attribute that turned out to hold something that cannot be saved."""
        nodes, arrays = mark
        del self.nodes[nodes:], self.arrays[arrays:]
        self._seen = {key: node for key, node in self._seen.items() if node < nodes}

    def pack(self, value: Any) -> Any:
        """Return ``value`` as JSON."""
        if value is None or type(value) in (bool, int, float, str):
            return value  # JSON's NaN and infinity are Python's own, and stay among us
        if value is self.root:
            return {"root": 0}
        if isinstance(value, enum.Enum):
            if not _is_known(type(value)):
                raise UnsaveableError(f"{type(value)} is of no known package")
            return {"enum": [_path(type(value)), value.name]}
        if isinstance(value, np.generic):
            return {"scalar": [value.dtype.str, _item(value)]}
        if id(value) not in self._seen:
            self._seen[id(value)] = number = len(self.nodes)
            self._alive.append(value)
            self.nodes.append(None)
            self.nodes[number] = self._node(value)
        return {"node": self._seen[id(value)]}

    def _node(self, value: Any) -> list[Any]:
        kind = type(value).__name__
        if isinstance(value, np.ndarray):
            return ["array", self._array(value.copy())]
        if isinstance(value, np.random.Generator):
            return ["generator", _generator_state(value)]
        if type(value) in _SEQUENCES.values():
            row = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
            bound = [value.maxlen] if isinstance(value, deque) else []
            return [kind, [self.pack(v) for v in row], *bound]
        if type(value) is dict:
            return ["dict", [[self.pack(k), self.pack(v)] for k, v in value.items()]]
        if _is_known(type(value)) and _is_plain(type(value)):
            return ["object", _path(type(value)), self.pack(dict(vars(value)))]
        raise UnsaveableError(f"{type(value).__module__}.{kind} is no data")

    def _array(self, array: Any) -> int:
        if array.dtype.hasobject:
            raise UnsaveableError("an array of objects is no data")
        self.arrays.append(array)
        return len(self.arrays) - 1


class _Unpacker:
    """Nodes become objects, each made once."""

    def __init__(self, nodes: list[Any], arrays: Mapping[str, Any], root: object) -> None:
        self.nodes, self.arrays, self.root = nodes, arrays, root
        self._made: dict[int, Any] = {}

    def unpack(self, value: Any) -> Any:
        """Return what was packed as ``value``."""
        if not isinstance(value, dict):
            return value
        [(kind, content)] = value.items()
        if kind == "root":
            return self.root
        if kind == "enum":
            return _enumeration(content[0])[content[1]]
        if kind == "scalar":
            return np.dtype(content[0]).type(content[1])
        if content not in self._made:
            self._make(content, *self.nodes[content])
        return self._made[content]

    def _make(self, number: int, kind: str, content: Any, *rest: Any) -> None:
        if kind == "array":
            self._made[number] = np.array(self.arrays[str(content)])
        elif kind == "generator":
            self._made[number] = _generator(content)
        elif kind == "dict":
            self._made[number] = made = dict[Any, Any]()
            made.update((self.unpack(k), self.unpack(v)) for k, v in content)
        elif kind == "object":
            of = _class(content)
            thing: Any = object.__new__(of)
            self._made[number] = thing
            vars(thing).update(self.unpack(rest[0]))
        elif kind in ("list", "deque"):  # known before they are filled: they may hold themselves
            row: Any = deque(maxlen=rest[0]) if kind == "deque" else []
            self._made[number] = row
            row.extend(self.unpack(v) for v in content)
        else:
            self._made[number] = _SEQUENCES[kind](self.unpack(v) for v in content)


def _item(value: np.generic) -> Any:
    """Return a number as Python's, which holds it exactly."""
    is_short = value.dtype.itemsize <= 8 and value.dtype.kind in "biuf"
    if not is_short and value.dtype.kind != "U":
        raise UnsaveableError(f"{value.dtype} has no exact JSON")
    return value.item()


def _is_known(of: type) -> bool:
    return of.__module__.partition(".")[0] in PACKAGES


def _is_plain(of: type) -> bool:
    """Tell whether attributes are all there is; spaces and specs belong to the environment.

    What does something when it is called, or when nobody needs it any more, is more than data.
    """
    members = {name for parent in of.__mro__ for name in vars(parent)}
    acts = members & {"__call__", "__del__", "__enter__", "__exit__"}
    is_own = not of.__module__.startswith(("gymnasium.spaces", "gymnasium.envs.registration"))
    return is_own and "__dict__" in members and not acts


def _generator_state(generator: np.random.Generator) -> str:
    state = generator.bit_generator.state
    return json.dumps(state, default=lambda array: {"list": array.tolist()})


def _generator(text: str) -> np.random.Generator:
    state = json.loads(text, object_hook=lambda d: np.array(d["list"]) if "list" in d else d)
    if state["bit_generator"] not in _BITS:
        raise ValueError(f"expected one of {', '.join(_BITS)}, got {state['bit_generator']}")
    bits = getattr(np.random, state["bit_generator"])()
    bits.state = state
    return np.random.Generator(bits)


def _path(of: type) -> str:
    return f"{of.__module__}:{of.__qualname__}"


def _class(path: str) -> type:
    """Return a plain class of a known package that is loaded already."""
    found = _loaded(path)
    if not _is_plain(found):
        raise ValueError(f"{path} is more than data")
    return found


def _enumeration(path: str) -> Any:
    """Return an enumeration of a known package that is loaded already."""
    found = _loaded(path)
    if not issubclass(found, enum.Enum):
        raise ValueError(f"{path} is no enumeration")
    return found


def _loaded(path: str) -> type:
    """Return what a class of a known package calls itself; never what its module has imported."""
    module, _, qualified = path.partition(":")
    scope: Any = sys.modules.get(module)
    if module.partition(".")[0] not in PACKAGES or scope is None:
        raise ValueError(f"{path} is no class that the environment has loaded")
    found: type = object
    for part in qualified.split("."):
        scope = vars(scope).get(part)
        if not isinstance(scope, type):
            raise ValueError(f"{path} is no class")
        found = scope
    if _path(found) != path:
        raise ValueError(f"{path} is {_path(found)}, which does not belong there")
    return found
