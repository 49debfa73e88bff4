"""Ensembles of Q-networks against torch and differences."""

import numpy as np
import pytest
import torch

from teachrl.models.q_ensemble import QEnsemble


def ensemble(inputs=3, hidden=(8, 6), members=4, learning_rate=1e-2, seed=0):
    return QEnsemble(inputs, hidden, members, learning_rate, np.random.default_rng(seed))


def batch(n=10, inputs=3, members=4, seed=1):
    rng = np.random.default_rng(seed)
    shape = (members, n)
    return rng.normal(size=(*shape, inputs)).astype("f4"), rng.normal(size=shape).astype("f4")


def as_torch(q, member):
    modules = []
    for weights, biases in q.state()["layers"]:
        linear = torch.nn.Linear(*weights.shape[1:])
        linear.weight.data = torch.as_tensor(weights[member].T.copy())
        linear.bias.data = torch.as_tensor(biases[member, 0].copy())
        modules += [linear, torch.nn.Tanh()]
    return torch.nn.Sequential(*modules[:-1])


def test_every_member_learns_as_a_network_of_torch_with_its_adam():
    q, (inputs, targets) = ensemble(), batch()
    networks = [as_torch(q, k) for k in range(4)]
    optimisers = [torch.optim.Adam(net.parameters(), lr=1e-2) for net in networks]
    for step in range(30):
        losses = []
        for k, (net, optimiser) in enumerate(zip(networks, optimisers, strict=True)):
            error = net(torch.as_tensor(inputs[k]))[:, 0] - torch.as_tensor(targets[k])
            loss = (error**2).mean()
            losses.append(loss.item())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        assert q.step(inputs, targets) == pytest.approx(sum(losses), rel=1e-4), step
    for k, net in enumerate(networks):
        expected = net(torch.as_tensor(inputs[k])).detach().numpy()[:, 0]
        np.testing.assert_allclose(q.predict(inputs)[k], expected, atol=1e-4)


def test_members_begin_apart_within_the_usual_bounds():
    q = ensemble(inputs=16)
    weights = q.state()["layers"][0][0]
    assert np.abs(weights).max() <= 0.25
    assert np.abs(weights).max() > 0.24
    assert q.predict(np.ones((1, 16), np.float32)).std() > 0.01


def test_they_learn_a_function_and_disagree_where_they_saw_nothing():
    q, rng = (
        ensemble(inputs=1, hidden=(32, 32), members=5, learning_rate=3e-3),
        np.random.default_rng(0),
    )
    x = rng.uniform(-1, 0, (400, 1)).astype("f4")
    for _ in range(60):
        q.fit(x, lambda rows: np.sin(3 * x[rows, 0]), 20, rng)
    grid = np.linspace(-1, 2, 31, dtype="f4")[:, None]
    values = q.predict(grid)
    np.testing.assert_allclose(values[:, :9].mean(axis=0), np.sin(3 * grid[:9, 0]), atol=0.1)
    assert values.std(axis=0)[-5:].mean() > 5 * values.std(axis=0)[:9].mean()


def test_an_epoch_shows_every_row_once_in_an_order_of_its_own_for_each():
    q, asked = ensemble(inputs=1), []

    def targets(rows):
        asked.append(rows)
        return np.zeros(rows.shape, np.float32)

    q.fit(np.zeros((10, 1), np.float32), targets, 4, np.random.default_rng(0))
    assert [rows.shape[1] for rows in asked] == [3, 3, 2, 2]
    orders = np.concatenate(asked, axis=1)
    assert [sorted(order) for order in orders.tolist()] == [list(range(10))] * 4
    assert len({tuple(order) for order in orders.tolist()}) == 4
    asked.clear()
    q.fit(np.zeros((2, 1), np.float32), targets, 4, np.random.default_rng(0))
    assert [rows.shape[1] for rows in asked] == [1, 1]  # fewer rows than batches


def test_further_inputs_change_nothing_that_was_learnt():
    q, (inputs, targets) = ensemble(), batch()
    q.step(inputs, targets)
    before = q.predict(inputs)
    q.widen(5, np.random.default_rng(3))
    wider = np.concatenate([inputs, np.zeros((4, 10, 2), np.float32)], axis=2)
    np.testing.assert_allclose(q.predict(wider), before, rtol=1e-6)
    wider[:, :, 4] = 1
    assert np.abs(q.predict(wider) - before).max() > 0.01
    q.step(wider, targets)


def test_a_state_continues_exactly():
    q, other, (inputs, targets) = ensemble(), ensemble(inputs=0, seed=9), batch()
    for _ in range(3):
        q.step(inputs, targets)
    state = q.state()
    q.step(inputs, targets)
    other.restore(state)
    other.step(inputs, targets)
    np.testing.assert_array_equal(other.predict(inputs), q.predict(inputs))
