"""Manifolds outlive the process that learnt them, and what is in a file is mistrusted."""

import json

import numpy as np
import pytest

from teachrl.files import DamagedFileError, read_npz, write_npz
from teachrl.models.manifolds import (
    IdentityManifold,
    learn_manifold,
    load_manifold,
    manifold_from,
)
from teachrl.spaces import TaskSpace

SPACE = TaskSpace(shape=(0, 4, "float", 6))
OTHER = TaskSpace(shape=(0, 5, "float", 6))


def learnt(kind="flat", space=SPACE, seed=0):
    rng = np.random.default_rng(seed)
    return learn_manifold(space, rng, kind=kind, steps=3, samples=50, batch=8)


def every_kind():
    return [learnt("flat"), learnt("sequence"), IdentityManifold(SPACE)]


@pytest.mark.parametrize("manifold", every_kind(), ids=lambda manifold: manifold.kind)
def test_a_file_holds_all_of_a_manifold(manifold, tmp_path):
    path = manifold.save(tmp_path / "new" / "folder")
    assert path.name == f"{manifold.id}.npz"
    same_behaviour(manifold, load_manifold(path))
    same_behaviour(manifold, load_manifold(str(path)))


@pytest.mark.parametrize("manifold", every_kind(), ids=lambda manifold: manifold.kind)
def test_a_state_is_arrays_and_json(manifold):
    state = manifold.state()
    arrays = state.pop("arrays")
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    same_behaviour(manifold, manifold_from(json.loads(json.dumps(state)) | {"arrays": arrays}))
    for array in arrays.values():
        array[:] = 0  # a state is a copy
    assert manifold.id == manifold_from(manifold.state()).id


def same_behaviour(manifold, again):
    rng = np.random.default_rng(0)
    latents, points = rng.random((5, manifold.latent_dimensions)), rng.random((5, 6))
    assert again.id == manifold.id
    assert again.space == manifold.space
    np.testing.assert_array_equal(again.decode(latents), manifold.decode(latents))
    np.testing.assert_array_equal(again.encode(points), manifold.encode(points))


def test_the_id_tells_everything_that_matters():
    manifold = learnt()
    others = [learnt(seed=1), learnt(space=OTHER), learnt("sequence"), IdentityManifold(SPACE)]
    assert len({manifold.id, *(other.id for other in others)}) == 5
    shifted = manifold.state()
    shifted["arrays"]["reach"][0] += 1e-9
    assert manifold_from(shifted).id != manifold.id
    assert IdentityManifold(SPACE).id != IdentityManifold(OTHER).id


def test_a_manifold_of_another_space_is_refused_by_a_sentence_that_names_both():
    manifold = learnt()
    assert manifold.require(TaskSpace(shape=(0, 4, "float", 6))) is manifold
    with pytest.raises(ValueError, match="learn one on these") as refused:
        manifold.require(OTHER)
    assert str(SPACE) in str(refused.value)
    assert str(OTHER) in str(refused.value)


def changed(path, **changes):
    arrays = read_npz(path)
    described = json.loads(str(arrays["description"]))
    for name, value in changes.items():
        if name in arrays:
            arrays[name] = value
        else:
            described[name] = value
    write_npz(path, arrays | {"description": np.array(json.dumps(described))})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reach": np.ones(6)}, "has changed since it was written"),
        ({"reach": np.full(6, np.nan)}, "must be finite"),
        ({"reach": np.ones(5)}, "the reach of 6 latents"),
        ({"vector": np.ones(3)}, "of layers of other sizes"),
        ({"space": OTHER.to_json()}, "has changed since it was written"),
        ({"options": {"latents": 10**9, "hidden": 10**9}}, "of layers of other sizes"),
        ({"options": {"latents": "6", "hidden": 128}}, "cannot be read"),
        ({"options": {}}, "cannot be read"),
        ({"kind": "os.system"}, "a manifold is identity, flat, sequence, got 'os.system'"),
        ({"kind": "identity"}, "neither options nor arrays"),
        ({"kind": ["flat"]}, "cannot be read"),
    ],
)
def test_a_file_that_was_changed_is_refused(changes, message, tmp_path):
    path = learnt().save(tmp_path)
    changed(path, **changes)
    with pytest.raises(DamagedFileError, match=message) as refused:
        load_manifold(path)
    assert str(path) in str(refused.value)


def test_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_manifold(tmp_path / "missing.npz")
    (tmp_path / "text.npz").write_text("hello")
    write_npz(tmp_path / "arrays.npz", {"weights": np.ones(3)})
    for name in ("text.npz", "arrays.npz"):
        with pytest.raises(DamagedFileError, match=name):
            load_manifold(tmp_path / name)
    np.savez(tmp_path / "pickled.npz", description=np.array([object()], object))
    with pytest.raises(DamagedFileError, match="holds object"):
        load_manifold(tmp_path / "pickled.npz")
