"""EXP3.S, equation by equation."""

import numpy as np
import pytest
from scipy.special import softmax

from teachrl.core import Episode
from teachrl.envs import play
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.teachers import EXP3S, Random

SPACE = TaskSpace(x=(0, 10), n=(1, 2, "int"))  # 4 times 2 cells in these tests


def started(seed=0, space=SPACE, reward_range=(0.0, 1.0), **options):
    options = {"bins": 4} | options
    return EXP3S(**options).start(space, stream(seed, "teacher"), reward_range)


def finish(teacher, task, reward):
    teacher.update(Episode(task, seed=0, reward=float(reward), length=1))


def teach(teacher, episodes, reward):
    tasks = []
    for i in range(episodes):
        tasks.append(task := teacher.sample())
        finish(teacher, task, reward(task, i))
    return tasks


def task_in(teacher, cell):
    while (task := teacher.sample()).meta["cell"] != cell:
        pass
    return task


def test_tasks_are_uniform_at_first_and_lie_in_their_cell():
    teacher = started()
    tasks = [teacher.sample() for _ in range(4000)]
    cells = [task.meta["cell"] for task in tasks]
    np.testing.assert_allclose(np.bincount(cells) / 4000, 1 / 8, atol=0.02)
    for task in tasks[:50]:
        place, value = divmod(task.meta["cell"], 2)
        assert 2.5 * place <= task.params[0] <= 2.5 * (place + 1)
        assert task.params[1] == 1 + value
        assert task.meta["chance"] == pytest.approx(1 / 8)


def test_the_first_episode_of_a_cell_pays_nothing():
    teacher = started()
    for cell in range(8):
        finish(teacher, task_in(teacher, cell), 0.9)
    np.testing.assert_array_equal(teacher.log_weights, 0)
    assert teacher.n_payoffs == 0


@pytest.mark.parametrize("bias", [0.0, 0.3])
def test_weights_follow_the_paper(bias):
    teacher = started(rate=0.05, bias=bias, random_ratio=0.3)
    rng, last, payoffs = np.random.default_rng(0), {}, []
    weights, t = np.zeros(8), 1
    for _ in range(60):
        task, reward = teacher.sample(), rng.random()
        cell = task.meta["cell"]
        chances = 0.7 * softmax(weights) + 0.3 / 8
        assert task.meta["chance"] == pytest.approx(chances[cell])
        finish(teacher, task, reward)
        if cell in last:
            payoffs.append(abs(reward - last[cell]))
            t += 1
            ordered = sorted(payoffs)
            low, high = (ordered[round(q * (len(ordered) - 1))] for q in (0.2, 0.8))
            scaled = 2 * (payoffs[-1] - low) / (high - low) - 1 if low < high else 0.0
            gain = np.full(8, bias) / chances
            gain[cell] += np.clip(scaled, -1, 1) / chances[cell]
            raised = np.exp(weights + 0.05 * gain)
            shared = (raised.sum() - raised) / 7
            weights = np.log((1 - 1 / t) * raised + shared / t)
        last[cell] = reward
        np.testing.assert_allclose(softmax(teacher.log_weights), softmax(weights))


GAP = TaskSpace(gap=(0, 10, "interval"))


def test_cells_in_which_an_interval_is_the_wrong_way_round_are_no_arms():
    teacher = started(space=GAP)
    tasks = teach(teacher, 4000, lambda task, i: i % 2 if task.meta["cell"] == 3 else 0.5)
    for task in tasks:
        assert teacher.grid.cell(GAP.normalize(task.params)) == task.meta["cell"]
    assert set(teacher.cells) == {0, 1, 2, 3, 5, 6, 7, 10, 11, 15}
    belief = teacher.belief()
    best = int(np.argmax(belief["values"]))
    assert belief["values"][best] > 0.3
    assert (*belief["low"][best], *belief["high"][best]) == (0.0, 0.75, 0.25, 1.0)


def test_payoffs_are_mapped_by_two_quantiles_of_what_was_paid():
    teacher = started()
    assert teacher._mapped(0.5) == 0.0  # a constant is neither good nor bad
    for payoff in np.linspace(0, 1, 1001):
        teacher._mapped(payoff)
    assert teacher._mapped(0.1) == -1.0
    assert teacher._mapped(0.9) == 1.0
    assert teacher._mapped(0.5) == pytest.approx(0.0, abs=0.02)
    assert teacher._mapped(0.35) == pytest.approx(-0.5, abs=0.02)


def test_the_quantiles_are_of_a_fair_sample_of_bounded_size():
    means = []
    for seed in range(40):
        teacher = started(seed, memory=50)
        for payoff in range(400):
            teacher._mapped(payoff)
        assert teacher.payoffs == sorted(teacher.payoffs)
        assert len(teacher.payoffs) == 50
        means.append(np.mean(teacher.payoffs))
    assert np.mean(means) == pytest.approx(199.5, abs=8)


