"""The five challenges that TeachMyAgent sets teachers (Romac et al., 2021, arXiv 2103.09815).

All are Stump Tracks and ask for the same: after 20 million steps, how many of 100 fixed tasks, a
grid over heights from 0 to 3 and spacings from 0 to 6, does the student master?
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gymnasium as gym

from teachrl.envs import StumpTracks
from teachrl.envs.shuffled import ShuffledTasks
from teachrl.evaluation.test_sets import TestSet
from teachrl.knowledge import Knowledge
from teachrl.spaces import Floats, TaskSpace
from teachrl.students.forgetting import Forgetting
from teachrl.students.presets import PPOPreset, Preset, SACPreset

STEPS = 20_000_000
EVALUATE_EVERY = 500_000

SAC = SACPreset(
    steps_per_update=10,
    batch_size=1_000,
    buffer_size=2_000_000,
    net_arch=(400, 300),
    normalize_observations=False,
)
PPO = PPOPreset(
    rollout=20_000,
    batch_size=1_000,
    n_epochs=5,
    learning_rate=3e-4,
    net_arch=(400, 300),
    normalize_rewards=True,
)
SPACE = TaskSpace(stump_height=(0, 3), obstacle_spacing=(0, 6))


class RuggedStumpTracks(ShuffledTasks):
    """Stump Tracks whose task space is cut into slices and shuffled.

    Args:
        slices: of every parameter.
        shuffle_seed: of their order.
        **options: of :class:`teachrl.envs.StumpTracks`.

    >>> env = RuggedStumpTracks(shuffle_seed=1)
    >>> env.task_space
    TaskSpace(stump_height=(0, 3), obstacle_spacing=(0, 6))
    """

    def __init__(self, *, slices: int = 4, shuffle_seed: int = 0, **options: Any) -> None:
        super().__init__(StumpTracks(**options), slices, shuffle_seed)


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """What a teacher has to cope with: a student, a body and a task space.

    >>> challenge = CHALLENGES["mostly-unfeasible"]
    >>> challenge.task_space, len(challenge.test_set())
    (TaskSpace(stump_height=(0, 9), obstacle_spacing=(0, 6)), 100)
    >>> from teachrl import teach
    >>> from teachrl.teachers import ALPGMM
    >>> teacher = challenge.knowledge("high").told(ALPGMM.tuned_for_walker())
    >>> run = teach(teacher=teacher, **challenge.arguments())  # doctest: +SKIP
    """

    question: str
    task_space: TaskSpace = SPACE
    body: str = "old_classic_bipedal"
    student: Preset = SAC
    forget_every: int | None = None  # steps
    slices: int = 1  # of every parameter, shuffled
    label: str | None = None  # of those whose runs count together, as if they were one challenge

    @property
    def is_seeded(self) -> bool:
        """Whether the environment differs from seed to seed."""
        return self.slices > 1

    def env(self, seed: int = 0) -> Callable[..., gym.Env[Any, Any]]:
        """Return what makes the environment of the run with this seed."""
        options: dict[str, Any] = {"body": self.body, "task_space": self.task_space}
        if not self.is_seeded:
            return partial(StumpTracks, **options)
        return partial(RuggedStumpTracks, slices=self.slices, shuffle_seed=seed, **options)

    def test_set(self, seed: int = 0) -> TestSet:
        """Return the 100 tasks, which are the same in every challenge, in this one's space."""
        tests = TestSet.load(StumpTracks.test_set, SPACE)
        params = self._placed(tests.params, seed)
        return TestSet(self.task_space, params, tests.seeds, tests.name)

    def knowledge(self, amount: str, seed: int = 0) -> Knowledge:
        """Return what an expert knows who knows ``nothing``, ``low`` or ``high`` of this one.

        It is easiest where stumps are lowest and farthest apart.
        """
        if amount not in ("nothing", "low", "high"):
            raise ValueError(f"knowledge is nothing, low or high, got {amount!r}")
        if amount != "high":
            return Knowledge.nothing() if amount == "nothing" else Knowledge.low()
        low, high = self.task_space.low, self.task_space.high
        return Knowledge.high(self.task_space, self._placed([low[0], high[1]], seed))

    def arguments(self, seed: int = 0) -> dict[str, Any]:
        """Return the arguments of :func:`teachrl.teach` but for the teacher."""
        return {
            "student": self.student,
            "env": self.env(seed),
            "steps": STEPS,
            "seed": seed,
            "evaluate_every": EVALUATE_EVERY,
            "test_set": self.test_set(seed),
            "callbacks": [Forgetting(self.forget_every)] if self.forget_every else [],
        }

    def _placed(self, params: Any, seed: int) -> Floats:
        """Return where tasks (…, d) of Stump Tracks lie in the space the teacher sees."""
        if not self.is_seeded:
            return self.task_space.clip(params)
        env = RuggedStumpTracks(
            slices=self.slices, shuffle_seed=seed, body=self.body, task_space=self.task_space
        )
        return env.shuffled(params)


CHALLENGES = {
    "stumps": Challenge(question="How well does it teach where all is as the textbook has it?"),
    "mostly-unfeasible": Challenge(
        question="Does it find the third of the tasks that can be learnt at all?",
        task_space=TaskSpace(stump_height=(0, 9), obstacle_spacing=(0, 6)),
    ),
    "mostly-trivial": Challenge(
        question="Does it leave the half of the tasks alone that is flat?",
        task_space=TaskSpace(stump_height=(-3, 3), obstacle_spacing=(0, 6)),
    ),
    "forgetting-student": Challenge(
        question="Does it begin again with a student who has forgotten everything?",
        forget_every=7_000_000,
    ),
    "rugged-difficulty": Challenge(
        question="Does it cope with hard tasks right beside easy ones?", slices=4
    ),
    **{
        f"diverse-students-{body.replace('_', '-')}-{name}": Challenge(
            question=f"Does it teach a {body.replace('_', ' ')} that learns by {name.upper()}?",
            body=body,
            student=student,
            label="diverse-students",
        )
        for body in ("spider", "small_bipedal")
        for name, student in (("sac", SAC), ("ppo", PPO))
    },
}
"""By name; the last four are one challenge."""
