"""Where starts from snapshots are compared, and with which students."""

from typing import Any, NamedTuple


class World(NamedTuple):
    """An environment, when it counts as solved, and who becomes its expert."""

    name: str
    threshold: float  # mean return of an evaluation
    expert: str  # algorithm
    expert_steps: int  # at most
    off_policy: dict[str, Any]
    on_policy: dict[str, Any]
    expert_options: dict[str, Any]  # beside those of a student
    make_options: dict[str, Any]


_NARROW = {"policy_kwargs": {"net_arch": [64, 64]}}
_OFTEN = {"learning_starts": 1_000, "train_freq": 2, "gradient_steps": 2, **_NARROW}
_FAST = {"learning_starts": 1_000, "train_freq": 8, "gradient_steps": 4, **_NARROW}
_LARGE = {"learning_starts": 5_000, "policy_kwargs": {"net_arch": [256, 256]}}
_PERSISTENT = {  # reaches what is hard to find
    **{"gamma": 0.9999, "ent_coef": 0.1, "batch_size": 512, "buffer_size": 50_000},
    **{"train_freq": 32, "gradient_steps": 32, "learning_starts": 0, "use_sde": True, "tau": 0.01},
    "policy_kwargs": {"log_std_init": -3.67, "net_arch": [64, 64]},
}
_SLOW = {"gamma": 0.999, "gae_lambda": 0.98}
_LANDING = {**_SLOW, "ent_coef": 0.01, "n_epochs": 4}
WORLDS = {
    "mountain-car": World(
        "MountainCarContinuous-v0", 85.0, "SAC", 100_000, _OFTEN, _SLOW, _PERSISTENT, {}
    ),
    "lunar-lander": World(
        "LunarLander-v3", 200.0, "PPO", 1_500_000, _LARGE, _LANDING, {}, {"continuous": True}
    ),
    "hopper": World("Hopper-v5", 1_000.0, "SAC", 200_000, _LARGE, {"n_epochs": 5}, _FAST, {}),
}
PAIRS = {  # steps of a student
    **{"mountain-car/SAC": 25_000, "lunar-lander/PPO": 150_000, "hopper/PPO": 100_000},
    **{"mountain-car/TD3": 40_000, "lunar-lander/TD3": 200_000, "hopper/TD3": 300_000},
    **{"mountain-car/PPO": 160_000, "lunar-lander/SAC": 200_000, "hopper/SAC": 300_000},
}
