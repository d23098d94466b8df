"""Meta-gradients against a quadratic worked by hand, and starts that are learned."""

from dataclasses import dataclass
from typing import Any, final

import pytest
import torch
from torch import Tensor, nn

from rltransfer.errors import InputError
from rltransfer.mapping import Affine, Examples, Objective, Regression
from rltransfer.meta import MetaConfig, MetaTask, learn_start, meta_gradient, stepped


class Place(nn.Module):
    """One number."""

    def __init__(self, place: float) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.tensor(place))


@final
@dataclass(frozen=True)
class Bowl(Objective[Place, Tensor]):
    """Wants a (x - c)² / 2 small, where c is the mean of the rows."""

    steepness: float = 2.0

    def terms(self, network: Place, rows: Tensor) -> dict[str, Tensor]:
        gap = network.place - rows.mean()
        return {"bowl": self.steepness * gap.square() / 2}


def bowl(centre: float, judged: float | None = None) -> MetaTask:
    other = centre if judged is None else judged
    return MetaTask(Bowl(), torch.tensor([centre]), torch.tensor([other]))


# From 1 the gradient is 2 (1 - 3) = -4, and a step of 1/4 leads to 2, where the
# gradient is 2 (2 - 3) = -2. A step moves by 1 - 2/4 = 1/2 of how the start is moved.
@pytest.mark.parametrize(
    ("method", "expected"), [("maml", -1.0), ("fomaml", -2.0), ("reptile", -1.0)]
)
def test_gradients_of_one_step(method: Any, expected: float) -> None:
    config = MetaConfig(method, steps=1, rate=0.25)
    found = meta_gradient(Place(1.0), bowl(3.0), config)
    assert found["place"].item() == pytest.approx(expected)


# A second step leads to 2.5, where the gradient is -1; both move by 1/4.
@pytest.mark.parametrize(
    ("method", "expected"), [("maml", -0.25), ("fomaml", -1.0), ("reptile", -1.5)]
)
def test_gradients_of_two_steps(method: Any, expected: float) -> None:
    config = MetaConfig(method, steps=2, rate=0.25)
    found = meta_gradient(Place(1.0), bowl(3.0), config)
    assert found["place"].item() == pytest.approx(expected)


# Judged about 5: the gradient at 2 is 2 (2 - 5) = -6. Reptile judges nothing.
@pytest.mark.parametrize(
    ("method", "expected"), [("maml", -3.0), ("fomaml", -6.0), ("reptile", -1.0)]
)
def test_other_rows_judge(method: Any, expected: float) -> None:
    config = MetaConfig(method, steps=1, rate=0.25)
    found = meta_gradient(Place(1.0), bowl(3.0, judged=5.0), config)
    assert found["place"].item() == pytest.approx(expected)


def test_gradient_steps_leave_the_start_as_it_is() -> None:
    start = Place(1.0)
    found = stepped(start, Bowl(), torch.tensor([3.0]), steps=2, rate=0.25)
    assert (start.place.item(), found.place.item()) == pytest.approx((1.0, 2.5))


@pytest.mark.parametrize("method", ["maml", "fomaml", "reptile"])
def test_the_start_for_two_bowls_is_between_them(method: Any) -> None:
    start, tasks = Place(2.0), [bowl(-1.0), bowl(3.0)]
    config = MetaConfig(method, steps=1, rate=0.25, updates=60, meta_rate=0.05)
    learn_start(start, tasks, config, torch.Generator().manual_seed(0))
    assert start.place.item() == pytest.approx(1.0, abs=0.1)


def lines(slope: float, seed: int) -> MetaTask:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(40, 1, generator=generator)
    rows = Examples(x, slope * x)
    return MetaTask(Regression(), rows[:20], rows[20:])


def test_a_learned_start_fits_a_new_line_sooner_than_any_other() -> None:
    tasks = [lines(5 + 0.2 * k, seed=k) for k in range(4)]
    config = MetaConfig(steps=1, rate=0.1, updates=40, meta_rate=0.5)
    start = Affine(1, 1, generator=torch.Generator().manual_seed(0))
    before = start.weight.detach().clone()
    learn_start(start, tasks, config, torch.Generator().manual_seed(0))
    new = lines(5.3, seed=9)
    losses = [
        float(
            new.objective(stepped(one, new.objective, new.fitted, 1, 0.1), new.judged)
        )
        for one in (start, Affine.of(before, torch.zeros(1)))
    ]
    assert losses[0] < 0.1 * losses[1]


def test_the_same_seed_gives_the_same_start() -> None:
    found = []
    for _ in range(2):
        start = Place(9.0)
        config = MetaConfig(updates=5, tasks=1)
        tasks = [bowl(-1.0), bowl(3.0), bowl(4.0)]
        learn_start(start, tasks, config, torch.Generator().manual_seed(7))
        found.append(start.place.item())
    assert found[0] == found[1]


def test_what_is_not_finite_does_not_spread() -> None:
    start = Place(1.0)
    tasks = [bowl(float("nan")), bowl(float("nan"))]
    sizes = learn_start(start, tasks, MetaConfig(updates=2), torch.Generator())
    assert start.place.item() == 1.0
    assert not torch.tensor(sizes).isfinite().any()


def test_one_task_is_no_family() -> None:
    with pytest.raises(InputError, match="2 targets or more, got 1; vary more"):
        learn_start(Place(0.0), [bowl(1.0)], MetaConfig(), torch.Generator())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "anil"}, "method must be one of maml, fomaml, reptile, got anil"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"rate": 0.0}, "rate must be above 0, got 0.0"),
    ],
)
def test_settings_of_no_use_are_refused(options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        MetaConfig(**options)
