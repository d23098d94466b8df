import pytest
import torch

from rltransfer.mapping import Mlp
from rltransfer.translation.integrated_gradients import integrated_gradients


def test_a_product_is_owed_to_both_factors_alike() -> None:
    # f(x, y) = x·y from 0 to (2, 3): the gradient at share a is (3a, 2a), and the
    # integral of a is 1/2, so both get 2·3/2 = 3, and 3 + 3 = f(2, 3).
    found = integrated_gradients(
        lambda x: x.prod(dim=1, keepdim=True),
        torch.tensor([[2.0, 3.0]]),
        torch.zeros(2),
    )
    torch.testing.assert_close(found.values, torch.tensor([[[3.0, 3.0]]]))
    assert found.gap == pytest.approx(0, abs=1e-6)


def test_of_an_affine_map_they_are_weights_times_distances_from_the_baseline() -> None:
    weight, baseline = torch.tensor([[2.0, 0.0], [-1.0, 4.0]]), torch.tensor([1.0, 1.0])
    rows = torch.tensor([[1.0, 1.0], [4.0, 3.0]])
    found = integrated_gradients(lambda x: x @ weight + 7, rows, baseline, steps=1)
    expected = [[[0.0, 0.0], [0.0, 0.0]], [[6.0, -2.0], [0.0, 8.0]]]
    torch.testing.assert_close(found.values, torch.tensor(expected))


def test_they_are_complete_but_for_the_number_of_steps() -> None:
    generator = torch.Generator().manual_seed(0)
    network = Mlp(3, (16, 16), 2, generator=generator)
    rows, baseline = 3 * torch.randn(20, 3, generator=generator), torch.ones(3)
    few, many = (
        integrated_gradients(network, rows, baseline, steps) for steps in (2, 128)
    )
    assert many.gap < 1e-3 < few.gap
    change = (network(rows) - network(baseline[None])).detach()
    torch.testing.assert_close(many.values.sum(dim=2), change, rtol=0, atol=1e-2)


def test_an_output_that_never_changes_rests_on_nothing() -> None:
    found = integrated_gradients(
        lambda x: 0 * x[:, :1] + 5, torch.ones(4, 2), torch.zeros(2)
    )
    assert not found.values.any() and found.gap == 0
