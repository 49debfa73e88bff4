"""Runs of the tests are so short that a rule of shares would leave them without checkpoints."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def checkpoints_by_steps_alone():
    """Let checkpoints cost what they like, so that they do not depend on the clock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("teachrl.runs.checkpointing._SHARE", 1e9)
        yield
