"""What pytest leaves alone: modules that stand on a library which is not installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("ray") else ["teachrl/campaigns/engines/ray.py"]
