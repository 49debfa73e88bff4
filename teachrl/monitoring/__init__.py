"""Pictures of a curriculum: as files, in TensorBoard, and as videos."""
