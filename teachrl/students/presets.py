"""Hyper-parameters with which students learn on the worlds of this package, on a CPU.

A preset is a keyword dataclass: its fields are the command line's flags, and anything else the
algorithm takes goes into ``options`` of :func:`make_student`.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, make_dataclass
from inspect import getdoc, signature
from typing import Any, ClassVar, Self

import gymnasium as gym
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from teachrl.registry import Registry, UnknownNameError, from_json, import_object, object_path
from teachrl.seeding import derive_seed

STUDENTS = Registry(
    "student",
    {
        "ppo": "teachrl.students.presets:PPOPreset",
        "a2c": "teachrl.students.presets:A2CPreset",
        "sac": "teachrl.students.presets:SACPreset",
        "td3": "teachrl.students.presets:TD3Preset",
        "tqc": "teachrl.students.presets:TQCPreset",
        "dqn": "teachrl.students.presets:DQNPreset",
    },
)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What all students share."""

    algorithm: ClassVar[str]  # where the SB3 class is imported from
    actions: ClassVar[type[gym.Space[Any]]] = gym.Space  # the only kind that it takes, if it is one

    normalize_observations: bool = True  # worlds mix angles, speeds and distances
    normalize_rewards: bool = False  # a running scale would change with the curriculum

    def options(self, n_envs: int) -> dict[str, Any]:  # noqa: ARG002
        """Return the keyword arguments of the algorithm, for so many environments."""
        own = {f.name for f in fields(Preset)}
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in own}


