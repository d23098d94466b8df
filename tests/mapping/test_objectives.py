"""Every objective against numbers worked by hand."""

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from rltransfer.errors import InputError
from rltransfer.mapping import (
    Affine,
    CrossEntropy,
    DomainMapping,
    DynamicsAgreement,
    Examples,
    MomentMatching,
    Objective,
    Prediction,
    Regression,
    Trajectories,
    TrajectoryAgreement,
    Transitions,
    WeightedSum,
    descending,
)

TWO_STEPS = Transitions(
    episode=torch.tensor([0, 0]),
    observation=torch.tensor([[0.0, 0.0], [1.0, 1.0]]),
    action=torch.tensor([[1.0], [-1.0]]),
    reward=torch.tensor([-2.0, 2.0]),
    next_observation=torch.tensor([[2.0, 0.0], [1.0, 1.0]]),
    terminated=torch.tensor([False, True]),
    truncated=torch.tensor([False, False]),
)


def unchanged(copies: int | None = None) -> DomainMapping:
    eye = torch.eye(2) if copies is None else torch.eye(2).expand(copies, 2, 2)
    return DomainMapping(Affine.of(eye, torch.zeros(eye.shape[:-1])))


@dataclass(frozen=True)
class Pushed:
    """Says that an action of 1 moves the first variable by one unit of scale."""

    scale: Tensor

    def predict(self, state: Tensor, action: Tensor) -> Prediction:
        delta = torch.cat([action, torch.zeros_like(action)], dim=-1)
        return Prediction(delta, state[..., 0], torch.zeros_like(state[..., 0]))


AGREEMENT = DynamicsAgreement(
    Pushed(torch.tensor([4.0, 1.0])),
    reward_weight=2.0,
    termination_weight=3.0,
    floor=0.05,
)


def test_dynamics_agreement_by_hand() -> None:
    terms = AGREEMENT.terms(unchanged(), TWO_STEPS)
    # Row 1 moved (0.5, 0) scales, (1, 0) predicted: error 0.125, move 0.125.
    # Row 2 rested, (-1, 0) predicted: error 0.5, move 0.
    assert terms["dynamics"].item() == pytest.approx((0.125 / 0.175 + 0.5 / 0.05) / 2)
    assert terms["termination"].item() == pytest.approx(3 * math.log(2))
    # Standard rewards -2 and 2, predicted 0 and 1.
    assert terms["reward"].item() == pytest.approx(2 * (4 + 1) / 2)
    total = AGREEMENT(unchanged(), TWO_STEPS)
    assert total.item() == pytest.approx(sum(t.item() for t in terms.values()))


def test_cues_without_weight_are_left_out() -> None:
    objective = DynamicsAgreement(Pushed(torch.ones(2)), termination_weight=0.0)
    assert list(objective.terms(unchanged(), TWO_STEPS)) == ["dynamics"]


def test_dynamics_agreement_maps_actions() -> None:
    flip = Affine.of(torch.tensor([[-1.0]]), torch.zeros(1))
    mapping = DomainMapping(unchanged().state, flip)
    objective = DynamicsAgreement(
        Pushed(torch.tensor([2.0, 1.0])), termination_weight=0.0
    )
    # Row 1 moved (1, 0), (-1, 0) predicted: 2 of 0.5; row 2 rested, (1, 0) predicted.
    assert objective(mapping, TWO_STEPS).item() == pytest.approx(
        (2.0 / 0.55 + 0.5 / 0.05) / 2
    )


def test_dynamics_agreement_refuses_one_step_data() -> None:
    rows = TWO_STEPS[1:]
    with pytest.raises(InputError, match="all 1 rows terminate"):
        AGREEMENT.check(rows)
    with pytest.raises(InputError, match="terminate"):
        WeightedSum(((1.0, AGREEMENT),)).check(rows)


def test_moments_that_agree_cost_nothing() -> None:
    states = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    places, over = torch.arange(len(states)), states[:, 0] > 0
    rows = Transitions(places, states, states, states[:, 0], states, over, over)
    loss = MomentMatching.of(states)(unchanged(), rows)
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_moment_matching_by_hand() -> None:
    # Mean (0.5, 0.5), covariance 0.25 everywhere.
    objective = MomentMatching(torch.tensor([0.5, 2.5]), 2 * torch.eye(2))
    terms = objective.terms(unchanged(), TWO_STEPS)
    assert terms["mean"].item() == pytest.approx((0 + 4) / 2 / 2)
    gaps, reference = (2 * 1.75**2 + 2 * 0.25**2) / 4, 2 * 4 / 4
    assert terms["covariance"].item() == pytest.approx(gaps / reference)


def test_moment_matching_needs_states_that_differ() -> None:
    with pytest.raises(ValueError, match="all are equal"):
        MomentMatching.of(torch.ones(5, 2))


def test_cross_entropy_by_hand() -> None:
    rows = Examples(torch.tensor([[0.0, math.log(3)]]), torch.tensor([1]))
    network = Affine.of(torch.eye(2), torch.zeros(2))
    assert CrossEntropy()(network, rows).item() == pytest.approx(math.log(4 / 3))
    # The head turns the classes around.
    head = Affine.of(torch.eye(2).flip(0), torch.zeros(2))
    assert CrossEntropy(head)(network, rows).item() == pytest.approx(math.log(4))


