"""Divergences between policies, against torch's own."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import DQN, PPO, SAC, TD3
from torch.distributions import Categorical, Normal, kl_divergence

from teachrl.students.divergences import Answer, answer, divergence_of, form_of, require_sense
from tests.students.worlds import Reach, ReachDiscrete


def small():
    """Return options of a small student, anew: SB3 writes into them."""
    return {"policy_kwargs": {"net_arch": [8]}, "device": "cpu", "seed": 0}


def gaussians(seed):
    rng = torch.Generator().manual_seed(seed)
    return Answer(
        "gaussian", (torch.randn(6, 3, generator=rng), 0.3 * torch.randn(6, 3, generator=rng))
    )


def logits(seed):
    rng = torch.Generator().manual_seed(seed)
    return Answer("logits", tuple(torch.randn(6, n, generator=rng) for n in (2, 5)))


def test_gaussians_in_both_directions():
    expert, student = gaussians(0), gaussians(1)
    t, s = (Normal(a.tensors[0], a.tensors[1].exp()) for a in (expert, student))
    torch.testing.assert_close(
        divergence_of("fkl", 1.0)(expert, student), kl_divergence(t, s).sum(1)
    )
    torch.testing.assert_close(
        divergence_of("rkl", 1.0)(expert, student), kl_divergence(s, t).sum(1)
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_several_discrete_actions_add_up(temperature):
    expert, student = logits(0), logits(1)
    pairs = [
        [Categorical(logits=x / temperature) for x in both]
        for both in zip(expert.tensors, student.tensors, strict=True)
    ]
    forward = sum(kl_divergence(t, s) for t, s in pairs)
    middle = [(t, s, Categorical(probs=(t.probs + s.probs) / 2)) for t, s in pairs]
    jensen = sum(0.5 * kl_divergence(t, m) + 0.5 * kl_divergence(s, m) for t, s, m in middle)
    for kind, expected in (
        ("fkl", forward),
        ("rkl", sum(kl_divergence(s, t) for t, s in pairs)),
        ("jsd", jensen),
    ):
        torch.testing.assert_close(divergence_of(kind, temperature)(expert, student), expected)


def test_it_is_zero_between_equals_and_pulls_the_student_only():
    expert, student = logits(0), logits(0)
    for tensor in student.tensors:
        tensor.requires_grad_()
    loss = divergence_of("fkl", 1.0)(expert, student).sum()
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert all(tensor.grad.abs().max() < 1e-6 for tensor in student.tensors)


def test_forward_divergence_has_the_gradient_of_the_published_cross_entropy():
    expert, ours, theirs = logits(0), logits(1), logits(1)
    for tensor in (*ours.tensors, *theirs.tensors):
        tensor.requires_grad_()
    divergence_of("fkl", 1.0)(expert, ours).sum().backward()
    cross = [
        -(torch.softmax(t, 1) * torch.log_softmax(s, 1)).sum()
        for t, s in zip(expert.tensors, theirs.tensors, strict=True)
    ]
    sum(cross).backward()
    for a, b in zip(ours.tensors, theirs.tensors, strict=True):
        torch.testing.assert_close(a.grad, b.grad)


@pytest.mark.parametrize(
    ("algorithm", "world", "form", "shapes"),
    [
        (PPO, Reach, "gaussian", [(4, 1), (4, 1)]),
        (PPO, ReachDiscrete, "logits", [(4, 2)]),
        (DQN, ReachDiscrete, "logits", [(4, 2)]),
        (SAC, Reach, "squashed", [(4, 1), (4, 1)]),
        (TD3, Reach, "actions", [(4, 1)]),
    ],
)
def test_every_student_has_its_form(algorithm, world, form, shapes):
    model = algorithm("MlpPolicy", world(), **small())
    assert form_of(model) == form
    observations = torch.zeros(4, *world.observation_space.shape)
    assert [t.shape for t in answer(model, form, observations).tensors] == shapes


@pytest.mark.parametrize("algorithm", [PPO, SAC, TD3])
def test_actions_are_what_the_expert_would_do(algorithm):
    env = gym.wrappers.RescaleAction(Reach(), np.float32(-2), np.float32(6))
    model = algorithm("MlpPolicy", env, **small())
    seen = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    found = answer(model, "actions", torch.as_tensor(seen)).tensors[0]
    done = model.predict(seen, deterministic=True)[0]
    np.testing.assert_allclose(found.detach(), (done - 2) / 4, atol=1e-6)


def test_what_has_no_closed_form_is_refused():
    with pytest.raises(ValueError, match="use_sde=False"):
        form_of(PPO("MlpPolicy", Reach(), use_sde=True, **small()))
    with pytest.raises(ValueError, match="no closed form"):
        require_sense("jsd", 1.0, "gaussian")
    with pytest.raises(ValueError, match="softens logits"):
        require_sense("fkl", 2.0, "squashed")
    with pytest.raises(ValueError, match="fkl, rkl or jsd"):
        require_sense("kl", 1.0, "logits")
    with pytest.raises(ValueError, match="positive"):
        require_sense("fkl", 0.0, "logits")


def test_an_expert_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="PPO or A2C"):
        answer(SAC("MlpPolicy", Reach(), **small()), "gaussian", torch.zeros(1, 3))
    with pytest.raises(ValueError, match="SAC or TQC"):
        answer(PPO("MlpPolicy", Reach(), **small()), "squashed", torch.zeros(1, 3))
