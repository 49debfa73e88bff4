"""A person at a keyboard as the trainer of a student (COACH)."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachrl.students.feedback import Step

KEYS = {"up": 1.0, "right": 4.0, "down": -1.0}  # the values of MacGlashan et al., 2017


class KeyboardFeedback:
    """Sums up the keys that were pressed since the last step, while a window shows the student.

    The window must have the focus. Closing it, or the escape key, ends the training as Ctrl-C does.
    A person takes 0.2 to 0.8 seconds to react: with ten steps per second that is
    ``COACH(feedback, delay=2)`` to ``delay=8``.

    Args:
        show: returns the picture of the moment (height, width, 3), such as ``env.render`` of a
            VecEnv made with ``render_mode="rgb_array"``.
        keys: what each key says, by pygame's name for it; with ``traces``, a pair of value and
            trace.
        steps_per_second: how fast the student plays; 0: as fast as it can.
        traces: of :class:`~teachrl.students.coach.COACH`, one for each of its decays.

    >>> import os
    >>> os.environ["SDL_VIDEODRIVER"] = "dummy"  # without a screen
    >>> keyboard = KeyboardFeedback(lambda: np.zeros((40, 60, 3), np.uint8))
    >>> keyboard.close()
    """

    def __init__(
        self,
        show: Callable[[], Any],
        keys: Mapping[str, float | tuple[float, int]] = KEYS,
        *,
        steps_per_second: float = 10.0,
        traces: int = 1,
    ) -> None:
        import pygame  # only those who use a keyboard need it

        if steps_per_second < 0 or traces < 1 or not keys:
            raise ValueError(
                "expected keys, steps_per_second from 0 on and one trace or more, got "
                f"{keys}, {steps_per_second}, {traces}"
            )
        self.show, self.steps_per_second, self.traces = show, steps_per_second, traces
        pygame.display.init()
        self._pygame: Any = pygame
        self._keys = {_code(pygame, name): _meaning(said, traces) for name, said in keys.items()}
        self._clock = pygame.time.Clock()
        self._window: Any = None

    def __call__(self, step: Step) -> NDArray[np.float64]:
        """Show the student, wait as long as a step takes, and return what was said, (1, traces)."""
        if len(step.actions) != 1:
            raise ValueError(
                f"a person trains one student in one environment, not in {len(step.actions)}"
            )
        self._draw(np.asarray(self.show(), np.uint8))
        if self.steps_per_second:
            self._clock.tick(self.steps_per_second)
        said = np.zeros((1, self.traces))
        for event in self._pygame.event.get():
            if event.type == self._pygame.QUIT:
                self._stop()
            if event.type == self._pygame.KEYDOWN:
                if event.key == self._pygame.K_ESCAPE:
                    self._stop()
                value, trace = self._keys.get(event.key, (0.0, 0))
                said[0, trace] += value
        return said

    def close(self) -> None:
        """Close the window."""
        self._pygame.display.quit()

    def _draw(self, picture: NDArray[np.uint8]) -> None:
        size = picture.shape[1::-1]
        if self._window is None or self._window.get_size() != size:
            self._window = self._pygame.display.set_mode(size)
            self._pygame.display.set_caption("up: good, down: bad")
        surface = self._pygame.surfarray.make_surface(picture.swapaxes(0, 1))
        self._window.blit(surface, (0, 0))
        self._pygame.display.flip()

    def _stop(self) -> None:
        self.close()
        raise KeyboardInterrupt("the trainer has closed the window")


def _code(pygame: Any, name: str) -> int:
    try:
        return int(pygame.key.key_code(name))
    except ValueError:
        raise ValueError(f"there is no key {name!r}: names are as pygame's, such as 'up'") from None


def _meaning(said: float | tuple[float, int], traces: int) -> tuple[float, int]:
    value, trace = said if isinstance(said, tuple) else (said, 0)
    if not np.isfinite(value) or not 0 <= trace < traces:
        raise ValueError(f"a key says a number, to a trace from 0 to {traces - 1}; got {said}")
    return float(value), trace
