"""Value disagreement sampling's published rules, each of which a test would miss."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from stable_baselines3 import DQN, PPO

from teachrl.rollouts import Transitions
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.students import TaughtVecEnv, TeacherCallback, make_task_vec_env
from teachrl.targets import Target
from teachrl.teachers import VDS
from tests.students.worlds import Reach, ReachDict, ReachDiscrete

SPACE = TaskSpace(x=(0, 10), y=(-1, 1))
SMALL = {"hidden": (16,), "candidates": 200, "epochs": 5, "batches": 4, "update_every": 100}


@dataclass
class Played:
    """A rollout of 50 steps a time in a world whose observations are tasks in unit coordinates."""

    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    discount: float = 0.9
    steps: int = 0
    discrete: bool = False
    seen: float = 1.0  # of the first coordinate, the rest never occurs
    terminated: bool = True
    normalized: int = 0

    def transitions(self):
        self.steps += 50
        observations = self.rng.random((50, 2)) * [self.seen, 1]
        return Transitions(
            observations=observations,
            actions=self.actions(observations),
            rewards=np.ones(50),
            next_observations=observations,
            terminated=np.full(50, self.terminated),
            env_index=np.zeros(50, np.int64),
        )

    def actions(self, observations):
        if self.discrete:
            return np.zeros(len(observations), np.int64)
        return np.zeros((len(observations), 1), np.float32)

    def normalize(self, observations):
        self.normalized += 1
        return observations

    def first_observations(self, params):
        return SPACE.normalize(params).astype(np.float32)


def started(seed=0, space=SPACE, reward_range=(0.0, 1.0), **options):
    teacher = VDS(**(SMALL | options))
    return teacher.start(space, stream(seed, "teacher"), reward_range, Target.uniform())


def studied(teacher, rollout, times):
    for _ in range(times):
        teacher.study(rollout)
    return teacher


def test_before_the_networks_know_anything_tasks_are_uniform():
    teacher = started()
    studied(teacher, Played(), 1)
    tasks = [teacher.sample() for _ in range(400)]
    assert {task.origin for task in tasks} == {"uniform"}
    x = np.array([task.params[0] for task in tasks]) / 10
    assert stats.kstest(x, "uniform").pvalue > 1e-3


def test_tasks_are_drawn_from_the_pool_in_proportion_to_disagreement():
    teacher = studied(started(), Played(), 2)
    teacher.pool = np.float32([[1, 0], [2, 0], [3, 0], [4, 0]])
    teacher.disagreement = np.array([0.0, 1.0, 0.0, 3.0])
    tasks = [teacher.sample() for _ in range(4000)]
    shares = np.bincount([int(task.params[0]) for task in tasks], minlength=5) / 4000
    np.testing.assert_allclose(shares, [0, 0, 0.25, 0, 0.75], atol=0.03)
    assert tasks[0].origin == "disagreement"
    teacher.disagreement[:] = 0
    shares = np.bincount([int(teacher.sample().params[0]) for _ in range(4000)], minlength=5) / 4000
    np.testing.assert_allclose(shares[1:], 0.25, atol=0.03)


def test_weights_are_standard_deviations_over_the_networks_of_what_is_done_first():
    teacher, rollout = started(), Played()
    studied(teacher, rollout, 2)
    inputs = np.concatenate([SPACE.normalize(teacher.pool), np.zeros((200, 1))], axis=1)
    values = teacher.ensemble.predict(inputs.astype(np.float32))
    assert values.shape == (5, 200)
    np.testing.assert_allclose(teacher.disagreement, values.std(axis=0), rtol=1e-4)
    assert stats.kstest(teacher.pool[:, 0] / 10, "uniform").pvalue > 1e-3


def test_it_prefers_what_the_student_has_not_seen():
    teacher = studied(started(epochs=40, learning_rate=5e-3), Played(seen=0.5), 20)
    x = np.array([teacher.sample().params[0] for _ in range(1000)])
    assert (x > 6).mean() > 0.65


def test_networks_are_trained_and_the_pool_is_drawn_anew_every_so_many_steps():
    teacher, rollout, moments = started(update_every=120), Played(), []
    for _ in range(12):
        pool = teacher.pool
        teacher.study(rollout)
        if teacher.pool is not pool:
            moments.append(rollout.steps)
    assert moments == [150, 250, 400, 500, 600]


@pytest.mark.parametrize(("terminated", "expected"), [(True, 1.0), (False, 1 / (1 - 0.5))])
def test_values_are_those_of_temporal_differences(terminated, expected):
    teacher = started(epochs=150, learning_rate=3e-3)
    studied(teacher, Played(terminated=terminated, discount=0.5), 8)
    values = teacher.ensemble.predict(np.float32([[0.5, 0.5, 0.0], [0.2, 0.8, 0.0]]))
    np.testing.assert_allclose(values, expected, atol=0.08)


def test_targets_take_the_action_that_the_student_would_take_next():
    class Better(Played):
        def transitions(self):
            steps = super().transitions()
            good = self.rng.random((50, 1)).astype(np.float32) < 0.5
            return Transitions(
                steps.observations, good.astype(np.float32), good[:, 0] * 1.0,
                steps.next_observations, steps.terminated, steps.env_index,
            )  # fmt: skip

        def actions(self, observations):
            return np.ones((len(observations), 1), np.float32)

    teacher = started(epochs=150, learning_rate=3e-3)
    studied(teacher, Better(terminated=False, discount=0.5), 8)
    values = teacher.ensemble.predict(np.float32([[0.5, 0.5, 0.0], [0.5, 0.5, 1.0]]))
    np.testing.assert_allclose(values, [[1.0, 2.0]] * 5, atol=0.15)  # 0 or 1, then 0.5 x 2


def test_rewards_are_shares_of_their_range():
    class Rich(Played):
        def transitions(self):
            steps = super().transitions()
            steps.rewards[:] = 500
            return steps

    a = studied(started(), Played(), 4)
    b = studied(started(reward_range=(-150.0, 350.0)), Rich(), 4)
    np.testing.assert_allclose(a.disagreement, b.disagreement)


def test_observations_are_normalised_when_they_are_used():
    teacher, rollout = started(), Played()
    studied(teacher, rollout, 1)
    assert rollout.normalized == 0
    studied(teacher, rollout, 1)
    assert rollout.normalized == 3  # before, after, and of the candidates


def test_the_replay_is_bounded():
    teacher = studied(started(memory=120), Played(), 6)
    assert len(teacher.replay) == 120


def test_discrete_actions_become_columns_as_they_are_seen():
    class Growing(Played):
        def actions(self, observations):
            return np.full(len(observations), self.steps // 200, np.int64)

    teacher, rollout = started(), Growing(discrete=True)
    widths = []
    for _ in range(8):
        teacher.study(rollout)
        widths.append(teacher.ensemble.inputs)
    assert widths == [0, 3, 3, 4, 4, 4, 4, 5]


@pytest.mark.parametrize("discrete", [False, True])
def test_resumed_in_the_middle_it_goes_on_as_before(discrete):
    teacher, rollout = started(), Played(discrete=discrete)
    studied(teacher, rollout, 3)
    twin = started(seed=1)
    twin.restore(teacher.state())
    other = Played(np.random.default_rng(), steps=rollout.steps, discrete=discrete)
    other.rng.bit_generator.state = rollout.rng.bit_generator.state
    studied(teacher, rollout, 3)
    studied(twin, other, 3)
    np.testing.assert_array_equal(teacher.disagreement, twin.disagreement)
    np.testing.assert_array_equal(teacher.sample().params, twin.sample().params)


def test_a_world_that_does_not_show_the_task_is_refused_at_once():
    rollout = Played()
    rollout.first_observations = lambda params: np.zeros((len(params), 2), np.float32)
    with pytest.raises(ValueError, match="add the task to the observation"):
        started().study(rollout)


def test_images_are_refused_at_once():
    rollout = Played()
    rollout.first_observations = lambda params: np.zeros((len(params), 3, 64, 64), np.uint8)
    with pytest.raises(ValueError, match="at most 4096 numbers, got 12288"):
        started().study(rollout)


@pytest.mark.parametrize("reward", [np.nan, np.inf])
def test_rewards_that_are_not_finite_are_refused_and_leave_nothing(reward):
    rollout, teacher = Played(), started()
    steps = rollout.transitions()
    steps.rewards[7] = reward
    broken = SimpleNamespace(
        transitions=lambda: steps, first_observations=rollout.first_observations
    )
    with pytest.raises(ValueError, match="rewards must be finite"):
        teacher.study(broken)
    assert len(teacher.replay) == 0


def test_networks_that_diverge_are_an_error():
    rollout = Played(discount=1e30, terminated=False)
    with pytest.raises(ValueError, match="diverged"), np.errstate(all="ignore"):
        studied(started(), rollout, 8)


@pytest.mark.parametrize("space", [TaskSpace(x=(0, 1)), TaskSpace(x=(0, 1, "float", 50))], ids=str)
def test_any_number_of_dimensions(space):
    class World(Played):
        def first_observations(self, params):
            return params[:, :1].repeat(2, axis=1)

    teacher = studied(started(space=space), World(), 4)
    assert space.contains(teacher.sample().params)
    assert teacher.preview(3, stream(0, "preview")).shape == (3, space.dimensions)


@pytest.mark.parametrize(
    ("algorithm", "world", "options"),
    [
        (PPO, Reach, {"n_steps": 32, "batch_size": 16}),
        (PPO, ReachDict, {"n_steps": 32, "batch_size": 16}),
        (DQN, ReachDiscrete, {"learning_starts": 10, "batch_size": 8}),
    ],
)
def test_it_teaches_students_of_stable_baselines(algorithm, world, options):
    teacher = VDS(**SMALL)
    env = TaughtVecEnv(make_task_vec_env(world, n=2, limit=5), teacher, seed=0)
    policy = "MultiInputPolicy" if world is ReachDict else "MlpPolicy"
    student = algorithm(policy, env, seed=0, device="cpu", **options)
    student.learn(320, callback=TeacherCallback())
    assert teacher.n_updates >= 2
    assert teacher.sample().origin == "disagreement"
    assert np.isfinite(list(teacher.metrics().values())).all()


def test_a_belief_shows_the_pool():
    teacher = started()
    assert teacher.belief() == {}
    belief = studied(teacher, Played(), 2).belief()
    assert belief["points"].shape == (200, 2)
    assert belief["points"].max() <= 1
    np.testing.assert_array_equal(belief["values"], teacher.disagreement)
    assert 0 < teacher.metrics()["effective_share"] <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"networks": 1}, "networks must be a whole number of at least 2"),
        ({"hidden": ()}, "hidden"),
        ({"hidden": (8, 0)}, "hidden"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"epochs": 0}, "epochs"),
        ({"batches": 0}, "batches"),
        ({"update_every": 0}, "update_every"),
        ({"memory": 0}, "memory"),
        ({"candidates": 0}, "candidates"),
    ],
)
def test_bad_hyperparameters_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        started(**options)


def test_the_tuned_values_are_published_ones():
    default, tuned = VDS(), VDS.tuned_for_maze()
    assert (default.networks, default.hidden, default.learning_rate) == (5, (128, 128, 128), 1e-3)
    assert (default.epochs, default.batches, default.update_every) == (3, 20, 4096)
    assert default.memory == 5 * default.update_every
    assert (tuned.epochs, tuned.batches, tuned.update_every) == (10, 80, 10_000)
    assert (tuned.learning_rate, tuned.memory) == (5e-4, 5 * tuned.update_every)
