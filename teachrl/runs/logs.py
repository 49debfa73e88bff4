"""SB3's logger, going on where it stopped."""

import csv
from pathlib import Path

from stable_baselines3.common.logger import CSVOutputFormat, Logger, configure


def run_logger(folder: Path, until: int) -> Logger:
    """Return a logger to ``progress.csv`` and TensorBoard that keeps the rows up to a step."""
    path = folder / "progress.csv"
    lines = path.read_text().splitlines(keepends=True) if path.exists() and until else []
    logger = configure(str(folder), ["csv", "tensorboard"])
    if lines:
        rows = csv.DictReader(lines)
        kept = [line for row, line in zip(rows, lines[1:], strict=False) if _step(row) <= until]
        for output in logger.output_formats:
            if isinstance(output, CSVOutputFormat):
                output.keys = lines[0].strip().split(",")
                output.file.writelines([lines[0], *kept])
                output.file.flush()
    return logger


def _step(row: dict[str, str]) -> float:
    return float(row.get("time/total_timesteps") or 0.0)
