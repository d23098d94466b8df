"""The training loop: what it finds, and what each restart can rely on."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rltransfer.errors import InputError
from rltransfer.mapping import (
    Affine,
    Chain,
    CrossEntropy,
    DomainMapping,
    DynamicsAgreement,
    Examples,
    FitConfig,
    FitReport,
    MomentMatching,
    Objective,
    Prediction,
    Progress,
    Regression,
    Transitions,
    WeightedSum,
    descending,
    fit,
    stacked,
)
from rltransfer.mapping.stacking import keep


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def line(rows: int = 64) -> Examples:
    """Returns y = x·(2, -1) + 0.5, without noise."""
    inputs = torch.randn(rows, 2, generator=generator(1))
    return Examples(inputs, inputs @ torch.tensor([[2.0], [-1.0]]) + 0.5)


def fitted(copies: int | None = None, **options: Any) -> tuple[Affine, FitReport]:
    network = Affine(2, 1, copies=copies, generator=generator())
    config = FitConfig(**({"updates": 60, "batch_size": 16} | options))
    return network, fit(network, Regression(), line(), config, generator=generator(2))


def numbers(network: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def test_a_known_line_is_found() -> None:
    network, report = fitted(updates=400, learning_rate=0.05)
    torch.testing.assert_close(
        network.weight.detach(), torch.tensor([[2.0], [-1.0]]), atol=1e-2, rtol=0
    )
    assert report.losses.item() < 1e-4
    assert (report.restarts, report.stops, report.updates) == ((0,), (), 400)


class Pendulum:
    """No mirror image of it moves the same way."""

    scale = torch.full((2,), 0.1)

    def predict(self, state: Tensor, action: Tensor) -> Prediction:
        delta = torch.cat(
            [state[..., 1:], torch.cos(state[..., :1]) + 2 * action], dim=-1
        )
        return Prediction(delta, state[..., 0], state[..., 0])


def test_a_known_rotation_is_found_from_unpaired_steps() -> None:
    """The target sees the source through a rotation; no pair of states is given."""

    def steps(turn: Tensor, seed: int) -> Transitions:
        draw = generator(seed)
        # A gaussian is the same from all sides; this one has a long and a short axis.
        state = torch.randn(512, 2, generator=draw) * torch.tensor([1.0, 0.4])
        action = 2 * torch.rand(512, 1, generator=draw) - 1
        after = state + pendulum.predict(state, action).delta * pendulum.scale
        zeros = torch.zeros(512)
        over = zeros.bool()
        places = torch.arange(len(zeros))
        return Transitions(
            places, state @ turn, action, zeros, after @ turn, over, over
        )

    pendulum = Pendulum()
    cos, sin = math.cos(0.9), math.sin(0.9)
    turn = torch.tensor([[cos, sin], [-sin, cos]])
    source, target = steps(torch.eye(2), 1), steps(turn, 2)
    draw = generator(3)
    mapping = DomainMapping(
        Affine(2, 2, copies=16, generator=draw), Affine(1, 1, copies=16, generator=draw)
    )
    objective = WeightedSum(
        (
            (1.0, DynamicsAgreement(pendulum, termination_weight=0.0)),
            (descending(1.0, 0.1), MomentMatching.of(source.observation)),
        )
    )
    config = FitConfig(updates=400, learning_rate=2e-2, halvings=((0.5, 0.25),))
    report = fit(mapping, objective, target, config, generator=draw)
    best = mapping.copy(report.best)
    mapped = best.state(target.observation)
    torch.testing.assert_close(mapped, target.observation @ turn.T, atol=0.1, rtol=0)
    assert isinstance(best.action, Affine)
    assert best.action.weight.item() == pytest.approx(1.0, abs=0.05)


def test_classes_are_learned_through_a_network_that_ends_in_its_head() -> None:
    inputs = torch.randn(200, 2, generator=generator(1))
    rows = Examples(inputs, (inputs[:, 0] > inputs[:, 1]).long())
    network = Chain(
        Affine(2, 3, activation="tanh", generator=generator()),
        Affine(3, 2, generator=generator(1)),
    )
    fit(network, CrossEntropy(), rows, FitConfig(updates=300), generator=generator())
    assert (network(inputs).argmax(dim=1) == rows.labels).float().mean() > 0.95


def test_what_requires_no_gradient_stays_as_it_is() -> None:
    trunk = Affine(2, 3, generator=generator()).requires_grad_(False)
    head = Affine(3, 1, generator=generator(1))
    before, start = numbers(trunk), numbers(head)
    config = FitConfig(updates=5)
    fit(Chain(trunk, head), Regression(), line(), config, generator=generator())
    assert all(map(torch.equal, numbers(trunk), before))
    assert not any(map(torch.equal, numbers(head), start))


def test_any_torch_module_can_be_fitted() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    config = FitConfig(updates=300, learning_rate=0.05)
    report = fit(module, Regression(), line(), config, generator=generator())
    assert report.losses.item() < 0.1


def test_restarts_end_where_they_would_alone() -> None:
    stack, report = fitted(copies=3, updates=40)
    start = Affine(2, 1, copies=3, generator=generator())
    for place in range(3):
        alone = start.copy(place)
        config = FitConfig(updates=40, batch_size=16)
        single = fit(alone, Regression(), line(), config, generator=generator(2))
        torch.testing.assert_close(stack.copy(place).weight, alone.weight)
        torch.testing.assert_close(report.losses[place], single.losses[0])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"validation_share": 0.25, "evaluate_every": 5, "patience": 2},
        {"halvings": ((0.3, 0.5),)},
    ],
)
def test_the_same_seed_gives_the_same_fit_bit_for_bit(options: dict[str, Any]) -> None:
    (once, first), (again, second) = (fitted(copies=4, **options) for _ in range(2))
    assert all(map(torch.equal, numbers(once), numbers(again)))
    assert torch.equal(first.losses, second.losses)
    assert (first.stops, first.restarts) == (second.stops, second.restarts)


def test_another_seed_draws_other_batches() -> None:
    once, _ = fitted()
    network = Affine(2, 1, generator=generator())
    config = FitConfig(updates=60, batch_size=16)
    fit(network, Regression(), line(), config, generator=generator(7))
    assert not torch.equal(once.weight, network.weight)


def poisoned(network: Affine, place: int) -> Affine:
    """Returns a stack one copy of which overflows at once."""
    with torch.no_grad():
        network.weight[place] = 1e30
    return network


def test_a_restart_that_is_not_finite_stops_alone() -> None:
    network = poisoned(Affine(2, 1, copies=3, generator=generator()), 1)
    config = FitConfig(updates=40, batch_size=16)
    report = fit(network, Regression(), line(), config, generator=generator(2))
    (stop,) = report.stops
    assert (stop.restart, stop.update) == (1, 1)
    assert "not finite" in stop.reason
    assert report.restarts == (0, 1, 2) and network.copies == 3
    assert network.weight[1].eq(1e30).all()
    assert report.order[-1] == 1 and not report.losses[1].isfinite()
    healthy, _ = fitted(copies=3, updates=40)
    for place in (0, 2):
        torch.testing.assert_close(network.weight[place], healthy.weight[place])


class Exploding(Objective[Affine, Examples]):
    """Regression whose gradient, not its value, breaks for one copy at one update."""

    def __init__(self) -> None:
        self.calls = 0

    def terms(self, network: Affine, rows: Examples) -> dict[str, Tensor]:
        self.calls += 1
        terms = Regression().terms(network, rows)
        if self.calls == 10:
            # The slope of a root is infinite at zero; its value is zero.
            root = (network.weight[1] * 0).abs().sum().sqrt()
            terms["root"] = torch.stack([root * 0, root, root * 0])
        return terms


def test_a_gradient_that_is_not_finite_spoils_no_number() -> None:
    network = Affine(2, 1, copies=3, generator=generator())
    config = FitConfig(updates=30, batch_size=16, final_rate_share=1.0)
    report = fit(network, Exploding(), line(), config, generator=generator(2))
    assert [(stop.restart, stop.update) for stop in report.stops] == [(1, 10)]
    assert all(p.isfinite().all() for p in network.parameters())
    stopped, _ = fitted(copies=3, updates=9, final_rate_share=1.0)
    torch.testing.assert_close(network.weight[1], stopped.weight[1])
    healthy, _ = fitted(copies=3, updates=30, final_rate_share=1.0)
    torch.testing.assert_close(network.weight[[0, 2]], healthy.weight[[0, 2]])


def test_a_fit_in_which_all_fail_ends_and_says_so() -> None:
    network = Affine(2, 1, generator=generator())
    with torch.no_grad():
        network.weight.fill_(1e30)
    report = fit(network, Regression(), line(), FitConfig(), generator=generator())
    assert report.updates == 1 and len(report.stops) == 1
    assert not report.losses.isfinite().any()


def test_halving_keeps_the_best_and_drops_the_rest() -> None:
    network = Affine(2, 1, copies=8, generator=generator())
    with torch.no_grad():
        network.bias += torch.tensor([9.0, 0, 9, 9, 9, 0, 9, 9])[:, None]
    config = FitConfig(updates=20, halvings=((0.25, 0.5), (0.5, 0.25)))
    report = fit(network, Regression(), line(), config, generator=generator())
    assert report.restarts == (1, 5) and network.copies == 2
    assert [stop.update for stop in report.stops] == [5] * 4 + [10] * 2
    assert {stop.reason for stop in report.stops} == {"dropped by halving"}
    whole = Affine(2, 1, copies=8, generator=generator())
    keep(whole, torch.tensor([1, 5]))
    fit(whole, Regression(), line(), FitConfig(updates=20), generator=generator())
    # Those that go on do so as if the others had never been.
    torch.testing.assert_close(network.weight, whole.weight)


def test_dropped_restarts_leave_the_tensors() -> None:
    sizes: list[int] = []

    class Watched(nn.Module):
        def forward(self, features: Tensor) -> Tensor:
            sizes.append(len(features))
            return features

    network = Affine(2, 1, copies=8, generator=generator())
    config = FitConfig(updates=10, halvings=((0.5, 0.25),))
    fit(network, Regression(Watched()), line(), config, generator=generator())
    assert sizes[:5] == [8] * 5 and sizes[-5:] == [2] * 5


def test_a_restart_that_gets_no_better_stops_in_its_best_state() -> None:
    start = Affine.of(torch.tensor([[2.001], [-1.0]]), torch.tensor([0.5]))
    network = stacked([start, Affine(2, 1, generator=generator())])
    config = FitConfig(
        updates=100, batch_size=4, learning_rate=0.01, evaluate_every=2, patience=3
    )
    report = fit(network, Regression(), line(), config, generator=generator())
    (stop,) = (stop for stop in report.stops if stop.restart == 0)
    assert stop.reason == "no better in 3 evaluations" and stop.update < 50
    assert report.restarts == (0, 1) and report.updates == 100
    # It began next to the answer; its first steps, of the full rate, led away.
    assert report.losses[0] < 1e-3


def test_the_best_evaluated_state_is_kept() -> None:
    seen: list[float] = []

    def note(progress: Progress) -> None:
        assert progress.selection_losses is not None
        seen.append(float(progress.selection_losses))

    network = Affine(2, 1, generator=generator())
    config = FitConfig(
        updates=50,
        learning_rate=0.5,
        final_rate_share=1.0,
        batch_size=2,
        evaluate_every=1,
        report_every=1,
    )
    report = fit(
        network, Regression(), line(), config, generator=generator(2), watch=note
    )
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] == seen[-2]  # the last state was not the best
    assert report.losses.item() == pytest.approx(seen[-1])


def test_restarts_can_be_ranked_by_another_objective() -> None:
    network = Affine(2, 1, copies=2, generator=generator())
    away = Regression(lambda features: features + 10)
    config = FitConfig(updates=1)
    report = fit(
        network, Regression(), line(), config, generator=generator(), ranked_by=away
    )
    torch.testing.assert_close(report.losses, away(network, line()).detach())


def test_a_moving_weight_moves_with_the_updates() -> None:
    reports: list[Progress] = []
    objective = WeightedSum(((descending(1.0, 0.0), Regression()),))
    network = Affine(2, 1, generator=generator())
    config = FitConfig(updates=4, learning_rate=1e-9, report_every=1, batch_size=64)
    report = fit(
        network, objective, line(), config, generator=generator(), watch=reports.append
    )
    shares = [progress.losses.item() / reports[0].losses.item() for progress in reports]
    assert shares == pytest.approx([1, 0.75, 0.5, 0.25])
    assert report.losses.item() == 0


def test_the_watcher_is_given_terms_rate_and_restarts() -> None:
    reports: list[Progress] = []
    network = Affine(2, 1, copies=4, generator=generator())
    config = FitConfig(
        updates=10,
        learning_rate=1.0,
        final_rate_share=0.5,
        halvings=((0.5, 0.5),),
        report_every=4,
    )
    fit(
        network,
        Regression(),
        line(),
        config,
        generator=generator(),
        watch=reports.append,
    )
    assert [progress.update for progress in reports] == [4, 8, 10]
    assert [len(progress.restarts) for progress in reports] == [4, 2, 2]
    assert [len(progress.terms["squared_error"]) for progress in reports] == [4, 2, 2]
    assert (
        reports[0].selection_losses is None and reports[1].selection_losses is not None
    )
    assert [p.learning_rate for p in reports] == pytest.approx([0.85, 0.65, 0.55])


def test_parts_shared_by_all_restarts_must_be_frozen() -> None:
    stack = Affine(2, 3, copies=4, generator=generator())
    shared = Affine(3, 1, generator=generator())
    with pytest.raises(ValueError, match="freeze the plain parts"):
        fit(
            Chain(stack, shared),
            Regression(),
            line(),
            FitConfig(),
            generator=generator(),
        )
    shared.requires_grad_(False)
    config = FitConfig(updates=2, halvings=((0.5, 0.5),))
    fit(Chain(stack, shared), Regression(), line(), config, generator=generator())
    assert stack.copies == 2


def test_a_network_without_anything_to_fit_is_refused() -> None:
    network = Affine(2, 1, generator=generator()).requires_grad_(False)
    with pytest.raises(ValueError, match="nothing to fit"):
        fit(network, Regression(), line(), FitConfig(), generator=generator())


def test_an_objective_that_cannot_apply_is_refused_before_the_first_update() -> None:
    network = Affine(2, 1, generator=generator())
    with pytest.raises(InputError, match="use Regression"):
        fit(network, CrossEntropy(), line(), FitConfig(), generator=generator())


def test_one_row_is_too_few() -> None:
    network = Affine(2, 1, generator=generator())
    with pytest.raises(InputError, match="at least 2 rows, got 1"):
        fit(network, Regression(), line(1), FitConfig(), generator=generator())


@pytest.mark.parametrize(
    ("option", "rule"),
    [
        ({"updates": 0}, "updates must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"final_rate_share": 1.5}, "final_rate_share must be in"),
        ({"validation_share": 1.0}, "validation_share must be in"),
        ({"evaluate_every": 0}, "evaluate_every must be at least 1"),
        ({"patience": 3}, "set evaluate_every too"),
        ({"halvings": ((0.5, 0.5), (0.25, 0.25))}, "halvings must be in order"),
        ({"halvings": ((0.0, 0.5),)}, "halvings must be pairs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    option: dict[str, Any], rule: str
) -> None:
    with pytest.raises(InputError, match=rule):
        FitConfig(**option)