def test_regression_by_hand() -> None:
    rows = Examples(
        torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    )
    network = Affine.of(torch.eye(2), torch.zeros(2))
    assert Regression()(network, rows).item() == pytest.approx((0 + 4 + 0 + 4) / 4)
    double = Affine.of(2 * torch.eye(2), torch.zeros(2))
    assert Regression(double)(network, rows).item() == pytest.approx(
        (1 + 16 + 0 + 4) / 4
    )


def test_classes_and_numbers_are_not_mixed_up() -> None:
    classes = Examples(torch.zeros(2, 3), torch.tensor([0, 1]))
    numbers = Examples(torch.zeros(2, 3), torch.zeros(2, 1))
    with pytest.raises(InputError, match="use Regression"):
        CrossEntropy().check(numbers)
    with pytest.raises(InputError, match="use CrossEntropy"):
        Regression().check(classes)


def test_examples_need_a_label_for_every_input() -> None:
    with pytest.raises(ValueError, match="3 inputs and 2 labels"):
        Examples(torch.zeros(3, 1), torch.zeros(2, dtype=torch.long))


def test_a_weighted_sum_shows_each_term_with_its_weight() -> None:
    matching = MomentMatching(torch.tensor([0.5, 2.5]), 2 * torch.eye(2))
    both = WeightedSum(((0.5, AGREEMENT), (3.0, matching)))
    alone = (
        AGREEMENT.terms(unchanged(), TWO_STEPS),
        matching.terms(unchanged(), TWO_STEPS),
    )
    terms = both.terms(unchanged(), TWO_STEPS)
    for name, term in alone[0].items():
        assert terms[name].item() == pytest.approx(0.5 * term.item())
    for name, term in alone[1].items():
        assert terms[name].item() == pytest.approx(3 * term.item())
    assert len(terms) == 5


def test_a_weight_moves_with_the_fit_and_ends_where_it_is_compared() -> None:
    rows = Examples(torch.tensor([[2.0]]), torch.tensor([[0.0]]))
    network = Affine.of(torch.ones(1, 1), torch.zeros(1))
    objective = WeightedSum(((descending(1.0, 0.1), Regression()),))
    assert objective.at(0.0)(network, rows).item() == pytest.approx(4.0)
    assert objective.at(0.5)(network, rows).item() == pytest.approx(2.2)
    assert objective.at(1.0)(network, rows).item() == pytest.approx(0.4)
    assert objective(network, rows).item() == pytest.approx(0.4)


def test_terms_of_one_name_are_refused() -> None:
    rows = Examples(torch.tensor([[2.0]]), torch.tensor([[0.0]]))
    twice = WeightedSum(((1.0, Regression()), (2.0, Regression())))
    with pytest.raises(ValueError, match="'squared_error'"):
        twice(Affine.of(torch.ones(1, 1), torch.zeros(1)), rows)


@pytest.mark.parametrize(
    "objective",
    [AGREEMENT, MomentMatching(torch.tensor([0.5, 2.5]), torch.eye(2))],
    ids=lambda objective: type(objective).__name__,
)
def test_a_stack_costs_what_its_copies_cost(
    objective: Objective[DomainMapping, Transitions],
) -> None:
    stack = DomainMapping(
        Affine(2, 2, copies=3, generator=torch.Generator().manual_seed(0)),
        Affine(1, 1, copies=3, generator=torch.Generator().manual_seed(1)),
    )
    alone = torch.stack([objective(stack.copy(k), TWO_STEPS) for k in range(3)])
    torch.testing.assert_close(objective(stack, TWO_STEPS), alone)


@pytest.mark.parametrize("objective", [CrossEntropy(), Regression()], ids=["ce", "mse"])
def test_a_stack_of_classifiers_costs_what_its_copies_cost(
    objective: Objective[Affine, Examples],
) -> None:
    stack = Affine(2, 4, copies=3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([3, 0])
    if isinstance(objective, Regression):
        labels = torch.eye(4)[labels]
    rows = Examples(torch.randn(2, 2), labels)
    alone = torch.stack([objective(stack.copy(k), rows) for k in range(3)])
    torch.testing.assert_close(objective(stack, rows), alone)


def test_what_a_start_explains_costs_little_and_what_it_does_not_all() -> None:
    rows = Trajectories(
        inputs=torch.tensor([[[3.0], [4.0], [99.0]]]),
        there=torch.tensor([[True, True, False]]),
        mean=torch.zeros(1, 3, 1),
        directions=torch.tensor([[[[1.0], [0.0], [0.0]]]]),
        variance=torch.tensor([[3 * 0.5**2]]),
    )
    same = Affine.of(torch.eye(1), torch.zeros(1))
    # A quarter of 3² is left along the direction, and all of 4²; of two numbers.
    found = TrajectoryAgreement(noise=0.5)(same, rows)
    assert found.item() == pytest.approx((9 / 4 + 16) / 2)
    several = Affine.of(torch.ones(2, 1, 1), torch.zeros(2, 1))
    assert TrajectoryAgreement(noise=0.5)(several, rows).tolist() == [found, found]


def test_trajectories_are_never_exact() -> None:
    with pytest.raises(ValueError, match="above 0"):
        TrajectoryAgreement(noise=0.0)
