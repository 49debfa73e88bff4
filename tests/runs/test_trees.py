"""Nested arrays and JSON survive a file that cannot run code."""

import numpy as np
import pytest

from teachrl.files import write_atomically
from teachrl.runs.trees import load_tree, save_tree


def test_a_tree_comes_back_as_it_was(tmp_path):
    generator = np.random.default_rng(3)
    tree = {
        "rng": generator.bit_generator.state,  # 128-bit integers
        "points": np.arange(6, dtype=np.float32).reshape(2, 3),
        "nested": [{"empty": np.zeros((0, 2)), "none": None}, 1.5, True, "text"],
        "scalar": np.float64(0.1),
    }
    save_tree(tmp_path / "tree.npz", tree)
    again = load_tree(tmp_path / "tree.npz")
    assert again["rng"] == tree["rng"]
    np.testing.assert_array_equal(again["points"], tree["points"])
    assert again["points"].dtype == np.float32
    assert again["nested"][0]["empty"].shape == (0, 2)
    assert again["nested"][0]["none"] is None
    assert again["nested"][1:] == [1.5, True, "text"]
    assert again["scalar"] == 0.1


def test_objects_are_refused(tmp_path):
    with pytest.raises(TypeError, match="only arrays and JSON values"):
        save_tree(tmp_path / "tree.npz", {"object": object()})
    assert not (tmp_path / "tree.npz").exists()


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, "old")

    def fail(file):
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
