"""What every registered teacher promises."""

import numpy as np
import pytest

from teachrl.checks import check_teacher
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.teachers import ALPGMM, TEACHERS


@pytest.mark.parametrize("name", TEACHERS)
def test_it_keeps_its_promises(name):
    check_teacher(TEACHERS[name](), episodes=600 if name == "alp-gmm" else 200)


def test_variants_keep_them_too():
    quick = {"fit_every": 20, "max_gaussians": 4}
    check_teacher(ALPGMM(**quick, warm_start=True, criterion="bic", em_inits=2), episodes=100)
    check_teacher(ALPGMM(**quick, criterion="aicc", random_ratio=0.0), episodes=100)


@pytest.mark.parametrize("name", TEACHERS)
def test_seed_zero_is_a_seed(name):
    space = TaskSpace(a=(0, 1))
    tasks = [
        TEACHERS[name]().start(space, stream(0, "teacher")).sample().params.tobytes()
        for _ in range(2)
    ]
    assert tasks[0] == tasks[1]


@pytest.mark.parametrize("name", TEACHERS)
def test_its_hyperparameters_are_keywords_with_defaults(name):
    teacher = TEACHERS[name]()
    assert type(teacher)(**teacher.config()) == teacher
    assert np.isfinite(len(repr(teacher)))
