"""Pictures of a curriculum: as files, in TensorBoard, and as videos."""

from teachrl.monitoring.report import save_pictures
from teachrl.monitoring.tensorboard import PictureCallback

__all__ = ["PictureCallback", "save_pictures"]
