"""Contracts every network keeps, and the numbers of each."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch

from rltransfer.mapping import (
    ACTIVATIONS,
    NETWORKS,
    Affine,
    AtEveryPlace,
    Chain,
    Convolutions,
    DomainMapping,
    Mlp,
    Network,
    PixelEncoder,
    Rescaling,
    ResidualAffine,
    stacked,
)
from rltransfer.mapping.networks import describe, network_of
from rltransfer.mapping.stacking import keep

Make = Callable[[int | None, int], Network]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def disturbed(network: Network, seed: int) -> Network:
    """Returns `network` with no parameter left at zero."""
    draw = generator(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=draw))
    return network


MAKERS: dict[str, Make] = {
    "affine": lambda copies, seed: Affine(
        3, 2, activation="tanh", copies=copies, generator=generator(seed)
    ),
    "mlp": lambda copies, seed: Mlp(
        3, (5, 4), 2, activation="relu", copies=copies, generator=generator(seed)
    ),
    "residual-affine": lambda copies, seed: ResidualAffine(
        3, (4,), 2, copies=copies, generator=generator(seed)
    ),
    "rescaling": lambda copies, seed: Chain(
        Affine(3, 2, copies=copies, generator=generator(seed)),
        Rescaling(2, copies=copies, generator=generator(seed)),
    ),
    "pixel-encoder": lambda copies, seed: PixelEncoder(
        (2, 1, 1),
        (0.5,),
        (2.0,),
        2,
        filters=(2, 3),
        copies=copies,
        generator=generator(seed),
    ),
    "chain": lambda copies, seed: Chain(
        Mlp(3, (4,), 5, copies=copies, generator=generator(seed)),
        Affine(5, 2, copies=copies, generator=generator(seed + 1)),
    ),
    "at-every-place": lambda copies, seed: AtEveryPlace(
        Affine(3, 2, copies=copies, generator=generator(seed)), 1
    ),
    "convolutions": lambda copies, seed: Convolutions(
        1, 1, 3, ((4, 1, 1), (2, 1, 1)), (2,), copies=copies, generator=generator(seed)
    ),
}


@pytest.fixture(params=NETWORKS)
def make(request: pytest.FixtureRequest) -> Make:
    maker = MAKERS[request.param]
    return lambda copies=None, seed=0: disturbed(maker(copies, seed), seed)


def test_a_plain_network_maps_rows_to_rows(make: Make) -> None:
    network = make(None, 0)
    assert (network.copies, network.inputs, network.outputs) == (None, 3, 2)
    assert network(torch.randn(7, 3)).shape == (7, 2)


def test_a_stack_maps_shared_rows_once_per_copy(make: Make) -> None:
    network = make(4, 0)
    assert network.copies == 4
    assert network(torch.randn(7, 3)).shape == (4, 7, 2)
    assert network(torch.randn(4, 7, 3)).shape == (4, 7, 2)


def test_every_parameter_of_a_stack_leads_with_the_copies(make: Make) -> None:
    assert all(p.shape[0] == 4 for p in make(4, 0).parameters())


def test_a_stack_maps_as_its_copies_do_alone(make: Make) -> None:
    network, rows = make(4, 0), torch.randn(7, 3)
    for place, mapped in enumerate(network(rows)):
        copy = network.copy(place)
        assert copy.copies is None
        torch.testing.assert_close(copy(rows), mapped)


def test_selected_copies_are_those_and_independent(make: Make) -> None:
    network, rows = make(4, 0), torch.randn(7, 3)
    before = network(rows)
    chosen = deepcopy(network)
    keep(chosen, torch.tensor([2, 0]))
    assert chosen.copies == 2
    torch.testing.assert_close(chosen(rows), before[[2, 0]])
    disturbed(chosen, 1)
    torch.testing.assert_close(network(rows), before, rtol=0, atol=0)


def test_networks_and_stacks_join_in_order(make: Make) -> None:
    stack, single, rows = make(2, 0), make(None, 5), torch.randn(7, 3)
    joined = stacked([stack, single])
    assert joined.copies == 3
    expected = torch.cat([stack(rows), single(rows)[None]])
    torch.testing.assert_close(joined(rows), expected)


def test_the_same_seed_starts_the_same_network(make: Make) -> None:
    once, again, other = make(None, 3), make(None, 3), make(None, 4)
    rows = torch.randn(7, 3)
    torch.testing.assert_close(once(rows), again(rows), rtol=0, atol=0)
    assert not torch.equal(once(rows), other(rows))


def test_a_network_is_rebuilt_from_its_description(make: Make) -> None:
    for copies in (None, 4):
        network = make(copies, 0)
        twin = network_of(describe(network))
        assert type(twin) is type(network)
        assert describe(twin) == describe(network)
        twin.load_state_dict(network.state_dict())
        rows = torch.randn(7, 3)
        torch.testing.assert_close(twin(rows), network(rows), rtol=0, atol=0)


def test_gradients_reach_every_parameter(make: Make) -> None:
    network = make(4, 0)
    network(torch.randn(7, 3)).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())


def test_a_plain_network_has_no_copies_to_choose_from(make: Make) -> None:
    with pytest.raises(ValueError, match="plain"):
        make(None, 0).copy(0)


def test_a_copy_that_is_not_there_is_refused(make: Make) -> None:
    with pytest.raises(IndexError, match="got 4"):
        make(4, 0).copy(4)


def test_affine_by_hand() -> None:
    layer = Affine.of(torch.tensor([[1.0, 0.0], [2.0, -1.0]]), torch.tensor([0.5, 1.0]))
    # (1·1 + 3·2 + 0.5, 1·0 + 3·(-1) + 1)
    assert layer(torch.tensor([[1.0, 3.0]])).tolist() == [[7.5, -2.0]]


def test_affine_layers_fold_into_one() -> None:
    layer = Affine(3, 2, activation="tanh", copies=4, generator=generator())
    weight, bias, rows = torch.randn(5, 3), torch.randn(3), torch.randn(7, 5)
    folded = layer.after(weight, bias)
    torch.testing.assert_close(folded(rows), layer(rows @ weight + bias))


def test_rescaling_by_hand() -> None:
    layer = Rescaling(2, generator=generator())
    rows = torch.tensor([[1.0, 3.0]])
    assert layer(rows).tolist() == rows.tolist()
    with torch.no_grad():
        layer.log_scale.copy_(torch.tensor([2.0, 0.5]).log())
        layer.offset.copy_(torch.tensor([1.0, -1.0]))
    torch.testing.assert_close(layer(rows), torch.tensor([[3.0, 0.5]]))


def test_a_mixture_of_actions_stays_one() -> None:
    mixed = ACTIVATIONS["sum_to_one"](torch.tensor([[1.0, 3.0], [0.2, 0.8]]))
    torch.testing.assert_close(mixed, torch.tensor([[-0.5, 1.5], [0.2, 0.8]]))


def test_rows_are_scaled_to_a_mean_square_of_one() -> None:
    scaled = ACTIVATIONS["rms_norm"](torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    root = 12.5**0.5
    torch.testing.assert_close(scaled, torch.tensor([[3 / root, 4 / root], [0, 0]]))


def test_a_residual_network_starts_as_its_affine_part() -> None:
    affine = Affine(3, 2, activation="tanh", copies=4, generator=generator())
    network = ResidualAffine.around(affine, (8,), generator=generator(1))
    rows = torch.randn(7, 3)
    torch.testing.assert_close(network(rows), affine(rows))


def test_an_mlp_without_hidden_layers_is_affine() -> None:
    mlp = Mlp(3, (), 2, generator=generator())
    affine = Affine(3, 2, generator=generator())
    rows = torch.randn(7, 3)
    torch.testing.assert_close(mlp(rows), affine(rows))


def test_an_unknown_activation_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'gelu'; there are: identity, relu"):
        Affine(3, 2, activation="gelu", generator=generator())


@pytest.mark.parametrize("copies", [0, -1])
def test_a_stack_of_nothing_is_refused(copies: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Affine(3, 2, copies=copies, generator=generator())


def test_stacks_of_different_sizes_do_not_work_together() -> None:
    state = Affine(3, 2, copies=4, generator=generator())
    action = Affine(2, 2, copies=3, generator=generator())
    with pytest.raises(ValueError, match="one size"):
        DomainMapping(state, action)


def test_networks_of_different_architectures_do_not_stack() -> None:
    narrow, wide = (
        Affine(3, 2, generator=generator()),
        Affine(3, 4, generator=generator()),
    )
    with pytest.raises(ValueError, match="one architecture"):
        stacked([narrow, wide])


def test_a_mapping_is_chosen_from_with_both_its_networks() -> None:
    mapping = DomainMapping(
        Affine(3, 2, copies=4, generator=generator()),
        Affine(2, 2, copies=4, generator=generator(1)),
    )
    copy, rows = mapping.copy(3), torch.randn(7, 3)
    assert (
        copy.copies is None and copy.action is not None and mapping.action is not None
    )
    torch.testing.assert_close(copy.state(rows), mapping.state(rows)[3])
    torch.testing.assert_close(copy.action(rows[:, :2]), mapping.action(rows[:, :2])[3])
    assert stacked([mapping, copy]).copies == 5


def test_units_of_numbers_beside_a_picture_do_not_matter() -> None:
    def encoder(mean: float, deviation: float) -> PixelEncoder:
        drawn = torch.Generator().manual_seed(0)
        return PixelEncoder((1, 2, 2), (mean,), (deviation,), 2, generator=drawn)

    pixels, number = torch.rand(5, 4), torch.randn(5, 1)
    metres = encoder(0.1, 0.5)(torch.cat([pixels, number], dim=1))
    millimetres = torch.cat([pixels, 1000 * number + 500], dim=1)
    told = encoder(600.0, 500.0)(millimetres)
    torch.testing.assert_close(told, metres, rtol=1e-4, atol=1e-5)
