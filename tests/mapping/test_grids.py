"""Networks and objectives over grids, against numbers worked by hand and PyTorch."""

import math

import pytest
import torch
from torch.nn import functional as F

from rltransfer.errors import InputError
from rltransfer.mapping import (
    Affine,
    AtEveryPlace,
    AtPlaces,
    Chain,
    Convolutions,
    Examples,
    FitConfig,
    Regression,
    fit,
)
from rltransfer.mapping.objectives.at_places import centre_error, heat_loss


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def trunk(copies: int | None = None) -> Convolutions:
    layers = ((3, 2, 1), (5, 1, 2))
    return Convolutions(8, 12, 2, layers, (0, 1, 2), copies=copies, generator=draws())


def test_a_place_has_what_every_depth_says_of_it() -> None:
    network, pictures = trunk(), torch.rand(4, 8, 12, 2, generator=draws(1))
    said = network(pictures.flatten(1)).view(4, 4, 6, network.features)
    weights = list(network.parameters())
    maps = pictures.movedim(-1, 1)
    first = F.conv2d(maps, weights[0], weights[1], stride=2, padding=1).relu()
    second = F.conv2d(first, weights[2], weights[3], padding=2, dilation=2).relu()
    # Two channels of four pixels, three features, five features.
    assert network.features == 8 + 3 + 5
    torch.testing.assert_close(said[..., 8:11], first.movedim(1, -1))
    torch.testing.assert_close(said[..., 11:], second.movedim(1, -1))
    expected = pictures[:, 2:4, 4:6].movedim(-1, 1).flatten(1)
    torch.testing.assert_close(said[:, 1, 2, :8], expected)


def test_a_trunk_reads_pictures_of_other_sizes_alike() -> None:
    network = trunk().requires_grad_(False)
    other = network.sized(16, 20)
    assert other.grid == (8, 10)
    assert not any(p.requires_grad for p in other.parameters())
    small = torch.rand(1, 8, 12, 2, generator=draws(1))
    large = F.pad(small, (0, 0, 0, 8, 0, 8)).flatten(1)
    here = network(small.flatten(1)).view(4, 6, -1)
    there = other(large).view(8, 10, -1)
    torch.testing.assert_close(here[:2, :4], there[:2, :4])


def test_what_no_trunk_can_read_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 4 pixels, got 8 by 10"):
        Convolutions(8, 10, 1, ((2, 2, 1), (2, 2, 1)), (2,), generator=draws())
    with pytest.raises(ValueError, match=r"depths to join must be in 0…1"):
        Convolutions(8, 8, 1, ((2, 2, 1),), (2,), generator=draws())
    with pytest.raises(ValueError, match="places must be at least 1"):
        AtEveryPlace(Affine(2, 1, generator=draws()), 0)


def test_convolutions_are_fitted_like_pytorchs_own() -> None:
    """Their gradients may lie in memory in another order than the weights."""
    network = Convolutions(8, 8, 1, ((4, 2, 1), (3, 1, 1)), (2,), generator=draws())
    rows = Examples(
        torch.rand(6, 64, generator=draws(1)),
        torch.rand(6, network.outputs, generator=draws(2)),
    )
    twin = network.sized(8, 8)
    optimizer = torch.optim.Adam(twin.parameters(), lr=0.01)
    for _ in range(20):
        optimizer.zero_grad()
        Regression()(twin, rows).backward()
        optimizer.step()
    config = FitConfig(
        updates=20, batch_size=6, learning_rate=0.01, final_rate_share=1.0
    )
    fit(network, Regression(), rows, config, generator=draws())
    for ours, theirs in zip(network.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_every_place_is_mapped_alike() -> None:
    each = Affine(2, 3, generator=draws())
    rows = torch.rand(4, 10, generator=draws(1))
    mapped = AtEveryPlace(each, 5)(rows)
    assert mapped.shape == (4, 15)
    for place in range(5):
        expected = each(rows[:, 2 * place : 2 * place + 2])
        torch.testing.assert_close(mapped[:, 3 * place : 3 * place + 3], expected)


def test_a_stack_of_trunks_is_fitted_as_its_copies_are() -> None:
    def whole(copies: int | None) -> Chain:
        first = trunk(copies)
        last = Affine(first.features, 1, copies=copies, generator=draws())
        return Chain(first, AtEveryPlace(last, 24))

    stack = whole(2)
    alone = stack.copy(1)
    rows = Examples(
        torch.rand(6, stack.inputs, generator=draws(1)),
        torch.rand(6, 24, generator=draws(2)),
    )
    config = FitConfig(updates=5, batch_size=3)
    for network in (stack, alone):
        fit(network, Regression(), rows, config, generator=draws(3))
    torch.testing.assert_close(
        stack.copy(1)(rows.inputs), alone(rows.inputs), rtol=1e-3, atol=1e-4
    )


def test_heat_loss_by_hand() -> None:
    # Even chances everywhere: a centre costs (1/2)² ln 2; far from all as much; at a
    # heat of 1/2, (1/2)⁴ of it. There is one centre.
    heat = torch.tensor([[[1.0], [0.5], [0.0]]])
    expected = math.log(2) / 4 * (1 + 1 / 16 + 1)
    assert heat_loss(torch.zeros(1, 3, 1), heat).item() == pytest.approx(expected)
    stack = heat_loss(torch.zeros(4, 1, 3, 1), heat)
    assert stack.tolist() == pytest.approx([expected] * 4)


def test_numbers_count_at_centres_alone() -> None:
    found = torch.tensor([[[1.0, 2.0], [7.0, 7.0]]])
    numbers = torch.tensor([[[0.5, 4.0], [0.0, 0.0]]])
    centre = torch.tensor([[1.0, 0.0]])
    assert centre_error(found, numbers, centre).item() == pytest.approx(2.5)
    labels = torch.cat([torch.zeros(1, 2, 1), numbers, centre[..., None]], dim=2)
    rows = Examples(torch.zeros(1, 1), labels.flatten(1))
    said = torch.cat([torch.full((1, 2, 1), -40.0), found], dim=2).flatten(1)
    terms = AtPlaces(1, (1.0, 0.25)).terms(lambda _: said, rows)
    assert terms["numbers"].item() == pytest.approx(0.5 + 0.25 * 2)
    assert terms["heat"].item() == pytest.approx(0)


def test_labels_of_another_layout_are_refused() -> None:
    inputs = torch.zeros(2, 1)
    with pytest.raises(InputError, match="labels need 3 numbers at every place"):
        AtPlaces(1, (1.0,)).check(Examples(inputs, torch.zeros(2, 4)))
    with pytest.raises(InputError, match="got classes"):
        AtPlaces(1).check(Examples(inputs, torch.zeros(2).long()))
    with pytest.raises(ValueError, match="a heat map or a number is needed"):
        AtPlaces(0)
