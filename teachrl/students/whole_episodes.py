"""Which episodes count as whole ones, and a monitor that logs only those."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecMonitor

from teachrl.core import Task

UNASKED = -1  # the id of a task that an episode did not play, since it began from a snapshot


def is_partial(info: Mapping[str, Any]) -> bool:
    """Tell whether an episode, by its first or last info, began from a snapshot."""
    return bool(info.get("partial"))


def is_unasked(info: Mapping[str, Any]) -> bool:
    """Tell whether an episode began from a snapshot without its task having asked for that."""
    return is_partial(info) and not info.get("by_task")


def played_task(task: Task, info: Mapping[str, Any]) -> Task:
    """Return what is played where ``task`` was asked for, by an episode's first info.

    A snapshot brings its own parameters. The id, by which a teacher knows its task, stays if the
    task asked for a snapshot.
    """
    if not is_partial(info):
        return task
    if "snapshot" in info and "task" in info:
        task = replace(task, params=np.array(info["task"], np.float32))
    return replace(task, id=UNASKED, origin="snapshot") if is_unasked(info) else task


def keep_out_of_logs(infos: Iterable[dict[str, Any]]) -> None:
    """Remove from the infos of a step what a monitor outside takes for whole episodes.

    To be called by a callback: Stable-Baselines3 reads ``episode`` after those have seen the step.
    """
    for info in infos:
        if is_partial(info):
            info.pop("episode", None)


class WholeEpisodeMonitor(VecMonitor):
    """A ``VecMonitor`` that passes episodes from snapshots over.

    Their returns are those of segments: as SB3's ``rollout/ep_rew_mean``, or in its file, they
    would be taken for returns. A caller who looks at ``ep_info_buffer`` sees whole episodes only.
    """

    def step_wait(self) -> Any:
        """Return the step; the last infos of whole episodes have ``episode``."""
        observations, rewards, dones, infos = self.venv.step_wait()
        self.episode_returns += rewards
        self.episode_lengths += 1
        infos = list(infos)
        for i in dones.nonzero()[0].tolist():
            if not is_partial(infos[i]):
                infos[i] = infos[i] | {"episode": self._close_episode(i, infos[i])}
            self.episode_returns[i] = self.episode_lengths[i] = 0
        return observations, rewards, dones, infos

    def _close_episode(self, i: int, info: Mapping[str, Any]) -> dict[str, Any]:
        seconds = round(time.time() - self.t_start, 6)
        reward = info.get("raw_return", self.episode_returns[i])  # where a wrapper pays bonuses
        episode = {"r": reward, "l": self.episode_lengths[i], "t": seconds}
        episode |= {key: info[key] for key in self.info_keywords}
        self.episode_count += 1
        if self.results_writer is not None:
            self.results_writer.write_row(episode)
        return episode
