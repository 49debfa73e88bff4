"""A designer that is a Beta policy over one-step episodes, trained by Stable-Baselines3's PPO."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer, RolloutBufferSamples
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor, nn

from teachrl.models.designers import Array, Proposals, require_rewards
from teachrl.models.torch_state import (
    module_state,
    optimizer_state,
    restore_module,
    restore_optimizer,
)
from teachrl.seeding import draw_seed

_EDGE = 1e-6  # points keep this distance from the faces, where the density of a Beta is 0
_FLAT = -1.0  # first bias, from which both shapes of the Betas are about 1.3: nearly uniform
_GAIN = 0.5  # of the last layer: with less, the start is so flat that two equal peaks end in none
_LAYER = 32  # neurons between noise and Betas
_DECAY = 0.95  # of what earlier updates weigh in the moments of the rewards


class BetaDesigner:
    """Answers to noise with one Beta distribution per coordinate, both shapes above 1.

    A share of points is uniform. The policy *is* that mixture, and its log-density is the mixture's
    too: so the ratios of PPO are right for every point, whichever of the two it came from, and no
    point is ever out of reach. With noise as the input, coordinates may depend on one another.

    Args:
        dimensions: of the cube.
        rng: draws the first weights, and the order of minibatches.
        uniform_ratio: share of points that are uniform.
        rate: of Adam.
        epochs: of PPO over the points of one update, which are one batch.
        entropy_bonus: per nat of the Betas' entropy.
        noise: number of inputs; 0: a constant one.
        normalize: rewards by their running mean and deviation.

    >>> rng = np.random.default_rng(0)
    >>> designer = BetaDesigner(1, rng)
    >>> for _ in range(60):
    ...     made = designer.propose(16, rng)
    ...     designer.learn(made, -np.abs(made.points[:, 0] - 0.8))
    >>> bool(abs(designer.propose(1000, rng).points.mean() - 0.8) < 0.15)
    True
    """

    def __init__(
        self,
        dimensions: int,
        rng: np.random.Generator,
        *,
        uniform_ratio: float = 0.1,
        rate: float = 3e-3,
        epochs: int = 5,
        entropy_bonus: float = 1e-2,
        noise: int = 4,
        normalize: bool = True,
    ) -> None:
        self.dimensions, self.noise, self.normalize = dimensions, noise, normalize
        self.uniform_ratio = uniform_ratio
        inputs = max(1, noise)
        self.ppo: Any = PPO(
            _BetaPolicy,
            env=None,  # type: ignore[arg-type]  # what happens in a step is the caller's affair
            learning_rate=rate,
            n_steps=1,  # buffers come with the points
            n_epochs=epochs,
            ent_coef=entropy_bonus,
            gamma=1.0,
            gae_lambda=1.0,
            normalize_advantage=False,  # it would blow up what the critic errs by on equal rewards
            policy_kwargs={"uniform_ratio": uniform_ratio, "net_arch": [_LAYER]},
            device="cpu",
            _init_setup_model=False,
        )
        self.ppo.observation_space = gym.spaces.Box(-np.inf, np.inf, (inputs,), np.float32)
        self.ppo.action_space = gym.spaces.Box(0.0, 1.0, (dimensions,), np.float32)
        self.ppo.n_envs = 1
        self.ppo.set_logger(Logger(None, []))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(draw_seed(rng))  # and not those of a GPU
            self.ppo._setup_model()
        self.moments = np.zeros(3)  # sums of 1, rewards and their squares, the old ones decayed

    def propose(self, n: int, rng: np.random.Generator) -> Proposals:
        """Draw ``n`` points; their notes are the noise and the log-density, (n, inputs + 1)."""
        inputs = self._inputs(n, rng)
        with torch.no_grad():
            density = self._density(inputs)
            first, second = (shape.double().numpy() for shape in density.shapes)
            points = rng.beta(first, second)
            is_uniform = rng.random((n, 1)) < self.uniform_ratio
            points = np.where(is_uniform, rng.random(points.shape), points)
            points = np.clip(points, _EDGE, 1 - _EDGE).astype(np.float32)
            drawn = density.log_prob(torch.from_numpy(points)).numpy()
        notes = np.column_stack([inputs, drawn]).astype(np.float64)
        return Proposals(points.astype(np.float64), notes)

    def learn(self, proposals: Proposals, rewards: Array) -> None:
        """Hand over the points as episodes of one step each, and let PPO train on them."""
        require_rewards(proposals, rewards)
        standard = self._standardized(np.asarray(rewards, np.float64))
        self.ppo.rollout_buffer = self._filled(proposals, standard)
        self.ppo.train()

    def entropy(self) -> float:
        """Return the mean entropy of the Betas over noise; that of the mixture is no lower."""
        with torch.no_grad():
            density = self._density(self._inputs(256, np.random.default_rng(0)))
            return float(density.entropy().mean())

    def state(self) -> dict[str, Any]:
        """Return weights, optimiser and moments."""
        return {
            "policy": module_state(self.ppo.policy),
            "optimizer": optimizer_state(self.ppo.policy.optimizer),
            "moments": self.moments.copy(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        restore_module(self.ppo.policy, state["policy"])
        restore_optimizer(self.ppo.policy.optimizer, state["optimizer"])
        self.moments = np.array(state["moments"])

    def _inputs(self, n: int, rng: np.random.Generator) -> Any:
        if not self.noise:
            return np.ones((n, 1), np.float32)
        return rng.standard_normal((n, self.noise), np.float32)

    def _density(self, inputs: Any) -> "_BetaMixture":
        density: _BetaMixture = self.ppo.policy.get_distribution(torch.from_numpy(inputs))
        return density

    def _standardized(self, rewards: Array) -> Array:
        """Take rewards into the running moments, and scale them by those."""
        if not self.normalize:
            return rewards
        sums = np.array([len(rewards), rewards.sum(), np.square(rewards).sum()])
        self.moments = _DECAY * self.moments + sums
        count, total, squares = self.moments
        deviation = np.sqrt(max(squares / count - (total / count) ** 2, 0.0))
        # Rewards that are all the same, but for rounding, have nothing to say.
        scale = deviation if deviation > 1e-6 else np.inf
        return np.asarray((rewards - total / count) / scale)

    def _filled(self, proposals: Proposals, rewards: Array) -> RolloutBuffer:
        inputs = proposals.notes[:, :-1].astype(np.float32)
        drawn = torch.from_numpy(proposals.notes[:, -1].astype(np.float32))
        with torch.no_grad():
            values = self.ppo.policy.predict_values(torch.from_numpy(inputs)).reshape(-1)
        spaces = self.ppo.observation_space, self.ppo.action_space
        buffer = _OneBatch(len(rewards), *spaces, device="cpu", gae_lambda=1.0, gamma=1.0)
        starts = np.ones(1)
        rows = zip(inputs, proposals.points, rewards, values, drawn, strict=True)
        for seen, point, reward, value, log_density in rows:
            buffer.add(seen, point, reward, starts, value, log_density[None])
        buffer.compute_returns_and_advantage(last_values=torch.zeros(1), dones=starts)
        return buffer


class _OneBatch(RolloutBuffer):
    """Yields everything at once, in order: no generator is needed."""

    def get(self, batch_size: int | None = None) -> Iterator[RolloutBufferSamples]:  # type: ignore[override]  # noqa: ARG002
        if not self.generator_ready:
            for name in ("observations", "actions", "values", "log_probs", "advantages", "returns"):
                setattr(self, name, self.swap_and_flatten(getattr(self, name)))
            self.generator_ready = True
        yield self._get_samples(np.arange(self.buffer_size))


class _BetaMixture(Distribution):
    """With probability ``uniform_ratio`` uniform, or else independent Betas."""

    def __init__(self, dimensions: int, uniform_ratio: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dimensions = dimensions
        self.log_shares = torch.log(torch.tensor([uniform_ratio, 1 - uniform_ratio]))

    def proba_distribution_net(self, latent_dim: int) -> nn.Module:
        """Return the layer that both shapes of the Betas come from."""
        return nn.Linear(latent_dim, 2 * self.dimensions)

    def proba_distribution(self, outputs: Tensor) -> Self:
        """Take the outputs (n, 2 d) of that layer."""
        shapes: Tensor = 1 + nn.functional.softplus(outputs)
        self.shapes = shapes[:, : self.dimensions], shapes[:, self.dimensions :]
        self.betas: Any = torch.distributions.Beta(*self.shapes, validate_args=False)
        return self

    def log_prob(self, actions: Tensor) -> Tensor:
        """Return log-densities (n,) of points (n, d)."""
        by_beta: Tensor = self.betas.log_prob(actions).sum(dim=1)
        uniform = self.log_shares[0].expand_as(by_beta)
        return torch.logaddexp(uniform, self.log_shares[1] + by_beta)

    def entropy(self) -> Tensor:
        """Return that of the Betas (n,): the mixture's has no closed form, and is no lower."""
        entropy: Tensor = self.betas.entropy().sum(dim=1)
        return entropy

    def sample(self) -> Tensor:
        """Draw from the mixture."""
        points: Tensor = self.betas.sample()
        is_uniform = torch.rand(len(points), 1) < self.log_shares[0].exp()
        return torch.where(is_uniform, torch.rand_like(points), points)

    def mode(self) -> Tensor:
        """Return the modes of the Betas."""
        first, second = self.shapes
        return (first - 1) / (first + second - 2)

    def actions_from_params(self, outputs: Tensor, deterministic: bool = False) -> Tensor:
        """Return points for the outputs of the layer."""
        return self.proba_distribution(outputs).get_actions(deterministic)

    def log_prob_from_params(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return points for the outputs of the layer, and their log-densities."""
        points = self.actions_from_params(outputs)
        return points, self.log_prob(points)


class _BetaPolicy(ActorCriticPolicy):
    """SB3's actor and critic, with the mixture in the place of a Gaussian."""

    def __init__(self, *given: Any, uniform_ratio: float, **options: Any) -> None:
        self.uniform_ratio = uniform_ratio
        super().__init__(*given, **options)

    def _build(self, lr_schedule: Any) -> None:
        dimensions = int(np.prod(self.action_space.shape or (1,)))
        self.action_dist = _BetaMixture(dimensions, self.uniform_ratio)
        self._build_mlp_extractor()
        self.action_net = self.action_dist.proba_distribution_net(self.mlp_extractor.latent_dim_pi)
        self.value_net = nn.Linear(self.mlp_extractor.latent_dim_vf, 1)
        for layer, gain in ((self.action_net, _GAIN), (self.value_net, 0.1)):
            nn.init.orthogonal_(layer.weight, gain)  # type: ignore[arg-type]
        nn.init.constant_(self.action_net.bias, _FLAT)  # type: ignore[arg-type]
        nn.init.zeros_(self.value_net.bias)
        make: Any = self.optimizer_class
        self.optimizer = make(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)

    def _get_action_dist_from_latent(self, latent_pi: Tensor) -> Distribution:
        return self.action_dist.proba_distribution(self.action_net(latent_pi))
