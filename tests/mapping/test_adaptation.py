"""Gaps between samples against numbers worked by hand, POT and scikit-learn."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import ot
import pytest
import torch
from sklearn.metrics.pairwise import rbf_kernel
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from rltransfer.errors import InputError
from rltransfer.mapping import (
    Adaptation,
    Adversary,
    Affine,
    Chain,
    Coral,
    CrossEntropy,
    DomainMapping,
    Examples,
    FeatureMatching,
    FitConfig,
    Gap,
    KernelMeans,
    Mlp,
    SampleMatching,
    Transitions,
    Transport,
    Unpaired,
    WeightedSum,
    fit,
    rising,
)
from rltransfer.mapping.objectives.adversarial import reversed_gradient
from rltransfer.mapping.objectives.optimal_transport import transport_plan
from rltransfer.mapping.objectives.sample_gaps import (
    covariance_gap,
    kernel_mean_gap,
    squared_distances,
)
from rltransfer.mapping.rows import held_out


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def discriminator(features: int, copies: int | None = None) -> Mlp:
    return Mlp(features, (8,), 1, copies=copies, generator=drawn(5))


ONE, OTHER = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0]])


# Each gap by hand.


def test_the_kernel_mean_gap_by_hand() -> None:
    # Of width 1: k(0, 2) = e^-2 and k(0, 1) = k(2, 1) = e^-1/2.
    by_hand = (2 + 2 * math.exp(-2)) / 4 + 1 - 2 * math.exp(-0.5)
    gap = kernel_mean_gap(ONE, OTHER, torch.tensor([1.0]))
    assert gap.item() == pytest.approx(by_hand)
    # The mean over two widths is the mean of their gaps.
    wide = (2 + 2 * math.exp(-0.5)) / 4 + 1 - 2 * math.exp(-0.125)
    gap = kernel_mean_gap(ONE, OTHER, torch.tensor([1.0, 2.0]))
    assert gap.item() == pytest.approx((by_hand + wide) / 2)


class Largest(TorchDispatchMode):
    """Knows how many numbers the largest tensor has that was made."""

    numbers = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor):
            self.numbers = max(self.numbers, made.numel())
        return made


def test_more_widths_make_no_larger_tensors() -> None:
    one, other = torch.randn(50, 3, generator=drawn(0)), torch.zeros(60, 3)
    with Largest() as largest:
        KernelMeans((0.25, 0.5, 1.0, 2.0))(one, other)
    assert largest.numbers == 60 * 60


def test_widths_are_relative_to_the_distance_of_the_samples() -> None:
    # Both points of ONE are 1 away from OTHER, ten times as far below.
    expected = kernel_mean_gap(ONE, OTHER, torch.tensor([0.5, 3.0])).item()
    gap = KernelMeans((0.5, 3.0))
    assert gap(ONE, OTHER).item() == pytest.approx(expected)
    assert gap(10 * ONE, 10 * OTHER).item() == pytest.approx(expected)


def test_the_covariance_gap_by_hand() -> None:
    one = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    other = torch.tensor([[5.0, 2.0], [5.0, -2.0]])
    # Covariances (1 1; 1 1) and (0 0; 0 4): squares 1 + 1 + 1 + 9, by 4 · 2².
    assert covariance_gap(one, other).item() == pytest.approx(12 / 16)
    assert Coral()(one, other).item() == pytest.approx(12 / 16)
    # The means are 5 and 0 apart.
    assert Coral(2.0)(one, other).item() == pytest.approx(12 / 16 + 2 * 25 / 2)


def test_transport_by_hand() -> None:
    source = torch.tensor([[0.0, 0.0], [4.0, 0.0]])
    target = torch.tensor([[4.0, 1.0], [0.0, 3.0]])
    # The nearest pairs are 9 and 1 apart; the others 17 and 25.
    assert Transport(blur=0.02)(source, target).item() == pytest.approx((9 + 1) / 2)


def test_an_adversary_by_hand() -> None:
    # Is sure by 3/4 that a feature of 1 is source, of -1 target.
    known = Affine.of(torch.tensor([[math.log(3)]]), torch.zeros(1))
    one = torch.ones(2, 1)
    apart = Adversary(known)(one, -one)
    assert apart.item() == pytest.approx(math.log(4 / 3))
    assert Adversary(known)(one, one).item() == pytest.approx(
        (math.log(4 / 3) + math.log(4)) / 2
    )


def test_a_reversed_gradient_comes_back_negative() -> None:
    values = torch.tensor([1.0, 2.0], requires_grad=True)
    passed = reversed_gradient(values, 0.5)
    torch.testing.assert_close(passed, values)
    (passed * torch.tensor([1.0, 3.0])).sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [-0.5, -1.5]


def test_an_adversary_pulls_features_against_its_discriminator() -> None:
    critic = discriminator(3)
    source, target = torch.rand(6, 3), torch.rand(4, 3) + 1
    plain, turned = source.clone().requires_grad_(), source.clone().requires_grad_()
    Adversary(critic, -1.0)(plain, target).backward()
    own = [parameter.grad.clone() for parameter in critic.parameters()]  # type: ignore[union-attr]
    critic.zero_grad()
    Adversary(critic, 0.3)(turned, target).backward()
    assert plain.grad is not None
    torch.testing.assert_close(turned.grad, -0.3 * plain.grad)
    # What the discriminator learns does not depend on the strength.
    for parameter, before in zip(critic.parameters(), own, strict=True):
        torch.testing.assert_close(parameter.grad, before)


def test_the_strength_rises_as_published() -> None:
    critic = discriminator(3)
    strength = rising(2.0)
    assert strength(0.0) == 0
    assert strength(0.1) == pytest.approx(2 * (2 / (1 + math.exp(-1)) - 1))
    assert strength(1.0) == pytest.approx(2, abs=1e-3)
    assert Adversary(critic, strength).at(0.0).strength == 0
    assert Adversary(critic, strength).own_networks == (critic,)


# Against other implementations.


@pytest.fixture
def samples() -> tuple[Tensor, Tensor]:
    one = torch.randn(3, 17, 4, generator=drawn(0))
    return one, torch.randn(3, 12, 4, generator=drawn(1)) * 1.5 + 0.3


def test_kernel_means_agree_with_scikit_learn(samples: tuple[Tensor, Tensor]) -> None:
    one, other = samples
    widths = torch.tensor([0.5, 1.0, 3.0])
    found = kernel_mean_gap(one, other, widths)
    for row in range(3):
        a, b = one[row].numpy(), other[row].numpy()
        gaps = [
            rbf_kernel(a, gamma=gamma).mean()
            + rbf_kernel(b, gamma=gamma).mean()
            - 2 * rbf_kernel(a, b, gamma=gamma).mean()
            for gamma in (1 / (2 * widths**2)).tolist()
        ]
        assert found[row].item() == pytest.approx(np.mean(gaps), abs=1e-6)


def test_a_plan_agrees_with_pot(samples: tuple[Tensor, Tensor]) -> None:
    cost = squared_distances(*samples).double()
    blur = 0.1 * cost.mean(dim=(-2, -1))
    plans = transport_plan(cost, blur, rounds=500)
    for row in range(3):
        expected = ot.sinkhorn(
            [], [], cost[row].numpy(), float(blur[row]), numItermax=5000
        )
        np.testing.assert_allclose(plans[row].numpy(), expected, atol=1e-8)


def test_a_sharp_plan_costs_what_pot_finds_exactly(
    samples: tuple[Tensor, Tensor],
) -> None:
    source, target = (sample.double() for sample in samples)
    found = Transport(blur=0.002, rounds=3000)(source, target)
    for row in range(3):
        cost = ot.dist(source[row].numpy(), target[row].numpy())
        assert found[row].item() == pytest.approx(ot.emd2([], [], cost), rel=1e-2)


def test_the_gradient_of_transport_needs_no_gradient_of_the_plan() -> None:
    source = torch.randn(6, 2, generator=drawn(2), dtype=torch.double)
    target = torch.randn(6, 2, generator=drawn(3), dtype=torch.double)
    moved = source.clone().requires_grad_()
    Transport(blur=0.2, rounds=500)(moved, target).backward()
    blur = 0.2 * squared_distances(source, target).mean()

    def least(source: Tensor) -> float:
        cost = squared_distances(source, target)
        plan = transport_plan(cost, blur, rounds=500)
        return float((plan * (cost + blur * plan.log())).sum())

    step = torch.zeros_like(source)
    step[0, 1] = 1e-4
    slope = (least(source + step) - least(source - step)) / 2e-4
    assert moved.grad is not None
    assert moved.grad[0, 1].item() == pytest.approx(slope, rel=1e-5)


# What all gaps promise.


def gaps(copies: int | None) -> dict[str, Gap]:
    return {
        "kernel means": KernelMeans(),
        "coral": Coral(1.0),
        "transport": Transport(rounds=50),
        "adversary": Adversary(discriminator(4, copies)),
    }


@pytest.fixture(params=gaps(None))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_stack_is_compared_copy_by_copy(
    name: str, samples: tuple[Tensor, Tensor]
) -> None:
    one, other = samples
    gap = gaps(3)[name]
    for target in (other, other[0]):
        found = gap(one, target)
        alone = []
        for row in range(3):
            single = gap
            if isinstance(gap, Adversary):
                single = replace(gap, discriminator=gap.discriminator.copy(row))
            alone.append(single(one[row], target if target.ndim == 2 else target[row]))
        torch.testing.assert_close(found, torch.stack(alone))
    if name != "adversary":
        swapped, plain = gap(other[0], one), gap(one, other[0])
        torch.testing.assert_close(swapped, plain, rtol=1e-2, atol=0)


def test_samples_of_one_point_have_finite_gradients(name: str) -> None:
    point = torch.ones(5, 4, requires_grad=True)
    gaps(None)[name](point, torch.ones(3, 4)).backward()
    assert point.grad is not None
    assert point.grad.isfinite().all()


def states_at(states: Tensor) -> Transitions:
    count = len(states)
    never = torch.zeros(count, dtype=torch.bool)
    return Transitions(
        torch.zeros(count, dtype=torch.long),
        *(states, states, states[:, 0], states, never, never),
    )


@pytest.mark.parametrize("name", ["kernel means", "coral", "transport", "adversary"])
def test_every_gap_brings_a_shifted_sample_back(name: str) -> None:
    generator = drawn(4)
    source = torch.randn(256, 4, generator=generator)
    rows = states_at(torch.randn(256, 4, generator=generator) + 2)
    state = Affine.of(torch.eye(4), torch.zeros(4))
    state.weight.requires_grad_(False)
    gap = gaps(None)[name]
    fit(
        DomainMapping(state),
        SampleMatching(gap, source),
        rows,
        FitConfig(updates=300, learning_rate=0.03, batch_size=64),
        generator=generator,
    )
    assert (state.bias + 2).abs().max() < 0.5


def test_features_that_are_no_steps_are_brought_back_alike() -> None:
    generator = drawn(4)
    source = torch.randn(256, 4, generator=generator)
    rows = torch.randn(256, 4, generator=generator) + 2
    shift = Affine.of(torch.eye(4), torch.zeros(4))
    shift.weight.requires_grad_(False)
    matching = FeatureMatching(KernelMeans(), source)
    steps = SampleMatching(KernelMeans(), source).terms(
        DomainMapping(shift), states_at(rows)
    )
    torch.testing.assert_close(matching.terms(shift, rows), steps)
    config = FitConfig(updates=300, learning_rate=0.03, batch_size=64)
    fit(shift, matching, rows, config, generator=generator)
    assert (shift.bias + 2).abs().max() < 0.5


def test_a_matched_adversary_is_fitted_along() -> None:
    gap = gaps(None)["adversary"]
    matching = FeatureMatching(gap, torch.randn(8, 4, generator=drawn(1)))
    assert matching.own_networks == gap.own_networks != ()
    assert matching.at(0.5).gap.at(1.0) is not None


# Classifiers.


def trunk_and_head(copies: int | None = None) -> Chain:
    return Chain(
        Mlp(2, (16,), 4, output_activation="relu", copies=copies, generator=drawn(6)),
        Affine(4, 2, copies=copies, generator=drawn(7)),
    )


def turned_task() -> tuple[Unpaired, Examples]:
    """Returns two clusters, and them turned by 65 degrees with their labels."""
    generator = drawn(8)

    def clusters() -> tuple[Tensor, Tensor]:
        labels = torch.arange(400) % 2
        inputs = 0.3 * torch.randn(400, 2, generator=generator)
        inputs[:, 0] += 2.0 * labels - 1
        return inputs, labels

    turn = math.radians(65)
    matrix = torch.tensor(
        [[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]]
    )
    source, (inputs, labels) = Examples(*clusters()), clusters()
    return Unpaired(source, inputs @ matrix), Examples(inputs @ matrix, labels)


def test_adaptation_is_cross_entropy_and_weighted_gap() -> None:
    rows, _ = turned_task()
    network = trunk_and_head()
    terms = Adaptation(KernelMeans(), weight=3.0).terms(network, rows)
    features = network[0](rows.source.inputs), network[0](rows.target)
    assert terms["gap"].item() == pytest.approx(3 * KernelMeans()(*features).item())
    expected = CrossEntropy()(network, rows.source)
    torch.testing.assert_close(terms["cross_entropy"], expected)


def test_labels_are_compared_as_coordinates() -> None:
    # One row a side: features equal, one label, both classes even in the target.
    network = Chain(
        Affine.of(torch.zeros(2, 2), torch.zeros(2)),
        Affine.of(torch.zeros(2, 2), torch.zeros(2)),
    )
    rows = Unpaired(Examples(torch.ones(1, 2), torch.tensor([1])), torch.ones(1, 2))
    joint = Adaptation(Transport(), label_weight=3.0).terms(network, rows)["gap"]
    assert joint.item() == pytest.approx(3 * (0.25 + 0.25))
    alone = Adaptation(Transport()).terms(network, rows)["gap"]
    assert alone.item() == pytest.approx(0)


def test_a_stack_adapts_as_its_copies_do() -> None:
    rows, _ = turned_task()
    stack = trunk_and_head(3)
    critic = discriminator(6, 3)
    for gap in (KernelMeans(), Coral(), Transport(), Adversary(critic)):
        found = Adaptation(gap, 0.5, label_weight=2.0)(stack, rows)
        alone = []
        for row in range(3):
            single = gap
            if isinstance(gap, Adversary):
                single = replace(gap, discriminator=critic.copy(row))
            objective = Adaptation(single, 0.5, label_weight=2.0)
            alone.append(objective(stack.copy(row), rows))
        torch.testing.assert_close(found, torch.stack(alone))


def test_one_trunk_may_serve_a_stack_of_heads() -> None:
    rows, _ = turned_task()
    shared, heads = trunk_and_head()[0], Affine(4, 2, copies=3, generator=drawn(7))
    objective = Adaptation(KernelMeans(), label_weight=2.0)
    found = objective(Chain(shared, heads), rows)
    alone = [objective(Chain(shared, heads.copy(row)), rows) for row in range(3)]
    torch.testing.assert_close(found, torch.stack(alone))


def test_domains_of_unequal_size_are_compared_whole() -> None:
    rows, _ = turned_task()
    few = Unpaired(rows.source, rows.target[:7])
    network = trunk_and_head()
    features = network[0](few.source.inputs), network[0](few.target)
    gap = Adaptation(KernelMeans()).terms(network, few)["gap"]
    torch.testing.assert_close(gap, KernelMeans()(*features))


def right(network: Chain, test: Examples) -> float:
    return float((network(test.inputs).argmax(dim=-1) == test.labels).float().mean())


def test_joint_transport_follows_a_turn_that_the_source_alone_does_not() -> None:
    rows, test = turned_task()
    config = FitConfig(updates=400, batch_size=64, learning_rate=0.01)
    alone, adapted = trunk_and_head(), trunk_and_head()
    fit(alone, CrossEntropy(), rows.source, config, generator=drawn(9))
    objective = Adaptation(Transport(), 1.0, label_weight=1.0)
    fit(adapted, objective, rows, config, generator=drawn(9))
    assert right(alone, test) < 0.93
    assert right(adapted, test) > 0.98


def test_a_discriminator_is_fitted_and_halved_with_its_stack() -> None:
    rows, _ = turned_task()
    stack, critic = trunk_and_head(4), discriminator(4, 4)
    before = critic.copy(0).state_dict()
    objective = WeightedSum(((1.0, Adaptation(Adversary(critic, rising(1.0)))),))
    assert objective.own_networks == (critic,)
    report = fit(
        stack,
        objective,
        rows,
        FitConfig(updates=20, batch_size=64, halvings=((0.5, 0.5),)),
        generator=drawn(9),
    )
    assert stack.copies == critic.copies == len(report.restarts) == 2
    after = critic.copy(0).state_dict()
    assert all((after[key] - before[key]).abs().max() > 0 for key in after)


# Rows and refusals.


def test_the_shorter_domain_starts_over() -> None:
    source = Examples(torch.arange(5.0).unsqueeze(1), torch.arange(5))
    rows = Unpaired(source, torch.tensor([[10.0], [11.0]]))
    assert len(rows) == 5
    assert rows[1:4].source.labels.tolist() == [1, 2, 3]
    assert rows[torch.tensor([4, 1])].target.flatten().tolist() == [10, 11]
    with pytest.raises(ValueError, match="both domains need rows"):
        Unpaired(source[:0], rows.target)


def test_no_row_of_either_domain_is_fitted_to_and_held_out() -> None:
    source = Examples(torch.arange(40.0).unsqueeze(1), torch.arange(40))
    rows = Unpaired(source, torch.arange(10.0).unsqueeze(1))
    fitted, held = held_out(rows, 0.2, drawn(0))
    assert (len(held.source), len(held.target)) == (8, 2)
    for one, other, count in (
        (fitted.source.labels, held.source.labels, 40),
        (fitted.target.flatten(), held.target.flatten(), 10),
    ):
        assert sorted(one.tolist() + other.tolist()) == list(range(count))
    alone = Unpaired(source, rows.target[:1])
    with pytest.raises(InputError, match="at least 2 rows, got 1"):
        held_out(alone, 0.2, drawn(0))
    assert held_out(alone, 0.0, drawn(0)) == (alone, alone)


def test_adaptation_refuses_numbers_for_labels() -> None:
    rows = Unpaired(Examples(torch.ones(2, 2), torch.ones(2, 1)), torch.ones(2, 2))
    with pytest.raises(InputError, match="needs a class per source row"):
        Adaptation(Coral()).check(rows)


def test_what_makes_no_gap_is_refused() -> None:
    with pytest.raises(ValueError, match="all above 0"):
        KernelMeans((1.0, 0.0))
    with pytest.raises(ValueError, match="mean_weight must be at least 0"):
        Coral(-1.0)
    with pytest.raises(ValueError, match="blur must be above 0"):
        Transport(blur=0.0)
    with pytest.raises(ValueError, match="this one has 2"):
        Adversary(Affine(3, 2, generator=drawn(0)))
    with pytest.raises(ValueError, match="label_weight must be at least 0"):
        Adaptation(Coral(), label_weight=-1.0)
