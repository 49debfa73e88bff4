"""CLUTR designs in latents: the whole range of them, from a manifold that resumes with it."""

from pathlib import Path

import numpy as np
import pytest

from teachrl import teach
from teachrl.core import Episode
from teachrl.envs import PointMass
from teachrl.models.manifolds import IdentityManifold, inspect_manifold, learn_manifold
from teachrl.seeding import stream
from teachrl.spaces import TaskSpace
from teachrl.students.presets import PPOPreset
from teachrl.teachers import CLUTR, PAIRED
from teachrl.teachers import clutr as module
from tests.runs.worlds import Stop

SPACE = TaskSpace(shape=(0, 4, "float", 12))
OTHER = TaskSpace(shape=(0, 5, "float", 12))
QUICK = {"designer": "cross-entropy", "designs_per_update": 4, "manifold_steps": 3}


def started(seed=0, space=SPACE, **options):
    return CLUTR(**QUICK | options).start(space, stream(seed, "teacher"), (-10.0, 10.0))


def saved(tmp_path, space=SPACE, **options):
    manifold = learn_manifold(space, np.random.default_rng(5), steps=3, samples=100, **options)
    return manifold, str(manifold.save(tmp_path))


def test_tasks_are_what_the_designers_latents_stand_for(tmp_path):
    manifold, path = saved(tmp_path, latent_dimensions=5)
    teacher = started(manifold=path)
    tasks = [teacher.sample() for _ in range(30)]
    points = np.array([design["point"] for design in teacher.open.values()])
    assert points.shape == (30, 5)
    expected = SPACE.denormalize(manifold.decode(points))
    np.testing.assert_array_equal([task.params for task in tasks], expected)
    assert len({task.seed for task in tasks}) == 30


def test_the_regret_is_that_of_the_paper():
    teacher = started()
    assert teacher.judge({"student": [0.2, 0.6], "antagonist": [0.5, 0.9]}) == pytest.approx(0.5)
    assert teacher.judge({"student": [0.9], "antagonist": [0.1]}) == 0
    assert teacher.judge({"student": [0.9], "antagonist": []}) is None
    assert CLUTR().regret == "basic"
    assert CLUTR.needs == PAIRED.needs


@pytest.mark.parametrize("designer", ["beta", "cross-entropy"])
def test_the_designer_learns_latents_and_not_tasks(designer):
    class Rollout:
        def running(self):
            return []

    teacher, learnt = started(designer=designer), []
    teacher.model.learn = lambda made, rewards: learnt.append((made.points.copy(), rewards))
    tasks = [teacher.sample() for _ in range(4)]
    points = [design["point"] for design in teacher.open.values()]
    for i, task in enumerate(tasks):
        for student, reward in (("student", -10.0), ("antagonist", -10.0 + 5 * i)):
            teacher.update(Episode(task, seed=0, reward=reward, length=1, student=student))
    teacher.study(Rollout())
    [(designs, rewards)] = learnt
    np.testing.assert_array_equal(designs, points)
    np.testing.assert_allclose(rewards, [0, 0.25, 0.5, 0.75])
    assert designs.shape == (4, 8)


def test_a_designer_that_knows_nothing_reaches_every_side_of_the_tasks():
    space = TaskSpace(shape=(0, 4, "float", 3))
    teacher = started(space=space, designer="beta", manifold_steps=600)
    points = space.normalize(teacher.preview(4_000, np.random.default_rng(0)))
    octants = np.bincount((points > 0.5) @ [1, 2, 4], minlength=8) / len(points)
    assert octants.min() > 0.05


def test_of_two_coordinates_it_is_paired():
    space = TaskSpace(height=(0, 3), gap=(0, 6))
    ours = started(space=space)
    rng = stream(0, "teacher")
    rng.integers(2**31)  # the seed of the manifold
    options = {name: value for name, value in QUICK.items() if not name.startswith("manifold")}
    paired = PAIRED(**options).start(space, rng, (-10.0, 10.0))
    for _ in range(10):
        a, b = ours.sample(), paired.sample()
        assert (a.params.tolist(), a.seed) == (b.params.tolist(), b.seed)


def test_the_manifold_is_learnt_from_the_teachers_own_generator():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    module._learnt.cache_clear()
    ids = []
    for seed in (0, 1, 0):
        teacher = started(seed)
        teacher.sample()
        ids.append(teacher.task_manifold.id)
        module._learnt.cache_clear()
    assert ids[0] == ids[2] != ids[1]
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_it_makes_no_difference_who_asks_for_the_manifold_first():
    first, second = started(), started()
    second.preview(3, np.random.default_rng(0))
    second.belief()
    assert first.task_manifold is None  # nobody has asked yet
    a, b = ([teacher.sample().params.tolist() for _ in range(9)] for teacher in (first, second))
    assert a == b


def test_its_hyperparameters_reach_the_manifold(monkeypatch):
    given = []

    def learn(space, rng, **options):
        given.append(options)
        return IdentityManifold(space)

    module._learnt.cache_clear()
    monkeypatch.setattr(module, "learn_manifold", learn)
    options = {"manifold_kind": "sequence", "latent_dimensions": 12, "manifold_beta": 0.5}
    started(**options).sample()
    module._learnt.cache_clear()
    assert given == [{"kind": "sequence", "latent_dimensions": 12, "steps": 3, "beta": 0.5}]


