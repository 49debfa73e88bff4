"""Whether an episode succeeded, for teachers that learn from nothing else."""

from teachrl.core import Episode, Teacher


def require_success(teacher: Teacher, episode: Episode) -> bool:
    """Return whether ``episode`` succeeded, or raise an error if nobody said so."""
    if episode.success is None:
        raise ValueError(
            f"{type(teacher).__name__} learns from successes, and the episode of task "
            f'{episode.task.id} says nothing of it: end episodes with info["is_success"], or give '
            "the environment a mastery_threshold"
        )
    return bool(episode.success)
