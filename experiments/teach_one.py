"""What does one teacher do with one student?

ALP-GMM teaches PPO to walk on Stump Tracks. The pictures show which tasks it chose as the student
learnt, and how many test tasks the student mastered.
"""

from dataclasses import dataclass
from pathlib import Path

import tyro

from teachrl import teach
from teachrl.envs import StumpTracks
from teachrl.monitoring import save_pictures
from teachrl.students.presets import PPOPreset
from teachrl.teachers import ALPGMM

STUDENT = PPOPreset()
TEACHER = ALPGMM()
N_ENVS = 16
FOLDER = Path("runs/teach_one")


@dataclass(kw_only=True)
class Arguments:
    """What does one teacher do with one student?"""

    seeds: tuple[int, ...] = (0,)  # one run each
    steps: int = 2_000_000  # environment steps of a run
    folder: Path = FOLDER  # gets one run folder per seed


def main(arguments: Arguments) -> None:
    """Teach once per seed, and draw."""
    for seed in arguments.seeds:
        run = teach(
            STUDENT,
            StumpTracks,
            TEACHER,
            steps=arguments.steps,
            seed=seed,
            n_envs=N_ENVS,
            folder=arguments.folder / f"seed_{seed}",
            progress_bar=True,
        )
        print(f"seed {seed}: {run.evaluations.share_mastered[-1]:.0%} of the test tasks mastered")
        print(*save_pictures(run), sep="\n")


if __name__ == "__main__":
    main(tyro.cli(Arguments))
