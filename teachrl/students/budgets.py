"""Runs that are too short for what their teacher waits for."""

import warnings
from math import ceil, inf

from teachrl.students.vec_env import TaughtVecEnv


class Budget:
    """Tells a teacher how many episodes a run will have, and warns of what it says to that.

    Twice: at the start, from the longest that an episode may take, and after a tenth of the run,
    from how long they have been.

    Args:
        taught: where the student plays.
        steps: of the whole run, over all environments.
        n_steps: of a rollout, in each environment.
    """

    def __init__(self, taught: TaughtVecEnv, steps: int, n_steps: int = 1) -> None:
        self.taught, self.steps = taught, steps
        self._rollouts = ceil(steps / (n_steps * taught.num_envs)) * taught.num_envs
        [declared] = taught.venv.get_attr("declaration", indices=[0])
        self._longest: int | None = declared.max_episode_steps
        self._is_estimated = False

    def check_start(self) -> None:
        """Warn before the first step."""
        for concern in self.taught.teacher.concerns(inf):  # whatever the length of the run
            warnings.warn(concern, stacklevel=2)
        if self._longest:
            least = self.steps // self._longest
            self._warn(least, f"{least:,} episodes if each takes all its {self._longest:,} steps")
        else:
            self._warn(self.steps, f"at most {self.steps:,} episodes")

    def check_progress(self) -> None:
        """Warn after a tenth of the run, once."""
        played, episodes = self.taught.steps, len(self.taught.episodes)
        if self._is_estimated or 10 * played < self.steps:
            return
        self._is_estimated = True
        self.steps = max(self.steps, played)  # SB3 finishes the rollout it is in
        least = self.steps / self._longest if self._longest else 0.0
        expected = max(episodes * self.steps / played, least)
        seen = f"there were {episodes:,} in the first {played:,}"
        self._warn(expected, f"about {expected:,.0f} episodes: {seen}")

    def _warn(self, episodes: float, known: str) -> None:
        always = self.taught.teacher.concerns(inf)
        for concern in self.taught.teacher.concerns(episodes, self._rollouts):
            if concern not in always:
                warnings.warn(f"{concern}. {self.steps:,} steps give {known}", stacklevel=3)
