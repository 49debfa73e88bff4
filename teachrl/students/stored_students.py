"""Trained students in run folders, opened only if the folder vouches for them."""

import io
from pathlib import Path

from stable_baselines3.common.base_class import BaseAlgorithm

from teachrl.digests import read_known, require_unchanged
from teachrl.files import read_json, reading
from teachrl.registry import import_object
from teachrl.students.experts import Expert
from teachrl.students.normalizers import load_statistics
from teachrl.students.randomness import global_randomness, restore_global_randomness


def load_model(folder: Path, file: str = "model.zip", trust: bool = False) -> BaseAlgorithm:
    """Load a student of a run folder.

    Raises:
        UntrustedFileError: the run did not write that zip, and ``trust`` was not asked for.
    """
    path = folder / "config.json"
    require_unchanged(path)
    config = read_json(path)
    with reading(path):
        algorithm = import_object(config["student"]["algorithm"])
        if not (isinstance(algorithm, type) and issubclass(algorithm, BaseAlgorithm)):
            raise TypeError(f"{algorithm!r} is not a Stable-Baselines3 algorithm")
    content, before = read_known(folder / file, trust), global_randomness()
    try:
        with reading(folder / file):
            return algorithm.load(io.BytesIO(content), device="cpu")
    finally:
        restore_global_randomness(before)  # loading seeds them: a run that goes on would notice


def load_expert(folder: Path | str) -> Expert:
    """Load the trained student of a run folder, with the normalisation it was trained with."""
    folder = Path(folder)
    if not (folder / "config.json").is_file() or not (folder / "model.zip").is_file():
        raise FileNotFoundError(
            f"{folder} holds no trained student: expected the folder of a run that is done, with "
            "config.json and model.zip"
        )
    statistics = folder / "normalizer.npz"
    normalizer = load_statistics(statistics) if statistics.exists() else None
    return Expert(load_model(folder), normalizer)
