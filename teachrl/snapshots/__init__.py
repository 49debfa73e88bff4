"""Saved states of environments, and episodes that begin from them."""

from teachrl.snapshots.adapters import Adapter, Attributes, Native, Replay
from teachrl.snapshots.box2d import Box2D
from teachrl.snapshots.conformance import ConformanceError, Divergence, check_adapter, measure
from teachrl.snapshots.exploring import explore
from teachrl.snapshots.library import Snapshot, SnapshotLibrary, Trajectory
from teachrl.snapshots.mujoco import MuJoCo
from teachrl.snapshots.recording import Recorder, SnapshotError
from teachrl.snapshots.registration import adapter_for, register
from teachrl.snapshots.resets import SnapshotResets
from teachrl.snapshots.selectors import Backward, ByCluster, Mixed, Selector, Uniform, VisitCount
from teachrl.snapshots.tasks import SnapshotTasks

__all__ = [
    "Adapter",
    "Attributes",
    "Backward",
    "Box2D",
    "ByCluster",
    "ConformanceError",
    "Divergence",
    "Mixed",
    "MuJoCo",
    "Native",
    "Recorder",
    "Replay",
    "Selector",
    "Snapshot",
    "SnapshotError",
    "SnapshotLibrary",
    "SnapshotResets",
    "SnapshotTasks",
    "Trajectory",
    "Uniform",
    "VisitCount",
    "adapter_for",
    "check_adapter",
    "explore",
    "measure",
    "register",
]
