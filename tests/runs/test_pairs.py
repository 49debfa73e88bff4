"""Two students who were stopped go on as if they had not been."""

import numpy as np
import pytest
from stable_baselines3.common.callbacks import BaseCallback

from teachrl import teach
from teachrl.evaluation import TestSet
from teachrl.runs.checkpoints import checkpoints
from teachrl.students.presets import A2CPreset, PPOPreset
from teachrl.students.vec_env import find_taught
from teachrl.teachers import PAIRED, REPAIRED
from tests.runs.test_resume import everything
from tests.runs.worlds import Stop
from tests.students.worlds import Reach

PPO = PPOPreset(rollout=64, batch_size=32, n_epochs=1, net_arch=(8,), normalize_rewards=True)


class Seen(BaseCallback):
    """Writes down the antagonist and the ledger at the end."""

    def _on_step(self):
        return True

    def _on_training_end(self):
        taught = find_taught(self.training_env)
        antagonist = taught.companion.model
        parts = [*antagonist.policy.state_dict().values()]
        parts += [v for s in antagonist.policy.optimizer.state.values() for v in s.values()]
        self.weights = [np.asarray(part).tobytes() for part in parts]
        self.numbers = antagonist.num_timesteps, antagonist._n_updates, taught.ledger.as_dict()


@pytest.mark.parametrize(
    ("student", "teacher", "processes"),
    [
        (PPO, PAIRED(designs_per_update=4), False),
        pytest.param(PPO, PAIRED(designs_per_update=4), True, marks=pytest.mark.slow),
        (PPO, REPAIRED(designs_per_update=2, capacity=10, designer="cross-entropy"), False),
        (A2CPreset(n_steps=16), PAIRED(designs_per_update=4), False),
    ],
)
def test_both_students_and_the_designer_go_on(tmp_path, student, teacher, processes):
    lesson = {
        "steps": 700,
        "n_envs": 2,
        "checkpoint_every": 64,
        "test_set": TestSet.uniform(Reach().task_space, 2),
        "evaluate_every": 300,
        "processes": processes,
    }
    whole, broken, folder = Seen(), Seen(), tmp_path / "run"
    teach(student, Reach, teacher, folder=tmp_path / "whole", callbacks=[whole], **lesson)
    for stop in (300, 560):
        callbacks = [Stop(stop)]
        with pytest.raises(InterruptedError):
            teach(student, Reach, teacher, folder=folder, callbacks=callbacks, **lesson)
        assert checkpoints(folder)
    run = teach(student, Reach, teacher, folder=folder, callbacks=[broken], **lesson)
    assert broken.weights == whole.weights
    assert broken.numbers == whole.numbers
    assert everything(folder) == everything(tmp_path / "whole")
    assert run.teacher().n_updates > 1
    env_steps, steps = run.evaluations.env_steps, run.evaluations.steps
    assert (env_steps[1:] > 2 * steps[1:]).all()  # both students, and the evaluations
