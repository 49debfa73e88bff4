"""A person at a keyboard, without a screen."""

import numpy as np
import pytest
from stable_baselines3 import A2C
from stable_baselines3.common.env_util import make_vec_env

from teachrl.students import COACH
from teachrl.students.feedback import Step
from teachrl.students.keyboard import KeyboardFeedback

pygame = pytest.importorskip("pygame")


@pytest.fixture(autouse=True)
def no_screen(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


def picture():
    return np.full((20, 30, 3), 100, np.uint8)


def step(n=1):
    return Step(np.zeros((n, 1)), np.zeros(n), None, None)


def press(*names):
    for name in names:
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.key.key_code(name)))


def test_keys_are_summed_up_once():
    keyboard = KeyboardFeedback(picture, steps_per_second=0)
    press("up", "up", "down", "right", "a")
    assert keyboard(step()).tolist() == [[5.0]]
    assert keyboard(step()).tolist() == [[0.0]]


def test_the_window_shows_the_student():
    shown = np.zeros((20, 30, 3), np.uint8)
    shown[5, 7] = (200, 10, 20)
    keyboard = KeyboardFeedback(lambda: shown, steps_per_second=0)
    keyboard(step())
    surface = pygame.display.get_surface()
    assert surface.get_size() == (30, 20)
    assert surface.get_at((7, 5))[:3] == (200, 10, 20)


def test_keys_may_choose_a_trace():
    keys = {"a": (1.0, 0), "b": (-2.0, 1)}
    keyboard = KeyboardFeedback(picture, keys, steps_per_second=0, traces=2)
    press("a", "b", "b")
    assert keyboard(step()).tolist() == [[1.0, -4.0]]


def test_the_student_waits_for_the_person():
    keyboard = KeyboardFeedback(picture, steps_per_second=50)
    keyboard(step())
    before = pygame.time.get_ticks()
    for _ in range(5):
        keyboard(step())
    assert pygame.time.get_ticks() - before >= 80


@pytest.mark.parametrize("how", ["window", "escape"])
def test_who_closes_the_window_stops_the_training(how):
    env = make_vec_env("CartPole-v1", 1, seed=0, env_kwargs={"render_mode": "rgb_array"})
    student = A2C("MlpPolicy", env, seed=0, device="cpu")
    keyboard = KeyboardFeedback(env.render, steps_per_second=0)
    student.learn(3, callback=COACH(keyboard))
    pygame.event.post(pygame.event.Event(pygame.QUIT)) if how == "window" else press("escape")
    with pytest.raises(KeyboardInterrupt):
        student.learn(100, callback=COACH(keyboard))
    env.close()


def test_a_press_moves_the_policy():
    env = make_vec_env("CartPole-v1", 1, seed=0, env_kwargs={"render_mode": "rgb_array"})
    student = A2C("MlpPolicy", env, seed=0, device="cpu", n_steps=4)
    keyboard = KeyboardFeedback(env.render, steps_per_second=0)
    before = student.policy.action_net.weight.detach().clone()
    student.learn(4, callback=COACH(keyboard))
    assert (student.policy.action_net.weight == before).all()
    press("up")
    student.learn(4, callback=COACH(keyboard))
    assert not (student.policy.action_net.weight == before).all()
    env.close()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"keys": {"no such key": 1.0}}, "no key"),
        ({"keys": {"up": np.inf}}, "says a number"),
        ({"keys": {"up": (1.0, 1)}}, "trace from 0 to 0"),
        ({"keys": {}}, "expected keys"),
        ({"steps_per_second": -1}, "expected keys"),
    ],
)
def test_nonsense_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        KeyboardFeedback(picture, **settings)


def test_a_person_trains_one_student():
    with pytest.raises(ValueError, match="one environment"):
        KeyboardFeedback(picture)(step(2))
