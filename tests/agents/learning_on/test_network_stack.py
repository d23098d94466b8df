"""Networks stepped in NumPy compute what torch computes."""

import numpy as np
import pytest
import torch

from rltransfer_agents.learning_on.network_stack import NetworkStack

SIZES = (3, 8, 6, 2)


def stack(copies: int, seed: int = 0) -> NetworkStack:
    return NetworkStack(SIZES, copies, np.random.default_rng(seed))


def in_torch(networks: NetworkStack, copy: int) -> torch.nn.Sequential:
    parts: list[torch.nn.Module] = []
    for weight, bias in networks.layers:
        linear = torch.nn.Linear(*weight.shape[1:])
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight[copy].T.copy()))
            linear.bias.copy_(torch.from_numpy(bias[copy, 0].copy()))
        parts += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*parts[:-1])


def drawn(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("copies", [1, 3])
def test_outputs_and_gradients_are_those_of_torch(copies: int) -> None:
    networks, rows, slope = stack(copies), drawn(5, 3), drawn(copies, 5, 2, seed=2)
    out, inner = networks.forward(rows)
    by_input = networks.backward(inner, slope, learn=False)
    for copy in range(copies):
        module, seen = in_torch(networks, copy), torch.tensor(rows, requires_grad=True)
        expected = module(seen)
        expected.backward(torch.from_numpy(slope[copy]))
        np.testing.assert_allclose(out[copy], expected.detach(), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(by_input[copy], seen.grad, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(networks(rows), out)


def test_steps_of_adam_are_those_of_torch() -> None:
    networks, wanted = stack(2), drawn(2, 16, 2, seed=3)
    modules = [in_torch(networks, copy) for copy in range(2)]
    optimizers = [torch.optim.Adam(module.parameters(), lr=3e-3) for module in modules]
    begun = networks.numbers.copy()
    for update in range(30):
        rows = drawn(16, 3, seed=10 + update)
        out, inner = networks.forward(rows)
        networks.backward(inner, out - wanted, learn=True)
        networks.step(3e-3)
        for copy, (module, optimizer) in enumerate(
            zip(modules, optimizers, strict=True)
        ):
            optimizer.zero_grad()
            gap = module(torch.from_numpy(rows)) - torch.from_numpy(wanted[copy])
            (gap.square().sum() / 2).backward()
            optimizer.step()
    assert np.abs(networks.numbers - begun).max() > 0.03
    rows = drawn(16, 3, seed=99)
    for copy, module in enumerate(modules):
        expected = module(torch.from_numpy(rows)).detach()
        np.testing.assert_allclose(networks(rows)[copy], expected, rtol=1e-3, atol=1e-4)


def test_first_weights_are_drawn_as_torch_draws_them() -> None:
    networks = NetworkStack((100, 50, 1), 2, np.random.default_rng(0))
    for weight, bias in networks.layers:
        bound = 1 / np.sqrt(weight.shape[1])
        assert np.abs(weight).max() <= bound and np.abs(bias).max() <= bound
        assert weight.std() == pytest.approx(bound / np.sqrt(3), rel=0.2)
    assert not np.array_equal(networks.layers[0][0][0], networks.layers[0][0][1])


def test_gradients_that_are_not_kept_change_no_step() -> None:
    networks, other = stack(1), stack(1)
    rows, slope = drawn(5, 3), drawn(1, 5, 2)
    for one in (networks, other):
        one.backward(one.forward(rows)[1], slope, learn=True)
    other.backward(other.forward(rows)[1], 9 * slope, learn=False)
    networks.step(0.1)
    other.step(0.1)
    np.testing.assert_array_equal(networks.numbers, other.numbers)


def test_it_follows_another_by_a_share_of_the_way() -> None:
    networks, other = stack(1), stack(1, seed=5)
    begun, aim = networks.numbers.copy(), other.numbers.copy()
    networks.follow(other, 0.25)
    np.testing.assert_allclose(networks.numbers, 0.75 * begun + 0.25 * aim, atol=1e-6)
    np.testing.assert_array_equal(other.numbers, aim)


def test_a_twin_has_the_same_weights_and_moves_apart() -> None:
    networks = stack(2)
    rows, slope = drawn(5, 3), drawn(2, 5, 2)
    networks.backward(networks.forward(rows)[1], slope, learn=True)
    networks.step(0.1)
    twin = networks.twin()
    np.testing.assert_array_equal(twin(rows), networks(rows))
    kept = twin.numbers.copy()
    networks.step(0.1)
    np.testing.assert_array_equal(twin.numbers, kept)
    # Its optimiser begins: the first step of Adam goes by the rate, whatever the slope.
    twin.backward(twin.forward(rows)[1], slope, learn=True)
    twin.step(0.1)
    moved = np.abs(twin.numbers - kept)
    np.testing.assert_allclose(moved[moved > 1e-4], 0.1, rtol=1e-3)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_it_knows_when_it_has_diverged(number: float) -> None:
    networks = stack(2)
    assert networks.finite
    networks.layers[-1][1][1] = number
    assert not networks.finite
