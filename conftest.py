"""What pytest leaves alone: modules that stand on a library which is not installed."""

from importlib.util import find_spec

_NEED = {
    "ray": ["teachrl/campaigns/engines/ray.py"],
    "minigrid": ["teachrl/subgoals/oracle.py", "teachrl/subgoals/wrapper.py"],
}

collect_ignore = [path for name, paths in _NEED.items() if not find_spec(name) for path in paths]