@dataclass(frozen=True, kw_only=True)
class PPOPreset(Preset):
    """Proximal policy optimisation (Schulman et al., 2017, arXiv 1707.06347)."""

    algorithm: ClassVar[str] = "stable_baselines3:PPO"

    rollout: int = 2_048  # samples per update over all environments; 16,384 learnt half as fast
    batch_size: int = 256
    n_epochs: int = 8
    learning_rate: float = 1e-3  # small networks take it; 3e-4 learnt more slowly
    gamma: float = 0.99  # two seconds of walking
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    ent_coef: float = 0.0
    net_arch: tuple[int, ...] = (64, 64)

    @classmethod
    def for_point_mass(cls) -> Self:
        """Return what CURROT's authors teach with: 200 rollouts are one of their runs."""
        return cls(
            rollout=4_096,
            batch_size=128,
            n_epochs=10,
            learning_rate=3e-4,
            gamma=0.95,
            gae_lambda=0.99,
            net_arch=(128, 128, 128),
            normalize_observations=False,
        )

    def options(self, n_envs: int) -> dict[str, Any]:
        """Return the keyword arguments of ``PPO``; the rollout is shared among environments."""
        options = super().options(n_envs)
        options["n_steps"] = max(2, options.pop("rollout") // n_envs)
        options["policy_kwargs"] = {"net_arch": list(options.pop("net_arch"))}
        return options


@dataclass(frozen=True, kw_only=True)
class A2CPreset(Preset):
    """Advantage actor-critic (Mnih et al., 2016, arXiv 1602.01783), as SB3 sets it."""

    algorithm: ClassVar[str] = "stable_baselines3:A2C"

    n_steps: int = 5
    learning_rate: float = 7e-4
    gamma: float = 0.99


@dataclass(frozen=True, kw_only=True)
class SACPreset(Preset):
    """Soft actor-critic (Haarnoja et al., 2018, arXiv 1812.05905)."""

    algorithm: ClassVar[str] = "stable_baselines3:SAC"
    actions: ClassVar[type[gym.Space[Any]]] = gym.spaces.Box

    steps_per_update: int = 8  # environment steps; one update each would cost eight times the time
    learning_rate: float = 1e-3
    buffer_size: int = 1_000_000
    learning_starts: int = 10_000
    batch_size: int = 256
    gamma: float = 0.99
    tau: float = 0.005
    ent_coef: float = 0.005  # fixed, as in TeachMyAgent: rewards are of the order of 0.1 per step
    net_arch: tuple[int, ...] = (256, 256)

    def options(self, n_envs: int) -> dict[str, Any]:
        """Return the keyword arguments of ``SAC``; updates keep pace with all environments."""
        options = super().options(n_envs)
        pace = options.pop("steps_per_update")
        options["train_freq"] = max(1, pace // n_envs)
        options["gradient_steps"] = max(1, n_envs // pace)
        options["policy_kwargs"] = {"net_arch": list(options.pop("net_arch"))}
        return options


@dataclass(frozen=True, kw_only=True)
class TD3Preset(Preset):
    """Twin delayed deep deterministic policy gradient (Fujimoto et al., 2018, arXiv 1802.09477)."""

    algorithm: ClassVar[str] = "stable_baselines3:TD3"
    actions: ClassVar[type[gym.Space[Any]]] = gym.spaces.Box

    learning_rate: float = 1e-3
    buffer_size: int = 1_000_000
    learning_starts: int = 10_000
    batch_size: int = 256
    gamma: float = 0.99


@dataclass(frozen=True, kw_only=True)
class TQCPreset(SACPreset):
    """Truncated quantile critics (Kuznetsov et al., 2020, arXiv 2005.04269); extra ``contrib``."""

    algorithm: ClassVar[str] = "sb3_contrib:TQC"


@dataclass(frozen=True, kw_only=True)
class DQNPreset(Preset):
    """Deep Q-network (Mnih et al., 2015), as SB3 sets it."""

    algorithm: ClassVar[str] = "stable_baselines3:DQN"
    actions: ClassVar[type[gym.Space[Any]]] = gym.spaces.Discrete

    learning_rate: float = 1e-4
    buffer_size: int = 1_000_000
    learning_starts: int = 100
    batch_size: int = 32
    gamma: float = 0.99


@dataclass(frozen=True)
class StudentSpec:
    """A student resolved from a class, a preset or a name, before any environment exists."""

    algorithm: type[BaseAlgorithm]
    preset: Preset | None
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, student: Any, overrides: Mapping[str, Any]) -> "StudentSpec":
        """Resolve ``student``: an SB3 or SBX class, a :class:`Preset`, or a registered name.

        A class that a preset is made for takes that preset's hyper-parameters.
        """
        if not isinstance(overrides, Mapping):
            raise TypeError(
                "options must be a dictionary of keyword arguments, such as "
                f"{{'learning_rate': 1e-3}}; got {overrides!r}"
            )
        if isinstance(student, str):
            student = STUDENTS[student]()
        if isinstance(student, Preset):
            algorithm = import_object(student.algorithm)
            _require_known(algorithm, overrides)
            return cls(algorithm, student, dict(overrides))
        if not (isinstance(student, type) and issubclass(student, BaseAlgorithm)):
            raise TypeError(
                f"a student is a Stable-Baselines3 class, a preset or one of "
                f"{', '.join(STUDENTS)}; got {student!r}"
            )
        _require_steps(student)
        _require_known(student, overrides)
        preset = next(
            (p for p in _installed_presets() if import_object(p.algorithm) is student), None
        )
        return cls(student, preset() if preset else None, dict(overrides))

    def options(self, n_envs: int) -> dict[str, Any]:
        """Return all keyword arguments of the algorithm, overrides last."""
        # A copy: SB3's policies write into their policy_kwargs.
        own = self.preset.options(n_envs) if self.preset else {}
        return own | copy.deepcopy(dict(self.overrides))

    def config(self, n_envs: int) -> dict[str, Any]:
        """Describe the student for a run folder."""
        normalize = self.preset or Preset()
        return {
            "algorithm": object_path(self.algorithm),
            "options": self.options(n_envs),
            "normalize_observations": normalize.normalize_observations,
            "normalize_rewards": normalize.normalize_rewards,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "StudentSpec":
        """Rebuild what :meth:`config` described; only Stable-Baselines3 classes are accepted."""
        algorithm = import_object(config["algorithm"])
        if not (isinstance(algorithm, type) and issubclass(algorithm, BaseAlgorithm)):
            raise TypeError(f"{config['algorithm']} is not a Stable-Baselines3 class")
        settings = Preset(
            normalize_observations=config["normalize_observations"],
            normalize_rewards=config["normalize_rewards"],
        )
        return cls(algorithm, settings, from_json(config["options"]))

    def require_actions(self, space: gym.Space[Any]) -> None:
        """Refuse actions that the algorithm of a preset is not made for."""
        if self.preset is not None and not isinstance(space, self.preset.actions):
            raise ValueError(
                f"{self.algorithm.__name__} chooses among actions of the kind "
                f"{self.preset.actions.__name__} only, and those of the environment are {space}: "
                "choose another student, such as PPO"
            )

    def wrap(self, env: VecEnv) -> VecEnv:
        """Return ``env`` with its observations normalised as the preset says."""
        settings = self.preset or Preset()
        keys = _normalizable(env.observation_space)
        normalize = settings.normalize_observations and keys != []
        if not (normalize or settings.normalize_rewards):
            return env
        return VecNormalize(
            env,
            norm_obs=normalize,
            norm_reward=settings.normalize_rewards,
            norm_obs_keys=keys,
            gamma=self.options(env.num_envs).get("gamma", 0.99),
        )

    def make(self, env: VecEnv, seed: int) -> BaseAlgorithm:
        """Return the untrained student of an environment from :meth:`wrap`."""
        policy = _policy_for(env.observation_space, self.algorithm.policy_aliases)
        options = {"policy": policy} | self.options(env.num_envs)
        try:
            return self.algorithm(env=env, seed=derive_seed(seed, "student"), **options)
        except AssertionError as error:  # SB3's way to refuse a space or an option
            raise ValueError(f"{self.algorithm.__name__} cannot be made: {error}") from error


def preset_for(student: Any) -> type[Preset] | None:
    """Return the preset of a student's class, or None for what is no student.

    A Stable-Baselines3 class that none is made for gets one without fields of its own.
    """
    if not (isinstance(student, type) and issubclass(student, Preset | BaseAlgorithm)):
        return None
    if issubclass(student, Preset):
        return student
    if (preset := StudentSpec.of(student, {}).preset) is not None:
        return type(preset)
    own = {"algorithm": object_path(student), "__doc__": getdoc(student)}
    return make_dataclass(
        student.__name__, [], bases=(Preset,), frozen=True, kw_only=True, namespace=own
    )


def _require_steps(algorithm: type[BaseAlgorithm]) -> None:
    """Refuse algorithms that do not learn from steps, of which none here could be told."""
    if not issubclass(algorithm, OnPolicyAlgorithm | OffPolicyAlgorithm):
        raise ValueError(
            f"{algorithm.__name__} cannot be taught: it has neither rollouts nor a replay buffer. "
            "Choose an on-policy or off-policy algorithm, such as PPO or SAC"
        )


def _require_known(algorithm: type[BaseAlgorithm], options: Mapping[str, Any]) -> None:
    """Refuse options that the algorithm does not take, before any work is done."""
    parameters = signature(algorithm.__init__).parameters
    known = {name: p for name, p in parameters.items() if name not in ("self", "env", "seed")}
    for name in options:
        if name not in known:
            raise UnknownNameError(f"option of {algorithm.__name__}", name, known)


def _installed_presets() -> list[type[Preset]]:
    """Return the presets whose algorithm can be imported here; extras may be missing."""
    installed = []
    for name in STUDENTS:
        try:
            import_object(STUDENTS[name].algorithm)
        except ModuleNotFoundError:
            continue
        installed.append(STUDENTS[name])
    return installed


def _policy_for(space: gym.Space[Any], known: Mapping[str, Any]) -> str:
    """Return the policy for observations of this kind; some algorithms only know recurrent ones."""
    if isinstance(space, gym.spaces.Dict):
        kind = "MultiInput"
    else:
        kind = "Cnn" if is_image_space(space) else "Mlp"
    recurrent = f"{kind}LstmPolicy"
    return recurrent if recurrent in known else f"{kind}Policy"


def _normalizable(space: gym.Space[Any]) -> list[str] | None:
    """Return the keys of a dict space to normalise; None: a plain array; []: nothing to do."""
    if isinstance(space, gym.spaces.Dict):
        return [key for key, inner in space.items() if _normalizable(inner) is None]
    is_vector = isinstance(space, gym.spaces.Box) and space.dtype != "uint8"
    return None if is_vector else []
