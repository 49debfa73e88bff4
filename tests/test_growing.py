"""Long benchmarks go on from their numbers alone."""

import pytest

from experiments.growing import grow
from teachrl.students.presets import PPOPreset
from teachrl.teachers import Random
from tests.students.worlds import Reach

STUDENT = PPOPreset(rollout=64, batch_size=32, n_epochs=1, net_arch=(8,))


def test_what_a_set_has_is_not_taught_again(tmp_path):
    def carry_out(folder, seeds, steps=64):
        return grow(
            STUDENT,
            Reach,
            {"random": Random()},
            seeds=seeds,
            steps=steps,
            folder=tmp_path / folder,
            baselines=tmp_path / "set",
            about="made for a test",
            workers=1,
        )

    [first] = carry_out("here", [0]).outcomes["random"]
    outcomes = carry_out("there", [0, 1]).outcomes["random"]
    assert [outcome.seed for outcome in outcomes] == [0, 1]
    assert outcomes[0].measure("reward").tolist() == first.measure("reward").tolist()
    taught = sorted(path.parent.name for path in tmp_path.glob("there/random/*/config.json"))
    assert taught == ["seed_1"]
    with pytest.raises(ValueError, match="have 64 steps, not 128: name another folder"):
        carry_out("elsewhere", [0, 1, 2], steps=128)
    assert not (tmp_path / "elsewhere").exists()