def test_a_file_is_used_instead_of_learning(tmp_path, monkeypatch):
    manifold, path = saved(tmp_path)
    monkeypatch.delattr(module, "learn_manifold")
    for seed in (0, 1):
        teacher = started(seed, manifold=path)
        teacher.sample()
        assert teacher.task_manifold.id == manifold.id


def test_a_manifold_of_another_space_is_refused_at_the_start(tmp_path):
    _, path = saved(tmp_path, OTHER)
    with pytest.raises(ValueError, match="learn one on these") as refused:
        started(manifold=path)
    assert str(OTHER) in str(refused.value)
    assert str(SPACE) in str(refused.value)


def test_a_missing_file_is_named_by_the_first_task():
    teacher = started(manifold="nowhere/abc.npz")
    with pytest.raises(FileNotFoundError, match=r"no file nowhere/abc.npz; teachrl manifold"):
        teacher.sample()


@pytest.mark.parametrize("options", [{}, {"latent_dimensions": 5}, {"kind": "sequence"}])
def test_resuming_needs_no_file(options, tmp_path):
    manifold, path = saved(tmp_path, **options)
    teacher = started(seed=0, manifold=path)
    [teacher.sample() for _ in range(6)]
    state = teacher.state()
    expected = [teacher.sample().params.tolist() for _ in range(10)]
    (tmp_path / f"{manifold.id}.npz").unlink()
    resumed = started(seed=1, manifold=path)
    resumed.restore(state)
    assert [resumed.sample().params.tolist() for _ in range(10)] == expected
    assert resumed.task_manifold.id == manifold.id


def test_resuming_does_not_learn_again(monkeypatch):
    teacher = started(seed=0)
    teacher.sample()
    state = teacher.state()
    expected = [teacher.sample().params.tolist() for _ in range(10)]
    monkeypatch.setattr(module, "_learnt", None)
    resumed = started(seed=1)
    resumed.restore(state)
    assert [resumed.sample().params.tolist() for _ in range(10)] == expected


def test_a_state_from_before_the_manifold_gives_the_same_manifold():
    teacher, resumed = started(seed=0), started(seed=1)
    resumed.sample()
    resumed.restore(teacher.state())
    assert resumed.sample().params.tolist() == teacher.sample().params.tolist()


def test_a_state_of_another_space_is_refused():
    teacher = started(space=OTHER)
    teacher.sample()
    with pytest.raises(ValueError, match="learn one on these"):
        started().restore(teacher.state())


def test_a_belief_shows_the_manifold_and_the_designs_on_it():
    teacher = started()
    belief = teacher.belief()
    points, values = belief["points"], belief["values"]
    assert points.shape == (400, 12)
    assert values.tolist() == [0] * 200 + [1] * 200
    latents = np.random.default_rng(0).random((200, 8))
    whole = teacher.task_manifold.decode(latents)
    np.testing.assert_allclose(points[:200], whole, atol=1e-6)
    shown = teacher.preview(200, np.random.default_rng(0))
    np.testing.assert_allclose(points[200:], SPACE.normalize(shown), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"manifold_steps": 0}, "manifold_steps must be a whole number of at least 1, got 0"),
        ({"manifold_kind": "round"}, "manifold_kind must be one of flat, sequence, got 'round'"),
        ({"manifold_beta": -1}, "manifold_beta"),
        ({"manifold_beta": np.nan}, "manifold_beta"),
        ({"latent_dimensions": 0}, "latent_dimensions must be a whole number of at least 1"),
        ({"regret": "none"}, "regret must be one of"),
    ],
)
def test_bad_hyperparameters_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        started(**options)


def test_half_a_point_is_refused_at_the_start():
    with pytest.raises(ValueError, match="an even number of coordinates"):
        started(space=TaskSpace(x=(0, 1, "float", 3)), manifold_kind="sequence")


def test_the_defaults_find_most_of_what_tells_hexagons_apart():
    assert CLUTR().manifold_steps >= 1_000
    manifold = learn_manifold(SPACE, np.random.default_rng(0), steps=400)
    found = inspect_manifold(manifold, np.random.default_rng(1), samples=1_000)
    assert found.explained > 0.6
    assert found.active == 8


@pytest.mark.parametrize("given", [True, False])
def test_a_run_that_was_stopped_ends_the_same_without_the_file(given, tmp_path):
    _, path = saved(tmp_path, PointMass.task_space)
    student = PPOPreset(rollout=128, batch_size=64, n_epochs=1)
    teacher = CLUTR(**QUICK | {"manifold": path if given else None})

    def lesson(name, *callbacks):
        plan = {"n_envs": 2, "checkpoint_every": 256, "evaluate_every": 0, "callbacks": callbacks}
        return teach(student, PointMass, teacher, steps=768, folder=tmp_path / name, **plan)

    unbroken = lesson("unbroken")
    with pytest.raises(InterruptedError):
        lesson("stopped", Stop(at=600))
    (tmp_path / Path(path).name).unlink()
    resumed = lesson("stopped")
    assert set(unbroken.episodes.origins) == {"design"}
    for name in ("monitor.csv", "teacher.npz"):
        assert (resumed.folder / name).read_bytes() == (unbroken.folder / name).read_bytes()


def test_a_folder_is_no_manifold(tmp_path):
    for wrong in (str(tmp_path), 3):
        with pytest.raises(
            ValueError, match=r"CLUTR\.manifold must be a file that teachrl manifold"
        ):
            started(manifold=wrong)
