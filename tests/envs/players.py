"""How the tests of the worlds play them."""

from typing import Any

import numpy as np


def play(env: Any, seed: int = 0, task: Any = None, steps: int = 150) -> bytes:
    """Play random actions, always the same ones for a seed; return all that was seen, as bytes."""
    rng = np.random.default_rng(seed)
    options = None if task is None else {"task": task}
    observation, _ = env.reset(seed=seed, options=options)
    seen = [observation.tobytes()]
    for _ in range(steps):
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        observation, reward, terminated, truncated, info = env.step(action)
        seen += [observation.tobytes(), repr((reward, terminated, truncated, info)).encode()]
        if terminated or truncated:
            break
    return b"".join(seen)


def move(env: Any, x: float = 0.0, y: float = 0.0) -> None:
    """Carry the whole body by (x, y)."""
    for part in env.body.parts:
        part.position = (part.position[0] + x, part.position[1] + y)