def test_it_follows_the_arm_that_changes():
    teacher = started()
    teach(teacher, 500, lambda task, i: i % 2 if task.meta["cell"] == 3 else 0.2)
    values = teacher.belief()["values"]
    assert values[3] > 0.8
    teach(teacher, 1500, lambda task, i: i % 2 if task.meta["cell"] == 6 else 0.2)
    assert teacher.belief()["values"][6] > 0.8


def test_the_random_share_stays_uniform():
    teacher = started(random_ratio=0.4)
    teach(teacher, 500, lambda task, i: i % 2 if task.meta["cell"] == 3 else 0.2)
    cells = [teacher.sample().meta["cell"] for _ in range(4000)]
    assert min(np.bincount(cells, minlength=8)) / 4000 == pytest.approx(0.05, abs=0.015)


def test_payoffs_are_divided_by_the_chance_at_which_the_task_was_sampled():
    teacher = started()
    first = task_in(teacher, 0)
    waiting = task_in(teacher, 0)
    finish(teacher, first, 0.0)
    teach(teacher, 300, lambda task, i: i % 2 if task.meta["cell"] == 3 else 0.2)
    seen = []
    teacher._pay = lambda cell, payoff, chance: seen.append((cell, chance))
    finish(teacher, waiting, 1.0)
    assert seen == [(0, pytest.approx(1 / 8))]


def test_extreme_payoffs_do_not_overflow():
    teacher = started(rate=1.0, random_ratio=0.001)
    with np.errstate(all="raise", under="ignore"):
        teach(teacher, 2000, lambda task, i: i % 2)
    assert np.isfinite(teacher.log_weights).all()


def test_rewards_are_scaled():
    wide = started(reward_range=(-150.0, 350.0))
    a = teach(wide, 200, lambda task, i: -150 + 500 * (i % 2))
    b = teach(started(), 200, lambda task, i: i % 2)
    assert [t.params.tolist() for t in a] == [t.params.tolist() for t in b]


def test_a_preview_never_explores():
    teacher = started(random_ratio=0.5)
    teach(teacher, 800, lambda task, i: i % 2 if task.meta["cell"] == 3 else 0.2)
    shown = teacher.preview(300, stream(0, "preview"))
    assert np.mean((shown[:, 0] >= 2.5) & (shown[:, 0] <= 5) & (shown[:, 1] == 2)) > 0.8


def test_a_belief_holds_the_likeliest_cells():
    teacher = started(space=TaskSpace(shape=(0, 1, "float", 3)), bins=10)
    teach(teacher, 3000, lambda task, i: 0.2)
    for i in range(6):
        finish(teacher, task_in(teacher, 555), i % 2)
    belief = teacher.belief()
    shapes = {name: array.shape for name, array in belief.items()}
    assert shapes == {"low": (400, 3), "high": (400, 3), "values": (400,)}
    best = np.argmax(belief["values"])
    np.testing.assert_allclose(belief["low"][best], 0.5)
    assert teacher.metrics()["effective_cells"] < 1000
    assert 0.5 < teacher.metrics()["met"] <= 1


@pytest.mark.parametrize("space", [TaskSpace(x=(0, 1)), TaskSpace(shape=(0, 1, "float", 12))])
@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_rewards_that_never_change_leave_it_uniform(space, reward):
    teacher = started(space=space, bins=None)
    teach(teacher, 500, lambda task, i: reward)
    assert teacher.metrics()["effective_cells"] == pytest.approx(len(teacher.last))


def test_the_published_values():
    assert (EXP3S.as_published().rate, EXP3S.as_published().random_ratio) == (0.001, 0.05)
    assert (EXP3S().low_quantile, EXP3S().high_quantile, EXP3S().bias) == (0.2, 0.8, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bins": 60_000}, r"from 2 to 100,000 cells, got 120,000 \(60000 x 2\) from 60000"),
        ({"bins": {"z": 3}}, "bins names z; the parameters are x, n"),
        ({"rate": -1}, r"rate must be a number in \[0, 1\], got -1"),
        ({"random_ratio": 0}, r"random_ratio must be a number in \[0.001, 1\], got 0"),
        ({"low_quantile": 0.9}, "low_quantile must be below high_quantile, got 0.9 and 0.8"),
        ({"memory": 1}, "memory must be a whole number of at least 2"),
    ],
)
def test_bad_hyperparameters_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        started(**options)


@pytest.mark.parametrize("reward", [np.nan, np.inf])
def test_a_reward_that_is_not_finite_is_refused_and_leaves_nothing(reward):
    teacher = started()
    with pytest.raises(ValueError, match="must be finite"):
        finish(teacher, teacher.sample(), reward)
    assert teacher.visits.sum() == 0


def test_what_was_learnt_on_another_grid_is_not_restored():
    with pytest.raises(ValueError, match="expected a grid of"):
        started(bins=5).restore(started().state())


@pytest.mark.slow
def test_it_teaches_the_toy_better_than_chance():
    ours = [play(EXP3S(), 8_000, seed).mastered for seed in range(5)]
    random = [play(Random(), 8_000, seed).mastered for seed in range(5)]
    assert min(ours) > max(random) + 10
